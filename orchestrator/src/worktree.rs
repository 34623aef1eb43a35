//! The directory of one attempt: its files, its scratch space, and the proof that they are its own.
//!
//! ```text
//! <worktrees>/<run>/<task>/<attempt>/
//!     owner.json   run, task, attempt, base, repository: the ownership record
//!     unsaved      there while `tree` may hold something that no ref has
//!     index        the harness's index of `tree`
//!     base.index   the same of the base, by which is seen what is astray
//!     tree/        the files at the base commit
//!     repository/  a git repository of their own, which `tree/.git` names
//!     target/ tmp/ home/ notes/   what its commands may write besides their scope
//!     spill/       output that was too long to show
//!     seen         which files its agent has seen, and as what
//! ```
//!
//! **Invariant:** a worker starts only in a directory that was made for this attempt and holds the tree of its base commit.
//! **Invariant:** whatever is in `tree` is committed under the attempt's ref before the directory may go, and only a directory with
//! the right ownership record goes.
//! **Invariant:** a directory is whole or it is not there: it is made as `<attempt>.new` and removed as `<attempt>.gone`, so that no
//! process, wherever it died, leaves files that look deleted.
//!
//! `repository` borrows the person's objects and has refs, index and configuration of its own: a build that asks git for a version
//! works. It lies beside the tree, where no command may write, whatever of the tree a scope allows. Why not `git worktree add`: it gives every
//! command of a worker the person's refs, configuration and stash to play with, takes turns on `.git/config.lock`, and shows up in
//! the person's `git worktree list`.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
};

use plans::event::CommitId;
use shared::{AttemptKey, RepoPath, RunId, Scope, Secrecy};

use crate::{
    crash_point::{self, Point},
    error::Error,
    git::{Call, Change, Git, GitError},
    leak::{self, Leak},
};

mod astray;
mod nested;
mod owner;
mod pipes;
mod rights;
mod snapshot;

pub use owner::{Owner, mark, marks_of};
use owner::{RECORD, is_ours};

/// A directory with the files of one commit.
#[derive(Debug, Clone)]
pub struct Worktree {
    git: Git,
    folder: PathBuf,
    owner: Owner,
}

impl Worktree {
    /// Makes the directory and fills it. `files` is the commit whose files it starts with, `owner.base` the one that changes are
    /// counted from; they differ only where an interrupted attempt goes on.
    pub async fn create(git: &Git, folder: PathBuf, owner: Owner, files: &CommitId) -> Result<Self, Error> {
        let making = folder.with_extension("new");
        // Left-overs of a process that died.
        Self::remove_if_ours(&folder, &owner)?;
        Self::remove_if_ours(&making, &owner)?;
        let made = Self { git: git.clone(), folder: making, owner };
        made.lay_out()?;
        crash_point::pass(Point::WorktreeLaidOut);
        made.check_out(files).await?;
        made.give_it_a_repository(files).await?;
        made.prove(files).await?;
        crash_point::pass(Point::WorktreeFilled);
        std::fs::rename(&made.folder, &folder).map_err(Error::disk(&folder))?;
        crash_point::pass(Point::WorktreeMade);
        Ok(Self { folder, ..made })
    }

    /// The directory of an attempt as an earlier process left it, if its ownership record says so. Its files are taken as they are;
    /// an index that cannot be read is made again.
    pub async fn reopen(git: &Git, folder: PathBuf, owner: Owner) -> Result<Option<Self>, Error> {
        let Some(found) = owner::found_or_mended(&folder, &owner).filter(|found| found.is_same(&owner)) else { return Ok(None) };
        if !folder.join("tree").exists() {
            // Somebody has removed its files: nothing in it could go on.
            return Ok(None);
        }
        let worktree = Self { git: git.clone(), folder, owner };
        worktree.is_in_place()?;
        if found.repository != worktree.owner.repository {
            worktree.follow_the_repository()?;
        }
        worktree.mark_unsaved()?;
        worktree.unlock()?;
        if !worktree.index().exists() || worktree.call(["write-tree"]).await.is_err() {
            remove_file(&worktree.index())?;
            worktree.call(["read-tree", &worktree.owner.base.0]).await?;
        }
        Ok(Some(worktree))
    }

    /// Whether the tree of a directory may hold something that no ref has.
    pub fn is_unsaved(folder: &Path) -> bool {
        folder.join(UNSAVED).exists()
    }

    /// Where an attempt's directory is.
    pub fn folder_of(worktrees: &Path, run: &RunId, key: &AttemptKey) -> PathBuf {
        worktrees.join(run.as_str()).join(key.task.as_str()).join(key.attempt.to_string())
    }

