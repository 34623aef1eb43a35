//! Which commits of a run its refs hold, and putting back those that somebody has deleted.
//!
//! **Invariant:** whatever an attempt left, and what the run began with, is named by a ref below `refs/inspan/<run>`, so that a
//! person's `git gc` keeps it; the journal knows the names, so a ref that was deleted is made again for as long as its commit is there.
//! **Invariant:** no ref is moved here: one that names something else than the journal knows may know better.
//!
//! Not here: the run branch, which is in `coordinator::branch`, and what is being proved, which `_landing` holds.

use plans::{event::CommitId, run_state::RunState};
use shared::{AttemptKey, RunId, TaskId};

use crate::{
    git::{Git, GitError},
    repository::base_ref,
};

/// What the names of all refs of a run's own begin with. The run branch is not among them.
pub fn refs_of(run: &RunId) -> String {
    format!("refs/inspan/{run}/")
}

/// What the refs of all attempts at a task begin with.
pub fn attempts_at(run: &RunId, task: &TaskId) -> String {
    format!("{}{task}/", refs_of(run))
}

/// The ref that keeps what an attempt left.
pub fn attempt_ref(run: &RunId, key: &AttemptKey) -> String {
    format!("{}{}", attempts_at(run, &key.task), key.attempt)
}

/// Every ref that the journal says there has to be, with its commit.
pub fn expected(run: &RunId, state: &RunState) -> Vec<(String, CommitId)> {
    let mut all = vec![(base_ref(run), state.base().clone())];
    for record in state.tasks().iter().chain(state.gone()) {
        for (attempt, trail) in &record.trail {
            let key = AttemptKey { task: record.id.clone(), attempt: *attempt };
            all.extend(trail.left.clone().map(|left| (attempt_ref(run, &key), left)));
        }
    }
    all
}

/// Makes refs again that are not there. What is lost is returned: refs whose commits are gone, too.
pub async fn put_back(git: &Git, run: &RunId, expected: Vec<(String, CommitId)>) -> Result<Vec<String>, GitError> {
    let there = git.refs(&refs_of(run)).await?;
    let mut lost = Vec::new();
    for (name, commit) in expected {
        if there.iter().any(|(known, _)| *known == name) {
            continue;
        }
        if git.commit(&commit.0).await.is_none() {
            lost.push(name);
            continue;
        }
        // Lost is whoever made it at the same moment; it is there then.
        git.swap_ref(&name, &commit, None).await?;
        tracing::warn!(%name, "somebody had deleted a ref of this run; it was made again");
    }
    Ok(lost)
}

#[cfg(test)]
mod tests {
    use plans::event::Event;
    use shared::Outcome;

    use super::*;
    use crate::site::testing::{Ground, key, sh};

    #[tokio::test]
    async fn a_ref_that_somebody_deleted_is_made_again_as_long_as_its_commit_is_there() {
        let ground = Ground::new().await;
        let (git, run, root) = (&ground.site.repository.git, ground.site.run(), &ground.site.repository.root);
        let left = ground.commit("left", "echo 1 > src/a").await;
        let text = "version = 1\ngoal = \"g\"\n[[task]]\nid = \"t\"\ntitle = \"T\"\ninstructions = \"i\"\nwrite = [\"src/**\"]\n";
        let mut recorder = ground.recorder();
        let plan = Box::new(plans::file::parse_toml(text).unwrap());
        let (author, by) = (plans::event::Author::File, plans::event::Approver::Policy);
        let base = ground.base.clone();
        for event in [
            Event::PlanProposed { revision: 1, plan, author, warnings: Vec::new() },
            Event::PlanApproved { revision: 1, by },
            Event::AttemptStarted { key: key(), base, continues: None, content: String::new() },
            Event::AttemptEnded { key: key(), commit: Some(left.clone()), outcome: Outcome::Cancelled },
        ] {
            recorder.record(&event).unwrap();
        }
        let lost = put_back(git, run, expected(run, recorder.state())).await.unwrap();
        assert_eq!(lost, Vec::<String>::new());
        let refs = sh(root, &format!("git for-each-ref --format='%(refname) %(objectname)' refs/inspan/{run}"));
        let base = &ground.base;
        assert_eq!(refs, format!("refs/inspan/{run}/_base {base}\nrefs/inspan/{run}/t/1 {left}"));
        sh(
            root,
            &format!(
                "git worktree remove -f ../left; git branch -qD left; git update-ref -d refs/inspan/{run}/t/1
                 git reflog expire --expire=now --all; git prune --expire=now"
            ),
        );
        assert_eq!(put_back(git, run, expected(run, recorder.state())).await.unwrap(), [format!("refs/inspan/{run}/t/1")]);
    }
}
