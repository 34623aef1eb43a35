//! What every task may do beyond reading, a line each: for the person who is about to allow it.
//!
//! **Invariant:** a right is never left out for lack of room: where a list is cut, its line says how much is missing.

use std::fmt::Write as _;

use shared::{Glob, Network};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::{
    approval::PathRules,
    plan::Plan,
    task::{Task, WorkerKind},
    visible::in_line,
};

/// How much of a command is shown: the whole of it stands in the table.
const COMMAND: usize = 32;
/// How many of the person's own rules are named.
const RULES: usize = 3;

/// One line a task, and one for the gate where it has a right that is not the usual one.
pub fn rights(plan: &Plan, rules: &PathRules, width: usize) -> String {
    let names = plan.tasks().iter().map(|task| task.id.as_str().len());
    let column = names.chain(["gate".len()]).max().unwrap_or_default();
    let mut out = String::new();
    for task in plan.tasks() {
        let rest = permits(task, rules);
        let room = width.saturating_sub(column + "  writes ; ".len() + rest.width());
        writeln!(out, "{:column$}  writes {}; {rest}", task.id, scope(task, room)).expect("writing to a string");
    }
    if !plan.gate().network.is_default() {
        writeln!(out, "{:column$}  {}", "gate", network(plan.gate().network)).expect("writing to a string");
    }
    out
}

fn permits(task: &Task, rules: &PathRules) -> String {
    let touched = |globs: &[Glob]| -> Vec<String> {
        globs.iter().filter(|rule| task.scope.globs().any(|own| own.overlaps(rule))).map(|rule| in_line(rule.as_str())).collect()
    };
    let (asks, denied) = (touched(&rules.ask), touched(&rules.deny));
    let command = match &task.worker {
        WorkerKind::Agent => None,
        WorkerKind::Command(command) => Some(format!("runs `{}`", cut(&in_line(command), COMMAND))),
    };
    let ask = (!asks.is_empty()).then(|| format!("asks before {}", first(&asks, RULES)));
    let deny = (!denied.is_empty()).then(|| format!("never {}", first(&denied, RULES)));
    [Some(network(task.network)), command, ask, deny].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn network(network: Network) -> String {
    match network {
        Network::None => "no network".to_owned(),
        Network::Loopback => "network loopback".to_owned(),
        Network::Host => "network HOST: the internet and all that listens here".to_owned(),
    }
}

/// As many patterns as there is room for, at least one.
fn scope(task: &Task, room: usize) -> String {
    let owned = task.scope.write.iter().map(|glob| in_line(glob.as_str()));
    let shared = task.scope.shared.iter().map(|glob| format!("{} (shared)", in_line(glob.as_str())));
    let all: Vec<String> = owned.chain(shared).collect();
    let fits = |&shown: &usize| first(&all, shown).width() <= room;
    first(&all, (1..=all.len()).rev().find(fits).unwrap_or(1))
}

/// The first of them, and how many more there are.
fn first(all: &[String], shown: usize) -> String {
    let shown = shown.min(all.len());
    let mut text = all[..shown].join(", ");
    if shown < all.len() {
        write!(text, " and {} more", all.len() - shown).expect("writing to a string");
    }
    text
}

fn cut(text: &str, most: usize) -> String {
    if text.width() <= most {
        return text.to_owned();
    }
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used < most
    };
    text.chars().take_while(fits).collect::<String>() + "…"
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::file::parse_toml;

    const PLAN: &str = r#"
        goal = "g"
        [gate]
        commands = ["true"]
        network = "host"
        [[task]]
        id = "money-type"
        title = "t"
        instructions = "i"
        write = ["crates/money/**"]
        shared = ["Cargo.lock"]
        [[task]]
        id = "fetch"
        title = "t"
        write = ["deploy/**", "vendor"]
        network = "host"
        worker = { command = "curl -s https://example.org/\u001b[31m漢字 | tar x -C vendor --strip 1" }
        [[task]]
        id = "wide"
        title = "t"
        instructions = "i"
        network = "none"
        write = ["a/**", "b/**", "c/**", "d/**", "e/**", "f/**", "g/**", "h/**", "i/**", "j/**", "k/**"]
    "#;

    #[test]
    fn every_task_has_its_rights_in_one_line_and_a_long_scope_is_cut_with_a_count() {
        let globs = |texts: &[&str]| texts.iter().map(|text| Glob::new(text).unwrap()).collect();
        let rules = PathRules { ask: globs(&["deploy/**", "*.lock"]), deny: globs(&["**/*.pem", "other/**"]) };
        let plan = parse_toml(PLAN).unwrap();
        expect![[r#"
            money-type  writes crates/money/** and 1 more; network loopback; asks before *.lock; never **/*.pem
            fetch       writes deploy/** and 1 more; network HOST: the internet and all that listens here; runs `curl -s https://example.org/\u{…`; asks before deploy/**; never **/*.pem
            wide        writes a/**, b/**, c/**, d/** and 7 more; no network; never **/*.pem
            gate        network HOST: the internet and all that listens here
        "#]].assert_eq(&rights(&plan, &rules, 80));
        expect![[r#"
            money-type  writes crates/money/**, Cargo.lock (shared); network loopback
            fetch       writes deploy/**, vendor; network HOST: the internet and all that listens here; runs `curl -s https://example.org/\u{…`
            wide        writes a/**, b/**, c/**, d/**, e/**, f/**, g/**, h/**, i/**, j/**, k/**; no network
            gate        network HOST: the internet and all that listens here
        "#]].assert_eq(&rights(&plan, &PathRules::default(), 160));
    }
}