    /// The files.
    pub fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// The directory around them.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its own git repository.
    pub fn records(&self) -> PathBuf {
        self.folder.join("repository")
    }

    /// Folders beside the tree that commands may write: build output, scratch space, a home directory, and what they hand over.
    pub const OWN: &[&str] = &["target", "tmp", "home", "notes"];

    /// Puts other files in place of those that are there, as one commit has them, and HEAD with them. Ignored files (build output) stay.
    pub async fn check_out(&self, commit: &CommitId) -> Result<(), Error> {
        let put = ["-c", "checkout.workers=4", "-c", "submodule.recurse=false", "read-tree", "--reset", "-u", &commit.0];
        if self.call(put).await.is_err() {
            // A command may have closed a folder.
            self.open_up().await;
            self.call(put).await?;
        }
        self.call(["clean", "-ffdq", "-e", "/.git"]).await?;
        if self.records().exists() { self.name_its_repository().and_then(|()| self.set_head(commit)) } else { Ok(()) }
    }

    /// Makes scratch space anew, so that nothing a command has left there is found by the next.
    pub fn renew_scratch(&self) -> Result<(), Error> {
        for folder in ["home", "tmp", "notes"].map(|name| self.folder.join(name)) {
            remove_all(&folder).map_err(Error::disk(&folder))?;
            std::fs::create_dir(&folder).map_err(Error::disk(&folder))?;
        }
        Ok(())
    }

    /// What differs from the base.
    pub async fn changes(&self, tree: &str) -> Result<Vec<Change>, Error> {
        Ok(self.git.changes(&self.owner.base.0, tree).await?)
    }

    /// Changed paths that a scope does not allow.
    pub async fn outside(&self, tree: &str, scope: &Scope) -> Result<Vec<RepoPath>, Error> {
        let changes = self.changes(tree).await?;
        let outside = changes.iter().map(|change| &change.path).filter(|path| !path.is_allowed_by(scope));
        Ok(outside.map(|path| path.shown().clone()).collect())
    }

    /// Secrets in a tree of this worktree that its base did not have.
    pub async fn leaks(&self, tree: &str, secrecy: &Arc<Secrecy>) -> Result<Vec<Leak>, Error> {
        leak::leaks(&self.git, &self.owner.base, tree, secrecy).await
    }

    /// Whether a tree of this worktree holds something at a path.
    pub async fn has(&self, tree: &str, path: &RepoPath) -> bool {
        self.git.has(tree, path).await
    }

    /// Commits everything that is not ignored under a ref, on top of the base, and returns the commit. Nobody is at work in it any more:
    /// what still locks its index is dead.
    pub async fn commit(&self, name: &str, message: &str) -> Result<CommitId, Error> {
        self.unlock()?;
        self.open_up().await;
        let commit = self.commit_tree(name, message).await?;
        crash_point::pass(Point::AttemptNamed);
        remove_file(&self.folder.join(UNSAVED))?;
        Ok(commit)
    }

    /// Lets git look at all files. Takes as long as a look at every one.
    pub async fn open_up(&self) {
        let tree = self.tree();
        // What cannot be opened is named by git.
        let _ = tokio::task::spawn_blocking(move || rights::open_up(&tree)).await;
    }

    async fn commit_tree(&self, name: &str, message: &str) -> Result<CommitId, Error> {
        let tree = self.snapshot().await?;
        let before = self.git.commit(name).await;
        if let Some(before) = &before
            && self.git.tree(before).await? == tree
        {
            return Ok(before.clone());
        }
        let commit = self.keep(name, &tree, before.as_ref(), message).await;
        if let Ok(commit) = &commit
            && self.git.is_whole(&commit.0, &self.owner.base).await
        {
            return Ok(commit.clone());
        }
        // It was taken away before there was a ref.
        let tree = self.snapshot_anew().await?;
        self.keep(name, &tree, before.as_ref(), message).await
    }

    /// What an interrupted attempt had left before stays reachable, as a second parent.
    async fn keep(&self, name: &str, tree: &str, before: Option<&CommitId>, message: &str) -> Result<CommitId, Error> {
        let parents: Vec<&CommitId> = std::iter::once(&self.owner.base).chain(before).collect();
        let commit = self.git.commit_tree(tree, &parents, message).await?;
        crash_point::pass(Point::AttemptCommitted);
        self.git.set_ref(name, &commit).await?;
        Ok(commit)
    }

    /// Removes the directory. Its content must be safe under a ref by now.
    pub fn remove(&self) -> Result<(), Error> {
        Self::remove_folder(&self.folder, &self.owner)
    }

