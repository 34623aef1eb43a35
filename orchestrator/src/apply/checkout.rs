//! The person's checkout, looked at before it changes: nothing of theirs may be in the way.

use std::{
    collections::{BTreeSet, HashSet},
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use super::{Outcome, Result, refuse};
use crate::{
    git::{Call, Change, GitError, wait_for_locks},
    repository::Repository,
};

/// Git in the person's checkout, in their name.
pub(super) fn here(repository: &Repository) -> Call {
    Call::as_the_person().dir(&repository.root)
}

/// A merge, a rebase or the like of the person's is theirs to end; and a branch that is checked out twice would move under the other one.
pub(super) async fn nothing_under_way(repository: &Repository, branch: &str) -> Outcome<()> {
    for (mark, name) in [
        ("MERGE_HEAD", "a merge"),
        ("CHERRY_PICK_HEAD", "a cherry-pick"),
        ("REVERT_HEAD", "a revert"),
        ("rebase-merge", "a rebase"),
        ("rebase-apply", "a rebase"),
    ] {
        let path = here(repository).args(["rev-parse", "--path-format=absolute", "--git-path", mark]).text().await?;
        if Path::new(&path).exists() {
            return Err(refuse(&format!("{name} of yours is under way"), "finish or abort it first (`git status` shows it)"));
        }
    }
    if let Some(place) = elsewhere(repository, branch).await? {
        let what = format!("{branch} is checked out in {place}, too, where the next commit would undo the result");
        return Err(refuse(&what, "switch to another branch in one of the two"));
    }
    let staged = here(repository).args(["diff", "--cached", "--quiet"]).output().await?;
    if staged.status.success() {
        return Ok(());
    }
    Err(refuse("there are staged changes, which would be mixed up with the result", "commit, unstage or stash them first"))
}

/// Another worktree that has the branch checked out.
async fn elsewhere(repository: &Repository, branch: &str) -> Outcome<Option<String>> {
    let list = repository.git.call().args(["worktree", "list", "--porcelain", "-z"]).bytes().await?;
    let list = String::from_utf8_lossy(&list).into_owned();
    let (wanted, own) = (format!("branch refs/heads/{branch}"), repository.root.canonicalize());
    let records = repository.git.dir().canonicalize();
    let mut place = "";
    for line in list.split('\0') {
        if let Some(path) = line.strip_prefix("worktree ") {
            place = path;
        }
        // A submodule is listed by its git directory.
        let is = |place: &Path, known: &std::io::Result<PathBuf>| matches!((place.canonicalize(), known), (Ok(one), Ok(other)) if one == *other);
        let is_other = || !is(place.as_ref(), &own) && !is(place.as_ref(), &records);
        if line == wanted && is_other() {
            return Ok(Some(place.to_owned()));
        }
    }
    Ok(None)
}

/// The person may have gone on while the merged tree was proved.
pub(super) async fn is_as_it_was(repository: &Repository) -> Outcome<()> {
    let head = here(repository).args(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).text().await.unwrap_or_default();
    let branch = here(repository).args(["symbolic-ref", "--quiet", "--short", "HEAD"]).text().await.ok();
    if head == repository.head.0 && branch == repository.branch {
        return Ok(());
    }
    Err(refuse("your branch has moved, or you are on another one, since this began", "apply again"))
}

/// No file that the result changes has uncommitted changes, and nothing that git does not track is where it adds something. Git itself
/// takes what it ignores for worthless.
pub(super) async fn nothing_in_the_way(repository: &Repository, result: &Result<'_>, tree: &str) -> Outcome<()> {
    let changes = repository.git.changes(&repository.head.0, tree).await?;
    let list = here(repository).args(["diff", "--name-only", "--no-renames", "-z", "HEAD"]).bytes().await?;
    let dirty: BTreeSet<&[u8]> = list.split(|byte| *byte == 0).collect();
    let deleted =
        changes.iter().filter(|change| change.kind == 'D').map(|change| Path::new(OsStr::from_bytes(change.path.bytes())));
    let ground = Ground { root: &repository.root, deleted: deleted.collect() };
    let in_the_way = |change: &Change| {
        let is_dirty = dirty.contains(change.path.bytes());
        let shown = || ground.in_the_way(change).map(|path| path.display().to_string());
        if is_dirty { Some(change.path.shown().to_string()) } else { shown() }
    };
    let in_the_way: BTreeSet<String> = changes.iter().filter_map(in_the_way).collect();
    if in_the_way.is_empty() {
        return Ok(());
    }
    let shown = in_the_way.into_iter().take(10).collect::<Vec<_>>().join(", ");
    let what = format!("the result changes files that you have changed or made and not committed: {shown}");
    let hint = if result.snapshot.is_some() {
        "the run took your uncommitted changes along: commit them as they are (`git add -A && git commit`), then apply again; nothing is lost or doubled"
    } else {
        "commit, stash or move these files, then apply again"
    };
    Err(refuse(&what, hint))
}

/// The person's files, as they lie there.
struct Ground<'a> {
    root: &'a Path,
    /// What HEAD has and the result has not: it makes way.
    deleted: HashSet<&'a Path>,
}

