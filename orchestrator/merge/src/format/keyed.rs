//! Merges three trees of keyed data, and keeps the text of all that nobody changed.
//!
//! Every piece of text of an entry is merged by itself: what one side changed is taken from that side. What both changed needs a
//! decision, unless it is a group on both sides, whose entries are merged in turn.
//!
//! **Invariant:** no piece of text that a side changed is left out, but for spaces that mean nothing where both changed them.
//! **Invariant:** the three texts that come out differ only where a decision is needed: marked by lines, they show just that.

use std::collections::{HashMap, HashSet};

use super::{
    identity::identities,
    order::{Orders, Step, Which},
    tree::{Entry, Group, Shape, Value, squeezed},
};

/// What is to be merged: the base, ours and theirs; no base where both added it.
pub(super) type Three<'a, T> = [Option<&'a T>; 3];
/// A text of each version, alike where no decision is needed.
pub(super) type Texts = [String; 3];

/// What came of it.
pub(super) struct Woven {
    pub(super) texts: Texts,
    /// What needs a decision, in words.
    pub(super) conflicts: Vec<String>,
}

/// Merges three documents.
pub(super) fn merge(base: Option<&Group>, ours: &Group, theirs: &Group, additions: Additions) -> Woven {
    let mut weaver = Weaver { conflicts: Vec::new(), place: Vec::new(), additions };
    let texts = weaver.group([base, Some(ours), Some(theirs)]);
    Woven { texts, conflicts: weaver.conflicts }
}

/// What becomes of a list that both sides added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Additions {
    /// It may be a command: it needs a decision.
    Apart,
    /// It is a section of a text: the entries of both.
    United,
    /// As with the first, and all entries are in order where a tool keeps them so.
    InOrder,
}

struct Weaver {
    conflicts: Vec<String>,
    /// The keys down to what is merged now.
    place: Vec<String>,
    additions: Additions,
}

/// An entry as it comes out.
struct Row {
    /// Whether one side added it, and whether it is the first there.
    added: Option<First>,
    holds_others: bool,
    lead: String,
    body: String,
    trail: String,
    after: String,
}

/// Whether an entry is the first of its side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Yes,
    No,
}

impl Row {
    fn of(entry: &Entry, first: First) -> Self {
        let Entry { lead, head, value, trail, after, .. } = entry.clone();
        Self {
            added: Some(first),
            holds_others: matches!(entry.value, Value::Group(_)),
            lead,
            body: head + &value.text(),
            trail,
            after,
        }
    }
}

impl Weaver {
    fn clash(&mut self, what: &str, texts: Texts) -> Texts {
        let place = if self.place.is_empty() { "the whole file".to_owned() } else { format!("`{}`", self.place.join(".")) };
        self.conflicts.push(format!("{what} {place}"));
        texts
    }

    fn value(&mut self, [base, ours, theirs]: Three<'_, Value>) -> Texts {
        let (Some(ours), Some(theirs)) = (ours, theirs) else { return Texts::default() };
        if let Some(text) = one_of(base, ours, theirs) {
            return alike(text.text());
        }
        match (base, ours, theirs) {
            (Some(Value::Group(b)), Value::Group(o), Value::Group(t)) if is_like([b, o, t]) => {
                self.group([Some(b), Some(o), Some(t)])
            }
            (None, Value::Group(o), Value::Group(t))
                if is_like([o, o, t]) && (o.shape == Shape::Map || self.additions == Additions::United) =>
            {
                self.group([None, Some(o), Some(t)])
            }
            _ => {
                let meaning = base.map(Value::meaning);
                match (ours.meaning(), theirs.meaning()) {
                    (o, t) if o == t || meaning.as_ref() == Some(&t) => alike(ours.text()),
                    (o, _) if meaning.as_ref() == Some(&o) => alike(theirs.text()),
                    _ => {
                        self.clash("both sides change", [base.map_or_else(String::new, Value::text), ours.text(), theirs.text()])
                    }
                }
            }
        }
    }