    /// Removes a directory if its ownership record names the same repository and run.
    pub fn remove_if_ours(folder: &Path, owner: &Owner) -> Result<(), Error> {
        if folder.exists() { Self::remove_folder(folder, owner) } else { Ok(()) }
    }

    /// The record goes last, so that what is left of a removal that was cut short is still known.
    fn remove_folder(folder: &Path, owner: &Owner) -> Result<(), Error> {
        if !is_ours(folder, owner) {
            return Err(Error::NotOurs { path: folder.to_owned() });
        }
        let going = folder.with_extension("gone");
        if going != folder {
            Self::remove_if_ours(&going, owner)?;
            std::fs::rename(folder, &going).map_err(Error::disk(folder))?;
        }
        crash_point::pass(Point::WorktreeGoing);
        for entry in std::fs::read_dir(&going).map_err(Error::disk(&going))?.filter_map(Result::ok) {
            let (path, is_dir) = (entry.path(), entry.file_type().is_ok_and(|kind| kind.is_dir()));
            match entry.file_name() == RECORD {
                true => Ok(()),
                false if is_dir => remove_all(&path),
                false => std::fs::remove_file(&path),
            }
            .map_err(Error::disk(&path))?;
        }
        remove_all(&going).map_err(Error::disk(&going))?;
        crash_point::pass(Point::WorktreeGone);
        Ok(())
    }

    /// The record comes first: from then on the directory is known as ours, however little is in it.
    fn lay_out(&self) -> Result<(), Error> {
        std::fs::create_dir_all(&self.folder).map_err(Error::disk(&self.folder))?;
        self.write_record()?;
        self.mark_unsaved()?;
        for dir in ["tree", "spill"].iter().chain(Self::OWN).map(|name| self.folder.join(name)) {
            std::fs::create_dir_all(&dir).map_err(Error::disk(&dir))?;
        }
        Ok(())
    }

    fn write_record(&self) -> Result<(), Error> {
        let record = self.folder.join(RECORD);
        let text = serde_json::to_string_pretty(&self.owner).expect("an ownership record is plain data");
        std::fs::write(&record, text).map_err(Error::disk(&record))
    }

    /// The person has moved their repository: the records say where it is now.
    fn follow_the_repository(&self) -> Result<(), Error> {
        self.write_record()?;
        let borrowed = self.records().join("objects/info/alternates");
        std::fs::write(&borrowed, self.objects()).map_err(Error::disk(&borrowed))
    }

    /// Where its own repository borrows objects.
    fn objects(&self) -> String {
        format!("{}\n", self.git.dir().join("objects").display())
    }

    /// Set before anything is written, not when saving fails: a full disk may be the reason why it fails.
    fn mark_unsaved(&self) -> Result<(), Error> {
        let mark = self.folder.join(UNSAVED);
        if mark.exists() { Ok(()) } else { std::fs::write(&mark, "").map_err(Error::disk(&mark)) }
    }

    /// A call of git that was killed leaves its lock.
    fn unlock(&self) -> Result<(), Error> {
        remove_file(&lock_of(&self.index()))
    }

    fn is_in_place(&self) -> Result<(), Error> {
        let real = self.tree().canonicalize().map_err(Error::disk(&self.tree()))?;
        let inside = self.folder.canonicalize().map_err(Error::disk(&self.folder))?.join("tree");
        if real == inside { Ok(()) } else { Err(Error::NotIsolated { path: self.tree() }) }
    }

    async fn prove(&self, files: &CommitId) -> Result<(), Error> {
        self.is_in_place()?;
        let tree = self.call(["write-tree"]).await?;
        if tree == self.git.tree(files).await? { Ok(()) } else { Err(Error::NotIsolated { path: self.tree() }) }
    }

    fn index(&self) -> PathBuf {
        self.folder.join("index")
    }

    fn dot_git(&self) -> PathBuf {
        self.tree().join(".git")
    }

    async fn call<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Result<String, GitError> {
        let args: Vec<&str> = args.into_iter().collect();
        let out = self.on_files(&self.index(), |call| call.args(&args)).await?;
        Ok(String::from_utf8_lossy(&out).trim_end_matches('\n').to_owned())
    }

