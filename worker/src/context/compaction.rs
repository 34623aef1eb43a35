//! Making a conversation shorter: which results go, then which turns, and what stands there instead.
//!
//! It happens rarely and takes a big piece at once, for what follows is a prefix that no cache knows.
//!
//! 1. Old results go, the oldest first. A line stays that says what was there and how to get it again.
//! 2. Where that frees too little, whole turns go, and a summary of them stands after the opening.
//! 3. Where what is left is still too long, because the window is tiny, the longest results go, whatever they are.
//!
//! **Invariant:** the opening is never touched, and the last turn stays.
//! **Invariant:** before the third step the last few turns and the latest reads of files that are being changed stay as they are.
//! **Invariant:** what a model wrote is never edited: a turn stays as it is or goes as a whole, with the results of its calls. No call
//! loses its result, no result its call.
//! **Invariant:** the same conversation under the same pressure gives the same plan.
//!
//! Not here: who writes the summary (`agent`), and what it says if nobody can ([`super::summary`]).

use std::{cmp::Reverse, collections::BTreeSet, ops::Range};

use serde::{Deserialize, Serialize};

use super::{
    room::{Gauge, Room},
    summary,
    turns::{argument, reads_of_changed_files, results, turns},
};
use crate::model::{AssistantTurn, Message, ToolCall};

/// How many of the last turns stay as they are, unless they take more than half of what is to be left.
const LAST: usize = 4;
/// A result is left out where that saves so many bytes.
const WORTH: usize = 200;
/// How many tokens a summary is expected to have, unless that is more than a quarter of what is to be left.
const SUMMARY: u64 = 1_500;
/// How a result begins that was left out.
const LEFT_OUT: &str = "[left out to make room: ";

/// A stretch of a conversation and what stands there instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// Where it began, counted from 0 in the conversation as it was.
    pub from: usize,
    /// How many messages it was.
    pub count: usize,
    /// What stands there now.
    pub with: Vec<Message>,
}

/// Puts them into a conversation. Stretches that it does not have, or that overlap, are an error: somebody has changed the file.
pub fn apply(messages: &mut Vec<Message>, replaced: &[Replaced]) -> Result<(), &'static str> {
    let mut end = messages.len();
    for Replaced { from, count, with } in replaced.iter().rev() {
        let stretch = from.checked_add(*count).filter(|stretch| *stretch <= end);
        let stretch = stretch.ok_or("it replaces messages that are not there")?;
        messages.splice(*from..stretch, with.iter().cloned());
        end = *from;
    }
    Ok(())
}

/// Why a conversation has to be shorter, in tokens.
#[derive(Debug, Clone, Copy)]
pub struct Pressure {
    /// What the next request holds, tools and all.
    pub prompt: u64,
    /// What it may hold.
    pub room: Room,
    /// What a byte is.
    pub gauge: Gauge,
}

/// What will go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    opening: usize,
    drops: Vec<Replaced>,
    gone: Vec<Range<usize>>,
    /// How many tokens that frees, about.
    pub freed: u64,
}

impl Plan {
    /// Where the last turn ends that will go; none where no turn does, and nobody has to write a summary.
    pub fn summed_up(&self) -> Option<usize> {
        self.gone.last().map(|turn| turn.end)
    }

    /// The turns that will go.
    pub fn gone(&self) -> &[Range<usize>] {
        &self.gone
    }

    /// All that is replaced, with this summary of the turns that go.
    pub fn carry_out(self, messages: &[Message], summary: &str) -> Vec<Replaced> {
        let mut replaced = self.drops;
        if !self.gone.is_empty() {
            let summary = AssistantTurn { text: summary.to_owned(), ..AssistantTurn::default() };
            let with = vec![Message::Assistant(summary), Message::user(summary::go_on(messages, &self.gone))];
            replaced.push(Replaced { from: self.opening, count: 0, with });
        }
        let gone = self.gone.into_iter().map(|turn| Replaced { from: turn.start, count: turn.len(), with: Vec::new() });
        replaced.extend(gone);
        // What is put in comes before what is taken out at the same place.
        replaced.sort_by_key(|replaced| (replaced.from, replaced.count));
        replaced
    }
}

