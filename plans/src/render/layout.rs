//! Where each task of a drawn graph stands.
//!
//! Every task stands in the layer below its lowest dependency. A line that runs past a layer takes a place there like a task, so that
//! lines only ever join neighbouring layers. Within a layer, places follow the middle of what they are joined to.

use std::collections::BTreeMap;

use crate::{plan::Plan, reach::Reach};

/// Columns between two places of a layer.
const GAP: i64 = 3;
const ROUNDS: usize = 6;

/// For each task the length of the longest way from a task without dependencies.
pub(super) fn levels(plan: &Plan) -> Vec<usize> {
    let mut levels = vec![0; plan.tasks().len()];
    for &at in plan.topological() {
        levels[at] = plan.dependencies(at).map(|from| levels[from] + 1).max().unwrap_or(0);
    }
    levels
}

/// What takes a place in a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    /// A task.
    Task(usize),
    /// The line from a task higher up to tasks further down.
    Line(usize),
}

/// A place in a layer.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    pub(super) item: Item,
    /// The column of its middle, where lines begin and end.
    pub(super) x: i64,
    pub(super) width: i64,
    /// Places in the next layer that it is joined to.
    pub(super) below: Vec<usize>,
    above: Vec<usize>,
}

impl Spot {
    pub(super) fn left(&self) -> i64 {
        self.x - self.width / 2
    }
}

/// The layers of a plan, for labels of these widths.
pub(super) fn layers(plan: &Plan, widths: &[i64]) -> Vec<Vec<Spot>> {
    let mut layers = items(plan, widths);
    for round in 0..ROUNDS {
        for at in 1..layers.len() {
            sort_layer(&mut layers, at, |spot| &spot.above);
        }
        // The last word has the order from above: that is how the graph is read.
        for at in (0..layers.len().saturating_sub(1)).rev().filter(|_| round + 1 < ROUNDS) {
            sort_layer(&mut layers, at, |spot| &spot.below);
        }
    }
    place(&mut layers);
    layers
}

/// Dependencies that no other dependency implies.
fn needed(plan: &Plan) -> Vec<(usize, usize)> {
    let reach = Reach::of(plan);
    let mut edges = Vec::new();
    for to in 0..plan.tasks().len() {
        let from: Vec<usize> = plan.dependencies(to).collect();
        let implied = |a: usize| from.iter().any(|&b| reach.precedes(a, b));
        edges.extend(from.iter().filter(|&&a| !implied(a)).map(|&a| (a, to)));
    }
    edges.sort_unstable();
    edges
}

fn items(plan: &Plan, widths: &[i64]) -> Vec<Vec<Spot>> {
    let levels = levels(plan);
    let edges = needed(plan);
    let mut joins: BTreeMap<(usize, Item), Vec<Item>> = BTreeMap::new();
    for (at, &level) in levels.iter().enumerate() {
        joins.entry((level, Item::Task(at))).or_default();
    }
    for &(from, to) in &edges {
        let mut upper = Item::Task(from);
        for level in levels[from]..levels[to] {
            let lower = if level + 1 == levels[to] { Item::Task(to) } else { Item::Line(from) };
            let joined = joins.entry((level, upper)).or_default();
            if !joined.contains(&lower) {
                joined.push(lower);
            }
            upper = lower;
        }
    }
    let count = levels.iter().max().map_or(0, |level| level + 1);
    let mut layers: Vec<Vec<Spot>> = vec![Vec::new(); count];
    for &(level, item) in joins.keys() {
        let width = if let Item::Task(at) = item { widths[at] } else { 1 };
        layers[level].push(Spot { item, x: 0, width, below: Vec::new(), above: Vec::new() });
    }
    for ((level, upper), lowers) in joins {
        let from = position(&layers[level], upper);
        for lower in lowers {
            let to = position(&layers[level + 1], lower);
            layers[level][from].below.push(to);
            layers[level + 1][to].above.push(from);
        }
    }
    layers
}