    fn group(&mut self, groups: Three<'_, Group>) -> Texts {
        let [base, Some(ours), Some(theirs)] = groups else { return Texts::default() };
        let ids = identities(groups);
        let maps = [base, Some(ours), Some(theirs)].map(|group| group.map_or(&[][..], |group| &group.entries));
        let by_id = [0, 1, 2].map(|at| ids[at].iter().map(String::as_str).zip(maps[at]).collect::<HashMap<_, _>>());
        let is_edited = |which: Which, id: &str| {
            let side = if which == Which::Ours { &by_id[1] } else { &by_id[2] };
            by_id[0].get(id).map(|entry| entry.meaning()) != side.get(id).map(|entry| entry.meaning())
        };
        let can_change = [Some(ours), Some(theirs), base].into_iter().flatten().all(holds_maps);
        let orders = Orders {
            base: &ids[0],
            ours: &ids[1],
            theirs: &ids[2],
            is_edited: &is_edited,
            can_change,
            has_names: ours.shape == Shape::Map,
            sorts: self.sorts(ours, theirs),
        };
        let Some(steps) = orders.steps() else {
            return self.clash("both sides move entries of", groups.map(|group| group.map_or_else(String::new, Group::text)));
        };
        let mut rows: [Vec<Row>; 3] = Default::default();
        for step in steps {
            match step {
                Step::Entry(id) => match [0, 1, 2].map(|at| by_id[at].get(id).copied()) {
                    [_, Some(only), None] | [_, None, Some(only)] => {
                        let firsts = [ours, theirs].map(|group| group.entries.first());
                        let is_first = firsts.into_iter().flatten().any(|first| std::ptr::eq(first, only));
                        let first = if is_first { First::Yes } else { First::No };
                        for rows in &mut rows {
                            rows.push(Row::of(only, first));
                        }
                    }
                    entries => self.entry(entries, &mut rows),
                },
                Step::Changed(ids) => self.entry([0, 1, 2].map(|at| by_id[at].get(ids[at]).copied()), &mut rows),
                Step::Clash(ids) => self.differing(&ids, &by_id, &mut rows),
            }
        }
        self.join(groups, rows)
    }

    /// Two keys in order say that keys are kept in order; two words of a list do not yet.
    fn sorts(&self, ours: &Group, theirs: &Group) -> bool {
        if self.additions == Additions::InOrder {
            return true;
        }
        let least = if ours.shape == Shape::Map { 2 } else { 3 };
        let is_word = |entry: &Entry| matches!(&entry.value, Value::Leaf(text) if !text.contains(char::is_whitespace));
        let are_words = |group: &Group| group.shape == Shape::Map || group.entries.iter().all(is_word);
        let count = ours.entries.len().min(theirs.entries.len());
        self.additions == Additions::Apart && count >= least && are_words(ours) && are_words(theirs)
    }

    fn differing(&mut self, ids: &[&[String]; 3], by_id: &[HashMap<&str, &Entry>; 3], rows: &mut [Vec<Row>; 3]) {
        let named: Vec<&str> = {
            let mut seen = HashSet::new();
            ids.iter().flat_map(|ids| ids.iter()).map(String::as_str).filter(|id| seen.insert(*id)).take(4).collect()
        };
        let words: Vec<&str> = named.iter().copied().map(words_of).collect();
        self.place.push(words.join(", "));
        self.clash("one side changes what the other removes or replaces:", Texts::default());
        self.place.pop();
        for at in [0, 1, 2] {
            rows[at].extend(ids[at].iter().filter_map(|id| by_id[at].get(id.as_str())).map(|entry| Row::of(entry, First::No)));
        }
    }

    fn entry(&mut self, entries: Three<'_, Entry>, rows: &mut [Vec<Row>; 3]) {
        let [_, Some(o), Some(t)] = entries else { return };
        self.place.push(if o.key.is_empty() { "an entry".to_owned() } else { o.key.clone() });
        let three = |of: fn(&Entry) -> &str| [entries[0].map(of), Some(of(o)), Some(of(t))];
        let lead = self.trivia(three(|entry| &entry.lead));
        let head = self.written(three(|entry| &entry.head));
        let value = self.value([entries[0].map(|entry| &entry.value), Some(&o.value), Some(&t.value)]);
        let trail = self.trivia(three(|entry| &entry.trail));
        let after = self.trivia(three(|entry| &entry.after));
        self.place.pop();
        let parts = lead.into_iter().zip(head).zip(value).zip(trail.into_iter().zip(after));
        for (rows, (((lead, head), value), (trail, after))) in rows.iter_mut().zip(parts) {
            rows.push(Row { added: None, holds_others: false, lead, body: head + &value, trail, after });
        }
    }

    /// A piece of text in which spaces mean nothing. Where both changed only those, ours.
    fn written(&mut self, [base, ours, theirs]: Three<'_, str>) -> Texts {
        let (ours, theirs) = (ours.unwrap_or_default(), theirs.unwrap_or_default());
        one_piece(base, ours, theirs).map_or_else(
            || self.clash("both sides change what stands around", [base.unwrap_or_default(), ours, theirs].map(str::to_owned)),
            |text| alike(text.to_owned()),
        )
    }

    /// Spaces and comments. Where both added lines, both.
    fn trivia(&mut self, three: Three<'_, str>) -> Texts {
        let [base, ours, theirs] = three.map(Option::unwrap_or_default);
        let is_one = one_piece(three[0], ours, theirs).is_some();
        match super::list::united(base, ours, theirs).filter(|_| !is_one) {
            Some(text) => alike(text),
            None => self.written(three),
        }
    }

