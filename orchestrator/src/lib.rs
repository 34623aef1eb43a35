//! The shell around the pure core: actors, git, disk, terminal. The binary `inspan`.

pub mod error;
pub mod git;
pub mod journal;
pub mod lease;
pub mod recorder;
pub mod repository;
pub mod store;
pub mod worktree;

pub use error::Error;
