//! The graph in the languages of other programs.

use std::fmt::Write as _;

use crate::{plan::Plan, visible::in_line};

/// The graph for Mermaid, which many code hosts draw inside Markdown.
pub fn mermaid(plan: &Plan) -> String {
    let mut out = String::from("graph TD\n");
    for (at, task) in plan.tasks().iter().enumerate() {
        let title = mermaid_text(&in_line(&task.title));
        // Not the task's own id: `end` and its like are words of that language.
        writeln!(out, "    t{at}[\"{}<br/>{title}\"]", task.id).expect("writing to a string");
    }
    for (from, to) in edges(plan) {
        writeln!(out, "    t{from} --> t{to}").expect("writing to a string");
    }
    out
}

/// The graph for Graphviz.
pub fn dot(plan: &Plan) -> String {
    let mut out = String::from("digraph plan {\n    rankdir = TB;\n    node [shape = box];\n");
    for task in plan.tasks() {
        let title = in_line(&task.title).replace('\\', "\\\\").replace('"', "\\\"");
        writeln!(out, "    \"{}\" [label = \"{}\\n{title}\"];", task.id, task.id).expect("writing to a string");
    }
    for (from, to) in edges(plan) {
        writeln!(out, "    \"{}\" -> \"{}\";", plan.tasks()[from].id, plan.tasks()[to].id).expect("writing to a string");
    }
    out.push_str("}\n");
    out
}

/// Every dependency once, in the order of the file.
fn edges(plan: &Plan) -> Vec<(usize, usize)> {
    let mut edges: Vec<(usize, usize)> =
        (0..plan.tasks().len()).flat_map(|at| plan.dependents(at).map(move |to| (at, to))).collect();
    edges.sort_unstable();
    edges
}

/// Letters and digits as they are, all else that could be syntax as a character reference.
fn mermaid_text(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii_punctuation() && !".,-_/:()'".contains(c) {
            write!(out, "#{};", u32::from(c)).expect("writing to a string");
        } else {
            out.push(c);
        }
    }
    out
}
