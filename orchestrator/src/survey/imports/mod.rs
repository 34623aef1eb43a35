//! Which file of the repository uses which: first what each file *says* it imports, then which file that *is*.
//!
//! The first half ([`Facts`]) depends on the bytes of one file alone, so it is cached by blob id. The second ([`edges`]) depends on
//! the whole tree and is done anew each time; it is map lookups.
//!
//! **Invariant:** a file that does not parse yields what was understood of it, never an error.
//! **Invariant:** an edge is a guess that leaves out rather than makes up: what does not lead to a file of the tree is no edge.

mod go;
mod javascript;
mod python;
mod rust;

use std::{
    collections::BTreeSet,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde::{Deserialize, Serialize};
use shared::RepoPath;
use tree_sitter::{Language, Node, Parser, Query, QueryCursor, StreamingIterator};

use super::tree::{FileAt, Tree, ending};

/// Raise it whenever the same bytes would yield other [`Facts`]: it makes old caches void.
pub(super) const PARSER_VERSION: u32 = 1;

/// What one file says, as far as others are concerned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Facts {
    /// What it imports, sorted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) imports: BTreeSet<Import>,
    /// Whether it holds tests (known of Rust only, where they live beside the code).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) has_tests: bool,
    /// Exported names that it declares (Go only, where a package is a folder of files).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) declares: BTreeSet<String>,
}

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
}

/// The languages whose imports are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grammar {
    Rust,
    Python,
    JavaScript,
    TypeScript,
    Tsx,
    Go,
}

static QUERIES: LazyLock<Vec<Query>> = LazyLock::new(|| {
    let compile = |grammar: Grammar| Query::new(&grammar.language(), grammar.query_text()).expect("each query fits its grammar");
    Grammar::ALL.into_iter().map(compile).collect()
});

impl Grammar {
    /// In the order of the declaration.
    const ALL: [Self; 6] = [Self::Rust, Self::Python, Self::JavaScript, Self::TypeScript, Self::Tsx, Self::Go];

    /// By the ending of the file's name.
    pub(super) fn of(path: &str) -> Option<Self> {
        match ending(path) {
            "rs" => Some(Self::Rust),
            "py" | "pyi" => Some(Self::Python),
            "js" | "mjs" | "cjs" | "jsx" => Some(Self::JavaScript),
            "ts" | "mts" | "cts" => Some(Self::TypeScript),
            "tsx" => Some(Self::Tsx),
            "go" => Some(Self::Go),
            _ => None,
        }
    }

    fn language(self) -> Language {
        match self {
            Self::Rust => tree_sitter_rust::LANGUAGE.into(),
            Self::Python => tree_sitter_python::LANGUAGE.into(),
            Self::JavaScript => tree_sitter_javascript::LANGUAGE.into(),
            Self::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
            Self::Tsx => tree_sitter_typescript::LANGUAGE_TSX.into(),
            Self::Go => tree_sitter_go::LANGUAGE.into(),
        }
    }

    fn query_text(self) -> &'static str {
        match self {
            Self::Rust => rust::QUERY,
            Self::Python => python::QUERY,
            Self::JavaScript => javascript::QUERY,
            Self::TypeScript | Self::Tsx => javascript::TYPED_QUERY,
            Self::Go => go::QUERY,
        }
    }

    fn facts(self, found: &[Found]) -> Facts {
        match self {
            Self::Rust => rust::facts(found),
            Self::Python => python::facts(found),
            Self::JavaScript | Self::TypeScript | Self::Tsx => javascript::facts(found),
            Self::Go => go::facts(found),
        }
    }
}

/// One capture of a query.
struct Found<'a> {
    /// The capture's name.
    what: &'static str,
    node: Node<'a>,
    source: &'a str,
}

impl<'a> Found<'a> {
    fn text(&self) -> &'a str {
        &self.source[self.node.byte_range()]
    }

    fn text_of(&self, node: Node) -> &'a str {
        &self.source[node.byte_range()]
    }
}

/// Reads many files at once, on as many threads as there are cores. The order of the answers is that of the questions; `None` where
/// there is no text to read.
pub(super) fn parse_all(tree: &Tree, wanted: &[(FileAt, Grammar)]) -> Vec<Option<Facts>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((file, grammar)) = wanted.get(at) else { return done };
            done.push((at, tree.text(*file).map(|text| parse(*grammar, &text))));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(wanted.len());
    let mut all = vec![None; wanted.len()];
    thread::scope(|scope| {
        let hands: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for (at, facts) in hands.into_iter().flat_map(|hand| hand.join().unwrap_or_default()) {
            all[at] = facts;
        }
    });
    all
}

fn parse(grammar: Grammar, source: &str) -> Facts {
    let mut parser = Parser::new();
    if parser.set_language(&grammar.language()).is_err() {
        return Facts::default();
    }
    let Some(tree) = parser.parse(source, None) else { return Facts::default() };
    let query = &QUERIES[grammar as usize];
    let mut cursor = QueryCursor::new();
    let mut captures = cursor.captures(query, tree.root_node(), source.as_bytes());
    let mut found = Vec::new();
    while let Some((matched, index)) = captures.next() {
        let capture = matched.captures[*index];
        let what = query.capture_names()[capture.index as usize];
        found.push(Found { what, node: capture.node, source });
    }
    grammar.facts(&found)
}

/// The edges between the files of a tree: sorted, without repetition, none from a file to itself.
pub(super) fn edges(tree: &Tree, facts: &[Option<Facts>]) -> Vec<(RepoPath, RepoPath)> {
    let mut edges: BTreeSet<(FileAt, FileAt)> = BTreeSet::new();
    edges.extend(rust::edges(tree, facts));
    edges.extend(python::edges(tree, facts));
    edges.extend(javascript::edges(tree, facts));
    edges.extend(go::edges(tree, facts));
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
