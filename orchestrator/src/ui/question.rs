//! One question to the person while the run goes on: may this worker do this?
//!
//! **Invariant:** a question that nobody needs an answer to any more goes away by itself, and what is typed for it answers no other: what
//! was typed before a question stood there is thrown away.

use std::{fmt::Write as _, io::BufRead as _, time::Duration};

use plans::{
    approval::{Standing, Subject},
    visible::{in_line, visible},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    termios::{QueueSelector, tcflush},
};
use tokio_util::sync::CancellationToken;

use super::{Screen, words};
use crate::approvals::Matter;

/// How often it is looked whether the answer is still needed.
const LOOK: Duration = Duration::from_millis(100);
/// How many lines of a command are shown.
const LINES: usize = 40;

/// What a person is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// Who wants what, and why that is asked.
    pub matter: Matter,
    /// The task's title.
    pub title: String,
    /// What the task may write.
    pub scope: String,
    /// How many other questions wait.
    pub behind: usize,
}

/// What a person says to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Yes, this once.
    Once,
    /// Yes, and to whatever is like it for the rest of the run.
    Always,
    /// No.
    Deny,
    /// There is nobody, or the answer is not needed any more.
    Nobody,
}

/// Blocks until the person has said something that can be understood, or nobody needs to know.
pub(super) fn listen(screen: &Screen, question: &Question, away: &CancellationToken) -> Word {
    screen.insist(&in_words(question));
    // What cannot be thrown away is read as an answer; that is what a pipe is for.
    let _ = tcflush(std::io::stdin(), QueueSelector::IFlush);
    loop {
        screen.insist(prompt(question));
        let Some(line) = read_line_unless(away) else {
            if away.is_cancelled() {
                screen.insist("No answer is needed any more.");
            }
            return Word::Nobody;
        };
        match line.trim().to_lowercase().as_str() {
            "y" | "yes" | "o" | "once" | "allow" => return Word::Once,
            "a" | "always" if !question.matter.offer.is_empty() => return Word::Always,
            "n" | "no" | "d" | "deny" => return Word::Deny,
            _ => screen.insist(&help(question)),
        }
    }
}

fn prompt(question: &Question) -> &'static str {
    if question.matter.offer.is_empty() {
        "Allow it?  [y]es  [n]o  [?]"
    } else {
        "Allow it?  [y]es, this once  [a]lways in this run  [n]o  [?]"
    }
}

fn help(question: &Question) -> String {
    let offer: Vec<String> = question.matter.offer.iter().map(Standing::to_string).collect();
    let always = if offer.is_empty() {
        String::new()
    } else {
        format!("  a  allow it, and until the run ends, for every task: {}\n", offer.join(", "))
    };
    format!(
        "  y  allow it this once\n{always}  n  do not; the worker is told, and goes on without\nThe other workers go on meanwhile. \
         Without an answer approvals.unattended decides after approvals.deadline."
    )
}

fn in_words(question: &Question) -> String {
    let Question { matter, title, scope, behind } = question;
    let mut text = format!("\n{} wants to {}", matter.key, wish(&matter.what));
    let mut line = |name: &str, value: &str| {
        if !value.trim().is_empty() {
            writeln!(text, "  {name:6}  {}", in_line(value)).expect("writing to a string");
        }
    };
    line("task", title);
    line("scope", scope);
    line("reason", &matter.reason);
    line("asked", &matter.why);
    match behind {
        0 => {}
        1 => line("then", "1 more question waits"),
        more => line("then", &format!("{more} more questions wait")),
    }
    text.trim_end().to_owned()
}

fn wish(what: &Subject) -> String {
    match what {
        Subject::Command(command) => {
            let lines: Vec<String> = visible(command.trim()).lines().map(str::to_owned).collect();
            let left = lines.len().saturating_sub(LINES);
            let rest = if left > 0 { format!("\n[{left} more lines]") } else { String::new() };
            format!("run\n\n{}\n\n", words::indent(&words::indent(&format!("{}{rest}", lines[..lines.len() - left].join("\n")))))
        }
        other => format!("{}\n", other.in_words()),
    }
}

/// A line of the terminal; none at its end, or when nobody wants one any more. It is only read when it is there, so that no reader is
/// left behind that would take the answer to another question.
fn read_line_unless(away: &CancellationToken) -> Option<String> {
    let stdin = std::io::stdin();
    let wait = Timespec::try_from(LOOK).ok()?;
    while !away.is_cancelled() {
        let mut watched = [PollFd::new(&stdin, PollFlags::IN)];
        if matches!(poll(&mut watched, Some(&wait)), Ok(ready) if ready > 0) {
            let mut line = String::new();
            return matches!(stdin.lock().read_line(&mut line), Ok(read) if read > 0).then_some(line);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use shared::{Attempt, AttemptKey, Glob, TaskId};

    use super::*;

    fn question(what: Subject, offer: Vec<Standing>) -> Question {
        let key = AttemptKey { task: TaskId::new("money-type").unwrap(), attempt: Attempt(2) };
        let why = "`git push` is in approvals.ask".to_owned();
        let matter = Matter { key, what, why, reason: String::new(), offer };
        let (title, scope) = ("Money carries a Currency".to_owned(), "crates/money/**, Cargo.lock (shared)".to_owned());
        Question { matter, title, scope, behind: 0 }
    }

    #[test]
    fn a_question_says_who_wants_what_and_shows_what_cannot_be_seen() {
        let push = Subject::Command("cd x &&\n  git push \u{1b}[2K\u{202e}origin".to_owned());
        expect![[r#"

            money-type #2 wants to run

                cd x &&
                  git push \u{1b}[2K\u{202e}origin

              task    Money carries a Currency
              scope   crates/money/**, Cargo.lock (shared)
              asked   `git push` is in approvals.ask"#]]
        .assert_eq(&in_words(&question(push, vec![Standing::Commands("git push".to_owned())])));
        let mut scope = question(Subject::Scope(vec![Glob::new("src/**").unwrap()]), Vec::new());
        (scope.matter.reason, scope.behind) = ("the callers\nare there".to_owned(), 2);
        expect![[r#"

            money-type #2 wants to also write src/**
              task    Money carries a Currency
              scope   crates/money/**, Cargo.lock (shared)
              reason  the callers are there
              asked   `git push` is in approvals.ask
              then    2 more questions wait
            Allow it?  [y]es  [n]o  [?]
              y  allow it this once
              n  do not; the worker is told, and goes on without
            The other workers go on meanwhile. Without an answer approvals.unattended decides after approvals.deadline."#]]
        .assert_eq(&format!("{}\n{}\n{}", in_words(&scope), prompt(&scope), help(&scope)));
    }

    #[test]
    fn a_long_command_is_cut_with_a_count() {
        let long = question(Subject::Command("line\n".repeat(100)), Vec::new());
        assert!(in_words(&long).contains("[60 more lines]"));
        assert!(in_words(&question(Subject::Command(String::new()), Vec::new())).contains("wants to run"));
    }
}
