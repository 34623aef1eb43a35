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
}

struct Weaver {
    conflicts: Vec<String>,
    /// The keys down to what is merged now.
    place: Vec<String>,
    additions: Additions,
}

/// An entry as it comes out.
struct Row {
    lead: String,
    body: String,
    trail: String,
    after: String,
}

impl Row {
    fn of(entry: &Entry) -> Self {
        let Entry { lead, head, value, trail, after, .. } = entry.clone();
        Self { lead, body: head + &value.text(), trail, after }
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
        let orders = Orders { base: &ids[0], ours: &ids[1], theirs: &ids[2], is_edited: &is_edited, can_change };
        let Some(steps) = orders.steps() else {
            return self.clash("both sides move entries of", groups.map(|group| group.map_or_else(String::new, Group::text)));
        };
        let mut rows: [Vec<Row>; 3] = Default::default();
        for step in steps {
            match step {
                Step::Entry(id) => self.entry([0, 1, 2].map(|at| by_id[at].get(id).copied()), &mut rows),
                Step::Changed(ids) => self.entry([0, 1, 2].map(|at| by_id[at].get(ids[at]).copied()), &mut rows),
                Step::Clash(ids) => self.differing(&ids, &by_id, &mut rows),
            }
        }
        self.join(groups, rows)
    }

    fn differing(&mut self, ids: &[&[String]; 3], by_id: &[HashMap<&str, &Entry>; 3], rows: &mut [Vec<Row>; 3]) {
        let named: Vec<&str> = {
            let mut seen = HashSet::new();
            ids.iter().flat_map(|ids| ids.iter()).map(String::as_str).filter(|id| seen.insert(*id)).take(4).collect()
        };
        let words: Vec<String> =
            named.iter().map(|id| id.lines().find(|line| !line.is_empty()).unwrap_or(id).to_owned()).collect();
        self.place.push(words.join(", "));
        self.clash("one side changes what the other removes or replaces:", Texts::default());
        self.place.pop();
        for at in [0, 1, 2] {
            rows[at].extend(ids[at].iter().filter_map(|id| by_id[at].get(id.as_str())).map(|entry| Row::of(entry)));
        }
    }

    fn entry(&mut self, entries: Three<'_, Entry>, rows: &mut [Vec<Row>; 3]) {
        let (o, t) = match entries {
            [_, Some(o), Some(t)] => (o, t),
            [_, Some(only), None] | [_, None, Some(only)] => {
                rows.iter_mut().for_each(|rows| rows.push(Row::of(only)));
                return;
            }
            _ => return,
        };
        self.place.push(if o.key.is_empty() { "an entry".to_owned() } else { o.key.clone() });
        let three = |of: fn(&Entry) -> &str| [entries[0].map(of), Some(of(o)), Some(of(t))];
        let lead = self.trivia(three(|entry| &entry.lead));
        let head = self.trivia(three(|entry| &entry.head));
        let value = self.value([entries[0].map(|entry| &entry.value), Some(&o.value), Some(&t.value)]);
        let trail = self.trivia(three(|entry| &entry.trail));
        let after = self.trivia(three(|entry| &entry.after));
        self.place.pop();
        let parts = lead.into_iter().zip(head).zip(value).zip(trail.into_iter().zip(after));
        for (rows, (((lead, head), value), (trail, after))) in rows.iter_mut().zip(parts) {
            rows.push(Row { lead, body: head + &value, trail, after });
        }
    }

    /// Spaces and comments. Where both changed only spaces, ours; where both added lines, both.
    fn trivia(&mut self, [base, ours, theirs]: Three<'_, str>) -> Texts {
        let (ours, theirs) = (ours.unwrap_or_default(), theirs.unwrap_or_default());
        if let Some(text) = one_of(base, ours, theirs) {
            return alike(text.to_owned());
        }
        let bare = base.map(squeezed);
        match (squeezed(ours), squeezed(theirs)) {
            (o, t) if o == t || bare.as_ref() == Some(&t) => alike(ours.to_owned()),
            (o, _) if bare.as_ref() == Some(&o) => alike(theirs.to_owned()),
            _ => {
                let base = base.unwrap_or_default();
                match super::list::united(base, ours, theirs) {
                    Some(text) => alike(text),
                    None => self.clash("both sides change what stands around", [base, ours, theirs].map(str::to_owned)),
                }
            }
        }
    }

    fn join(&mut self, groups: Three<'_, Group>, rows: [Vec<Row>; 3]) -> Texts {
        let [base, Some(ours), Some(theirs)] = groups else { return Texts::default() };
        let three = |of: fn(&Group) -> &str| [base.map(of), Some(of(ours)), Some(of(theirs))];
        let (open, tail) = (self.trivia(three(|group| &group.open)), self.trivia(three(|group| &group.tail)));
        let close = self.trivia(three(|group| &group.close));
        let flag = |group: &Group| group.ends_separated;
        let ends = *one_of(base.map(flag).as_ref(), &flag(ours), &flag(theirs)).unwrap_or(&true);
        let lead = usual_lead([ours, theirs]);
        let mut texts = open;
        for (text, rows) in texts.iter_mut().zip(rows) {
            let count = rows.len();
            for (at, row) in rows.into_iter().enumerate() {
                let is_first_of_side = at > 0 && row.lead.is_empty() && !ours.separator.is_empty();
                text.push_str(if is_first_of_side { &lead } else { &row.lead });
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

/// What stands before an entry that is not the first, if that is only spaces.
fn usual_lead(groups: [&Group; 2]) -> String {
    let leads = groups.into_iter().flat_map(|group| group.entries.iter().skip(1)).map(|entry| &entry.lead);
    leads.into_iter().find(|lead| lead.trim().is_empty()).cloned().unwrap_or_default()
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
