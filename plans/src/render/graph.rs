//! The graph as text: layers of tasks with the lines between them, or a list by layer where that does not fit.

use shared::TaskId;
use unicode_width::UnicodeWidthStr;

use super::{
    layout::{Item, Spot, layers, levels},
    route,
};
use crate::plan::Plan;

/// The graph within so many columns. `mark` may put a sign before a task, such as its state.
pub fn graph(plan: &Plan, width: usize, mark: impl Fn(&TaskId) -> Option<String>) -> String {
    let label = |id: &TaskId| mark(id).map_or_else(|| id.to_string(), |sign| format!("{sign} {id}"));
    let labels: Vec<String> = plan.tasks().iter().map(|task| label(&task.id)).collect();
    drawn(plan, &labels, width).unwrap_or_else(|| list(plan, &labels))
}

fn drawn(plan: &Plan, labels: &[String], width: usize) -> Option<String> {
    // Past this the layers cannot fit, and need not be tried.
    if plan.tasks().len() > width {
        return None;
    }
    let widths: Vec<i64> = labels.iter().map(|label| i64::try_from(label.width()).unwrap_or(i64::MAX / 1024)).collect();
    let mut layers = layers(plan, &widths);
    let mut out = String::new();
    for at in 0..layers.len() {
        for row in rows_above(&mut layers, at)? {
            out.push_str(&row);
            out.push('\n');
        }
        out.push_str(&named(&layers[at], labels));
        out.push('\n');
    }
    let right = layers.iter().flatten().map(|spot| spot.left() + spot.width).max().unwrap_or(0);
    (right <= i64::try_from(width).unwrap_or(i64::MAX)).then_some(out)
}

/// The lines that lead to a layer. Where tasks stand so exactly below others that their lines cannot be kept apart, all from this
/// layer on moves a little to the right.
fn rows_above(layers: &mut [Vec<Spot>], at: usize) -> Option<Vec<String>> {
    let Some(above) = at.checked_sub(1) else { return Some(Vec::new()) };
    (0..4).find_map(|_| {
        let rows = route::rows(&layers[above], &layers[at]);
        if rows.is_none() {
            layers[at..].iter_mut().flatten().for_each(|spot| spot.x += 1);
        }
        rows
    })
}

fn named(layer: &[Spot], labels: &[String]) -> String {
    let mut line = String::new();
    for spot in layer {
        let left = usize::try_from(spot.left()).unwrap_or(0);
        line.push_str(&" ".repeat(left.saturating_sub(line.width())));
        line.push_str(match spot.item {
            Item::Task(at) => &labels[at],
            Item::Line(_) => "│",
        });
    }
    line
}

/// A line for each task, by layer, with what it waits for.
fn list(plan: &Plan, labels: &[String]) -> String {
    let levels = levels(plan);
    let widest = labels.iter().map(|label| label.width()).max().unwrap_or(0);
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by_key(|&at| levels[at]);
    let mut out = String::new();
    let mut last = None;
    for at in order {
        let number = if last.replace(levels[at]) == Some(levels[at]) { String::new() } else { (levels[at] + 1).to_string() };
        let after: Vec<&str> = plan.tasks()[at].depends_on.iter().map(TaskId::as_str).collect();
        let after = if after.is_empty() { String::new() } else { format!("after {}", after.join(", ")) };
        let pad = " ".repeat(widest - labels[at].width());
        let line = format!("{number:<3}{}{pad}  {after}", labels[at]);
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
