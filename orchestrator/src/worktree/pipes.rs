//! Pipes that git would wait at for good.
//!
//! Git opens `.gitignore`, `.gitattributes` and `.gitmodules` wherever they lie. A command that makes a pipe of that name would halt every
//! later look at its files, and with it the run.
//!
//! **Invariant:** a call of git that looks at a worktree comes to its end. Nothing of value goes with such a pipe: git never keeps one.
//!
//! Why not look for pipes before each call? The look would cost more than the call. So they are looked for once a call takes long.

use std::{
    os::unix::fs::FileTypeExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use super::remove_file;
use crate::{
    error::Error,
    git::{Call, GitError},
};

/// How long a call takes without being suspected.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs a call on the files in `tree`, from the start again where it has waited at a pipe. `lock` is what a killed call leaves.
pub(super) async fn past_pipes(tree: &Path, lock: &Path, call: impl Fn() -> Call) -> Result<Vec<u8>, GitError> {
    let mut running = Box::pin(call().bytes());
    loop {
        if let Ok(out) = tokio::time::timeout(PATIENCE, &mut running).await {
            return out;
        }
        let folder = tree.to_owned();
        let removed = tokio::task::spawn_blocking(move || remove_pipes(&folder)).await.unwrap_or_default();
        if removed.is_empty() {
            continue;
        }
        tracing::warn!(?removed, "git waited at pipes that a command had left; they were removed");
        drop(running);
        // Should it stay, the next call says so.
        let _: Result<(), Error> = remove_file(lock);
        running = Box::pin(call().bytes());
    }
}

/// Removes pipes, sockets and devices, whatever they are called: git cannot keep one, and where one stands in the place of a file it refuses
/// to keep anything.
pub(super) async fn remove_what_is_no_file(tree: &Path) {
    let tree = tree.to_owned();
    let removed = tokio::task::spawn_blocking(move || remove(&tree)).await.unwrap_or_default();
    if !removed.is_empty() {
        tracing::warn!(?removed, "pipes, sockets or devices that a command had left were removed");
    }
}

fn remove_pipes(tree: &Path) -> Vec<PathBuf> {
    // Also in repositories that a command has made: git looks at their `HEAD`.
    remove(tree)
}

fn remove(tree: &Path) -> Vec<PathBuf> {
    let walk = ignore::WalkBuilder::new(tree)
        .standard_filters(false)
        .filter_entry(|entry| entry.depth() != 1 || entry.file_name() != ".git")
        .build();
    let waits = |entry: &ignore::DirEntry| {
        entry.file_type().is_some_and(|kind| kind.is_fifo() || kind.is_socket() || kind.is_char_device())
    };
    let pipes = walk.filter_map(Result::ok).filter(waits).map(ignore::DirEntry::into_path);
    pipes.filter(|path| std::fs::remove_file(path).is_ok()).collect()
}
