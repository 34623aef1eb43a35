//! Git, by its command line: one process a call, nothing inherited, nothing interactive.
//!
//! **Invariant:** no call here reads or writes the person's index, HEAD, stash, hooks or configuration. Commands get the common git
//! directory and, where they need them, an index and a work tree of the caller's; hooks, fsmonitor, gc and signing are off.
//! **Invariant:** every output that holds a path is read in its `-z` form.
//!
//! How a process of git's is started and brought to an end is in `call`, what other git processes hold in `lock`. Bringing a result into the person's checkout is `crate::apply`; looking at that checkout is `crate::repository`.
//!
//! Why not a library: gix checks out slower and brings 177 crates, git2 lags behind git's own merge machinery.

mod call;
mod lock;

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Path, PathBuf},
    time::Duration,
};

use plans::{event::CommitId, visible::visible};
use shared::RepoPath;

pub use self::{
    call::{Call, end_calls},
    lock::wait_for_locks,
};

use crate::tree_path::TreePath;

/// Why git did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no git, or it could not be started.
    #[error("git could not be started: {0}")]
    Start(#[source] std::io::Error),
    /// The folder that it was to work in is gone.
    #[error("the folder {0} is not there any more")]
    NoFolder(PathBuf),
    /// It said no.
    #[error("`git {call}` failed: {said}")]
    Failed {
        /// The arguments.
        call: String,
        /// Its standard error.
        said: String,
    },
    /// Another git process has what it needs, or one that died has left its lock.
    #[error(
        "{lock} is there, so another git process is at work, or one that died has left it; if none is at work any more, remove that file \
         (`rm '{lock}'`)"
    )]
    Locked {
        /// The lock file.
        lock: PathBuf,
    },
    /// It waits for something that does not come.
    #[error(
        "`git {call}` was not done after {} and was ended; does the disk answer, and does a program that git's configuration names wait for \
         somebody?", humantime::format_duration(*.after)
    )]
    Slow {
        /// The arguments.
        call: String,
        /// So long it had.
        after: Duration,
    },
    /// It said something that this program does not understand.
    #[error("`git {call}` answered what was not expected: {said}")]
    Odd {
        /// The arguments.
        call: String,
        /// What it said.
        said: String,
    },
}

/// A repository's object store and refs.
#[derive(Debug, Clone)]
pub struct Git {
    dir: PathBuf,
    /// What was ignored when the run began; see [`Git::ignoring_as_in`].
    ignored: Option<PathBuf>,
    /// Who commits where the person's configuration names nobody.
    identity: Vec<(&'static str, String)>,
}

/// A file that differs between two trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub path: TreePath,
    /// `A`dded, `M`odified, `D`eleted, `T`ype changed.
    pub kind: char,
    /// The new mode, six octal digits; `160000` is another repository's commit.
    pub mode: String,
    /// The new id, zeros where there is nothing.
    pub id: String,
    /// What was there before: mode and id, zeros where there was nothing.
    pub before: String,
}

/// What a compare-and-swap of a ref came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swap {
    /// The ref has moved.
    Done,
    /// It was not where it was thought to be.
    Lost,
}

/// How git says that a ref is elsewhere, exists, or does not.
const LOST: [&str; 3] = ["but expected", "already exists", "unable to resolve reference"];

