//! Which files a text names: by a path or the end of one, a folder, a file's bare name, or a symbol that is written like one.

use std::collections::{BTreeSet, HashSet};

use super::{
    super::tree::{file_name, upward},
    MappedFile, SymbolMap,
};

/// Names of files that say nothing.
const COMMON: &[&str] =
    &["main", "index", "tests", "test", "init", "__init__", "types", "utils", "util", "common", "file", "files"];
/// A symbol that more files define than this names none of them.
const MAX_FILES: usize = 3;
/// Shorter words name nothing by themselves.
const MIN_WORD: usize = 4;

impl SymbolMap {
    /// For each file, whether the text names it.
    pub(super) fn named(&self, text: &str) -> Vec<bool> {
        let words: HashSet<&str> = words(text).collect();
        let mut named: Vec<bool> = self.files.iter().map(|file| is_named(file.path.as_str(), &words)).collect();
        for word in words.iter().copied().filter(|word| looks_like_a_symbol(word)).collect::<BTreeSet<_>>() {
            let defines = |file: &MappedFile| file.defines.iter().any(|definition| definition.name == word);
            let files: Vec<usize> = (0..self.files.len()).filter(|&at| defines(&self.files[at])).collect();
            if files.len() <= MAX_FILES {
                for at in files {
                    named[at] = true;
                }
            }
        }
        named
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '/' | '-');
    text.split(move |c| !is_part(c)).map(|word| word.trim_matches(['.', '/', '-'])).filter(|word| !word.is_empty())
}

fn is_named(path: &str, words: &HashSet<&str>) -> bool {
    let name = file_name(path);
    let bare = name.split('.').next().unwrap_or_default();
    let is_telling = bare.len() >= MIN_WORD && !COMMON.contains(&bare);
    let ends = path.match_indices('/').map(|(at, _)| &path[at + 1..]);
    let folders = upward(path).skip(1).filter(|folder| folder.contains('/'));
    words.contains(path) || ends.chain(folders).any(|part| words.contains(part)) || (is_telling && words.contains(bare))
}

/// Not a word of a sentence: it has an underscore, or a capital letter within.
pub(super) fn looks_like_a_symbol(word: &str) -> bool {
    let has_hump = word.chars().zip(word.chars().skip(1)).any(|(a, b)| a.is_lowercase() && b.is_uppercase());
    word.len() >= MIN_WORD && (has_hump || word.trim_matches('_').contains('_'))
}
