//! What goes into a merge of one file and what comes out: values, so that whoever asked decides what follows.

/// Three versions of one file.
#[derive(Debug, Clone, Copy)]
pub struct Versions<'a> {
    /// Where it lies, which says what it holds.
    pub path: &'a str,
    /// What both sides grew from; empty where both added the file.
    pub base: &'a [u8],
    /// The run branch's, or the current branch's.
    pub ours: &'a [u8],
    /// The task's, or the other branch's.
    pub theirs: &'a [u8],
}

impl<'a> Versions<'a> {
    /// The same with the sides exchanged.
    #[must_use]
    pub fn swapped(self) -> Self {
        Self { ours: self.theirs, theirs: self.ours, ..self }
    }

    /// Other texts of the same file: a part of each version.
    #[must_use]
    pub fn of(self, base: &'a [u8], ours: &'a [u8], theirs: &'a [u8]) -> Self {
        Self { base, ours, theirs, ..self }
    }
}

/// What stands after the conflict markers.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'a> {
    /// After `<<<<<<<`.
    pub ours: &'a str,
    /// After `|||||||`.
    pub base: &'a str,
    /// After `>>>>>>>`.
    pub theirs: &'a str,
}

/// How a part of a file was merged, cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rung {
    /// Line by line, as git does.
    Lines,
    /// Item by item: functions, members, imports.
    Syntax,
    /// Token by token within changed lines.
    Tokens,
    /// By the rules of its format: an ordered union, keys of a table, entries of a lock file.
    Format,
}

impl std::fmt::Display for Rung {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Rung::Lines => "lines",
            Rung::Syntax => "syntax",
            Rung::Tokens => "tokens",
            Rung::Format => "format",
        })
    }
}

/// What a merge came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merge {
    /// One text that holds both sides' edits.
    Clean(Merged),
    /// Some parts need a decision.
    Conflicted(Conflicted),
}

/// A text that holds both sides' edits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The text.
    pub text: Vec<u8>,
    /// The costliest rung that took part.
    pub rung: Rung,
}

/// A text in which some parts need a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflicted {
    /// The text, with the usual markers around those parts, all three versions in each.
    pub text: Vec<u8>,
    /// Those parts.
    pub conflicts: Vec<Conflict>,
    /// Why a text that seemed clean was refused, if that is how it came to this.
    pub refused: Option<String>,
}

/// A part of a file on which the sides disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// What both grew from.
    pub base: Vec<u8>,
    /// One side.
    pub ours: Vec<u8>,
    /// The other.
    pub theirs: Vec<u8>,
}