impl Git {
    /// The repository with this common git directory.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, ignored: None, identity: Vec::new() }
    }

    /// The common git directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Lets commits be made in Inspan's name where git does not know who the person is.
    pub async fn ensure_identity(&mut self) -> Result<(), GitError> {
        if self.text(["var", "GIT_AUTHOR_IDENT"]).await.is_err() || self.text(["var", "GIT_COMMITTER_IDENT"]).await.is_err() {
            for role in ["AUTHOR", "COMMITTER"] {
                let keys = if role == "AUTHOR" {
                    ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"]
                } else {
                    ["GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"]
                };
                self.identity.push((keys[0], "Inspan".to_owned()));
                self.identity.push((keys[1], "inspan@localhost".to_owned()));
            }
        }
        Ok(())
    }

    /// The list by which the repository ignores files beside those of its tree.
    pub fn excluded(&self) -> PathBuf {
        self.dir.join("info/exclude")
    }

    /// The same for a run that began with a copy of that list. A person who adds to theirs meanwhile means their own checkout, and not the
    /// files that a worker makes.
    #[must_use]
    pub fn ignoring_as_in(self, copy: PathBuf) -> Self {
        Self { ignored: Some(copy), ..self }
    }

    /// The options by which git ignores what it ignored when the run began; none where that is what it ignores by itself.
    pub async fn ignoring_as_before(&self) -> Option<Vec<String>> {
        let ignored = self.ignored.as_ref()?;
        let before = std::fs::read(ignored).ok()?;
        if std::fs::read(self.excluded()).unwrap_or_default() == before {
            return None;
        }
        let configured = self.text(["config", "--type=path", "core.excludesFile"]).await.ok().map(PathBuf::from);
        let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".config"));
        let usual = || Some(std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).or(home)?.join("git/ignore"));
        let of_person = configured.or_else(usual).filter(|list| list.is_file());
        let lists = of_person.iter().chain([ignored]).map(|list| format!("--exclude-from={}", list.display()));
        Some(["--exclude-per-directory=.gitignore".to_owned()].into_iter().chain(lists).collect())
    }

    /// A call with nothing inherited, on this repository.
    pub fn call(&self) -> Call {
        let call = Call::new().env("GIT_DIR", &self.dir);
        self.identity.iter().fold(call, |call, (key, value)| call.env(key, value))
    }

    /// Standard output of a plain call, without the last line end.
    pub async fn text<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, args: I) -> Result<String, GitError> {
        self.call().args(args).text().await
    }

    /// The commit that a revision names, if it names one.
    pub async fn commit(&self, revision: &str) -> Option<CommitId> {
        let spec = format!("{revision}^{{commit}}");
        self.text(["rev-parse", "--verify", "--quiet", "--end-of-options", &spec]).await.ok().map(CommitId)
    }

    /// The tree of a commit.
    pub async fn tree(&self, commit: &CommitId) -> Result<String, GitError> {
        self.text(["rev-parse", "--verify", &format!("{commit}^{{tree}}")]).await
    }

    /// Whether a commit is in the history of another.
    pub async fn is_ancestor(&self, commit: &CommitId, of: &str) -> Result<bool, GitError> {
        let out = self.call().args(["merge-base", "--is-ancestor", &commit.0, of]).output().await?;
        match out.status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(GitError::Failed {
                call: "merge-base --is-ancestor".to_owned(),
                said: String::from_utf8_lossy(&out.stderr).trim().to_owned(),
            }),
        }
    }

    /// Makes a commit of a tree.
    ///
    /// The message may hold words of models: what could drive the terminal of whoever reads it is written as escapes.
    pub async fn commit_tree(&self, tree: &str, parents: &[&CommitId], message: &str) -> Result<CommitId, GitError> {
        let parents = parents.iter().flat_map(|parent| ["-p", &parent.0]);
        let call = self.call().args(["commit-tree", tree]).args(parents).args(["-F", "-"]).input(shown(message).into_bytes());
        call.text().await.map(CommitId)
    }

    /// Moves a ref, creating it where `old` is none, if it is where it is thought to be.
    pub async fn swap_ref(&self, name: &str, new: &CommitId, old: Option<&CommitId>) -> Result<Swap, GitError> {
        let zero = "0".repeat(new.0.len());
        let old = old.map_or(zero.as_str(), |commit| commit.0.as_str());
        match self.text(["update-ref", "-m", "inspan", name, &new.0, old]).await {
            Ok(_) => Ok(Swap::Done),
            Err(GitError::Failed { said, .. }) if LOST.iter().any(|words| said.contains(words)) => Ok(Swap::Lost),
            Err(error) => Err(error),
        }
    }

    /// Sets a ref, wherever it was.
    pub async fn set_ref(&self, name: &str, new: &CommitId) -> Result<(), GitError> {
        self.text(["update-ref", "-m", "inspan", name, &new.0]).await.map(drop)
    }

    /// Whether all that a commit or a tree names, beyond what a commit names, is there: a person's `git gc --prune=now` takes away what
    /// has no ref yet.
    pub async fn is_whole(&self, what: &str, beyond: &CommitId) -> bool {
        let beyond = format!("^{beyond}");
        self.text(["rev-list", "--objects", "--no-object-names", "--quiet", what, &beyond]).await.is_ok()
    }

    /// Deletes a ref, if it is there.
    pub async fn delete_ref(&self, name: &str) -> Result<(), GitError> {
        self.text(["update-ref", "-d", name]).await.map(drop)
    }

    /// Refs below a prefix with the commits that they name, sorted.
    pub async fn refs(&self, prefix: &str) -> Result<Vec<(String, CommitId)>, GitError> {
        let text = self.text(["for-each-ref", "--format=%(refname) %(objectname)", prefix]).await?;
        Ok(text
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(name, id)| (name.to_owned(), CommitId(id.to_owned())))
            .collect())
    }

    /// Files that differ between two trees or commits; a rename is a deletion and an addition.
    pub async fn changes(&self, from: &str, to: &str) -> Result<Vec<Change>, GitError> {
        let args = ["diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-ext-diff", from, to];
        let out = self.call().args(args).bytes().await?;
        let mut parts = out.split(|byte| *byte == 0);
        let mut changes = Vec::new();
        while let (Some(meta), Some(path)) = (parts.next(), parts.next()) {
            let meta = String::from_utf8_lossy(meta);
            let fields: Vec<&str> = meta.trim_start_matches(':').split(' ').collect();
            let [old_mode, mode, old_id, id, kind] = fields[..] else {
                return Err(GitError::Odd { call: "diff-tree --raw".to_owned(), said: meta.into_owned() });
            };
            let kind = kind.chars().next().unwrap_or('?');
            changes.push(Change {
                path: TreePath::new(path),
                kind,
                mode: mode.to_owned(),
                id: id.to_owned(),
                before: format!("{old_mode} {old_id}"),
            });
        }
        Ok(changes)
    }

    /// The difference between two trees or commits as a patch for people, of these paths or of all.
    pub async fn patch(&self, from: &str, to: &str, paths: &[RepoPath]) -> Result<String, GitError> {
        let mut args: Vec<&str> = vec!["diff-tree", "-r", "-p", "--stat", "-M", "--no-ext-diff", "--no-textconv", from, to, "--"];
        args.extend(paths.iter().map(RepoPath::as_str));
        let out = self.call().env("GIT_LITERAL_PATHSPECS", "1").args(args).bytes().await?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    /// Files of a commit by path, with the ids of their blobs. Submodules and names that are not UTF-8 are left out.
    pub async fn blobs(&self, commit: &CommitId) -> Result<BTreeMap<RepoPath, String>, GitError> {
        let out = self.call().args(["ls-tree", "-r", "-z", &commit.0]).bytes().await?;
        let line = |line: &[u8]| {
            let (meta, path) = std::str::from_utf8(line).ok()?.split_once('\t')?;
            let mut fields = meta.split(' ');
            let (_, kind, id) = (fields.next()?, fields.next()?, fields.next()?);
            (kind == "blob").then_some(())?;
            Some((RepoPath::new(path).ok()?, id.to_owned()))
        };
        Ok(out.split(|byte| *byte == 0).filter_map(line).collect())
    }

    /// The text of a file in a tree, if it is there.
    pub async fn file(&self, tree: &str, path: &RepoPath) -> Option<Vec<u8>> {
        self.call().args(["cat-file", "blob", &format!("{tree}:{path}")]).bytes().await.ok()
    }

    /// Whether a tree or commit holds something at this path.
    pub async fn has(&self, tree: &str, path: &RepoPath) -> bool {
        self.text(["cat-file", "-e", &format!("{tree}:{path}")]).await.is_ok()
    }
}

