//! The person's repository, as it is when a command begins: found, judged, and never changed.
//!
//! **Invariant:** nothing here writes to the checkout, its index, HEAD, stash, branches or configuration. A snapshot of uncommitted
//! work is made with an index of its own, under a ref of Inspan's.

use std::{
    ffi::OsString,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
};

use plans::event::CommitId;
use shared::RunId;

use crate::{
    error::Error,
    git::{Call, Git},
};

/// A repository that a run can start from.
#[derive(Debug, Clone)]
pub struct Repository {
    /// The root of the checkout in which the command was typed.
    pub root: PathBuf,
    /// The object store and refs, shared by all linked worktrees.
    pub git: Git,
    /// HEAD.
    pub head: CommitId,
    /// The branch that is checked out; none when HEAD is detached.
    pub branch: Option<String>,
    /// Submodule paths: empty folders in every worktree.
    pub submodules: Vec<String>,
    /// Whether history is cut.
    pub shallow: bool,
}

/// Where a run starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartingPoint {
    /// HEAD, or a snapshot on top of it.
    pub commit: CommitId,
    /// Whether it is a snapshot.
    pub snapshot: bool,
    /// Untracked files that the snapshot leaves out, and why.
    pub left_out: Vec<String>,
}

/// Untracked files above this size are left out of a snapshot: they are data, not work.
const LARGEST_UNTRACKED: u64 = 10 << 20;

