//! The submodules that `.gitmodules` names: empty folders in every worktree.

use shared::RepoPath;

use super::tree::Tree;

/// Their paths, sorted.
pub(super) fn submodules(tree: &Tree) -> Vec<RepoPath> {
    let text = tree.find(".gitmodules").and_then(|at| tree.text(at)).unwrap_or_default();
    let paths = text.lines().filter_map(|line| line.trim().strip_prefix("path")?.trim_start().strip_prefix('='));
    let mut paths: Vec<RepoPath> = paths.filter_map(|path| RepoPath::new(path.trim().trim_matches('"')).ok()).collect();
    paths.sort();
    paths.dedup();
    paths
}
