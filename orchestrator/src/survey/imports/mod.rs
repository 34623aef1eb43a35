//! Which file of the repository uses which: first what each file *says* it imports, then which file that *is*.
//!
//! The first half ([`facts`]) depends on the bytes of one file alone. The second ([`edges`]) depends on the whole tree; it is map
//! lookups.
//!
//! **Invariant:** an edge is a guess that leaves out rather than makes up: what does not lead to a file of the tree is no edge.

mod go;
mod java;
mod javascript;
mod python;
mod rust;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use shared::RepoPath;

use super::{
    facts::{Facts, Found},
    grammar::Grammar,
    tree::{FileAt, Tree},
};

/// One import as it is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Import {
    /// `mod name;` within these inline modules, with the `#[path]` that was given.
    RustModule { inside: Vec<String>, name: String, path: Option<String> },
    /// A path, named `name` by a `use`; without a name it was written in an expression or a type, or ends in `*`.
    RustPath {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        inside: Vec<String>,
        path: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// `from ..module import names`, with `level` dots; `import module` names nothing.
    Python { level: usize, module: String, names: Vec<String> },
    /// `import … from "source"` in any of its spellings.
    Script { source: String },
    /// An import path, and the exported names used of it.
    Go { path: String, names: BTreeSet<String> },
    /// The full name of a class, of something in one, or of a package.
    Java { path: String },
}

/// How imports are found.
pub(super) fn query(grammar: Grammar) -> &'static str {
    match grammar {
        Grammar::Rust => rust::QUERY,
        Grammar::Python => python::QUERY,
        Grammar::JavaScript => javascript::QUERY,
        Grammar::TypeScript | Grammar::Tsx => javascript::TYPED_QUERY,
        Grammar::Go => go::QUERY,
        Grammar::Java => java::QUERY,
    }
}

/// What the captures of that query say.
pub(super) fn facts(grammar: Grammar, found: &[Found]) -> Facts {
    match grammar {
        Grammar::Rust => rust::facts(found),
        Grammar::Python => python::facts(found),
        Grammar::JavaScript | Grammar::TypeScript | Grammar::Tsx => javascript::facts(found),
        Grammar::Go => go::facts(found),
        Grammar::Java => java::facts(found),
    }
}

/// The edges between the files of a tree: sorted, without repetition, none from a file to itself.
pub(super) fn edges(tree: &Tree, facts: &[Option<Facts>]) -> Vec<(RepoPath, RepoPath)> {
    let mut edges: BTreeSet<(FileAt, FileAt)> = BTreeSet::new();
    edges.extend(rust::edges(tree, facts));
    edges.extend(python::edges(tree, facts));
    edges.extend(javascript::edges(tree, facts));
    edges.extend(go::edges(tree, facts));
    edges.extend(java::edges(tree, facts));
    let path = |at: FileAt| tree.files()[at].path.clone();
    edges.into_iter().filter(|(from, to)| from != to).map(|(from, to)| (path(from), path(to))).collect()
}

/// Every import of the tree with the file it stands in.
fn imports(facts: &[Option<Facts>]) -> impl Iterator<Item = (FileAt, &Import)> {
    facts
        .iter()
        .enumerate()
        .flat_map(|(at, facts)| facts.iter().flat_map(move |facts| facts.imports.iter().map(move |i| (at, i))))
}

/// What stands between the quotes of a string literal; `None` for anything that is not a plain one.
fn unquoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inner.is_empty() && !inner.contains('\\')).then_some(inner)
}