impl Repository {
    /// Finds the repository around a folder and says why it cannot be used, if so.
    pub async fn find(from: &Path) -> Result<Self, Error> {
        let ask = |what: &'static str| {
            let call = Call::new().dir(from).args(["rev-parse", "--path-format=absolute", what]);
            async move { call.text().await }
        };
        let git_dir = match ask("--git-dir").await {
            Ok(dir) => PathBuf::from(dir),
            Err(crate::git::GitError::Start(error)) => return Err(crate::git::GitError::Start(error).into()),
            Err(error) if error.to_string().contains("dubious ownership") => return Err(error.into()),
            Err(_) => return Err(Error::NotARepository { path: from.to_owned() }),
        };
        if Call::new().dir(from).args(["rev-parse", "--is-bare-repository"]).text().await? == "true" {
            return Err(Error::BareRepository { path: git_dir });
        }
        let root = ask("--show-toplevel").await.map_err(|_| Error::NoCheckout { path: from.to_owned() })?;
        let mut git = Git::new(PathBuf::from(ask("--git-common-dir").await?));
        git.ensure_identity().await?;
        let here = || Call::new().dir(from);
        let head = here().args(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).text().await;
        let head = CommitId(head.map_err(|_| Error::EmptyRepository { path: PathBuf::from(&root) })?);
        let branch = here().args(["symbolic-ref", "--quiet", "--short", "HEAD"]).text().await.ok();
        let shallow = here().args(["rev-parse", "--is-shallow-repository"]).text().await? == "true";
        let submodules = submodules(&git, &head).await?;
        Ok(Self { root: PathBuf::from(root), git, head, branch, submodules, shallow })
    }

    /// Where Inspan keeps its state about this repository.
    pub fn state_dir(&self) -> PathBuf {
        self.git.dir().join("inspan")
    }

    /// The commit that a run starts from. Uncommitted work becomes a snapshot commit, which `refs/inspan/<run>/base` keeps.
    pub async fn starting_point(&self, run: &RunId) -> Result<StartingPoint, Error> {
        let here = || Call::new().dir(&self.root);
        let unmerged = here().args(["ls-files", "--unmerged", "-z"]).bytes().await?;
        if !unmerged.is_empty() {
            return Err(Error::Unmerged { path: self.root.clone() });
        }
        let status =
            here().args(["status", "--porcelain=v1", "-z", "--untracked-files=all", "--ignore-submodules=dirty"]).bytes().await?;
        let keep = format!("refs/inspan/{run}/base");
        if status.is_empty() {
            self.git.set_ref(&keep, &self.head).await?;
            return Ok(StartingPoint { commit: self.head.clone(), snapshot: false, left_out: Vec::new() });
        }
        let (commit, left_out) = self.snapshot(run).await?;
        let snapshot = commit != self.head;
        self.git.set_ref(&keep, &commit).await?;
        Ok(StartingPoint { commit, snapshot, left_out })
    }

    async fn snapshot(&self, run: &RunId) -> Result<(CommitId, Vec<String>), Error> {
        let folder = self.state_dir();
        std::fs::create_dir_all(&folder).map_err(Error::disk(&folder))?;
        let index = folder.join(format!("snapshot-{run}.index"));
        let here = || Call::new().dir(&self.root).env("GIT_INDEX_FILE", &index);
        here().args(["read-tree", &self.head.0]).bytes().await?;
        here().args(["add", "--update", "--ignore-errors", "--", ":/"]).bytes().await?;
        let untracked =
            here().args(["ls-files", "--others", "--exclude-standard", "-z", "--full-name", "--", ":/"]).bytes().await?;
        let (taken, left_out) = self.sort_untracked(&untracked);
        here().args(["update-index", "--add", "-z", "--stdin"]).input(taken).bytes().await?;
        let tree = here().args(["write-tree"]).text().await?;
        std::fs::remove_file(&index).map_err(Error::disk(&index))?;
        if tree == self.git.tree(&self.head).await? {
            return Ok((self.head.clone(), left_out));
        }
        let message = format!("Uncommitted changes when run {run} started\n\nInspan-Run: {run}\n");
        Ok((self.git.commit_tree(&tree, &[&self.head], &message).await?, left_out))
    }

    /// Splits the untracked files into those that a snapshot takes, NUL-terminated, and those that it leaves out, in words.
    fn sort_untracked(&self, list: &[u8]) -> (Vec<u8>, Vec<String>) {
        let (mut taken, mut left_out) = (Vec::new(), Vec::new());
        for name in list.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            let path = self.root.join(OsString::from_vec(name.to_vec()));
            let shown = String::from_utf8_lossy(name);
            let size = std::fs::symlink_metadata(&path).map_or(0, |meta| meta.len());
            // A trailing slash is another repository inside this one.
            if name.ends_with(b"/") {
                left_out.push(format!("{shown} (a repository of its own)"));
            } else if looks_secret(&shown) {
                left_out.push(format!("{shown} (looks like a secret)"));
            } else if size > LARGEST_UNTRACKED {
                left_out.push(format!("{shown} (larger than {} MiB)", LARGEST_UNTRACKED >> 20));
            } else {
                taken.extend_from_slice(name);
                taken.push(0);
            }
        }
        (taken, left_out)
    }
}

fn looks_secret(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let sample = name.ends_with(".example") || name.ends_with(".sample") || name.ends_with(".template");
    let key = [".pem", ".key", ".p12", ".pfx", ".keystore"].iter().any(|ending| name.ends_with(ending));
    (name.starts_with(".env") && !sample)
        || key
        || name.starts_with("id_rsa")
        || name.starts_with("id_ed25519")
        || name == "credentials.json"
}

async fn submodules(git: &Git, head: &CommitId) -> Result<Vec<String>, Error> {
    let out = git.call().args(["ls-tree", "-r", "-z", &head.0]).bytes().await?;
    let link = |line: &[u8]| {
        let line = String::from_utf8_lossy(line).into_owned();
        line.starts_with("160000 ").then(|| line.split_once('\t').map(|(_, path)| path.to_owned())).flatten()
    };
    Ok(out.split(|byte| *byte == 0).filter_map(link).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untracked_files_that_look_like_secrets_are_told_from_those_that_do_not() {
        for secret in [".env", "deploy/.env.production", "server.pem", "keys/id_rsa", "credentials.json"] {
            assert!(looks_secret(secret), "{secret}");
        }
        for plain in [".env.example", "src/env.rs", "environment.ts", "keyboard.rs", "id.rs"] {
            assert!(!looks_secret(plain), "{plain}");
        }
    }
}
