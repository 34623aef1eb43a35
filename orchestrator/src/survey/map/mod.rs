//! The map of a repository: who defines and who uses which symbol, and what of it is worth a reader's attention.
//!
//! Files are the nodes. A file that uses a name leads to the files that define it; how strongly, [`links`] decides. Over that graph
//! [`rank`] lets attention flow from where it begins (everywhere, the files that a goal names, the files of a task) to what is used,
//! and [`text`] writes down as many of the symbols that it reaches as fit.
//!
//! **Invariant:** a map is a function of the files alone, and a text of it a function of the map, the words and the budget: neither the
//! order in which files were listed nor a hash map nor a thread shows in its bytes.
//! **Invariant:** a text is never longer than its budget, shows whole symbols, and says how many it leaves out.
//!
//! Nothing here reads a file. What is secret by its name never comes this far, and signatures hold no text between quotes.

mod links;
mod named;
mod rank;
mod text;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use shared::{RepoPath, Secrecy};

use super::{
    grammar::Family,
    symbols::{Definition, Symbols},
};

/// One file that the map is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) path: &'a RepoPath,
    pub(super) family: Family,
    /// Whether it holds nothing but tests, by its name.
    pub(super) is_test: bool,
    pub(super) symbols: &'a Symbols,
}

/// Who defines and who uses what.
///
/// **Invariant:** each link leads to a definition, in a map that was read back as well.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<MappedFile>", into = "Vec<MappedFile>")]
pub struct SymbolMap {
    /// Sorted by path.
    files: Vec<MappedFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct MappedFile {
    path: RepoPath,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_test: bool,
    /// In the order of the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    defines: Vec<Definition>,
    /// What it uses of other files, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    links: Vec<Link>,
}

/// Use of a name that another file defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "(u32, u32, u32)", from = "(u32, u32, u32)")]
struct Link {
    /// The other file.
    to: u32,
    /// The first definition of that name in it.
    definition: u32,
    /// How much it counts, in thousandths. A whole number, so that it is the same when it is read back.
    weight: u32,
}

impl From<Vec<MappedFile>> for SymbolMap {
    fn from(mut files: Vec<MappedFile>) -> Self {
        let defined: Vec<usize> = files.iter().map(|file| file.defines.len()).collect();
        let leads_on = |link: &Link| defined.get(link.to as usize).is_some_and(|count| (link.definition as usize) < *count);
        for file in &mut files {
            file.links.retain(leads_on);
        }
        Self { files }
    }
}

impl From<SymbolMap> for Vec<MappedFile> {
    fn from(map: SymbolMap) -> Self {
        map.files
    }
}

impl From<(u32, u32, u32)> for Link {
    fn from((to, definition, weight): (u32, u32, u32)) -> Self {
        Self { to, definition, weight }
    }
}

impl From<Link> for (u32, u32, u32) {
    fn from(link: Link) -> Self {
        (link.to, link.definition, link.weight)
    }
}

/// What the part of a map is about that one task is shown.
#[derive(Debug, Clone, Copy)]
pub struct Focus<'a> {
    /// What the task is about, in words: files and symbols that they name count, too.
    pub words: &'a str,
    /// The most bytes.
    pub budget: usize,
}

impl SymbolMap {
    /// The map of these files, which may come in any order; imports are `(from, to)`.
    pub(super) fn new(sources: &[Source], imports: &[(RepoPath, RepoPath)]) -> Self {
        let mut sources = sources.to_vec();
        sources.sort_by_key(|source| source.path);
        sources.dedup_by_key(|source| source.path);
        let links = links::links(&sources, imports);
        let file = |(source, links): (&Source, Vec<Link>)| MappedFile {
            path: source.path.clone(),
            is_test: source.is_test,
            defines: source.symbols.defines.clone(),
            links,
        };
        Self { files: sources.iter().zip(links).map(file).collect() }
    }

    /// Without what has the shape of a secret: a name can, where text is no program.
    pub(super) fn masked(mut self, secrecy: &Secrecy) -> Self {
        for definition in self.files.iter_mut().flat_map(|file| &mut file.defines) {
            for text in [&mut definition.name, &mut definition.owner, &mut definition.signature] {
                if let Cow::Owned(masked) = secrecy.mask(text) {
                    *text = masked;
                }
            }
        }
        self
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.files.iter().all(|file| file.defines.is_empty())
    }

    /// The symbols of the whole repository that most leads to; half of the attention begins at the files that the words name.
    pub fn overview(&self, words: &str, budget: usize) -> String {
        let count = self.files.len().max(1) as f64;
        let named = self.named(words);
        let share = rank::share(&named, 0.5);
        let everywhere = if share.is_empty() { 1.0 } else { 0.5 } / count;
        let start: Vec<f64> = (0..self.files.len()).map(|at| everywhere + share.get(at).copied().unwrap_or(0.0)).collect();
        text::overview(self, &rank::rank(&self.files, &start, &share), budget)
    }

    /// What a task that owns some of the files should know of the others: what they offer to its files, and which of them use its own.
    /// Empty where there is nothing of either.
    pub fn around(&self, is_own: impl Fn(&RepoPath) -> bool, focus: &Focus) -> String {
        let own: Vec<bool> = self.files.iter().map(|file| is_own(&file.path)).collect();
        let named = self.named(focus.words);
        let start: Vec<bool> = own.iter().zip(&named).map(|(own, named)| *own || *named).collect();
        let start = rank::share(&start, 1.0);
        if start.is_empty() || own.iter().all(|own| *own) {
            return String::new();
        }
        text::around(self, &rank::rank(&self.files, &start, &start), &own, focus.budget)
    }
}
