//! Bringing a result into the person's branch: the only place that touches their checkout, and only at their command.
//!
//! What is brought in is what the run has changed since its base, and nothing else. Where the branch is still where the run has been, that
//! is a fast-forward to a tree that was proved. Everywhere else the two are joined by the ladder of the landings, every side's change
//! is accounted for, and what nobody has proved yet is proved before the branch moves. What the branch will be is made first, as commits
//! that nobody sees; then git fast-forwards the checkout to it, which it does wholly or not at all.
//!
//! **Invariant:** nothing of theirs is overwritten: no uncommitted change, no staged change, no file that git does not track, ignored
//! or not; and nothing is begun while a merge, a rebase or the like of theirs is under way.
//! **Invariant:** nothing is brought in twice: see `history`.
//! **Invariant:** where it is refused, nothing has changed but refs below `refs/inspan`.
//!
//! What must not be in the way is in `checkout`, the gate in `proof`.
//!
//! Why not `git merge`? It runs hooks in the middle, and a hook that edits files and then fails leaves a checkout that neither
//! `merge --abort` nor `reset --merge` can put back.

mod checkout;
pub mod history;
pub mod proof;

use plans::event::CommitId;
use shared::{RunId, Secrecy};

use self::{history::Had, proof::Proof};
use crate::{
    coordinator::ladder::{self, Conflicted, Joined, Sides},
    error::Error,
    git::{Git, GitError},
    repository::Repository,
};

/// How the result is brought in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By a fast-forward where that is possible, else by a merge commit.
    Plain,
    /// By a merge commit.
    Merge,
    /// As one commit.
    Squash,
}

/// What is brought in.
#[derive(Debug)]
pub struct Result<'a> {
    /// The run.
    pub run: &'a RunId,
    /// Its goal, which becomes the message of a merge or a squashed commit.
    pub goal: &'a str,
    /// Where the run started.
    pub base: &'a CommitId,
    /// Where the person's branch was, if `base` is a snapshot of uncommitted changes on top of it.
    pub snapshot: Option<&'a CommitId>,
    /// The tip of the run branch.
    pub tip: &'a CommitId,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The new tip of the person's branch.
    pub commit: CommitId,
    /// How it came to its tree, a line each.
    pub told: Vec<String>,
}

type Outcome<T> = std::result::Result<T, Error>;

/// Brings the result in.
pub async fn apply(
    repository: &Repository,
    result: &Result<'_>,
    how: How,
    (proof, secrecy): (&mut Proof<'_>, &Secrecy),
) -> Outcome<Applied> {
    let git = &repository.git;
    let Some(branch) = &repository.branch else {
        let hint = format!("check out the branch that should have it, or make one: `git switch -c NAME inspan/{}`", result.run);
        return Err(refuse("HEAD is detached, so there is no branch to bring the result into", &hint));
    };
    let had = history::had(git, result, &repository.head.0).await?;
    if had.is_all() {
        return Err(refuse("the current branch has this result already", ""));
    }
    checkout::nothing_under_way(repository, branch).await?;
    let asked = Asked { repository, result, had: &had, secrecy };
    let mut tree = Tree::of(&asked).await?;
    checkout::nothing_in_the_way(repository, result, tree.first()).await?;
    let chosen = tree.choose(&asked, proof).await?;
    let commit = commits(git, result, &Place { head: &repository.head, tree: &chosen, had: &had }, how).await?;
    checkout::is_as_it_was(repository).await?;
    checkout::nothing_in_the_way(repository, result, &chosen).await?;
    checkout::nothing_is_locked(repository).await?;
    match checkout::here(repository).args(["merge", "--ff-only", "--quiet", &commit.0]).bytes().await {
        Ok(_) => {}
        Err(GitError::Failed { said, .. }) => return Err(refuse(&format!("git did not do it: {said}"), "")),
        Err(error) => return Err(error.into()),
    }
    // It only held the tree while it was proved.
    let _ = git.delete_ref(&proof::place(result.run)).await;
    Ok(Applied { commit, told: tree.told })
}

/// What is to be done, and for whom.
struct Asked<'a> {
    repository: &'a Repository,
    result: &'a Result<'a>,
    had: &'a Had,
    secrecy: &'a Secrecy,
}

/// The tree that the branch will have.
struct Tree {
    /// None where the run has proved it.
    joined: Option<Joined>,
    /// The likeliest one.
    first: String,
    told: Vec<String>,
}

impl Tree {
    async fn of(asked: &Asked<'_>) -> Outcome<Self> {
        let Asked { repository, result, had, .. } = *asked;
        let (git, head) = (&repository.git, &repository.head);
        let (tip, now) = tokio::try_join!(git.tree(result.tip), git.tree(head))?;
        // What was brought in so far is all that the branch has.
        if now == git.tree(had.point()).await? {
            return Ok(Self { joined: None, first: tip, told: Vec::new() });
        }
        if is_another_project(git, had.point(), head).await? {
            let hint = "check out the branch that the run started from";
            return Err(refuse("the current branch and the run have no common history", hint));
        }
        let sides = Sides { base: had.point(), ours: head, theirs: result.tip, task: "the result" };
        let joined = ladder::join(git, &sides).await?;
        let first = match &joined {
            Joined::Clean(clean) => clean.tree.clone(),
            Joined::Conflicted(left) if may_be_proposed(left) => left.tree.clone(),
            Joined::Conflicted(left) => return Err(conflict(asked, left).await),
        };
        if first == now {
            return Err(refuse("the current branch has this result already", ""));
        }
        Ok(Self { joined: Some(joined), first, told: Vec::new() })
    }

    fn first(&self) -> &str {
        &self.first
    }

