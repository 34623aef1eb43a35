//! Java: the full name of a class is the end of its file's path, below whatever source folder.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::tree::{FileAt, Tree, ending, file_name},
    Facts, Found, Import, imports,
};

pub(super) const QUERY: &str = "(import_declaration) @import";

pub(super) fn facts(found: &[Found]) -> Facts {
    let imports = found.iter().filter_map(|found| {
        let words = found.text().trim_end_matches(';').strip_prefix("import")?.trim();
        let name = words.strip_prefix("static ").unwrap_or(words);
        let path: String = name.chars().filter(|c| !c.is_whitespace()).collect();
        let is_own = !path.starts_with("java.") && !path.starts_with("javax.");
        is_own.then_some(Import::Java { path })
    });
    Facts { imports: imports.collect(), ..Facts::default() }
}

pub(super) fn edges(tree: &Tree, facts: &[Option<Facts>]) -> BTreeSet<(FileAt, FileAt)> {
    let mut named: BTreeMap<&str, Vec<FileAt>> = BTreeMap::new();
    for at in (0..tree.files().len()).filter(|&at| ending(tree.path(at)) == "java") {
        named.entry(file_name(tree.path(at))).or_default().push(at);
    }
    let class = |name: &str| {
        let path = format!("{}.java", name.replace('.', "/"));
        let is_it =
            |at: &&FileAt| tree.path(**at).strip_suffix(path.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'));
        named.get(file_name(&path))?.iter().find(is_it).copied()
    };
    let mut edges = BTreeSet::new();
    for (from, import) in imports(facts) {
        let Import::Java { path } = import else { continue };
        // A member, or a class within a class, leads to the file of the outermost.
        let outward = std::iter::successors(Some(path.as_str()), |name| name.rsplit_once('.').map(|(outer, _)| outer));
        edges.extend(outward.take(3).find_map(class).map(|to| (from, to)));
    }
    edges
}
