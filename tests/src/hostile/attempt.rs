//! One thing that a hostile command tries.

/// A script, what shows its success, and where it may be let loose.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// What it is called: in the table, in its victim's path, in what it tells servers. Letters, digits and `-`.
    pub name: &'static str,
    /// Python, with the names of `driver.py` at hand.
    pub script: &'static str,
    /// What is seen once it has succeeded.
    pub sign: Sign,
    /// Whether it is to succeed: the same probe aimed at what a command may do.
    pub is_allowed: bool,
    /// Whether the helper alone lets it succeed: without namespaces some things cannot be told from each other, or not be seen.
    pub is_allowed_alone: bool,
    /// Whether it is made without a sandbox too.
    pub bare: Bare,
}

/// What one sees from outside.
#[derive(Debug, Clone, Copy)]
pub enum Sign {
    /// `$VICTIM`, a file of the attempt's own, is not as it was: content, mode, owner, times, links, flags or attributes.
    Victim,
    /// The same of a file at this path.
    Changes(&'static str),
    /// Something is at this path. `$NAME`, `$VICTIM` and the other places of [`Stakes`](super::Stakes) are replaced.
    Appears(&'static str),
    /// The script kept a text that contains this one: a secret, or a word for what it got hold of.
    Looted(&'static str),
    /// A server heard the attempt's name: `<NAME>`.
    Heard,
    /// `$PID`, a process of the attempt's own, is not alive and running.
    Bystander,
    /// This question to git succeeds in the person's checkout. `$NAME` is replaced.
    Git(&'static str),
}

/// Whether an attempt is made without a sandbox, to show that it is real.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bare {
    /// It is, and must succeed.
    Succeeds,
    /// It is, and must succeed where the tests run as root: nobody else may do it anyway.
    SucceedsForRoot,
    /// It is not: it would hurt the run or the machine itself, or something besides the sandbox prevents it.
    Never,
}

impl Attempt {
    /// An attempt that no sandbox may let through.
    pub const fn new(name: &'static str, sign: Sign, script: &'static str) -> Self {
        Self { name, script, sign, is_allowed: false, is_allowed_alone: false, bare: Bare::Succeeds }
    }

    /// A probe that must succeed everywhere.
    pub const fn allowed(name: &'static str, script: &'static str) -> Self {
        Self { name, script, sign: Sign::Looted("it works"), is_allowed: true, is_allowed_alone: true, bare: Bare::Succeeds }
    }

    /// It is allowed only where a command has namespaces of its own.
    #[must_use]
    pub const fn in_namespaces(self) -> Self {
        Self { is_allowed_alone: false, ..self }
    }

    /// It does harm behind the helper alone, for a reason that nobody here can mend: the test says so as long as it is so.
    #[must_use]
    pub const fn passes_the_helper(self, _why: &'static str) -> Self {
        Self { is_allowed_alone: true, ..self }
    }

    /// Without a sandbox it succeeds for root alone.
    #[must_use]
    pub const fn as_root(self) -> Self {
        Self { bare: Bare::SucceedsForRoot, ..self }
    }

    /// It is never made without a sandbox.
    #[must_use]
    pub const fn never_bare(self) -> Self {
        Self { bare: Bare::Never, ..self }
    }
}
