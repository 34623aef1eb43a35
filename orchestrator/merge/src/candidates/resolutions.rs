//! What one conflict could become, cheapest first: the lower the cost, the more often two features mean it.

use super::{
    text::{Line, bare, is_blank, join, lines},
    weave::{Manner, weave},
    words,
};
use crate::Conflict;

/// Which side's text stands first where both wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    OursFirst,
    TheirsFirst,
}

/// How often what both wrote alike is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    Twice,
    Once,
}

/// A text for a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolution {
    pub(super) cost: u32,
    pub(super) text: Vec<u8>,
    pub(super) how: &'static str,
}

/// All resolutions in these orders, cheapest first.
pub(super) fn of(conflict: &Conflict, orders: &[Order]) -> Vec<Resolution> {
    let mut all: Vec<Resolution> = Vec::new();
    for order in orders {
        all.extend(in_order(conflict, *order));
    }
    all.sort_by_key(|resolution| resolution.cost);
    let mut kept: Vec<Resolution> = Vec::new();
    for resolution in all {
        if kept.iter().all(|have| have.text != resolution.text) {
            kept.push(resolution);
        }
    }
    kept
}

fn in_order(conflict: &Conflict, order: Order) -> Vec<Resolution> {
    let Conflict { base, ours, theirs } = conflict;
    let versions = [base.as_slice(), ours.as_slice(), theirs.as_slice()];
    let mut all = Vec::new();
    let mut add = |cost, text: Option<Vec<u8>>, how| all.extend(text.map(|text| Resolution { cost, text, how }));
    add(0, superset(versions), "the side that has the other's edit in it");
    let (twice, once) = if shares_a_name(&lines(ours), &lines(theirs)) { (3, 1) } else { (1, 3) };
    add(twice, weave(versions, Manner { order, sharing: Sharing::Twice }), in_words(order));
    add(once, weave(versions, Manner { order, sharing: Sharing::Once }), "both, with what they share once");
    add(4, words::merge(versions, order), "the words of both");
    add(if base.is_empty() { 2 } else { 7 }, union(versions, order), in_words(order));
    all
}

fn in_words(order: Order) -> &'static str {
    match order {
        Order::OursFirst => "both, what landed first",
        Order::TheirsFirst => "both, the task's first",
    }
}

/// One side, where it holds all that the other did.
fn superset([base, ours, theirs]: [&[u8]; 3]) -> Option<Vec<u8>> {
    let holds = |large: &[u8], small: &[u8]| {
        let bare_lines = |text| lines(text).into_iter().map(bare).filter(|line| !line.is_empty()).collect::<Vec<_>>();
        let (large, small, base) = (bare_lines(large), bare_lines(small), bare_lines(base));
        let mut rest = large.iter();
        let all_there = small.iter().all(|line| rest.any(|have| have == line));
        let removed = base.iter().filter(|line| !small.contains(line));
        all_there && removed.into_iter().all(|line| !large.contains(line))
    };
    [(ours, theirs), (theirs, ours)].into_iter().find(|(large, small)| holds(large, small)).map(|(large, _)| large.to_vec())
}

/// The one after the other; what both took away is gone.
fn union([base, ours, theirs]: [&[u8]; 3], order: Order) -> Option<Vec<u8>> {
    let (first, second) = match order {
        Order::OursFirst => (lines(ours), lines(theirs)),
        Order::TheirsFirst => (lines(theirs), lines(ours)),
    };
    if first.is_empty() || second.is_empty() {
        return None;
    }
    let base: Vec<Vec<u8>> = lines(base).into_iter().map(bare).collect();
    // What the first one kept of the base need not come again.
    let again =
        |line: &&Line<'_>| is_blank(line) || !base.contains(&bare(line)) || !first.iter().any(|have| bare(have) == bare(line));
    let second: Vec<Line<'_>> = second.iter().filter(again).copied().collect();
    Some(join(first.iter().copied().chain(second)))
}

/// Whether both wrote a line that must not be there twice: an import, or the head of something that has a name.
fn shares_a_name(ours: &[Line<'_>], theirs: &[Line<'_>]) -> bool {
    const HEADS: &[&str] = &[
        "import ",
        "from ",
        "use ",
        "pub use ",
        "#include",
        "def ",
        "async def ",
        "class ",
        "fn ",
        "pub fn ",
        "func ",
        "function ",
        "const ",
        "let ",
        "var ",
        "type ",
        "interface ",
        "struct ",
        "pub struct ",
        "enum ",
        "pub enum ",
        "impl ",
        "mod ",
        "pub mod ",
        "export ",
        "try:",
        "with ",
    ];
    let heads = |lines: &[Line<'_>]| -> Vec<Vec<u8>> {
        let is_head = |line: &&Line<'_>| HEADS.iter().any(|head| line.trim_ascii_start().starts_with(head.as_bytes()));
        lines.iter().filter(is_head).map(|line| bare(line)).collect()
    };
    let theirs = heads(theirs);
    heads(ours).iter().any(|head| theirs.contains(head))
}