    fn join(&mut self, groups: Three<'_, Group>, rows: [Vec<Row>; 3]) -> Texts {
        let [base, Some(ours), Some(theirs)] = groups else { return Texts::default() };
        let three = |of: fn(&Group) -> &str| [base.map(of), Some(of(ours)), Some(of(theirs))];
        let (open, tail) = (self.trivia(three(|group| &group.open)), self.trivia(three(|group| &group.tail)));
        let close = self.trivia(three(|group| &group.close));
        let flag = |group: &Group| group.ends_separated;
        let ends = *one_of(base.map(flag).as_ref(), &flag(ours), &flag(theirs)).unwrap_or(&true);
        let mut texts = open;
        for (text, mut rows) in texts.iter_mut().zip(rows) {
            space(&mut rows, groups);
            let count = rows.len();
            for (at, row) in rows.into_iter().enumerate() {
                text.push_str(&row.lead);
                text.push_str(&row.body);
                text.push_str(&row.trail);
                text.push_str(if at + 1 < count || ends { ours.separator } else { "" });
                text.push_str(&row.after);
            }
        }
        for (text, (tail, close)) in texts.iter_mut().zip(tail.into_iter().zip(close)) {
            text.push_str(&tail);
            text.push_str(&close);
        }
        texts
    }
}

/// Puts the spaces before added entries right. One that was the first on its side and is not any more has what others have there;
/// where one side has broken a group into lines, what the other added beside others gets a line of its own too.
fn space(rows: &mut [Row], groups: Three<'_, Group>) {
    let [base, Some(ours), Some(theirs)] = groups else { return };
    let head = base.and_then(|group| group.entries.first()).map(|entry| &entry.lead);
    let is_broken = rows.iter().filter(|row| row.added.is_none()).all(|row| row.lead.starts_with(['\n', '\r']));
    for at in 1..rows.len() {
        let (before, is_beside_an_item) = (rows[at - 1].lead.clone(), is_item(&rows[at - 1]));
        let row = &mut rows[at];
        let is_blank = row.lead.trim().is_empty() && row.added.is_some();
        // What stands at the head of the file stands there once.
        if row.added == Some(First::Yes) && (is_blank || Some(&row.lead) == head) {
            match usual_lead([ours, theirs], row.holds_others) {
                Some(lead) => row.lead = lead,
                // Entries of a text stand close to each other, however far they stand from their heading.
                None if is_beside_an_item && is_item(row) => row.lead = row.lead.trim_start_matches('\n').to_owned(),
                None if is_blank => {}
                None => row.lead.clear(),
            }
        } else if is_blank && is_broken && ours.separator == "," && !row.lead.contains('\n') && before.trim().is_empty() {
            row.lead = before;
        }
    }
}

fn is_item(row: &Row) -> bool {
    row.body.starts_with(['-', '*', '+'])
}

/// What stands before an entry of a kind that is not the first, if that is only spaces.
fn usual_lead(groups: [&Group; 2], holds_others: bool) -> Option<String> {
    let later = groups.into_iter().flat_map(|group| group.entries.iter().skip(1));
    let like = later.filter(|entry| matches!(entry.value, Value::Group(_)) == holds_others);
    like.map(|entry| &entry.lead).find(|lead| lead.trim().is_empty()).cloned()
}

/// The piece of three that holds both sides' edits, if there is one.
fn one_piece<'a>(base: Option<&'a str>, ours: &'a str, theirs: &'a str) -> Option<&'a str> {
    let original = base.map(squeezed);
    one_of(base, ours, theirs).or_else(|| match (squeezed(ours), squeezed(theirs)) {
        (o, t) if o == t || original.as_ref() == Some(&t) => Some(ours),
        (o, _) if original.as_ref() == Some(&o) => Some(theirs),
        _ => None,
    })
}

/// What a person calls an entry: its key, or the first thing that it says.
fn words_of(id: &str) -> &str {
    id.lines().find(|line| !line.is_empty() && !["Map", "List"].contains(line)).unwrap_or(id)
}

fn holds_maps(group: &Group) -> bool {
    let is_map = |entry: &Entry| matches!(&entry.value, Value::Group(group) if group.shape == Shape::Map);
    group.shape == Shape::List && group.entries.iter().all(is_map)
}

fn is_like(groups: [&Group; 3]) -> bool {
    let [a, b, c] = groups.map(|group| (group.shape, group.separator));
    a == b && b == c
}

/// The one of three that holds both sides' edits, if there is one.
fn one_of<'a, T: PartialEq + ?Sized>(base: Option<&'a T>, ours: &'a T, theirs: &'a T) -> Option<&'a T> {
    if ours == theirs || base == Some(theirs) {
        Some(ours)
    } else if base == Some(ours) {
        Some(theirs)
    } else {
        None
    }
}

fn alike(text: String) -> Texts {
    [text.clone(), text.clone(), text]
}