    /// A call on the files and on an index of them.
    async fn on_files(&self, index: &Path, what: impl Fn(Call) -> Call) -> Result<Vec<u8>, GitError> {
        let tree = self.tree();
        let call = || {
            // The mark lets a call whose harness was killed be ended with the attempt's other strays.
            let call = self.git.call().env("INSPAN_MARK", self.owner.mark());
            // Files are as git has them, whatever the person tells it meanwhile.
            let call = call.args(["-c", "core.autocrlf=false"]);
            what(call.env("GIT_WORK_TREE", &tree).env("GIT_INDEX_FILE", index).dir(&tree))
        };
        pipes::past_pipes(&tree, &lock_of(index), call).await
    }

    /// Its HEAD is the base, whatever files it starts with: `git diff` there shows what the attempt has changed.
    async fn give_it_a_repository(&self, files: &CommitId) -> Result<(), Error> {
        let records = self.records();
        let format = self.git.text(["rev-parse", "--show-object-format"]).await?;
        let format = if format == "sha1" { "0\n" } else { "1\n[extensions]\n\tobjectFormat = sha256\n[core]\n" };
        let config =
            format!("[core]\n\trepositoryformatversion = {format}\tbare = false\n\thooksPath = /dev/null\n\tautocrlf = false\n");
        for dir in ["refs", "objects/info"].map(|name| records.join(name)) {
            std::fs::create_dir_all(&dir).map_err(Error::disk(&dir))?;
        }
        for (name, text) in [("config", config), ("objects/info/alternates", self.objects())] {
            std::fs::write(records.join(name), text).map_err(Error::disk(&records))?;
        }
        self.name_its_repository()?;
        let shallow = self.git.dir().join("shallow");
        if shallow.exists() {
            std::fs::copy(&shallow, records.join("shallow")).map_err(Error::disk(&shallow))?;
        }
        self.set_head(&self.owner.base)?;
        if *files != self.owner.base {
            let call = self.git.call().env("GIT_INDEX_FILE", records.join("index"));
            // Without `-i` git would hold the files of the person's checkout against the index.
            call.args(["read-tree", "-i", "-m", &self.owner.base.0]).text().await?;
        }
        Ok(())
    }

    /// Writes the line by which git finds the repository of the tree, if a command has put anything else there.
    fn name_its_repository(&self) -> Result<(), Error> {
        const LINE: &str = "gitdir: ../repository\n";
        let dot_git = self.dot_git();
        let kind = dot_git.symlink_metadata().map(|data| data.file_type());
        let is_whole = kind.as_ref().is_ok_and(std::fs::FileType::is_file)
            && std::fs::read(&dot_git).is_ok_and(|text| text == LINE.as_bytes());
        if is_whole || self.is_in_place().is_err() {
            return Ok(());
        }
        match kind {
            Ok(kind) if kind.is_dir() => std::fs::remove_dir_all(&dot_git).map_err(Error::disk(&dot_git))?,
            Ok(_) => std::fs::remove_file(&dot_git).map_err(Error::disk(&dot_git))?,
            Err(_) => {}
        }
        std::fs::write(&dot_git, LINE).map_err(Error::disk(&dot_git))
    }

    /// Has HEAD name a commit, with the index that the harness has.
    fn set_head(&self, commit: &CommitId) -> Result<(), Error> {
        let records = self.records();
        std::fs::write(records.join("HEAD"), format!("{commit}\n")).map_err(Error::disk(&records))?;
        remove_file(&records.join("index.lock"))?;
        std::fs::copy(self.index(), records.join("index")).map_err(Error::disk(&records)).map(drop)
    }
}

/// What git makes beside an index while it writes it.
fn lock_of(index: &Path) -> PathBuf {
    let mut lock = index.as_os_str().to_owned();
    lock.push(".lock");
    lock.into()
}

/// Removes a folder however deep it is, and whatever its rights are. The library's own removal goes down on the stack, and a command can
/// make that too small.
fn remove_all(folder: &Path) -> std::io::Result<()> {
    let run = |program: &str, args: &[&str]| {
        let places = ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(program));
        let program = places.into_iter().find(|place| place.exists()).unwrap_or_else(|| PathBuf::from(program));
        let mut command = std::process::Command::new(program);
        command.args(args).arg("--").arg(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output()
    };
    match run("rm", &["-rf"]) {
        Ok(done) if done.status.success() => return Ok(()),
        // A system without it has the library's.
        Err(_) => return std::fs::remove_dir_all(folder),
        Ok(_) => {}
    }
    run("chmod", &["-R", "u+rwX"])?;
    let second = run("rm", &["-rf"])?;
    let said = || String::from_utf8_lossy(&second.stderr).trim().to_owned();
    if second.status.success() { Ok(()) } else { Err(std::io::Error::other(said())) }
}

const UNSAVED: &str = "unsaved";

fn remove_file(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::disk(path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