fn position(layer: &[Spot], item: Item) -> usize {
    layer.iter().position(|spot| spot.item == item).expect("every item was given a spot in its layer")
}

/// Orders one layer by the middle of what each place is joined to in a neighbouring one, then puts the joins of both neighbours right.
fn sort_layer(layers: &mut [Vec<Spot>], at: usize, joined: fn(&Spot) -> &Vec<usize>) {
    let mut order: Vec<usize> = (0..layers[at].len()).collect();
    let key = |place: usize| mean(joined(&layers[at][place]).iter().map(|&to| to as f64)).unwrap_or(place as f64);
    order.sort_by(|&a, &b| key(a).total_cmp(&key(b)));
    let mut moved = vec![0; order.len()];
    for (to, &from) in order.iter().enumerate() {
        moved[from] = to;
    }
    layers[at] = order.iter().map(|&from| layers[at][from].clone()).collect();
    if let Some(above) = at.checked_sub(1) {
        layers[above].iter_mut().flat_map(|spot| &mut spot.below).for_each(|place| *place = moved[*place]);
    }
    if let Some(below) = layers.get_mut(at + 1) {
        below.iter_mut().flat_map(|spot| &mut spot.above).for_each(|place| *place = moved[*place]);
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

/// Gives each place its column: first packed to the left, then drawn to the middle of its neighbours, now from above, now from below.
fn place(layers: &mut [Vec<Spot>]) {
    for layer in layers.iter_mut() {
        let packed = settle(layer, &vec![0.0; layer.len()]);
        set(layer, &packed);
    }
    for _ in 0..ROUNDS {
        for at in 1..layers.len() {
            draw_to(layers, at, at - 1);
        }
        for at in (0..layers.len().saturating_sub(1)).rev() {
            draw_to(layers, at, at + 1);
        }
    }
    let left = layers.iter().flatten().map(Spot::left).min().unwrap_or(0);
    layers.iter_mut().flatten().for_each(|spot| spot.x -= left);
}

fn set(layer: &mut [Spot], columns: &[i64]) {
    layer.iter_mut().zip(columns).for_each(|(spot, &x)| spot.x = x);
}

fn draw_to(layers: &mut [Vec<Spot>], at: usize, other: usize) {
    let wish = |spot: &Spot| {
        let joined = if other < at { &spot.above } else { &spot.below };
        mean(joined.iter().map(|&to| layers[other][to].x as f64)).unwrap_or(spot.x as f64)
    };
    let wishes: Vec<f64> = layers[at].iter().map(wish).collect();
    let columns = settle(&layers[at], &wishes);
    set(&mut layers[at], &columns);
}

/// The columns nearest to the wished ones (least squares) at which the places keep their order and their distance: neighbours that
/// would come too near are pooled, and the pool stands where its members would on average.
fn settle(layer: &[Spot], wishes: &[f64]) -> Vec<i64> {
    let mut offsets = Vec::with_capacity(layer.len());
    let mut offset = 0;
    for (at, spot) in layer.iter().enumerate() {
        if at > 0 {
            let before = &layer[at - 1];
            offset += before.width - before.width / 2 + GAP + spot.width / 2;
        }
        offsets.push(offset);
    }
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (wish, &offset) in wishes.iter().zip(&offsets) {
        pools.push((wish - offset as f64, 1));
        while let [.., (a, n), (b, m)] = pools[..]
            && a > b
        {
            pools.truncate(pools.len() - 2);
            pools.push(((a * n as f64 + b * m as f64) / (n + m) as f64, n + m));
        }
    }
    let bases = pools.into_iter().flat_map(|(base, count)| std::iter::repeat_n(base, count));
    #[expect(clippy::cast_possible_truncation, reason = "columns of a screen, rounded")]
    bases.zip(offsets).map(|(base, offset)| base.round() as i64 + offset).collect()
}