impl Ground<'_> {
    /// What git does not track and would have to go for a change: a file where one is added or where a folder has to be, or anything
    /// within a folder where a file has to be.
    fn in_the_way(&self, change: &Change) -> Option<PathBuf> {
        const SUBMODULE: &str = "160000";
        if change.kind == 'D' {
            return None;
        }
        let path = Path::new(OsStr::from_bytes(change.path.bytes()));
        let above = path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty());
        if let Some(above) = above.filter(|above| self.is_file(above) && !self.deleted.contains(above)).last() {
            return Some(above.to_owned());
        }
        if change.kind == 'A' && self.is_file(path) {
            return Some(path.to_owned());
        }
        // Git leaves a folder where a submodule is to be as it is.
        if change.mode == SUBMODULE { None } else { self.within(path) }
    }

    /// Also a link, wherever it leads.
    fn is_file(&self, path: &Path) -> bool {
        self.root.join(path).symlink_metadata().is_ok_and(|meta| !meta.is_dir())
    }

    fn is_folder(&self, path: &Path) -> bool {
        self.root.join(path).symlink_metadata().is_ok_and(|meta| meta.is_dir())
    }

    /// Something within a folder that HEAD does not have, or the folder itself where it cannot be looked into.
    fn within(&self, folder: &Path) -> Option<PathBuf> {
        let mut folders = if self.is_folder(folder) { vec![folder.to_owned()] } else { Vec::new() };
        while let Some(folder) = folders.pop() {
            let Ok(entries) = self.root.join(&folder).read_dir() else { return Some(folder) };
            for entry in entries {
                let Ok(entry) = entry else { return Some(folder) };
                let path = folder.join(entry.file_name());
                match self.is_folder(&path) {
                    true => folders.push(path),
                    false if self.deleted.contains(path.as_path()) => {}
                    false => return Some(path),
                }
            }
        }
        None
    }
}

/// Files, index and branch change one after the other: a lock on the branch would be met when the files have changed already.
pub(super) async fn nothing_is_locked(repository: &Repository) -> Outcome<()> {
    let branch = repository.branch.as_ref().map(|branch| format!("refs/heads/{branch}.lock"));
    let mut locks = Vec::new();
    for name in ["index.lock".to_owned(), "HEAD.lock".to_owned()].into_iter().chain(branch) {
        let path = here(repository).args(["rev-parse", "--path-format=absolute", "--git-path", &name]).text().await?;
        locks.push(path.into());
    }
    let said = |locked: GitError| refuse(&locked.to_string(), "then apply again");
    wait_for_locks(&locks).await.map_err(said)
}
