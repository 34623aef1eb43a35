//! Where runs are kept: one folder a run, under the repository's common git directory.
//!
//! ```text
//! <common git dir>/inspan/runs/<run>/
//!     journal.db        what has happened
//!     lease             which process is at it
//!     checkout          which checkout of the repository it was begun in
//!     control           where it hears orders, while one is
//!     surroundings.json what was known about the repository when it started
//!     transcripts/<task>/<attempt>.jsonl
//! ```

use std::path::{Path, PathBuf};

use plans::event::Entry;
use shared::{AttemptKey, RunId};

use crate::{
    error::Error,
    journal::{Journal, JournalError},
    lease::Lease,
};

const CHECKOUT: &str = "checkout";

/// All runs of one repository.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

/// The folder of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    /// The run.
    pub run: RunId,
    /// Its folder.
    pub path: PathBuf,
}

impl Store {
    /// The store in a repository's state directory.
    pub fn new(state_dir: &Path) -> Self {
        Self { folder: state_dir.join("runs") }
    }

    /// Makes the folder of a new run.
    pub fn create(&self) -> Result<RunFolder, Error> {
        loop {
            let run = RunId::from_bits(fastrand::u64(..));
            let path = self.folder.join(run.as_str());
            if path.exists() {
                continue;
            }
            std::fs::create_dir_all(path.join("transcripts")).map_err(Error::disk(&path))?;
            return Ok(RunFolder { run, path });
        }
    }

    /// Runs whose journal is there and does not read, with the reason. One bad file harms no other run.
    pub fn damaged(&self) -> Vec<(RunFolder, JournalError)> {
        let read = |folder: RunFolder| {
            let journal = Journal::read_only(&folder.path, folder.run.clone());
            let error = journal.and_then(|journal| journal.after(0)).err().filter(JournalError::is_damage)?;
            // One that is being made has no table yet.
            Lease::holder(&folder.path).is_none().then_some((folder, error))
        };
        let mut damaged: Vec<_> = self.folders().filter_map(read).collect();
        damaged.sort_by(|(a, _), (b, _)| a.run.cmp(&b.run));
        damaged
    }

    /// Folders that are called like a run and hold a journal, whatever is in it.
    fn folders(&self) -> impl Iterator<Item = RunFolder> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let folder = |entry: std::fs::DirEntry| {
            let path = entry.path();
            let run = RunId::new(path.file_name()?.to_str()?).ok()?;
            Journal::is_in(&path).then_some(RunFolder { run, path })
        };
        entries.filter_map(folder)
    }

    /// All runs with their first event, oldest first. Those without a readable one are left out.
    pub fn list(&self) -> Vec<(RunFolder, Entry)> {
        let read = |folder: RunFolder| {
            let first = Journal::read_only(&folder.path, folder.run.clone()).ok()?.first().ok()??;
            Some((folder, first))
        };
        let mut runs: Vec<_> = self.folders().filter_map(read).collect();
        runs.sort_by(|(a, first), (b, second)| first.time.cmp(&second.time).then_with(|| a.run.cmp(&b.run)));
        runs
    }

    /// The runs that were begun in a checkout, oldest first; where none was, all: whoever works in several is shown their own.
    pub fn of_checkout(&self, checkout: &str) -> Vec<RunFolder> {
        let all: Vec<RunFolder> = self.list().into_iter().map(|(folder, _)| folder).collect();
        let own: Vec<RunFolder> = all.iter().filter(|folder| folder.checkout() == checkout).cloned().collect();
        if own.is_empty() { all } else { own }
    }

    /// The latest of them.
    pub fn latest(&self, checkout: &str) -> Result<RunFolder, Error> {
        let latest = self.of_checkout(checkout).pop();
        // Where none reads, one that does not: whoever asks for it hears why.
        latest.or_else(|| self.damaged().pop().map(|(folder, _)| folder)).ok_or(Error::NoRuns)
    }

    /// The run of that whole name, if there is one.
    pub fn whole(&self, name: &str) -> Result<Option<RunFolder>, Error> {
        refuse_empty(name)?;
        Ok(self.folders().find(|folder| folder.run.as_str() == name))
    }

    /// The run of that name, or of that unambiguous prefix.
    pub fn find(&self, name: &str) -> Result<RunFolder, Error> {
        refuse_empty(name)?;
        // Also one whose journal does not read: what is asked of it then says so.
        let mut runs: Vec<RunFolder> = self.folders().filter(|folder| folder.run.as_str().starts_with(name)).collect();
        runs.sort_by(|a, b| a.run.cmp(&b.run));
        match runs.len() {
            0 => Err(Error::NoSuchRun { name: name.to_owned() }),
            1 => Ok(runs.remove(0)),
            _ => {
                let runs = runs.iter().map(|folder| folder.run.to_string()).collect();
                Err(Error::AmbiguousRun { name: name.to_owned(), runs })
            }
        }
    }
}

/// Every name begins with nothing: a variable that is not set must not name a run.
fn refuse_empty(name: &str) -> Result<(), Error> {
    if !name.trim().is_empty() {
        return Ok(());
    }
    Err(Error::Usage("the name of a run is empty (a variable that is not set?); nothing was done".to_owned()))
}

impl RunFolder {
    /// Takes note of the checkout that the run is begun in.
    pub fn begin_in(&self, checkout: &str) -> Result<(), Error> {
        let path = self.path.join(CHECKOUT);
        std::fs::write(&path, checkout).map_err(Error::disk(&path))
    }

    /// The checkout that the run was begun in, by its git directory within the common one: nothing for the main one.
    pub fn checkout(&self) -> String {
        std::fs::read_to_string(self.path.join(CHECKOUT)).unwrap_or_default()
    }

    /// The transcript of an attempt.
    pub fn transcript(&self, key: &AttemptKey) -> PathBuf {
        self.path.join("transcripts").join(key.task.as_str()).join(format!("{}.jsonl", key.attempt))
    }

    /// The transcript of one of the planner's conversations. No task can be called `_planner`.
    pub fn planner_transcript(&self, session: u32) -> PathBuf {
        self.path.join("transcripts").join("_planner").join(format!("{session}.jsonl"))
    }

    /// What the repository ignored when the run started, beside what its tree says.
    pub fn ignored(&self) -> PathBuf {
        self.path.join("ignored")
    }

    /// What was known about the repository when the run started, with the text that every prompt of the run begins with.
    pub fn surroundings(&self) -> PathBuf {
        self.path.join("surroundings.json")
    }
}