/// What to do about a conversation that is too long; nothing where it is not, or where too little can be gained.
pub fn plan(messages: &[Message], pressure: &Pressure) -> Option<Plan> {
    let Pressure { prompt, room, .. } = *pressure;
    if prompt <= room.high {
        return None;
    }
    let view = View::of(messages, pressure);
    let mut plan = view.without_results();
    let enough = (prompt - room.low).saturating_sub((room.high - room.low) / 2);
    if plan.freed < enough {
        plan = Some(view.without_turns()).filter(|other| other.freed > plan.freed + view.summary()).unwrap_or(plan);
    }
    view.without_what_is_longest(&mut plan);
    // A new prefix for a small gain is a bad trade, unless nothing could be asked at all otherwise.
    let least = if prompt > room.hard { 1 } else { (room.high - room.low) / 4 };
    (plan.freed >= least.max(1)).then_some(plan)
}

/// A conversation, weighed.
struct View {
    pressure: Pressure,
    opening: usize,
    turns: Vec<Turn>,
}

struct Turn {
    range: Range<usize>,
    tokens: u64,
    stubs: Vec<Stub>,
    /// Somebody said something in it that has to be remembered word for word.
    is_word: bool,
}

/// A result that can be left out.
struct Stub {
    place: usize,
    saves: u64,
    with: Message,
    /// The latest read of a file that is being changed.
    is_read: bool,
}

impl Stub {
    fn drop(&self) -> Replaced {
        Replaced { from: self.place, count: 1, with: vec![self.with.clone()] }
    }
}

impl Turn {
    /// How long it is without the results that can go.
    fn reduced(&self) -> u64 {
        self.tokens.saturating_sub(self.stubs.iter().filter(|stub| !stub.is_read).map(|stub| stub.saves).sum())
    }

    fn has_reads(&self) -> bool {
        self.stubs.iter().any(|stub| stub.is_read)
    }
}

impl View {
    fn of(messages: &[Message], pressure: &Pressure) -> Self {
        let (opening, ranges) = turns(messages);
        let reads = reads_of_changed_files(messages);
        let turns = ranges.into_iter().map(|range| Turn::of(messages, range, &reads, pressure.gauge)).collect();
        Self { pressure: *pressure, opening, turns }
    }

    /// How many of the last turns stay as they are.
    fn last(&self) -> usize {
        let mut left = self.pressure.room.low / 2;
        let fits = |turn: &&Turn| {
            let fits = turn.tokens <= left;
            left = left.saturating_sub(turn.tokens);
            fits
        };
        self.turns.iter().rev().take(LAST).take_while(fits).count().max(1)
    }

    fn summary(&self) -> u64 {
        // The words around it have a length of their own.
        const AROUND: u64 = 1_000;
        SUMMARY.min(self.pressure.room.low / 4).max(self.pressure.gauge.tokens(AROUND))
    }

    fn without_results(&self) -> Plan {
        let wanted = self.pressure.prompt - self.pressure.room.low;
        let old = &self.turns[..self.turns.len().saturating_sub(self.last())];
        let mut plan = self.nothing();
        for stub in old.iter().flat_map(|turn| &turn.stubs).filter(|stub| !stub.is_read) {
            if plan.freed >= wanted {
                break;
            }
            plan.freed += stub.saves;
            plan.drops.push(stub.drop());
        }
        plan
    }

    fn without_turns(&self) -> Plan {
        let (whole, reduced) = self.kept();
        let mut plan = self.nothing();
        for (place, turn) in self.turns.iter().enumerate() {
            if reduced.contains(&place) {
                let stubs = turn.stubs.iter().filter(|stub| !stub.is_read);
                plan.drops.extend(stubs.clone().map(Stub::drop));
                plan.freed += stubs.map(|stub| stub.saves).sum::<u64>();
            } else if !whole.contains(&place) {
                plan.freed += turn.tokens;
                plan.gone.push(turn.range.clone());
            }
        }
        plan.freed = plan.freed.saturating_sub(if plan.gone.is_empty() { 0 } else { self.summary() });
        plan
    }

