//! Three versions of one file in, one file out: the part of the coordinator's ladder that needs no model and no test run.
//!
//! **Invariant:** pure: no I/O, no clock; the same three versions give the same answer.
//! **Invariant:** a clean answer holds every edit of both sides, or it is not given.
//! **Invariant:** bytes in, bytes out: whatever is not text that a rung understands is left as a conflict, never a crash.
//!
//! Not here: trees of files, renames and modes (git's own merge does those), tools that regenerate a file, and proofs.
//!
//! Why a package of its own below `orchestrator`: it is pure and large, its tests run by the hundred, and nothing else of the
//! orchestrator has to be built for them.
//!
//! Why not weave-core, the measured start: it takes 100 ms for the median file and its grammars and libgit2 weigh more than the rest of
//! the program. The items of a file (`syntax`) and the tokens of a hunk (`tokens`) are what it does, over the grammars that the survey
//! has anyway.

mod account;
mod candidates;
mod check;
mod chunks;
mod diff;
mod doubt;
mod engine;
pub mod format;
mod grammar;
mod lex;
mod lines;
mod names;
mod syntax;
mod text;
mod tokens;
mod types;
mod union;

use engine::merge_text;

pub use account::{Account, Fate, Hunk, account};
pub use candidates::{Candidate, candidates};
pub use engine::merge;
pub use grammar::{is_code, parses};
pub use types::{Conflict, Conflicted, Labels, Merge, Merged, Rung, Versions};
