//! Locks of git's that are in the way: waited for, then named.
//!
//! Git makes `NAME.lock` beside what it changes, and a git process that is killed leaves it for good. Whose it is nobody can know; a living
//! process lets go soon, so it is waited for.
//!
//! **Invariant:** no lock in the person's repository is removed here: only they know what else is at work there. Locks of an attempt's own
//! index are `crate::worktree`'s.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    process::Output,
    time::Instant,
};

use tokio::time::sleep;

use super::{
    GitError,
    call::{PATIENCE, PAUSE},
};

/// The lock that has stopped a call, if that is what has.
pub(super) fn in_the_way(out: &Output) -> Option<PathBuf> {
    if out.status.success() { None } else { lock_in(&out.stderr) }
}

/// The path in `Unable to create '/repo/.git/index.lock': File exists.`
fn lock_in(said: &[u8]) -> Option<PathBuf> {
    const BEFORE: &[u8] = b"nable to create '";
    const AFTER: &[u8] = b".lock': File exists";
    let start = find(said, BEFORE)? + BEFORE.len();
    let end = start + find(&said[start..], AFTER)? + ".lock".len();
    Some(PathBuf::from(OsStr::from_bytes(&said[start..end])))
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|part| part == wanted)
}

/// Waits until none of these locks is there, or names the first that stays. For what is not to be begun and then stopped by one.
pub async fn wait_for_locks(locks: &[PathBuf]) -> Result<(), GitError> {
    let began = Instant::now();
    let is_there = |lock: &&PathBuf| Path::symlink_metadata(lock).is_ok();
    while let Some(lock) = locks.iter().find(is_there) {
        if began.elapsed() >= PATIENCE {
            return Err(GitError::Locked { lock: lock.clone() });
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{git::Call, site::testing::Ground};

    #[test]
    fn the_lock_is_read_off_what_git_says_whatever_its_path() {
        for (said, lock) in [
            ("fatal: Unable to create '/a b/.git/index.lock': File exists.\n\nAnother git", Some("/a b/.git/index.lock")),
            ("error: cannot lock ref 'refs/x': Unable to create '/d/refs/x.lock': File exists.", Some("/d/refs/x.lock")),
            ("error: unable to create 'it's/packed-refs.lock': File exists", Some("it's/packed-refs.lock")),
            ("fatal: Unable to create '/r/.git/index.lock': Permission denied", None),
            ("fatal: '/r/index.lock': File exists", None),
            ("", None),
        ] {
            assert_eq!(lock_in(said.as_bytes()), lock.map(PathBuf::from), "{said}");
        }
    }

    #[tokio::test]
    async fn a_lock_that_goes_is_waited_for_and_one_that_stays_is_named() {
        let ground = Ground::new().await;
        let (git, root) = (ground.site.repository.git.clone(), ground.site.repository.root.clone());
        let lock = git.dir().join("index.lock");
        let add = || Call::new().dir(&root).args(["update-index", "--force-remove", "nothing"]).text();
        std::fs::write(&lock, "").unwrap();
        let (added, ()) = tokio::join!(add(), async {
            sleep(PAUSE * 3).await;
            std::fs::remove_file(&lock).unwrap();
        });
        added.unwrap();
        std::fs::write(&lock, "").unwrap();
        let said = add().await.unwrap_err().to_string();
        assert!(said.contains("index.lock is there") && said.contains("remove that file"), "{said}");
        assert!(wait_for_locks(std::slice::from_ref(&lock)).await.is_err());
        let branch = git.dir().join("refs/heads/other.lock");
        std::fs::write(&branch, "").unwrap();
        let said = git.set_ref("refs/heads/other", &ground.base).await.unwrap_err().to_string();
        assert!(said.contains("refs/heads/other.lock is there"), "{said}");
    }
}
