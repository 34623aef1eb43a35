//! Rung 4: whole trees that could be the join, likeliest first. Each is for somebody to prove with the verify commands of both tasks
//! and the gate; none is a merge before that.
//!
//! **Invariant:** a proposal has every hunk of both sides, and its files parse where both sides' do.
//!
//! Where a file was merged by more than its lines and the tree turns out red, the other texts that it could be are proposals, too.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{FileAccount, Kind, Texts, Way, files::aside, objects::Entry, objects::Objects};
use crate::{
    git::{Git, GitError},
    tree_path::TreePath,
};

/// A tree that could be the join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The tree.
    pub tree: String,
    /// How it was made, for people.
    pub how: String,
    /// What became of every hunk of the files that were proposed.
    pub accounts: Vec<FileAccount>,
}

/// A file with the texts that it could have.
pub(super) struct Open<'a> {
    pub(super) path: &'a TreePath,
    pub(super) texts: &'a Texts,
    /// Whether the tree has a text already that both sides can live with.
    pub(super) is_merged: bool,
}

/// How many trees are proposed at most: each costs a run of the proofs.
const MOST: usize = 12;
/// For all files.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether texts may be proposed for a file in conflict.
pub(super) fn may_be_proposed(kind: &Kind) -> bool {
    matches!(kind, Kind::Text(_) | Kind::Refused(_) | Kind::Unaccounted(_))
}

/// Trees with one text of each file.
pub(super) async fn propose(git: &Git, tree: &str, open: &[Open<'_>]) -> Result<Vec<Proposal>, GitError> {
    let end = Instant::now() + PATIENCE;
    let mut texts: Vec<Vec<Option<merge::Candidate>>> = Vec::new();
    for file in open {
        let found = candidates(file, end).await;
        let merged = file.is_merged.then_some(None);
        texts.push(merged.into_iter().chain(found.into_iter().map(Some)).collect());
    }
    let lengths: Vec<usize> = texts.iter().map(Vec::len).collect();
    let mut proposals: Vec<Proposal> = Vec::new();
    let objects = Objects::new(git);
    for chosen in choices(&lengths, MOST + 1) {
        let chosen: Vec<(&Open<'_>, &merge::Candidate)> =
            open.iter().zip(&texts).zip(&chosen).filter_map(|((file, all), at)| Some((file, all[*at].as_ref()?))).collect();
        if chosen.is_empty() || proposals.len() == MOST {
            continue;
        }
        let entry = |(file, text): &(&Open<'_>, &merge::Candidate)| Entry {
            path: file.path.clone(),
            mode: file.texts.mode.clone(),
            text: text.text.clone(),
        };
        let tree = objects.tree_with(tree, &chosen.iter().map(entry).collect::<Vec<_>>()).await?;
        proposals.push(Proposal { tree, how: in_words(&chosen), accounts: chosen.iter().map(account).collect() });
    }
    Ok(proposals)
}

fn account((file, candidate): &(&Open<'_>, &merge::Candidate)) -> FileAccount {
    let account = merge::account(&file.texts.versions(file.path.shown().as_str()), &candidate.text);
    FileAccount { path: file.path.clone(), way: Way::Proposal, account }
}

fn in_words(chosen: &[(&Open<'_>, &merge::Candidate)]) -> String {
    let each = chosen.iter().map(|(file, text)| format!("{}: {}", file.path.shown(), text.how));
    each.collect::<Vec<_>>().join("; ")
}

/// On a thread of its own, as every work of the crate `merge`: none when it fails or takes too long.
async fn candidates(file: &Open<'_>, end: Instant) -> Vec<merge::Candidate> {
    let (path, texts) = (file.path.shown().as_str().to_owned(), file.texts.clone());
    let work = aside(move || merge::candidates(&texts.versions(&path)));
    timeout_at(end, work).await.ok().and_then(Result::ok).unwrap_or_default()
}

/// Choices of one of each, those with the smallest places first, and among these the even ones: what suits one file suits the others.
fn choices(lengths: &[usize], most: usize) -> Vec<Vec<usize>> {
    if lengths.contains(&0) || lengths.is_empty() {
        return Vec::new();
    }
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let even = (0..longest).map(|at| lengths.iter().map(|length| at.min(length - 1)).collect::<Vec<_>>());
    let mut found: Vec<Vec<usize>> = Vec::new();
    let one_off = (0..lengths.len()).flat_map(|file| (1..lengths[file]).map(move |at| (at, file))).collect::<Vec<_>>();
    let mut one_off: Vec<Vec<usize>> = {
        let mut sorted = one_off;
        sorted.sort_unstable();
        sorted.into_iter().map(|(at, file)| (0..lengths.len()).map(|f| if f == file { at } else { 0 }).collect()).collect()
    };
    one_off.reverse();
    for choice in even {
        found.push(choice);
        // After each even one some that differ in a single file.
        found.extend((0..2).filter_map(|_| one_off.pop()));
    }
    one_off.reverse();
    found.extend(one_off);
    let mut seen = std::collections::HashSet::new();
    found.retain(|choice| seen.insert(choice.clone()));
    found.truncate(most);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_suits_one_file_is_tried_in_all_before_files_differ() {
        assert_eq!(choices(&[2, 3], 9), [[0, 0], [1, 0], [0, 1], [1, 1], [0, 2], [1, 2]]);
        assert_eq!(choices(&[3], 9), [[0], [1], [2]]);
        assert!(choices(&[2, 0], 9).is_empty() && choices(&[], 9).is_empty());
        assert_eq!(choices(&[12; 8], 12).len(), 12);
    }
}
