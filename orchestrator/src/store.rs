//! Where runs are kept: one folder a run, under the repository's common git directory.
//!
//! ```text
//! <common git dir>/inspan/runs/<run>/
//!     journal.db        what has happened
//!     lease             which process is at it
//!     repository.md     the text about the repository that every prompt of the run begins with
//!     transcripts/<task>/<attempt>.jsonl
//! ```

use std::path::{Path, PathBuf};

use plans::event::Entry;
use shared::{AttemptKey, RunId};

use crate::{error::Error, journal::Journal};

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

    /// All runs with their first event, oldest first. Folders without a readable journal are left out.
    pub fn list(&self) -> Vec<(RunFolder, Entry)> {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            let path = entry.ok()?.path();
            let run = RunId::new(path.file_name()?.to_str()?).ok()?;
            let first = Journal::read_only(&path, run.clone()).ok()?.first().ok()??;
            Some((RunFolder { run, path }, first))
        };
        let mut runs: Vec<_> = entries.filter_map(read).collect();
        runs.sort_by(|(a, first), (b, second)| first.time.cmp(&second.time).then_with(|| a.run.cmp(&b.run)));
        runs
    }

    /// The run of that name, of that unambiguous prefix, or the latest.
    pub fn find(&self, name: Option<&str>) -> Result<RunFolder, Error> {
        let mut runs: Vec<RunFolder> = self.list().into_iter().map(|(folder, _)| folder).collect();
        let Some(name) = name else { return runs.pop().ok_or(Error::NoRuns) };
        runs.retain(|folder| folder.run.as_str().starts_with(name));
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

impl RunFolder {
    /// The transcript of an attempt.
    pub fn transcript(&self, key: &AttemptKey) -> PathBuf {
        self.path.join("transcripts").join(key.task.as_str()).join(format!("{}.jsonl", key.attempt))
    }

    /// The transcript of one of the planner's conversations. No task can be called `_planner`.
    pub fn planner_transcript(&self, session: u32) -> PathBuf {
        self.path.join("transcripts").join("_planner").join(format!("{session}.jsonl"))
    }

    /// The text about the repository that every prompt of the run begins with.
    pub fn repository_brief(&self) -> PathBuf {
        self.path.join("repository.md")
    }
}
