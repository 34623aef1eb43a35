//! The person's repository, as it is when a command begins: found, judged, and never changed.
//!
//! **Invariant:** nothing here writes to the checkout, its index, HEAD, stash, branches or configuration. A snapshot of uncommitted
//! work is made with an index of its own, under a ref of Inspan's.
//! **Invariant:** an untracked file that is a secret by its name gets into no object of git's.

use std::{
    ffi::OsString,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
};

use plans::event::CommitId;
use shared::{RepoPath, RunId, Secrecy};

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
    /// Which of its checkouts that is: its git directory within the common one, nothing for the main one. It stays the same where the
    /// repository is moved.
    pub checkout: String,
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
        let checkout = git_dir.strip_prefix(git.dir()).unwrap_or(Path::new("")).display().to_string();
        git.ensure_identity().await?;
        let here = || Call::new().dir(from);
        let head = here().args(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).text().await;
        let head = CommitId(head.map_err(|_| Error::EmptyRepository { path: PathBuf::from(&root) })?);
        let branch = here().args(["symbolic-ref", "--quiet", "--short", "HEAD"]).text().await.ok();
        let shallow = here().args(["rev-parse", "--is-shallow-repository"]).text().await? == "true";
        let submodules = submodules(&git, &head).await?;
        Ok(Self { root: PathBuf::from(root), git, checkout, head, branch, submodules, shallow })
    }

    /// Where Inspan keeps its state about this repository.
    pub fn state_dir(&self) -> PathBuf {
        self.git.dir().join("inspan")
    }

    /// The commit that a run starts from. Uncommitted work becomes a snapshot commit, which `refs/inspan/<run>/base` keeps.
    pub async fn starting_point(&self, run: &RunId, secrecy: &Secrecy) -> Result<StartingPoint, Error> {
        let here = || Call::new().dir(&self.root);
        self.branch_name_is_free().await?;
        let unmerged = here().args(["ls-files", "--unmerged", "-z"]).bytes().await?;
        if !unmerged.is_empty() {
            return Err(Error::Unmerged { path: self.root.clone() });
        }
        let status =
            here().args(["status", "--porcelain=v1", "-z", "--untracked-files=all", "--ignore-submodules=dirty"]).bytes().await?;
        let keep = base_ref(run);
        if status.is_empty() {
            self.git.set_ref(&keep, &self.head).await?;
            return Ok(StartingPoint { commit: self.head.clone(), snapshot: false, left_out: Vec::new() });
        }
        let (commit, left_out) = self.snapshot(run, secrecy).await?;
        let snapshot = commit != self.head;
        self.git.set_ref(&keep, &commit).await?;
        Ok(StartingPoint { commit, snapshot, left_out })
    }

    /// A branch called `inspan` would be in the way of every `inspan/RUN`.
    async fn branch_name_is_free(&self) -> Result<(), Error> {
        if self.git.commit("refs/heads/inspan").await.is_none() {
            return Ok(());
        }
        let what =
            "there is a branch called `inspan`, so git cannot have the run branch `inspan/RUN`; nothing was started".to_owned();
        Err(Error::Refused { what, hint: "rename it: `git branch -m inspan inspan-work`".to_owned() })
    }

    async fn snapshot(&self, run: &RunId, secrecy: &Secrecy) -> Result<(CommitId, Vec<String>), Error> {
        let folder = self.state_dir();
        std::fs::create_dir_all(&folder).map_err(Error::disk(&folder))?;
        let index = folder.join(format!("snapshot-{run}.index"));
        let outcome = self.snapshot_with(&index, run, secrecy).await;
        // It is a copy; what matters is in the object store by now.
        let _ = std::fs::remove_file(&index);
        outcome
    }

    /// Begins with a copy of the person's index, which knows what is staged, what a sparse checkout leaves out and what they told git
    /// to leave alone.
    async fn snapshot_with(&self, index: &Path, run: &RunId, secrecy: &Secrecy) -> Result<(CommitId, Vec<String>), Error> {
        let here = || Call::new().dir(&self.root).env("GIT_INDEX_FILE", index);
        let theirs =
            Call::new().dir(&self.root).args(["rev-parse", "--path-format=absolute", "--git-path", "index"]).text().await?;
        match std::fs::copy(&theirs, index) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                here().args(["read-tree", &self.head.0]).bytes().await?;
            }
            Err(error) => return Err(Error::disk(index)(error)),
        }
        here().args(["add", "--update", "--ignore-errors", "--", ":/"]).bytes().await?;
        let untracked =
            here().args(["ls-files", "--others", "--exclude-standard", "-z", "--full-name", "--", ":/"]).bytes().await?;
        let (taken, left_out) = self.sort_untracked(&untracked, secrecy);
        here().args(["update-index", "--add", "-z", "--stdin"]).input(taken).bytes().await?;
        let tree = here().args(["write-tree"]).text().await?;
        if tree == self.git.tree(&self.head).await? {
            return Ok((self.head.clone(), left_out));
        }
        let message = format!("Uncommitted changes when run {run} started\n\nInspan-Run: {run}\n");
        Ok((self.git.commit_tree(&tree, &[&self.head], &message).await?, left_out))
    }

    /// Splits the untracked files into those that a snapshot takes, NUL-terminated, and those that it leaves out, in words.
    fn sort_untracked(&self, list: &[u8], secrecy: &Secrecy) -> (Vec<u8>, Vec<String>) {
        let (mut taken, mut left_out) = (Vec::new(), Vec::new());
        for name in list.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            let path = self.root.join(OsString::from_vec(name.to_vec()));
            let shown = String::from_utf8_lossy(name);
            let size = std::fs::symlink_metadata(&path).map_or(0, |meta| meta.len());
            // A trailing slash is another repository inside this one.
            if name.ends_with(b"/") {
                left_out.push(format!("{shown} (a repository of its own)"));
            } else if RepoPath::new(&shown).is_ok_and(|path| secrecy.denies(&path)) {
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

/// The ref that keeps the commit that a run started from. No task can be called `_base`.
pub fn base_ref(run: &RunId) -> String {
    format!("refs/inspan/{run}/_base")
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

    fn sh(dir: &Path, script: &str) -> String {
        let out = std::process::Command::new("sh").args(["-ec", script]).current_dir(dir).output().unwrap();
        assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    /// What a snapshot of a changed checkout holds that HEAD does not, after this script.
    async fn snapshot_after(script: &str) -> (String, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        sh(
            dir,
            "git init -q -b main; git config user.name A; git config user.email a@localhost; echo ignored > .gitignore
                 mkdir d1 d2; echo a > d1/a; echo b > d2/b; echo s > settings; git add .; git commit -qm base",
        );
        sh(dir, script);
        let before = sh(dir, "git status --porcelain; git ls-files -sv; git stash list; cat .git/HEAD");
        let run = RunId::new("abcdefgh").unwrap();
        let start = Repository::find(dir).await.unwrap().starting_point(&run, &Secrecy::default()).await.unwrap();
        assert_eq!(
            sh(dir, "git status --porcelain; git ls-files -sv; git stash list; cat .git/HEAD"),
            before,
            "the index is as it was"
        );
        assert_eq!(sh(dir, "git rev-parse refs/inspan/abcdefgh/_base"), start.commit.0);
        (sh(dir, &format!("git diff-tree -r --name-status HEAD {}", start.commit)), start.left_out)
    }

    #[tokio::test]
    async fn a_snapshot_takes_changed_staged_and_new_files_and_says_what_it_leaves_out() {
        let script = "echo 2 >> d1/a; rm d2/b; echo n > new; echo t > staged; git add staged; echo x > ignored; echo k > .env
                      echo f > forced.log; echo '*.log' >> .git/info/exclude; git add -f forced.log";
        let (changes, left_out) = snapshot_after(script).await;
        assert_eq!(changes, "M\td1/a\nD\td2/b\nA\tforced.log\nA\tnew\nA\tstaged");
        assert_eq!(left_out, [".env (looks like a secret)"]);
    }

    #[tokio::test]
    async fn what_a_sparse_checkout_leaves_out_is_not_deleted_and_what_git_was_told_to_leave_alone_is_not_taken() {
        let script =
            "git sparse-checkout set d1; git update-index --assume-unchanged settings; echo secret > settings; echo 2 >> d1/a";
        assert_eq!(snapshot_after(script).await.0, "M\td1/a");
    }

    #[tokio::test]
    async fn a_branch_in_the_way_of_run_branches_is_named_before_anything_begins() {
        let folder = tempfile::tempdir().unwrap();
        sh(folder.path(), "git init -q; git -c user.name=a -c user.email=b commit -q --allow-empty -m x; git branch inspan");
        let repository = Repository::find(folder.path()).await.unwrap();
        let error = repository.starting_point(&RunId::new("abcdefgh").unwrap(), &Secrecy::default()).await.unwrap_err();
        assert!(error.to_string().contains("`inspan`"), "{error}");
    }
}
