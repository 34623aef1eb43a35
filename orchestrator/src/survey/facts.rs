//! What one file says: what it imports, what it defines, which names it uses.
//!
//! All of it follows from the bytes of that file alone, so it is cached by blob id; whatever takes other files into account is done
//! anew each time (`imports::edges`, `map`).
//!
//! **Invariant:** a file that does not parse yields what was understood of it, never an error.
//! **Invariant:** no file holds the survey up, whatever is in it: what programs wrote is left out, and the parser's patience ends.
//! **Invariant:** each core holds one file at a time.

use std::{
    collections::BTreeSet,
    ops::ControlFlow,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tree_sitter::{Node, ParseOptions, Parser, Query, QueryCursor, QueryCursorOptions, StreamingIterator};

use super::{
    grammar::Grammar,
    imports::{self, Import},
    symbols::{self, Symbols},
    tree::{FileAt, Tree},
};

/// Raise it whenever the same bytes would yield other [`Facts`]: it makes old caches void.
pub(super) const PARSER_VERSION: u32 = 2;

/// Deeper nodes are not asked about: nobody writes them, and a query takes far longer in a deep tree than in a wide one.
const MAX_DEPTH: u32 = 128;
/// After what time a file is given up. One of a megabyte, the longest that is read, takes well under a second.
const PATIENCE: Duration = Duration::from_secs(5);

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

/// What a text in a language says. Of a text that takes too long: nothing, rather than whatever was found by then.
pub(super) fn read(parser: &mut Parser, grammar: Grammar, source: &str) -> Facts {
    if !is_written_by_people(source) {
        return Facts::default();
    }
    read_until(Instant::now() + PATIENCE, parser, grammar, source).unwrap_or_default()
}

fn read_until(end: Instant, parser: &mut Parser, grammar: Grammar, source: &str) -> Option<Facts> {
    let tree = parse(end, parser, grammar, source)?;
    let (root, queries) = (tree.root_node(), grammar.queries());
    let facts = imports::facts(grammar, &captures(end, &queries.imports, root, source)?);
    let definitions = captures(end, &queries.definitions, root, source)?;
    Some(Facts { symbols: symbols::symbols(grammar, &definitions, root, source), ..facts })
}

/// Whether lines are as long as people write them. Bundles and tables are not: their names would drown everybody else's.
fn is_written_by_people(source: &str) -> bool {
    source.len() < 4_096 || source.len() / source.lines().count().max(1) < 250
}

/// Mending text that is no program can take far longer than reading a program does, so the clock is watched.
fn parse(end: Instant, parser: &mut Parser, grammar: Grammar, source: &str) -> Option<tree_sitter::Tree> {
    parser.set_language(&grammar.language()).ok()?;
    let mut watch = |_: &_| go_on_until(end);
    let options = ParseOptions::new().progress_callback(&mut watch);
    let bytes = source.as_bytes();
    let tree = parser.parse_with_options(&mut |at, _| bytes.get(at..).unwrap_or_default(), None, Some(options));
    if tree.is_none() {
        // Else it would go on with this text when it is given the next.
        parser.reset();
    }
    tree
}

fn captures<'a>(end: Instant, query: &'static Query, root: Node<'a>, source: &'a str) -> Option<Vec<Found<'a>>> {
    let mut cursor = QueryCursor::new();
    cursor.set_max_start_depth(Some(MAX_DEPTH));
    let mut watch = |_: &_| go_on_until(end);
    let options = QueryCursorOptions::new().progress_callback(&mut watch);
    let mut captures = cursor.captures_with_options(query, root, source.as_bytes(), options);
    let mut found = Vec::new();
    while let Some((matched, index)) = captures.next() {
        let capture = matched.captures[*index];
        let what = query.capture_names()[capture.index as usize];
        found.push(Found { what, node: capture.node, source });
    }
    (Instant::now() < end).then_some(found)
}

fn go_on_until(end: Instant) -> ControlFlow<()> {
    if Instant::now() < end { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}
