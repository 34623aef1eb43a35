//! Which tasks own files in common, without an order that would keep them apart.
//!
//! Two patterns can only name the same path if the fixed beginning of one is a beginning of the other's. So each pattern is compared
//! with those that stand at its own folder or above it, and a plan of ten thousand tasks in as many folders costs next to nothing.

use std::collections::{BTreeSet, HashMap};

use shared::Glob;

use crate::task::Task;

/// Pairs of tasks (places, the smaller first) whose owned patterns may meet. Some of these do not overlap after all.
pub(crate) fn neighbours(tasks: &[Task]) -> BTreeSet<(usize, usize)> {
    let mut owners: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, task) in tasks.iter().enumerate() {
        for glob in &task.scope.write {
            owners.entry(fixed_folder(glob)).or_default().push(at);
        }
    }
    let mut pairs = BTreeSet::new();
    for (at, task) in tasks.iter().enumerate() {
        for glob in &task.scope.write {
            for folder in upwards(fixed_folder(glob)) {
                let others = owners.get(folder).into_iter().flatten().filter(|&&other| other != at);
                pairs.extend(others.map(|&other| (at.min(other), at.max(other))));
            }
        }
    }
    pairs
}

/// The components before the first that holds a wildcard.
pub(crate) fn fixed_folder(glob: &Glob) -> &str {
    let text = glob.as_str();
    let Some(wild) = text.find(['*', '?', '[', '{', '\\']) else { return text };
    text[..wild].rfind('/').map_or("", |end| &text[..end])
}

/// The folder itself, then each folder above it, then the root.
fn upwards(folder: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(folder), |folder| {
        if folder.is_empty() { None } else { Some(folder.rfind('/').map_or("", |end| &folder[..end])) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixed_folder_ends_before_the_first_wildcard() {
        for (glob, folder) in [
            ("src/a.rs", "src/a.rs"),
            ("src/*.rs", "src"),
            ("src/deep/**", "src/deep"),
            ("**/*.rs", ""),
            ("sr?/a.rs", ""),
            ("a/b{c,d}/e", "a"),
        ] {
            assert_eq!(fixed_folder(&Glob::new(glob).unwrap()), folder, "{glob}");
        }
        assert_eq!(upwards("a/b").collect::<Vec<_>>(), ["a/b", "a", ""]);
    }
}
