//! What is wrong, or odd, with a plan, and where.

use std::fmt;

use shared::TaskId;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The plan cannot be run.
    Error,
    /// A person should look at it.
    Warning,
}

/// Where in the plan: a line of a file, or a path into the JSON that a model sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A line of the plan file, counted from 1.
    Line(usize),
    /// Such as `tasks[3].write[0]`.
    Path(String),
    /// Somewhere in a task, where the text is not at hand.
    Task(TaskId),
    /// A key of a task, where the text is not at hand.
    Key {
        /// The task.
        task: TaskId,
        /// The key, as in the file.
        key: &'static str,
        /// Which item of a list, counted from 0.
        item: Option<usize>,
    },
    /// The plan as a whole.
    Plan,
}

/// One finding of the reader or the linter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// The rule, in kebab-case, stable: `cycle`, `overlap`, `unknown-dependency`, …
    pub rule: &'static str,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl Problem {
    /// Whether the plan cannot be run because of it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line(line) => write!(f, "line {line}"),
            Place::Path(path) => f.write_str(path),
            Place::Task(task) => write!(f, "task {task}"),
            Place::Key { task, key, .. } => write!(f, "task {task}, {key}"),
            Place::Plan => f.write_str("plan"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}[{}] {}: {}", self.rule, self.place, self.message)
    }
}
