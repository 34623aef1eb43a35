//! The run branch, which a person can move as well as we can.
//!
//! **Invariant:** it only moves forward: to a commit that has in its history whatever the branch has named before. So nothing that a
//! person has put there is overwritten, and a branch that they deleted or put back to an earlier commit of the run is mended by the
//! next move.
//! **Invariant:** a branch that is checked out somewhere is not moved: the next commit there would undo what has landed.
//!
//! What the run has landed does not hang on this name: the journal knows it, and refs below `refs/inspan` hold it.
//!
//! Why not adopt commits that a person made there? The branch is green because each of its trees has passed; theirs have not. They
//! are kept under a name of the person's, and the run's result is merged with them when they want it.

use plans::event::CommitId;

use crate::{
    crash_point::{self, Point},
    error::Error,
    git::{Git, Swap},
};

/// Moves the branch to a commit of the run, from wherever it is. `name` is the ref's full name.
pub async fn advance(git: &Git, name: &str, to: &CommitId) -> Result<(), Error> {
    let there = git.commit(name).await;
    match &there {
        Some(there) if there == to => return Ok(()),
        Some(there) if !git.is_ancestor(there, &to.0).await? => return Err(moved(git, name, there, to).await),
        _ => {}
    }
    if let Some(error) = checked_out(git, name).await {
        return Err(error);
    }
    match git.swap_ref(name, to, there.as_ref()).await? {
        Swap::Done => {
            crash_point::pass(Point::BranchMoved);
            Ok(())
        }
        // A call of git that outlived its process, which was killed, has done it already.
        Swap::Lost if git.commit(name).await.as_ref() == Some(to) => Ok(()),
        Swap::Lost => {
            let what = format!("{name} was moved by somebody else at the same moment; nothing was overwritten");
            Err(Error::Refused { what, hint: String::new() })
        }
    }
}

async fn moved(git: &Git, name: &str, there: &CommitId, to: &CommitId) -> Error {
    let range = format!("{to}..{there}");
    let theirs = git.text(["rev-list", "--count", &range]).await.unwrap_or_default();
    let commits = if theirs == "1" { "1 commit".to_owned() } else { format!("{theirs} commits") };
    let short = name.trim_start_matches("refs/heads/");
    let what = format!(
        "{short} was moved by somebody else to {}, which has {commits} that are not the run's; nothing was overwritten",
        there.short()
    );
    let kept = short.replacen("inspan/", "mine/", 1);
    Error::Refused {
        what,
        hint: format!(
            "keep what is there under another name (`git branch -m {short} {kept}`): the run then makes its branch again"
        ),
    }
}

/// A branch that moves under a checkout would make the person's next commit undo what landed.
async fn checked_out(git: &Git, name: &str) -> Option<Error> {
    let place = match git.text(["for-each-ref", "--format=%(worktreepath)", name]).await {
        Ok(place) if place.is_empty() => return None,
        Ok(place) => place,
        // Whoever cannot look must not move it.
        Err(error) => return Some(error.into()),
    };
    let what = format!("the run branch is checked out in {place}, so it was not moved; nothing is lost");
    Some(Error::Refused { what, hint: "switch to another branch there".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::testing::{Ground, sh};

    #[tokio::test]
    async fn the_branch_moves_forward_from_wherever_a_person_has_put_it_and_never_over_their_commits() {
        let ground = Ground::new().await;
        let (git, root) = (&ground.site.repository.git, &ground.site.repository.root);
        let landed = ground.commit("landed", "echo 1 > new").await;
        let name = "refs/heads/inspan/abcdefgh";
        let there = || sh(root, &format!("git rev-parse {name}"));
        for before in [
            "true",
            "git branch -qf inspan/abcdefgh main",
            "git branch -qf inspan/abcdefgh landed",
            "git branch -qD inspan/abcdefgh",
        ] {
            sh(root, before);
            advance(git, name, &landed).await.unwrap();
            assert_eq!(there(), landed.0, "{before}");
        }
        ground.commit("mine", "echo 1 > theirs").await;
        sh(root, "git branch -qf inspan/abcdefgh mine");
        let before = there();
        let error = advance(git, name, &landed).await.unwrap_err();
        assert!(error.to_string().contains("1 commit that"), "{error}");
        assert!(error.hint().unwrap().contains("git branch -m inspan/abcdefgh mine/abcdefgh"), "{error}");
        assert_eq!(there(), before);
    }
}
