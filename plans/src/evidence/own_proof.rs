//! A task's own proof that fails while its worker is still there, in the words in which the worker is told.
//!
//! The harness says it as one sentence, which becomes the end of the attempt when the worker does not mend it: an outcome is text. So what
//! writes the sentence and what reads it stand here, side by side.

/// A proof of a task that fails in its own worktree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnProof<'t> {
    /// The command.
    pub command: &'t str,
    /// How it ended.
    pub ended: &'t str,
    /// What it said.
    pub output: &'t str,
}

const BEFORE: &str = "the verification `";
const BETWEEN: &str = "` fails (";
const AFTER: &str = "):";

impl<'t> OwnProof<'t> {
    /// As the worker is told.
    pub fn in_words(&self) -> String {
        format!("{BEFORE}{}{BETWEEN}{}{AFTER}\n{}", self.command, self.ended, self.output)
    }

    /// Out of what an attempt ended with.
    pub fn read(said: &'t str) -> Option<Self> {
        let (_, rest) = said.split_once(BEFORE)?;
        let (command, rest) = rest.split_once(BETWEEN)?;
        let (ended, output) = rest.split_once(AFTER)?;
        (!ended.contains('\n')).then(|| Self { command, ended, output: output.trim_start_matches('\n') })
    }
}