    /// The tree that is taken: the first that passes. Where nothing can prove one, a clean join is taken as it is.
    async fn choose(&mut self, asked: &Asked<'_>, proof: &mut Proof<'_>) -> Outcome<String> {
        let Asked { repository, result, .. } = *asked;
        let Some(joined) = &self.joined else { return Ok(self.first.clone()) };
        let (git, head) = (&repository.git, &repository.head);
        self.told.extend(told(joined));
        let mut red = None;
        if let Joined::Clean(clean) = joined {
            if !proof.is_possible() {
                self.told.push(proof.why_not().to_owned());
                return Ok(clean.tree.clone());
            }
            red = proof.red(git, result, head, (&clean.tree, false)).await?;
            if red.is_none() {
                self.told.push(proof.passed());
                return Ok(clean.tree.clone());
            }
        }
        if proof.is_possible() {
            for proposal in joined.proposals(git).await? {
                if proof.red(git, result, head, (&proposal.tree, true)).await?.is_none() {
                    self.told.push(format!("Merged so that the gate and the proofs of the tasks pass: {}.", proposal.how));
                    return Ok(proposal.tree);
                }
            }
        }
        match (red, joined) {
            (Some(red), _) => Err(proof::refusal(result.run, &red)),
            (None, Joined::Conflicted(left)) => Err(conflict(asked, left).await),
            (None, Joined::Clean(clean)) => Ok(clean.tree.clone()),
        }
    }
}

/// Whether a branch shares neither history nor most of its files with what the run has seen.
async fn is_another_project(git: &Git, one: &CommitId, other: &CommitId) -> Outcome<bool> {
    if git.text(["merge-base", &one.0, &other.0]).await.is_ok() {
        return Ok(false);
    }
    let (one, other) = tokio::try_join!(git.blobs(one), git.blobs(other))?;
    Ok(2 * one.keys().filter(|path| other.contains_key(*path)).count() < one.len())
}

/// A gate can tell whether the merge of two pieces of code is right. Of prose and lists it cannot, and the person is there to ask.
fn may_be_proposed(left: &Conflicted) -> bool {
    left.may_be_proposed() && left.conflicts.iter().all(|conflict| merge::is_code(conflict.path.shown().as_str()))
}

/// Which files both have changed, and how they were merged.
fn told(joined: &Joined) -> Option<String> {
    let accounts = match joined {
        Joined::Clean(clean) => &clean.accounts,
        Joined::Conflicted(left) => &left.accounts,
    };
    let shown: Vec<&str> = accounts.iter().take(10).map(|file| file.path.shown().as_str()).collect();
    let more = if accounts.len() > shown.len() { format!(" and {} more", accounts.len() - shown.len()) } else { String::new() };
    let all = shown.join(", ");
    (!shown.is_empty()).then(|| format!("Your branch and the result both changed {all}{more}; each side's change is there."))
}

/// Where the commits go.
struct Place<'a> {
    head: &'a CommitId,
    tree: &'a str,
    had: &'a Had,
}

/// The commit that the branch will be at.
async fn commits(git: &Git, result: &Result<'_>, place: &Place<'_>, how: How) -> Outcome<CommitId> {
    let Place { head, tree, had } = *place;
    let message = message(result);
    if how == How::Squash {
        return Ok(git.commit_tree(tree, &[head], &message).await?);
    }
    let top = if had.in_history {
        if how == How::Plain && head == had.point() {
            return Ok(result.tip.clone());
        }
        result.tip.clone()
    } else {
        match history::on_top_of(git, had, head, tree).await? {
            Some(top) if how == How::Plain => return Ok(top),
            Some(top) => top,
            // Step by step it does not go; as a whole it does.
            None => return Ok(git.commit_tree(tree, &[head], &message).await?),
        }
    };
    Ok(git.commit_tree(tree, &[head, &top], &message).await?)
}

/// Both sides, told.
async fn conflict(asked: &Asked<'_>, left: &Conflicted) -> Error {
    let Asked { repository, result, had, secrecy } = *asked;
    let names: Vec<&str> = left.conflicts.iter().take(10).map(|conflict| conflict.path.shown().as_str()).collect();
    let sides = ladder::both_sides(&repository.git, left, secrecy, ["your branch", "the result"]).await;
    let what = format!("your branch and the result changed the same lines of {}", names.join(", "));
    let run = result.run;
    let hint = if had.in_history {
        format!("merge it yourself: `git merge inspan/{run}`")
    } else {
        format!("bring it in yourself: `git cherry-pick {}..inspan/{run}`", had.point().short())
    };
    let hint = format!("{hint}, which no gate proves");
    // What was committed meanwhile is no longer in the way.
    let uncommitted = repository.git.text(["status", "--porcelain", "--untracked-files=no"]).await.unwrap_or_default();
    let hint = match result.snapshot {
        Some(_) if !uncommitted.trim().is_empty() => format!(
            "the run took your uncommitted changes along (they are in refs/inspan/{run}/_base): commit them as they are, then apply again; or {hint}"
        ),
        _ => hint,
    };
    Error::Refused { what: format!("{what}; nothing was changed\n{sides}").trim_end().to_owned(), hint }
}

/// The message of a commit that holds the whole result: it says which, so that the next time only what has landed since is brought in.
fn message(result: &Result<'_>) -> String {
    let goal = result.goal.trim();
    let subject: String = goal.lines().next().unwrap_or("Apply a run").chars().take(72).collect();
    let rest = if goal.len() > subject.len() { format!("{goal}\n\n") } else { String::new() };
    format!("{subject}\n\n{rest}{}: {}\nInspan-Run: {}\n", history::RESULT, result.tip, result.run)
}

fn refuse(what: &str, hint: &str) -> Error {
    Error::Refused { what: format!("{what}; nothing was changed"), hint: hint.to_owned() }
}

#[cfg(test)]
mod tests;
