//! What stands against a merge of one file, in words.

use std::fmt;

use super::trees::Stage;

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The run branch.
    Ours,
    /// The task.
    Theirs,
}

/// What stands against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Both changed the same parts of a text; so many are left.
    Text(usize),
    /// A text that would have been merged is refused, for this reason.
    Refused(String),
    /// The merge would lose an edit, this one.
    Unaccounted(String),
    /// One side deleted the file, the other changed it.
    Deleted(Side),
    /// The file was moved by one side or both, and the other did something else with it.
    Moved(String),
    /// It is not text.
    Binary,
    /// It is too large to be merged here.
    Large,
    /// Both changed what a symbolic link points to.
    Link,
    /// One side made something else of it: a link, a folder, another repository.
    Type,
    /// Both changed its mode, differently.
    Mode,
    /// Both moved a submodule.
    Submodule,
    /// The engine did not come to an end.
    GaveUp(String),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_words(["what landed", "this task"]))
    }
}

impl Kind {
    /// A sentence in which the two sides have these names.
    pub fn in_words(&self, [ours, theirs]: [&str; 2]) -> String {
        match self {
            Kind::Text(1) => "both changed the same part of it".to_owned(),
            Kind::Text(parts) => format!("both changed the same {parts} parts of it"),
            Kind::Refused(why) | Kind::Unaccounted(why) | Kind::GaveUp(why) => why.clone(),
            Kind::Deleted(Side::Ours) => format!("{ours} deleted it, {theirs} changed it"),
            Kind::Deleted(Side::Theirs) => format!("{theirs} deleted it, {ours} changed it"),
            Kind::Moved(said) => format!("it was moved: {}", said.replace("what landed", ours).replace("this task", theirs)),
            Kind::Binary => "both changed it, and it is not text".to_owned(),
            Kind::Large => "both changed it, and it is too large to be merged".to_owned(),
            Kind::Link => "both changed what the symbolic link points to".to_owned(),
            Kind::Type => "one side made something else of it: a link, a folder or another repository".to_owned(),
            Kind::Mode => "both changed its mode, differently".to_owned(),
            Kind::Submodule => "both moved the submodule to another commit".to_owned(),
        }
    }
}

/// What git said of a path, by the short names of its messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The kind of message, and the message.
    pub(super) all: Vec<(String, String)>,
}

impl Said {
    fn has(&self, kind: &str) -> Option<&str> {
        self.all.iter().find(|(short, _)| short.contains(kind)).map(|(_, message)| message.trim())
    }
}

/// What can be known before any text is read; none where three, or two, versions of a text are to be merged.
pub(super) fn before_reading(stages: &[Option<Stage>; 3], said: &Said) -> Option<Kind> {
    let modes: Vec<&str> = stages.iter().flatten().map(|stage| stage.mode.as_str()).collect();
    let all = |mode: &str| modes.iter().all(|have| *have == mode);
    if said.has("file/directory").or(said.has("distinct")).is_some() {
        return Some(Kind::Type);
    }
    if let Some(message) = ["rename/", "rename involved", "directory rename"].iter().find_map(|kind| said.has(kind)) {
        return Some(Kind::Moved(message.trim_start_matches(|c| c != ':').trim_start_matches([':', ' ']).to_owned()));
    }
    let both = stages[1].is_some() && stages[2].is_some();
    if modes.contains(&SUBMODULE) {
        return Some(if all(SUBMODULE) && both { Kind::Submodule } else { Kind::Type });
    }
    match (&stages[1], &stages[2]) {
        (None, None) => return Some(Kind::Moved("both moved it, to different places".to_owned())),
        (None, Some(_)) => return Some(Kind::Deleted(Side::Ours)),
        (Some(_), None) => return Some(Kind::Deleted(Side::Theirs)),
        (Some(_), Some(_)) => {}
    }
    if modes.contains(&LINK) {
        return Some(if all(LINK) { Kind::Link } else { Kind::Type });
    }
    if said.has("binary").is_some() {
        return Some(Kind::Binary);
    }
    merged_mode(stages).is_none().then_some(Kind::Mode)
}

const SUBMODULE: &str = "160000";
const LINK: &str = "120000";

/// Modes are merged like values: whoever changed it has it.
pub(super) fn merged_mode(stages: &[Option<Stage>; 3]) -> Option<String> {
    let [base, ours, theirs] = stages.each_ref().map(|stage| stage.as_ref().map(|stage| stage.mode.as_str()));
    let (ours, theirs) = (ours?, theirs?);
    let mode = if ours == theirs || base == Some(theirs) {
        ours
    } else if base == Some(ours) {
        theirs
    } else {
        return None;
    };
    Some(mode.to_owned())
}
