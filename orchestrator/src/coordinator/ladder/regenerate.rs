//! Files that a tool makes from others: made anew in the merged tree, by the tool.
//!
//! Two sides that each made a lock file, or generated code, anew have nothing to merge: what is right follows from what it was made
//! from, once that is merged. So the tool runs once more, in a worktree, in the same sandbox as the gate.
//!
//! **Invariant:** of what a tool writes only the files that it was asked for are taken; a tool that touches others is not believed at all.
//! **Invariant:** no more network than the gate has.
//!
//! A tool that is missing or fails leaves a conflict with that reason; nothing here is an error but what stops the program.
//!
//! Not here: which files are in conflict, and the tree with what was made.

use std::{collections::BTreeMap, path::Path, time::Duration};

use merge::{Versions, format};
use plans::event::CommitId;
use shared::{Network, RepoPath};
use tokio_util::sync::CancellationToken;
use worker::{
    process::{Shell, Status, end_strays},
    sandbox::Writes,
};

use crate::{config::Generated, error::Error, quarters::Holder, site::Site, worktree::Worktree};

/// A file that is to be made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    /// Where it is.
    pub path: RepoPath,
    /// What the tool begins with: locks are resolved on from here.
    pub text: Vec<u8>,
    /// What makes it.
    pub command: String,
    /// Where it is to be had instead, if the tool is not there: from the only side that changed what it is made from.
    pub otherwise: Option<Vec<u8>>,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Regenerated {
    /// The new blobs.
    pub made: Vec<Made>,
    /// Files that stay conflicts, each with the reason.
    pub left: Vec<(RepoPath, String)>,
}

/// A file that was made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Where it is.
    pub path: RepoPath,
    /// Its content, in git's store.
    pub blob: String,
    /// How, in words.
    pub how: String,
}

/// Where tools run, and under which bounds.
pub struct Workshop<'a> {
    /// The run.
    pub site: &'a Site,
    /// What the merged tree stands on.
    pub onto: &'a CommitId,
    /// What the gate can reach.
    pub network: Network,
    /// For each command.
    pub timeout: Duration,
    /// Ends what runs there.
    pub cancel: CancellationToken,
}

impl Workshop<'_> {
    /// How all conflicted files of a tree are made anew. None where one of them is not made by a tool.
    #[must_use]
    pub fn stale(&self, conflicted: &[Versions<'_>], touched: Touched<'_>) -> Option<Vec<Stale>> {
        conflicted.iter().map(|versions| stale(versions, &self.site.generated, touched, self.network)).collect()
    }
}

/// Which paths each side changed, ours first.
pub type Touched<'a> = [&'a [&'a str]; 2];

/// How a conflicted file is made anew, if it is one that a tool makes: by the person's rules, or as a lock file.
///
/// A lock is resolved on from the side that did not change its manifests: what that side moved on stays, and the tool adds what the
/// merged manifests ask for.
fn stale(versions: &Versions<'_>, rules: &[Generated], touched: Touched<'_>, network: Network) -> Option<Stale> {
    let path = RepoPath::new(versions.path).ok()?;
    if let Some(rule) = rules.iter().find(|rule| rule.files.matches(&path)) {
        return Some(Stale { path, text: versions.ours.to_vec(), command: rule.command.clone(), otherwise: None });
    }
    let tool = format::regenerator(versions.path)?;
    let command = if network == Network::Host { tool.online } else { tool.offline };
    let owner = format::lock_owner(versions.path, touched[0], touched[1])?;
    let (text, otherwise) = match owner {
        format::Owner::Ours => (versions.theirs, Some(versions.ours)),
        format::Owner::Theirs => (versions.ours, Some(versions.theirs)),
        format::Owner::Both | format::Owner::Nobody => (versions.ours, None),
    };
    Some(Stale {
        path: path.clone(),
        text: text.to_vec(),
        command: in_folder_of(&path, command),
        otherwise: otherwise.map(<[u8]>::to_vec),
    })
}

/// A tool looks for its manifest where it is started.
fn in_folder_of(path: &RepoPath, command: &str) -> String {
    match path.as_str().rsplit_once('/') {
        Some((folder, _)) => format!("cd '{}' && {command}", folder.replace('\'', r"'\''")),
        None => command.to_owned(),
    }
}

/// Makes files anew in a merged tree. Nothing else in the tree may be in conflict: tools cannot read markers.
pub async fn regenerate(workshop: &Workshop<'_>, tree: &str, stale: &[Stale]) -> Result<Regenerated, Error> {
    let mut bench = Bench::open(workshop, tree).await?;
    let mut done = Regenerated::default();
    for (command, files) in by_command(stale) {
        match bench.run(&command, &files, stale).await? {
            Ok(blobs) => done.made.extend(blobs),
            Err(Trouble::Missing(why)) => bench.take_otherwise(&files, &why, &mut done).await?,
            Err(Trouble::Other(why)) => done.left.extend(files.iter().map(|file| (file.path.clone(), why.clone()))),
        }
    }
    Ok(done)
}

/// Files by the command that makes them, in the order in which they are first asked for.
fn by_command(stale: &[Stale]) -> Vec<(String, Vec<&Stale>)> {
    let mut commands: Vec<(String, Vec<&Stale>)> = Vec::new();
    for file in stale {
        match commands.iter_mut().find(|(command, _)| *command == file.command) {
            Some((_, files)) => files.push(file),
            None => commands.push((file.command.clone(), vec![file])),
        }
    }
    commands
}

/// Why a tool has not made a file.
enum Trouble {
    /// It is not there.
    Missing(String),
    /// All else.
    Other(String),
}

/// The worktree in which tools run.
struct Bench<'a> {
    workshop: &'a Workshop<'a>,
    worktree: Worktree,
    shell: Shell,
    mark: String,
    /// The merged tree, as a commit that nothing refers to.
    commit: CommitId,
    /// What was made so far: the next tool may read it.
    made: BTreeMap<RepoPath, Vec<u8>>,
}

