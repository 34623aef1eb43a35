//! What those get who mend a conflict: the next attempt (rung 5) and the planner (rung 6) a text, the person (rung 7) a commit.
//!
//! **Invariant:** what is told is masked before it is cut: half a key cannot be told from other text.
//! **Invariant:** it is bounded, and each part of it for itself, so that none crowds out the others.

use std::{borrow::Cow, fmt::Write as _};

use plans::event::CommitId;
use shared::{RepoPath, RunId, Secrecy, TaskId};

use super::{Conflicted, Sides};
use crate::git::{Git, GitError};

/// Of one file's disputed parts.
const MOST_OF_A_FILE: usize = 4 << 10;
/// Of all of them.
const MOST_OF_ALL: usize = 12 << 10;
/// Of the other side's change.
const MOST_OF_THE_PATCH: usize = 8 << 10;

/// Both sides of what is in conflict, and what landed in these files since the task began.
pub async fn evidence(git: &Git, sides: &Sides<'_>, left: &Conflicted, secrecy: &Secrecy) -> Result<String, GitError> {
    let mut told = disputes(git, left, secrecy, (["on the run branch now", "your change"], ["what landed", "this task"])).await;
    let paths: Vec<RepoPath> = left.conflicts.iter().map(|conflict| conflict.path.shown().clone()).collect();
    let patch = git.patch(&sides.base.0, &sides.ours.0, &paths).await?;
    if !patch.trim().is_empty() {
        let patch = cut(&secrecy.mask(&patch), MOST_OF_THE_PATCH);
        write!(told, "\nWhat landed in these files since this task began:\n{patch}").expect("writing to a string");
    }
    Ok(told)
}

/// Both sides of what is in conflict, for the person, each by the name that it has for them.
pub async fn both_sides(git: &Git, left: &Conflicted, secrecy: &Secrecy, names: [&str; 2]) -> String {
    disputes(git, left, secrecy, (names, names)).await
}

/// The names stand at the markers, and in the sentence about each file.
async fn disputes(git: &Git, left: &Conflicted, secrecy: &Secrecy, (labels, names): ([&str; 2], [&str; 2])) -> String {
    let mut all = String::new();
    for conflict in &left.conflicts {
        let path = conflict.path.shown();
        let text = git.file(&left.tree, path).await.unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let parts = disputed(&secrecy.mask(&text), labels);
        writeln!(all, "--- {path}: {}", conflict.kind.in_words(names)).expect("writing to a string");
        all.push_str(&cut(&parts, MOST_OF_A_FILE));
    }
    cut(&all, MOST_OF_ALL)
}

/// The disputed parts of a text with a few lines around each; what stood there before is left out.
fn disputed(text: &str, labels: [&str; 2]) -> String {
    const AROUND: usize = 5;
    let lines: Vec<&str> = text.lines().collect();
    let mut shown = vec![Shown::No; lines.len()];
    let mut within = Within::Nothing;
    for (at, line) in lines.iter().enumerate() {
        within = within.after(line);
        if within == Within::Nothing && !line.starts_with(">>>>>>> ") {
            continue;
        }
        for near in &mut shown[at.saturating_sub(AROUND)..(at + AROUND + 1).min(lines.len())] {
            if *near == Shown::No {
                *near = Shown::Yes;
            }
        }
        if within == Within::Base {
            shown[at] = Shown::Never;
        }
    }
    let mut out = String::new();
    let mut gap = false;
    for (line, shown) in lines.iter().zip(&shown) {
        match shown {
            Shown::Yes => {
                if std::mem::take(&mut gap) {
                    out.push_str("...\n");
                }
                out.push_str(&relabelled(line, labels));
                out.push('\n');
            }
            Shown::No => gap = true,
            Shown::Never => {}
        }
    }
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    No,
    Yes,
    Never,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Nothing,
    Side,
    Base,
}

impl Within {
    fn after(self, line: &str) -> Self {
        match self {
            _ if line.starts_with("<<<<<<< ") => Within::Side,
            Within::Side if line.starts_with("||||||| ") => Within::Base,
            Within::Base if line == "=======" => Within::Side,
            Within::Side if line.starts_with(">>>>>>> ") => Within::Nothing,
            same => same,
        }
    }
}

fn relabelled<'a>(line: &'a str, [ours, theirs]: [&str; 2]) -> Cow<'a, str> {
    match line.split(' ').next() {
        Some(marker @ "<<<<<<<") => format!("{marker} {ours}").into(),
        Some(marker @ ">>>>>>>") => format!("{marker} {theirs}").into(),
        _ => line.into(),
    }
}

/// Keeps the beginning and the end of what is too long.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let head = (0..=most / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let tail = (text.len() - most / 2..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    format!("{}\n[… {} bytes left out …]\n{}", &text[..head], tail - head, &text[tail..])
}

/// Keeps both sides for the person: a commit on top of both, whose tree has conflict markers.
pub async fn keep_for_person(
    git: &Git,
    (run, task): (&RunId, &TaskId),
    sides: &Sides<'_>,
    left: &Conflicted,
) -> Result<CommitId, GitError> {
    let mut message = format!("Both sides of {task}, not merged\n\n");
    for conflict in &left.conflicts {
        writeln!(message, "{}: {}", conflict.path.shown(), conflict.kind).expect("writing to a string");
    }
    let commit = git.commit_tree(&left.tree, &[sides.ours, sides.theirs], &message).await?;
    git.set_ref(&place(run, task), &commit).await?;
    Ok(commit)
}

/// One line that says how to look at what was kept, and how to mend it.
pub async fn where_it_is_kept(git: &Git, run: &RunId, task: &TaskId) -> Option<String> {
    let place = place(run, task);
    git.commit(&place).await?;
    Some(format!(
        "both sides, with conflict markers, are in {place}: see them with `git show --remerge-diff {place}`, mend them on a branch \
         (`git switch -c mend-{task} {place}`) and merge that"
    ))
}

fn place(run: &RunId, task: &TaskId) -> String {
    format!("refs/inspan/{run}/{task}/conflict")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_disputed_parts_are_shown_with_a_little_around_and_without_what_was_there_before() {
        let lines: Vec<String> = (0..20).map(|n| format!("line {n}")).collect();
        let mut text = lines.join("\n") + "\n";
        text.push_str("<<<<<<< landed\nours\n||||||| before\nold\n=======\ntheirs\n>>>>>>> a\nafter\n");
        text.push_str(&lines.join("\n"));
        expect![[r#"
            ...
            line 15
            line 16
            line 17
            line 18
            line 19
            <<<<<<< on the run branch now
            ours
            =======
            theirs
            >>>>>>> your change
            after
            line 0
            line 1
            line 2
            line 3
        "#]]
        .assert_eq(&disputed(&text, ["on the run branch now", "your change"]));
        assert_eq!(disputed("plain\n", ["", ""]), "");
    }

    #[test]
    fn long_texts_are_cut_at_whole_letters() {
        let text = "é".repeat(100);
        assert!(cut(&text, 51).contains("bytes left out"));
        assert_eq!(cut("short", 51), "short");
    }
}
