//! What one file says: what it imports, what it defines, which names it uses.
//!
//! All of it follows from the bytes of that file alone, so it is cached by blob id; whatever takes other files into account is done
//! anew each time (`imports::edges`, `map`).
//!
//! **Invariant:** a file that does not parse yields what was understood of it, never an error.
//! **Invariant:** the work on one file is bounded by its length, whatever is in it, and so is the memory: a core holds one file.

use std::{
    collections::BTreeSet,
    ops::ControlFlow,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use serde::{Deserialize, Serialize};
use tree_sitter::{Node, ParseOptions, Parser, Query, QueryCursor, StreamingIterator};

use super::{
    grammar::Grammar,
    imports::{self, Import},
    symbols::{self, Symbols},
    tree::{FileAt, Tree},
};

/// Raise it whenever the same bytes would yield other [`Facts`]: it makes old caches void.
pub(super) const PARSER_VERSION: u32 = 2;

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
    /// What it defines and uses.
    #[serde(default, skip_serializing_if = "Symbols::is_empty")]
    pub(super) symbols: Symbols,
}

/// One capture of a query.
pub(super) struct Found<'a> {
    /// The capture's name.
    pub(super) what: &'static str,
    pub(super) node: Node<'a>,
    pub(super) source: &'a str,
}

impl<'a> Found<'a> {
    pub(super) fn text(&self) -> &'a str {
        self.text_of(self.node)
    }

    pub(super) fn text_of(&self, node: Node) -> &'a str {
        &self.source[node.byte_range()]
    }
}

/// Reads many files at once, on as many threads as there are cores. The order of the answers is that of the questions; `None` where
/// there is no text to read.
pub(super) fn read_all(tree: &Tree, wanted: &[(FileAt, Grammar)]) -> Vec<Option<Facts>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let (mut parser, mut done) = (Parser::new(), Vec::new());
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((file, grammar)) = wanted.get(at) else { return done };
            done.push((at, tree.text(*file).map(|text| read(&mut parser, *grammar, &text))));
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

/// What a text in a language says.
pub(super) fn read(parser: &mut Parser, grammar: Grammar, source: &str) -> Facts {
    let Some(tree) = parse(parser, grammar, source) else { return Facts::default() };
    let queries = grammar.queries();
    let facts = imports::facts(grammar, &captures(&queries.imports, tree.root_node(), source));
    let symbols = if symbols::is_written_by_people(source) {
        let definitions = captures(&queries.definitions, tree.root_node(), source);
        symbols::symbols(grammar, &definitions, tree.root_node(), source)
    } else {
        Symbols::default()
    };
    Facts { symbols, ..facts }
}

/// Mending broken text can take the parser far longer than reading whole text does, so its steps are counted.
fn parse(parser: &mut Parser, grammar: Grammar, source: &str) -> Option<tree_sitter::Tree> {
    parser.set_language(&grammar.language()).ok()?;
    let mut left = allowance(source);
    let mut count = |_: &_| match left.checked_sub(1) {
        Some(fewer) => {
            left = fewer;
            ControlFlow::Continue(())
        }
        None => ControlFlow::Break(()),
    };
    let options = ParseOptions::new().progress_callback(&mut count);
    let bytes = source.as_bytes();
    let tree = parser.parse_with_options(&mut |at, _| bytes.get(at..).unwrap_or_default(), None, Some(options));
    if tree.is_none() {
        parser.reset();
    }
    tree
}

/// How often the parser may report progress. It does so after each hundred steps; whole text takes less than a step a byte.
fn allowance(source: &str) -> usize {
    1_000 + source.len() / 10
}

fn captures<'a>(query: &'static Query, root: Node<'a>, source: &'a str) -> Vec<Found<'a>> {
    let mut cursor = QueryCursor::new();
    let mut captures = cursor.captures(query, root, source.as_bytes());
    let mut found = Vec::new();
    while let Some((matched, index)) = captures.next() {
        let capture = matched.captures[*index];
        let what = query.capture_names()[capture.index as usize];
        found.push(Found { what, node: capture.node, source });
    }
    found
}