const HOLDER: &str = "_regenerate";

impl<'a> Bench<'a> {
    async fn open(workshop: &'a Workshop<'a>, tree: &str) -> Result<Self, Error> {
        let Workshop { site, onto, network, .. } = workshop;
        let git = &site.repository.git;
        let commit = git.commit_tree(tree, &[onto], "to make files anew\n").await?;
        let worktree = site.standing_worktree(HOLDER, onto).await?;
        let mark = site.mark(HOLDER);
        let env = site.environment.of_gate(site.run(), worktree.folder(), &mark);
        let holder = Holder { worktree: &worktree, env, writes: Writes::Tree, network: *network };
        let shell = site.quarters.shell(git, holder);
        Ok(Self { workshop, worktree, shell, mark, commit, made: BTreeMap::new() })
    }

    /// Runs one command, and takes the files that it was asked for.
    async fn run(&mut self, command: &str, asked: &[&Stale], all: &[Stale]) -> Result<Result<Vec<Made>, Trouble>, Error> {
        let before = self.lay_out(all).await?;
        let end = self.shell.run(command, self.workshop.timeout, &self.workshop.cancel).await;
        end_strays(&self.mark);
        let said = last_lines(&self.workshop.site.secrecy.mask(&self.shell.output_of(&end)));
        match &end.status {
            Status::Exited(0) => {}
            Status::Cancelled => return Err(Error::Interrupted),
            Status::Exited(127) => return Ok(Err(Trouble::Missing(format!("`{command}` is not there: {said}")))),
            _ => return Ok(Err(Trouble::Other(format!("`{command}` failed ({}): {said}", end.in_words())))),
        }
        let after = self.worktree.snapshot().await?;
        let git = &self.workshop.site.repository.git;
        let changes = git.changes(&before, &after).await?;
        let other = changes.iter().find(|change| !asked.iter().any(|file| file.path == *change.path.shown()));
        if let Some(other) = other {
            let path = other.path.shown();
            return Ok(Err(Trouble::Other(format!("`{command}` also writes {path}, which it was not asked for"))));
        }
        let mut made = Vec::new();
        for file in asked {
            let Some(text) = git.file(&after, &file.path).await else {
                return Ok(Err(Trouble::Other(format!("`{command}` left no {}", file.path))));
            };
            if has_markers(&text) {
                return Ok(Err(Trouble::Other(format!("`{command}` left conflict markers in {}", file.path))));
            }
            let blob = git.text(["rev-parse", &format!("{after}:{}", file.path)]).await?;
            made.push(Made { path: file.path.clone(), blob, how: format!("made by `{command}`") });
            self.made.insert(file.path.clone(), text);
        }
        Ok(Ok(made))
    }

    /// Puts the merged tree there, with what each file begins with, and returns it as a tree.
    async fn lay_out(&self, all: &[Stale]) -> Result<String, Error> {
        self.worktree.renew_scratch()?;
        self.worktree.check_out(&self.commit).await?;
        for file in all {
            let text = self.made.get(&file.path).unwrap_or(&file.text);
            write(&self.worktree.tree().join(file.path.as_str()), text)?;
        }
        self.worktree.snapshot().await
    }

    /// Takes the files of a tool that is not there from the side that they belong to, where there is one.
    async fn take_otherwise(&mut self, files: &[&Stale], why: &str, done: &mut Regenerated) -> Result<(), Error> {
        for file in files {
            match &file.otherwise {
                Some(text) => {
                    let call =
                        self.workshop.site.repository.git.call().args(["hash-object", "-w", "--stdin"]).input(text.clone());
                    let (blob, path) = (call.text().await?, file.path.clone());
                    let how = "taken from the only side that changed what it is made from".to_owned();
                    done.made.push(Made { path, blob, how: format!("{how}, for {why}") });
                    self.made.insert(file.path.clone(), text.clone());
                }
                None => done.left.push((file.path.clone(), why.to_owned())),
            }
        }
        Ok(())
    }
}

/// The file in a tree of which only the harness has written anything since it was checked out.
fn write(path: &Path, text: &[u8]) -> Result<(), Error> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::disk(folder))?;
    }
    std::fs::write(path, text).map_err(Error::disk(path))
}

fn has_markers(text: &[u8]) -> bool {
    let is_marker = |line: &[u8]| line.starts_with(b"<<<<<<< ") || line.starts_with(b">>>>>>> ");
    text.split(|byte| *byte == b'\n').any(is_marker)
}

/// What a tool says last is why it failed.
fn last_lines(output: &str) -> String {
    const MOST: usize = 5;
    let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(MOST)..].join("\n")
}

#[cfg(test)]
mod tests;
