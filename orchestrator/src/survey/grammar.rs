//! The languages that are read, and how each of them is.

use std::sync::OnceLock;

use tree_sitter::{Language, Query};

use super::{imports, symbols, tree::ending};

/// A language with a grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grammar {
    Rust,
    Python,
    JavaScript,
    TypeScript,
    Tsx,
    Go,
    Java,
}

/// Languages whose files can use each other's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Family {
    Rust,
    Python,
    Script,
    Go,
    Java,
}

/// What is asked of a tree.
pub(super) struct Queries {
    pub(super) imports: Query,
    pub(super) definitions: Query,
}

const COUNT: usize = 7;
static QUERIES: [OnceLock<Queries>; COUNT] = [const { OnceLock::new() }; COUNT];

impl Grammar {
    /// By the ending of the file's name.
    pub(super) fn of(path: &str) -> Option<Self> {
        match ending(path) {
            "rs" => Some(Self::Rust),
            "py" | "pyi" => Some(Self::Python),
            "js" | "mjs" | "cjs" | "jsx" => Some(Self::JavaScript),
            "ts" | "mts" | "cts" => Some(Self::TypeScript),
            "tsx" => Some(Self::Tsx),
            "go" => Some(Self::Go),
            "java" => Some(Self::Java),
            _ => None,
        }
    }

    pub(super) fn family(self) -> Family {
        match self {
            Self::Rust => Family::Rust,
            Self::Python => Family::Python,
            Self::JavaScript | Self::TypeScript | Self::Tsx => Family::Script,
            Self::Go => Family::Go,
            Self::Java => Family::Java,
        }
    }

    pub(super) fn language(self) -> Language {
        match self {
            Self::Rust => tree_sitter_rust::LANGUAGE.into(),
            Self::Python => tree_sitter_python::LANGUAGE.into(),
            Self::JavaScript => tree_sitter_javascript::LANGUAGE.into(),
            Self::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
            Self::Tsx => tree_sitter_typescript::LANGUAGE_TSX.into(),
            Self::Go => tree_sitter_go::LANGUAGE.into(),
            Self::Java => tree_sitter_java::LANGUAGE.into(),
        }
    }

    /// Compiled when the first file of the language is read: that takes longer than most files do.
    pub(super) fn queries(self) -> &'static Queries {
        QUERIES[self as usize].get_or_init(|| {
            let compile = |text: &str| Query::new(&self.language(), text).expect("each query fits its grammar");
            Queries { imports: compile(imports::query(self)), definitions: compile(&symbols::query(self)) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_is_known_by_an_ending_and_its_queries_compile() {
        let known = ["a.rs", "a.py", "a.js", "a.ts", "a.tsx", "a.go", "a.java"].map(|path| Grammar::of(path).expect("an ending"));
        for (at, grammar) in known.into_iter().enumerate() {
            assert_eq!(grammar as usize, at);
            assert!(grammar.queries().definitions.pattern_count() > 0);
        }
        assert_eq!(known.len(), COUNT);
    }
}
