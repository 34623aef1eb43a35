//! From a scope to what the operating system can enforce: folders.
//!
//! Kernels know folders, not patterns: a pattern becomes its longest literal folder, and the exact pattern is checked afterwards, on the
//! difference. A rule for a single file would break every program that writes a new file and renames it over the old.
//!
//! **Invariant:** a folder that is granted lies in the worktree also when all symbolic links are followed.
//! **Invariant:** nothing of a repository's own records (`.git`) is ever granted.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shared::{Glob, Network, Scope};

use super::CommandLimits;

/// A folder that may be written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Writable {
    /// Where, without symbolic links.
    pub path: PathBuf,
    /// With the folders in it, or only the files. Landlock knows no such difference; mounts do.
    pub deep: bool,
}

/// What the commands of one session may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The worktree's files.
    pub tree: PathBuf,
    /// Folders that may be written.
    pub write: Vec<Writable>,
    /// Folders and files that may be read and run, beside those.
    pub read: Vec<PathBuf>,
    /// Below those, what is hidden all the same.
    pub hidden: Vec<PathBuf>,
    /// What can be reached.
    pub network: Network,
    /// How much may be used.
    pub limits: CommandLimits,
}

/// The folder of a pattern, and whether the pattern reaches below it. Of a folder that is not there yet, the one around it that is: made in
/// advance, it would be in the way of programs that make it.
fn folder_of(glob: &Glob, tree: &Path) -> (PathBuf, bool) {
    let is_literal = |part: &&str| !part.contains(['*', '?', '[', '{', '\\']);
    let parts: Vec<&str> = glob.as_str().split('/').collect();
    let literal = parts.iter().copied().take_while(is_literal).count();
    let below = |count: usize| parts[..count].iter().collect::<PathBuf>();
    let deep = literal == parts.len() || parts.len() - literal > 1 || parts[literal].contains("**");
    // Without a wildcard it names a file or a whole folder.
    let is_there = |count: &usize| tree.join(below(*count)).is_dir();
    let there = (0..=literal).rev().find(is_there).unwrap_or(0);
    (below(there), deep && there == literal)
}

/// Makes the folders of the build that are not there yet.
pub(super) fn make_build_folders(tree: &Path, build: &[PathBuf]) {
    let Ok(root) = tree.canonicalize() else { return };
    for folder in build.iter().filter(|folder| is_build(&root, folder)) {
        // One that cannot be made is not granted.
        let _ = make(&root, folder);
    }
}

/// The folders of a worktree that a scope and the build need, of those that are there.
pub(super) fn writable(tree: &Path, scope: &Scope, build: &[PathBuf]) -> Vec<Writable> {
    let Ok(root) = tree.canonicalize() else { return Vec::new() };
    let scoped = scope.globs().map(|glob| folder_of(glob, &root)).filter_map(|(folder, deep)| place(&root, &folder, deep));
    let of_build = build.iter().filter(|folder| is_build(&root, folder)).filter_map(|folder| place(&root, folder, true));
    let mut found: Vec<Writable> = scoped.chain(of_build).collect();
    found.sort();
    found.dedup_by(|later, earlier| {
        let same = later.path == earlier.path;
        earlier.deep |= same && later.deep;
        same
    });
    found
}

/// Whether a folder may be made for the build: it is none of the repository's, or it is one already.
fn is_build(root: &Path, folder: &Path) -> bool {
    root.join(folder).symlink_metadata().map_or(true, |data| data.is_dir())
}

fn place(root: &Path, folder: &Path, deep: bool) -> Option<Writable> {
    let path = root.join(folder).canonicalize().ok().filter(|path| path.starts_with(root) && path.is_dir())?;
    let records = |part: std::path::Component<'_>| part.as_os_str().eq_ignore_ascii_case(".git");
    let inside = path.strip_prefix(root).ok()?;
    (!inside.components().any(records)).then_some(Writable { path, deep })
}

/// Makes a folder one part at a time and says where it is; none where a part is a link that leads out, or no folder.
fn make(root: &Path, folder: &Path) -> Option<PathBuf> {
    let mut at = root.to_owned();
    for part in folder.components() {
        let next = at.join(part);
        match std::fs::create_dir(&next) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return None,
            _ => {}
        }
        at = next.canonicalize().ok().filter(|next| next.starts_with(root) && next.is_dir())?;
    }
    Some(at)
}

/// A readable root without what is hidden below it: the root itself where nothing is, else its entries one by one.
pub(super) fn visible(root: &Path, hidden: &[PathBuf]) -> Vec<PathBuf> {
    if hidden.iter().any(|path| root.starts_with(path)) {
        return Vec::new();
    }
    if !hidden.iter().any(|path| path.starts_with(root)) {
        return vec![root.to_owned()];
    }
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.flat_map(|entry| visible(&entry.path(), hidden)).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[&str], scope: &str, expected: &str) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap().join("tree");
        std::fs::create_dir(&root).unwrap();
        for file in files {
            if let Some((link, to)) = file.split_once(" -> ") {
                std::os::unix::fs::symlink(to, root.join(link)).unwrap();
                continue;
            }
            std::fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            std::fs::write(root.join(file), "").unwrap();
        }
        let globs = scope.split_whitespace().map(|glob| Glob::new(glob).unwrap()).collect();
        let found = writable(&root, &Scope { write: globs, ..Scope::default() }, &[]);
        let shown = found.iter().map(|writable| {
            let path = writable.path.strip_prefix(&root).unwrap().to_str().unwrap();
            format!("{}{}", if path.is_empty() { "." } else { path }, if writable.deep { "/**" } else { "" })
        });
        assert_eq!(shown.collect::<Vec<_>>().join(" "), expected, "{scope}");
    }

    #[test]
    fn a_pattern_becomes_its_longest_literal_folder() {
        check(&["src/a.rs"], "src/**", "src/**");
        check(&["src/a.rs"], "src/*.rs", "src");
        check(&["src/a.rs"], "src/a.rs", "src");
        check(&["src/a.rs"], "src", "src/**");
        check(&["old/file"], "old/new/**", "old");
        check(&[], "new/deep/**", ".");
        check(&[], "new/file.rs", ".");
        check(&["Cargo.lock", "crates/a/src/lib.rs"], "Cargo.lock crates/*/src/**", ". crates/**");
        check(&[], "**", "./**");
        check(&["src/a/x"], "src/a.rs src/**/*.rs", "src/**");
    }

    #[test]
    fn a_link_that_leads_out_and_a_repository_s_records_are_not_granted() {
        check(&["out -> /tmp", "src/a.rs"], "out/** src/**", "src/**");
        check(&["up -> .."], "up/**", "");
        check(&["src/a.rs", "in -> src"], "in/**", "src/**");
        check(&["g -> .git", ".git/config"], "g/**", "");
        check(&["file"], "file/**", ".");
    }

    #[test]
    fn what_is_hidden_splits_the_folder_around_it() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["a/b/secret", "a/b/open", "a/c", "d/e"] {
            std::fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        let found = visible(dir.path(), &[dir.path().join("a/b/secret")]);
        let shown: Vec<_> = found.iter().map(|path| path.strip_prefix(dir.path()).unwrap().to_str().unwrap()).collect();
        assert_eq!(shown, ["a/b/open", "a/c", "d"]);
        assert!(visible(&dir.path().join("a"), &[dir.path().join("a")]).is_empty());
    }
}
