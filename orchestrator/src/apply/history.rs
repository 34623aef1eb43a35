//! What of a run a branch has already, and its commits made anew on another one.
//!
//! A branch has a step of the run if the step's commit is in its history, or a commit with that step's trailers is (one that a rebase has
//! made anew, or that was made by an earlier `apply`), or if its change would change nothing there. So a result that went on after it was brought in is brought in once more
//! without anything twice, whatever the person has done with their history meanwhile.
//!
//! **Invariant:** what counts as there is the run's beginning up to a step; a single step that was picked out of the middle does not.

use std::collections::BTreeSet;

use plans::event::CommitId;

use super::{Outcome, Result};
use crate::{
    coordinator::ladder::{self, Joined, Sides},
    git::Git,
};

/// The trailer of a commit that holds a whole result: the tip that it was made from.
pub const RESULT: &str = "Inspan-Result";

/// How far a branch has a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Had {
    /// The base and every step from there to the tip.
    steps: Vec<CommitId>,
    /// The last of them that the branch has.
    at: usize,
    /// Whether that very commit is in the branch's history.
    pub in_history: bool,
}

impl Had {
    /// What both sides grew from.
    pub fn point(&self) -> &CommitId {
        &self.steps[self.at]
    }

    /// Whether nothing is left to be brought in.
    pub fn is_all(&self) -> bool {
        self.at + 1 == self.steps.len()
    }
}

/// How far a branch, by its commit, has the run.
pub async fn had(git: &Git, result: &Result<'_>, head: &str) -> Outcome<Had> {
    let range = format!("{}..{}", result.base, result.tip);
    let list = git.text(["rev-list", "--reverse", "--first-parent", &range]).await?;
    let later = list.lines().map(|id| CommitId(id.to_owned()));
    let steps: Vec<CommitId> = std::iter::once(result.base.clone()).chain(later).collect();
    let in_history = git.is_ancestor(result.base, head).await?;
    let missing = git.text(["rev-list", "--count", "--first-parent", &range, "--not", head]).await?;
    let missing: usize = missing.parse().unwrap_or(steps.len() - 1);
    let at = if in_history { (steps.len() - 1).saturating_sub(missing) } else { 0 };
    let named = if at + 1 == steps.len() { at } else { by_name(git, result, &steps, head).await? };
    let found = by_content(git, &steps[at.max(named)..], head).await? + at.max(named);
    Ok(Had { steps, at: found, in_history: in_history && found <= at })
}

/// How many of the next steps change nothing any more: whoever words a commit anew loses its trailers, and its change is there all the same.
async fn by_content(git: &Git, steps: &[CommitId], head: &str) -> Outcome<usize> {
    let Some(head) = git.commit(head).await else { return Ok(0) };
    let now = git.tree(&head).await?;
    for (count, pair) in steps.windows(2).enumerate() {
        let sides = Sides { base: &pair[0], ours: &head, theirs: &pair[1], task: "the result" };
        if !matches!(ladder::join(git, &sides).await?, Joined::Clean(clean) if clean.tree == now) {
            return Ok(count);
        }
    }
    Ok(steps.len() - 1)
}

/// The last step that commits of the branch name, by their trailers.
async fn by_name(git: &Git, result: &Result<'_>, steps: &[CommitId], head: &str) -> Outcome<usize> {
    let range = format!("{}..{head}", result.base);
    let there = trailers(git, result, &range).await?;
    if there.is_empty() {
        return Ok(0);
    }
    let whole: BTreeSet<&str> = there.iter().map(|(_, whole, _)| whole.as_str()).collect();
    let whole = steps.iter().rposition(|step| whole.contains(step.0.as_str())).unwrap_or(0);
    let known: BTreeSet<&str> = there.iter().map(|(_, _, task)| task.as_str()).filter(|task| !task.is_empty()).collect();
    let range = format!("{}..{}", result.base, result.tip);
    let own = trailers(git, result, &range).await?;
    let task_of = |step: &CommitId| own.iter().find(|(id, ..)| *id == step.0).map_or("", |(_, _, task)| task.as_str());
    let each = steps[1..].iter().take_while(|step| known.contains(task_of(step))).count();
    Ok(whole.max(each))
}

/// Commits of a range that name the run: their ids, the whole results that they hold, and the attempts.
async fn trailers(git: &Git, result: &Result<'_>, range: &str) -> Outcome<Vec<(String, String, String)>> {
    let grep = format!("--grep=Inspan-Run: {}", result.run);
    let only = |key: &str| format!("%(trailers:key={key},valueonly,separator=%x20)");
    let format = format!("--format=%H%x00{}%x00{} {}", only(RESULT), only("Inspan-Task"), only("Inspan-Attempt"));
    let text = git.text(["log", "--no-show-signature", "--fixed-strings", &grep, &format, range, "--"]).await?;
    let line = |line: &str| {
        let mut parts = line.split('\0').map(|part| part.trim().to_owned());
        Some((parts.next()?, parts.next()?, parts.next()?))
    };
    Ok(text.lines().filter_map(line).collect())
}

/// The steps that the branch lacks once more, on top of another commit; none where one of them does not fit by itself, or they do not add
/// up to the tree that is wanted.
pub async fn on_top_of(git: &Git, had: &Had, onto: &CommitId, wanted: &str) -> Outcome<Option<CommitId>> {
    let mut top = onto.clone();
    let mut tree = git.tree(onto).await?;
    for pair in had.steps[had.at..].windows(2) {
        let sides = Sides { base: &pair[0], ours: &top, theirs: &pair[1], task: "the result" };
        let next = if git.tree(&pair[0]).await? == tree {
            git.tree(&pair[1]).await?
        } else {
            match ladder::join(git, &sides).await? {
                Joined::Clean(clean) => clean.tree.clone(),
                Joined::Conflicted(_) => return Ok(None),
            }
        };
        if next == tree {
            // It is there already.
            continue;
        }
        let message = git.text(["show", "-s", "--no-show-signature", "--format=%B", &pair[1].0]).await?;
        top = git.commit_tree(&next, &[&top], &message).await?;
        tree = next;
    }
    Ok((tree == wanted && top != *onto).then_some(top))
}
