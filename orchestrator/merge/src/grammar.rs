//! The languages whose grammars are built in, and what is asked of a parsed file: whether it parses, what it defines.
//!
//! **Invariant:** parsing never fails: what is no sentence of the language has errors, which are counted.

use tree_sitter::{Node, Parser, Tree};

/// A language with a grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Rust,
    Python,
    JavaScript,
    TypeScript,
    Tsx,
    Go,
    Java,
}

/// Languages without a grammar here whose words can be merged all the same.
const CODE: &[&str] = &[
    "c", "h", "cc", "cpp", "cxx", "hh", "hpp", "cs", "kt", "kts", "scala", "swift", "m", "mm", "rb", "php", "pl", "pm", "lua",
    "ex", "exs", "erl", "hs", "ml", "mli", "clj", "dart", "zig", "nim", "jl", "r", "sh", "bash", "zsh", "sql", "vue", "svelte",
    "css", "scss", "less", "proto", "graphql", "groovy", "gradle", "cmake", "tf", "v", "sol",
];

fn ending(path: &str) -> &str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
    name.rsplit_once('.').map_or("", |(_, ending)| ending)
}

/// Whether the file holds a program, in whatever language.
pub fn is_code(path: &str) -> bool {
    Language::of(path).is_some() || CODE.contains(&ending(path).to_ascii_lowercase().as_str())
}

impl Language {
    /// By the name of a file.
    pub(crate) fn of(path: &str) -> Option<Self> {
        Some(match ending(path) {
            "rs" => Language::Rust,
            "py" | "pyi" | "pyw" => Language::Python,
            "js" | "mjs" | "cjs" | "jsx" => Language::JavaScript,
            "ts" | "mts" | "cts" => Language::TypeScript,
            "tsx" => Language::Tsx,
            "go" => Language::Go,
            "java" => Language::Java,
            _ => return None,
        })
    }

    /// None only for texts beyond what the parser can address.
    pub(crate) fn parse(self, text: &str) -> Option<Tree> {
        let grammar = match self {
            Language::Rust => tree_sitter_rust::LANGUAGE,
            Language::Python => tree_sitter_python::LANGUAGE,
            Language::JavaScript => tree_sitter_javascript::LANGUAGE,
            Language::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT,
            Language::Tsx => tree_sitter_typescript::LANGUAGE_TSX,
            Language::Go => tree_sitter_go::LANGUAGE,
            Language::Java => tree_sitter_java::LANGUAGE,
        };
        let mut parser = Parser::new();
        parser.set_language(&grammar.into()).ok()?;
        parser.parse(text, None)
    }
}

/// A text with its tree.
pub(crate) struct Parsed<'a> {
    pub language: Language,
    pub text: &'a str,
    pub tree: Tree,
}

impl<'a> Parsed<'a> {
    pub(crate) fn of(language: Language, text: &'a str) -> Option<Self> {
        Some(Self { language, text, tree: language.parse(text)? })
    }

    /// Three versions, at the same time where they are long.
    pub(crate) fn three(language: Language, texts: [&'a str; 3]) -> Option<[Self; 3]> {
        const LONG: usize = 64 << 10;
        let [base, ours, theirs] = texts;
        if ours.len() < LONG {
            return Some([Self::of(language, base)?, Self::of(language, ours)?, Self::of(language, theirs)?]);
        }
        std::thread::scope(|scope| {
            let theirs = scope.spawn(move || Self::of(language, theirs));
            let (base, ours) = (Self::of(language, base)?, Self::of(language, ours)?);
            Some([base, ours, theirs.join().ok()??])
        })
    }
}

/// How many places of a parsed text are no sentences of its language.
pub(crate) fn errors(tree: &Tree) -> usize {
    let mut count = 0;
    let mut open = vec![tree.root_node()];
    while let Some(node) = open.pop() {
        if node.is_error() || node.is_missing() {
            count += 1;
        } else if node.has_error() {
            open.extend(children(node));
        }
    }
    count
}

/// The nodes right below a node, tokens without a name among them.
pub(crate) fn children(node: Node<'_>) -> Vec<Node<'_>> {
    // By their number each would be looked for from the first on.
    node.children(&mut node.walk()).collect()
}

/// Whether a text parses, or its language has no grammar here.
pub fn parses(path: &str, text: &str) -> bool {
    Language::of(path).and_then(|language| language.parse(text)).is_none_or(|tree| !tree.root_node().has_error())
}
