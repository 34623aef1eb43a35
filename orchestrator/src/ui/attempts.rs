//! Attempts as a table: a line each, and below it where it is and what can be typed next.

use std::fmt::Write as _;

use plans::{event::CommitId, spending::Spending, visible::in_line};
use shared::{Attempt, AttemptKey, RunId};

use super::bill;

/// One attempt.
#[derive(Debug, Clone)]
pub struct Row {
    /// Which.
    pub key: AttemptKey,
    /// How it ended, in the journal's word.
    pub class: String,
    /// The same in a few words.
    pub why: String,
    /// What became of it after it was done.
    pub fate: String,
    /// The attempt that it went on from.
    pub from: Option<Attempt>,
    /// How often it went on after its process was gone.
    pub went_on: u32,
    /// What it started from.
    pub base: CommitId,
    /// What it left.
    pub commit: Option<CommitId>,
    /// The ref of that.
    pub name: String,
    /// Whether the ref is there.
    pub is_there: bool,
    /// What it changed; none where that cannot be told.
    pub change: Option<Change>,
    /// What it took.
    pub spending: Spending,
    /// Whether its task can be begun again from it.
    pub can_be_retried: bool,
}

/// What an attempt changed against its base.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Files.
    pub files: u64,
    /// Lines.
    pub added: u64,
    /// Lines.
    pub removed: u64,
}

/// All of them.
pub fn table(run: &RunId, rows: &[Row]) -> String {
    if rows.is_empty() {
        return "No attempt has been made yet.\n".to_owned();
    }
    let width = rows.iter().map(|row| row.key.to_string().len()).max().unwrap_or_default();
    rows.iter().map(|row| of(run, row, width)).collect()
}

fn of(run: &RunId, row: &Row, width: usize) -> String {
    let AttemptKey { task, attempt } = &row.key;
    let mut text = String::new();
    let mut first = vec![row.class.clone()];
    let why = in_line(&row.why);
    first.extend((!why.is_empty() && why != row.class.as_str()).then(|| why.clone()));
    first.extend((!row.fate.is_empty()).then(|| in_line(&row.fate)));
    writeln!(text, "{:width$}  {}", row.key.to_string(), first.join("; ")).expect("a string");
    let mut line = |parts: Vec<String>| {
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        if !parts.is_empty() {
            writeln!(text, "{:width$}    {}", "", parts.join(", ")).expect("a string");
        }
    };
    let took = if row.spending.turns > 0 { bill::about(&row.spending) } else { String::new() };
    let changed = match &row.change {
        Some(Change { files, added, removed }) => {
            format!("{files} {} (+{added} -{removed})", if *files == 1 { "file" } else { "files" })
        }
        None => String::new(),
    };
    line(vec![took, changed]);
    let from = row.from.map(|from| format!("went on from #{from}")).unwrap_or_default();
    let again = if row.went_on > 0 { format!("went on after {} interruption(s)", row.went_on) } else { String::new() };
    let left = row.commit.as_ref().map_or_else(String::new, |commit| format!("left {}", commit.short()));
    line(vec![format!("base {}", row.base.short()), left, from, again]);
    if row.is_there {
        line(vec![row.name.clone()]);
        let diff = format!("`inspan diff {run} --task {task} --attempt {attempt}`");
        let retry = if row.can_be_retried { format!("`inspan retry {run} {task} --from {attempt}`") } else { String::new() };
        line(vec![diff, retry]);
    } else if row.commit.is_some() {
        line(vec![format!("{} is not there any more", row.name)]);
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use shared::TaskId;

    use super::*;

    #[test]
    fn an_attempt_says_how_it_ended_what_it_left_and_what_can_be_typed() {
        let commit = |letter: &str| CommitId(letter.repeat(40));
        let row = Row {
            key: AttemptKey { task: TaskId::new("a").unwrap(), attempt: Attempt(2) },
            class: "exhausted".to_owned(),
            why: "reached 3 turns".to_owned(),
            fate: String::new(),
            from: Some(Attempt(1)),
            went_on: 0,
            base: commit("b"),
            commit: Some(commit("c")),
            name: "refs/inspan/abcdefgh/a/2".to_owned(),
            is_there: true,
            change: Some(Change { files: 1, added: 3, removed: 1 }),
            spending: Spending::default(),
            can_be_retried: true,
        };
        let lost = Row { is_there: false, from: None, change: None, ..row.clone() };
        expect![[r"
            a #2  exhausted; reached 3 turns
                    1 file (+3 -1)
                    base bbbbbbbbbbbb, left cccccccccccc, went on from #1
                    refs/inspan/abcdefgh/a/2
                    `inspan diff abcdefgh --task a --attempt 2`, `inspan retry abcdefgh a --from 2`
            a #2  exhausted; reached 3 turns
                    base bbbbbbbbbbbb, left cccccccccccc
                    refs/inspan/abcdefgh/a/2 is not there any more
        "]]
        .assert_eq(&table(&RunId::new("abcdefgh").unwrap(), &[row, lost]));
    }
}
