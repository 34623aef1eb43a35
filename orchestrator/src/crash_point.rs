//! Points at which a build for development can be told to die, so that a test can pull the plug at every one of them.
//!
//! `INSPAN_CRASH_AT` names one, or several with commas between them:
//!
//! | value | the process dies |
//! |---|---|
//! | `17`  | right after event 17 is on disk |
//! | `17-` | right before event 17 is written: the effects of all earlier events were made, the announcement was not |
//! | `worktree-made` | the first time that it comes by the point of this name |
//! | `worktree-made:3` | the third time |
//!
//! It dies by its own `SIGKILL`: no destructor runs, no buffer is flushed, nothing is caught. Between two events there is a name where `17-`
//! does not say which of several effects were made.
//!
//! **Invariant:** nothing of this is in a build without debug assertions: a release knows no such variable.

/// A place between effects, beside those at events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// A directory has its ownership record and nothing else.
    WorktreeLaidOut,
    /// It has its files, and still the name of one that is being made.
    WorktreeFilled,
    /// It has its own name.
    WorktreeMade,
    /// It has the name of one that is being removed.
    WorktreeGoing,
    /// It is gone.
    WorktreeGone,
    /// The commit of what an attempt left is written, and no ref names it.
    AttemptCommitted,
    /// The ref of an attempt names it, and the directory is still marked as unsaved.
    AttemptNamed,
    /// The run branch has moved.
    BranchMoved,
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    };

    use rustix::process::{Signal, getpid, kill_process};

    use super::Point;

    /// Where this process is to die.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(super) enum Where {
        Before(u64),
        After(u64),
        Named(String, u32),
    }

    /// What cannot be read as a number is a name.
    pub(super) fn read(text: &str) -> Vec<Where> {
        let place = |word: &str| {
            let numbered = word.strip_suffix('-').unwrap_or(word);
            match numbered.parse() {
                Ok(seq) if numbered == word => Where::After(seq),
                Ok(seq) => Where::Before(seq),
                Err(_) => {
                    let (name, time) = word.split_once(':').unwrap_or((word, "1"));
                    Where::Named(name.to_owned(), time.parse().unwrap_or(1))
                }
            }
        };
        text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(place).collect()
    }

    impl Point {
        pub(super) fn name(self) -> &'static str {
            match self {
                Self::WorktreeLaidOut => "worktree-laid-out",
                Self::WorktreeFilled => "worktree-filled",
                Self::WorktreeMade => "worktree-made",
                Self::WorktreeGoing => "worktree-going",
                Self::WorktreeGone => "worktree-gone",
                Self::AttemptCommitted => "attempt-committed",
                Self::AttemptNamed => "attempt-named",
                Self::BranchMoved => "branch-moved",
            }
        }
    }

    fn wanted() -> &'static [Where] {
        static WANTED: OnceLock<Vec<Where>> = OnceLock::new();
        WANTED.get_or_init(|| read(&std::env::var("INSPAN_CRASH_AT").unwrap_or_default()))
    }

    fn die() -> ! {
        // Nobody can refuse this signal; until it arrives this thread does nothing more.
        let _ = kill_process(getpid(), Signal::KILL);
        loop {
            std::thread::park();
        }
    }

    pub(super) fn before(seq: u64) {
        if wanted().contains(&Where::Before(seq)) {
            die();
        }
    }

    pub(super) fn after(seqs: std::ops::RangeInclusive<u64>) {
        if wanted().iter().any(|place| matches!(place, Where::After(seq) if seqs.contains(seq))) {
            die();
        }
    }

    pub(super) fn pass(point: Point) {
        static PASSED: [AtomicU32; 8] = [const { AtomicU32::new(0) }; 8];
        if wanted().is_empty() {
            return;
        }
        let time = PASSED[point as usize].fetch_add(1, Ordering::SeqCst) + 1;
        if wanted().iter().any(|place| matches!(place, Where::Named(name, at) if name == point.name() && *at == time)) {
            die();
        }
    }
}

/// An event is about to be written.
pub fn before(seq: u64) {
    #[cfg(debug_assertions)]
    armed::before(seq);
    let _ = seq;
}

/// These events are on disk.
pub fn after(first: u64, last: u64) {
    #[cfg(debug_assertions)]
    armed::after(first..=last);
    let _ = (first, last);
}

/// An effect was made.
pub fn pass(point: Point) {
    #[cfg(debug_assertions)]
    armed::pass(point);
    let _ = point;
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::armed::{Where, read};

    #[test]
    fn a_point_is_an_event_a_moment_before_one_or_a_name_and_how_often() {
        let named = |name: &str, time| Where::Named(name.to_owned(), time);
        let expected = vec![Where::After(17), Where::Before(18), named("worktree-made", 1), named("branch-moved", 3)];
        assert_eq!(read("17, 18-,worktree-made,branch-moved:3,"), expected);
        assert_eq!(read(""), []);
    }
}
