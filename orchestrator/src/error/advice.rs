//! What to do about a machine that says no: a full disk, one that can only be read, too few open files.
//!
//! The same refusal comes from the system, from git and from the journal's database, each in its own words and wrapped in ours; so it is
//! known by what was said. Advice stands beside an error, never in its place: a wrong guess costs a sentence.

/// What is said, and what helps. The first that fits counts.
const KNOWN: &[(&[&str], &str)] = &[
    (
        &[
            "No space left on device",
            "Out of diskspace",
            "database or disk is full",
            "Disk quota exceeded",
            "os error 28",
            "unable to write new index file",
        ],
        "the disk is full: make room (`df -h` shows where, `inspan clean` removes directories that no run needs, `[paths] worktrees` puts them \
         elsewhere)",
    ),
    (
        &["Read-only file system", "readonly database"],
        "nothing can be written there: mount that disk so that it can be written, or put worktrees elsewhere (`[paths] worktrees`)",
    ),
    (
        &["Too many open files", "os error 24"],
        "this program may open too few files: allow more (`ulimit -n 4096`), or take fewer `--workers`",
    ),
    (
        &["Resource temporarily unavailable", "os error 11", "unable to create thread"],
        "there are too many processes: end what else runs, allow more (`ulimit -u`), or take fewer `--workers`",
    ),
    (&["Cannot allocate memory", "os error 12)"], "there is not enough memory: end what else runs, or take fewer `--workers`"),
    (
        &[
            "Permission denied",
            "unable to open database file",
            "Operation not permitted",
            "insufficient permission",
            "unable to create directory",
            "Not a directory",
        ],
        "see what that path is, whose, and what you may do there (`ls -ld`); worktrees can be elsewhere (`[paths] worktrees`)",
    ),
    (
        &["Input/output error", "disk I/O error"],
        "the disk does not do what it is told: look at the system's log before you go on",
    ),
];

/// What helps against what was said, if that is known.
pub fn advice(said: &str) -> Option<&'static str> {
    let fits = |words: &&&[&str]| words.iter().any(|word| said.contains(word));
    KNOWN.iter().find(|(words, _)| fits(&words)).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_known_from_whoever_says_it() {
        for (said, helps) in [
            ("/x/tree: No space left on device (os error 28)", Some("make room")),
            ("the journal /x cannot be used: database or disk is full", Some("make room")),
            ("`git add` failed: fatal: unable to write new index file", Some("make room")),
            ("error: attempt to write a readonly database", Some("mount")),
            ("git could not be started: Too many open files (os error 24)", Some("ulimit -n")),
            ("git could not be started: Resource temporarily unavailable (os error 11)", Some("ulimit -u")),
            ("error: insufficient permission for adding an object", Some("ls -ld")),
            ("`git merge` failed: conflict", None),
        ] {
            let advice = advice(said);
            assert!(
                helps.map_or(advice.is_none(), |words| advice.is_some_and(|advice| advice.contains(words))),
                "{said}: {advice:?}"
            );
        }
    }
}
