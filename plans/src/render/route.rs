//! The lines between two layers of a drawn graph.
//!
//! Tasks with the same dependents share one bus: a row to which all of them come down and from which all the dependents hang. Where a line
//! only crosses a bus, the bus is drawn as broken, so that what touches is joined and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::layout::Spot;

const UP: u8 = 1;
const DOWN: u8 = 2;
const LEFT: u8 = 4;
const RIGHT: u8 = 8;

/// What one row joins: columns above and columns below.
struct Bus {
    sources: BTreeSet<i64>,
    targets: BTreeSet<i64>,
    row: usize,
}

impl Bus {
    fn ends(&self) -> (i64, i64) {
        let all = || self.sources.union(&self.targets).copied();
        (all().min().unwrap_or(0), all().max().unwrap_or(0))
    }

    fn is_straight(&self) -> bool {
        let (left, right) = self.ends();
        left == right
    }

    fn meets(&self, other: &Bus) -> bool {
        let ((a, b), (c, d)) = (self.ends(), other.ends());
        self.row == other.row && a <= d + 1 && c <= b + 1
    }

    /// Its source comes down where a line of the other hangs, so its row has to be above the other's.
    fn goes_above(&self, other: &Bus) -> bool {
        !self.is_straight() && self.sources.intersection(&other.targets).next().is_some()
    }
}

/// The rows between two layers. `None` where no order of the rows keeps apart what does not belong together.
pub(super) fn rows(upper: &[Spot], lower: &[Spot]) -> Option<Vec<String>> {
    let mut groups: BTreeMap<BTreeSet<i64>, BTreeSet<i64>> = BTreeMap::new();
    for spot in upper.iter().filter(|spot| !spot.below.is_empty()) {
        let targets = spot.below.iter().map(|&to| lower[to].x).collect();
        groups.entry(targets).or_default().insert(spot.x);
    }
    let buses: Vec<Bus> = groups.into_iter().map(|(targets, sources)| Bus { sources, targets, row: 0 }).collect();
    let buses = stacked(buses)?;
    let height = buses.iter().map(|bus| bus.row + 1).max().unwrap_or(1);
    let width = buses.iter().map(|bus| bus.ends().1 + 1).max().unwrap_or(0);
    Some(drawn(&buses, height, usize::try_from(width).ok()?))
}

/// Gives each bus the first row that is free and below those that have to be above it.
fn stacked(mut open: Vec<Bus>) -> Option<Vec<Bus>> {
    let mut done: Vec<Bus> = Vec::new();
    while !open.is_empty() {
        let is_next = |bus: &Bus| !open.iter().any(|other| !std::ptr::eq(other, bus) && other.goes_above(bus));
        let at = open.iter().position(is_next)?;
        let mut bus = open.remove(at);
        if !bus.is_straight() {
            bus.row = done.iter().filter(|other| other.goes_above(&bus)).map(|other| other.row + 1).max().unwrap_or(0);
            while done.iter().any(|other| !other.is_straight() && other.meets(&bus)) {
                bus.row += 1;
            }
        }
        done.push(bus);
    }
    Some(done)
}

fn drawn(buses: &[Bus], height: usize, width: usize) -> Vec<String> {
    let mut cells = vec![vec![0_u8; width]; height];
    let column = |x: i64| usize::try_from(x).expect("columns begin at 0");
    for bus in buses {
        for (row, line) in cells.iter_mut().enumerate() {
            for &x in &bus.sources {
                line[column(x)] |= stem(row, bus, UP | DOWN, UP, 0);
            }
            for &x in &bus.targets {
                line[column(x)] |= stem(row, bus, 0, DOWN, UP | DOWN);
            }
        }
    }
    for bus in buses.iter().filter(|bus| !bus.is_straight()) {
        let (left, right) = bus.ends();
        for x in left..=right {
            let cell = &mut cells[bus.row][column(x)];
            if bus.sources.contains(&x) || bus.targets.contains(&x) {
                *cell |= if x > left { LEFT } else { 0 } | if x < right { RIGHT } else { 0 };
            } else if *cell == 0 {
                *cell = LEFT | RIGHT;
            }
        }
    }
    cells.iter().map(|line| line.iter().map(|&bits| glyph(bits)).collect::<String>().trim_end().to_owned()).collect()
}

/// What a vertical line shows above its bus, at it, and below it.
fn stem(row: usize, bus: &Bus, above: u8, at: u8, below: u8) -> u8 {
    if bus.is_straight() {
        return UP | DOWN;
    }
    match row.cmp(&bus.row) {
        std::cmp::Ordering::Less => above,
        std::cmp::Ordering::Equal => at,
        std::cmp::Ordering::Greater => below,
    }
}

fn glyph(bits: u8) -> char {
    const GLYPHS: [char; 16] = [' ', '│', '│', '│', '─', '┘', '┐', '┤', '─', '└', '┌', '├', '─', '┴', '┬', '┼'];
    GLYPHS[usize::from(bits)]
}