/// A message that shows what it holds, whatever ends its lines.
fn shown(message: &str) -> String {
    visible(&message.replace("\r\n", "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::testing::{Ground, sh};

    #[tokio::test]
    async fn a_branch_that_was_moved_made_or_deleted_by_somebody_else_is_not_overwritten() {
        let ground = Ground::new().await;
        let (git, base) = (&ground.site.repository.git, &ground.base);
        let later = ground.commit("later", "echo later > src/a").await;
        let swap = async |old| git.swap_ref("refs/heads/run", &later, old).await.unwrap();
        assert_eq!(swap(Some(base)).await, Swap::Lost, "it is not there");
        assert_eq!(swap(None).await, Swap::Done);
        assert_eq!(swap(None).await, Swap::Lost, "it is there");
        assert_eq!(swap(Some(base)).await, Swap::Lost, "it is elsewhere");
        assert_eq!(swap(Some(&later)).await, Swap::Done);
    }

    #[tokio::test]
    async fn a_file_with_an_odd_name_is_a_change_like_another() {
        let ground = Ground::new().await;
        let (git, base) = (&ground.site.repository.git, &ground.base);
        let ours = ground.commit("ours", "echo ours > '~'").await;
        let changes = git.changes(&base.0, &ours.0).await.unwrap();
        assert_eq!((changes[0].path.shown().as_str(), changes[0].path.bytes()), ("\"~\"", &b"~"[..]));
        let root = &ground.site.repository.root;
        assert_eq!(changes[0].before, format!("000000 {}", sh(root, "printf %040d 0")));
    }

    #[tokio::test]
    async fn no_message_of_a_commit_drives_a_terminal() {
        let ground = Ground::new().await;
        let git = &ground.site.repository.git;
        let tree = git.tree(&ground.base).await.unwrap();
        let message = "Done\r\n\nred \u{1b}[31m, back \rhidden, turned \u{202e}, \u{9b}2J, fran\u{e7}ais\n";
        let commit = git.commit_tree(&tree, &[&ground.base], message).await.unwrap();
        let text = git.text(["log", "-1", "--format=%B", &commit.0]).await.unwrap();
        assert_eq!(text.trim_end(), "Done\n\nred \\u{1b}[31m, back \\rhidden, turned \\u{202e}, \\u{9b}2J, fran\u{e7}ais");
    }
}