    /// The turns that stay whole, and those that stay without the results that can go: the last ones; then words of people; then the
    /// reads of files that are being changed; then as many of the newest as there is room for.
    fn kept(&self) -> (BTreeSet<usize>, BTreeSet<usize>) {
        let all: u64 = self.turns.iter().map(|turn| turn.tokens).sum();
        let fixed = self.pressure.prompt.saturating_sub(all) + self.summary();
        let mut left = self.pressure.room.low.saturating_sub(fixed);
        let first_of_last = self.turns.len().saturating_sub(self.last());
        let whole: BTreeSet<usize> = (first_of_last..self.turns.len()).collect();
        left = left.saturating_sub(self.turns[first_of_last..].iter().map(|turn| turn.tokens).sum());
        let mut reduced = BTreeSet::new();
        let mut keep = |place: usize| {
            let size = self.turns[place].reduced();
            let fits = reduced.contains(&place) || size <= left;
            if fits && reduced.insert(place) {
                left -= size;
            }
            fits
        };
        let older = (0..first_of_last).rev();
        let wanted: [fn(&Turn) -> bool; 2] = [|turn| turn.is_word, Turn::has_reads];
        for is_wanted in wanted {
            for place in older.clone().filter(|place| is_wanted(&self.turns[*place])) {
                keep(place);
            }
        }
        for place in older {
            if !keep(place) {
                break;
            }
        }
        (whole, reduced)
    }

    fn without_what_is_longest(&self, plan: &mut Plan) {
        let dropped: BTreeSet<usize> = plan.drops.iter().map(|drop| drop.from).collect();
        let stays = |turn: &&Turn| !plan.gone.contains(&turn.range);
        let stubs = self.turns.iter().filter(stays).flat_map(|turn| &turn.stubs);
        let mut stubs: Vec<&Stub> = stubs.filter(|stub| !dropped.contains(&stub.place)).collect();
        stubs.sort_by_key(|stub| (Reverse(stub.saves), stub.place));
        for stub in stubs {
            if self.pressure.prompt.saturating_sub(plan.freed) <= self.pressure.room.high {
                break;
            }
            plan.freed += stub.saves;
            plan.drops.push(stub.drop());
        }
    }

    fn nothing(&self) -> Plan {
        Plan { opening: self.opening, drops: Vec::new(), gone: Vec::new(), freed: 0 }
    }
}

impl Turn {
    fn of(messages: &[Message], range: Range<usize>, reads: &BTreeSet<usize>, gauge: Gauge) -> Self {
        let bytes = messages[range.clone()].iter().map(Message::bytes).sum();
        let stubs = results(messages, &range).filter_map(|(place, content, call)| {
            let with = left_out(content, call);
            let saved = content.len().checked_sub(with.len()).filter(|saved| *saved >= WORTH)?;
            let Message::Tool { call_id, name, .. } = &messages[place] else { return None };
            let with = Message::Tool { call_id: call_id.clone(), name: name.clone(), content: with };
            Some(Stub { place, saves: gauge.tokens(saved as u64), with, is_read: reads.contains(&place) })
        });
        let is_word = messages[range.clone()].iter().any(|message| match message {
            Message::User { content } => summary::is_word(content),
            _ => false,
        });
        Self { tokens: gauge.tokens(bytes), stubs: stubs.collect(), is_word, range }
    }
}

/// The line that stands instead of a result.
fn left_out(content: &str, call: Option<&ToolCall>) -> String {
    let size = content.len().div_ceil(1024);
    let what = call.map_or_else(|| "a result".to_owned(), in_words);
    let again = match (saved_output(content), call.map(|call| call.name.as_str())) {
        (Some(path), _) => format!("`read_file` pages the whole output: {path}"),
        (None, Some("read_file" | "list_files" | "search")) => "Call it again if you need it".to_owned(),
        (None, Some("run_command")) => format!("It began: {}. Run it again if you need the rest", first_line(content)),
        _ => format!("It began: {}", first_line(content)),
    };
    format!("{LEFT_OUT}{size} KiB of {what}. {again}.]")
}

/// A call in a few words.
pub(super) fn in_words(call: &ToolCall) -> String {
    let about = ["path", "command", "pattern", "from", "status", "reason"].iter().find_map(|name| argument(call, name));
    match about {
        Some(about) => format!("{} `{}`", call.name, first_line(&about)),
        None => call.name.clone(),
    }
}

/// Where the whole of an output is that was too long to show.
fn saved_output(content: &str) -> Option<&str> {
    let (_, rest) = content.split_once("left out; read_file pages the ")?;
    let (_, rest) = rest.split_once(": ")?;
    let path = rest.lines().next()?.split(" …]").next()?.trim();
    path.starts_with('/').then_some(path)
}

/// The first line, cut where it is long.
pub(super) fn first_line(text: &str) -> String {
    const LONGEST: usize = 100;
    let line = text.trim_start().lines().next().unwrap_or_default().trim_end();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests;
