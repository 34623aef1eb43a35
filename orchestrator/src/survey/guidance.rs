//! What people wrote down for agents: `AGENTS.md` and `CLAUDE.md`, at any level.

use std::collections::BTreeMap;

use shared::RepoPath;

use super::tree::{Tree, file_name};

const NAMES: &[&str] = &["AGENTS.md", "CLAUDE.md"];
const MAX_BYTES: usize = 16 << 10;

/// The text of each, at most 16 KiB. One that only links to another is left out.
pub(super) fn guidance(tree: &Tree) -> BTreeMap<RepoPath, String> {
    let named = tree.files().iter().enumerate().filter(|(_, file)| NAMES.contains(&file_name(file.path.as_str())));
    named.filter_map(|(at, file)| Some((file.path.clone(), capped(tree.text(at)?)))).collect()
}

fn capped(text: String) -> String {
    if text.len() <= MAX_BYTES {
        return text;
    }
    let cut = (0..=MAX_BYTES).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    format!("{}\n[cut here: the file has {} bytes]\n", &text[..cut], text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_guidance_is_cut_between_two_characters_and_says_so() {
        let long = "é".repeat(MAX_BYTES);
        let cut = capped(format!("x{long}"));
        assert!(cut.starts_with("xé") && cut.ends_with("é\n[cut here: the file has 32769 bytes]\n"));
        assert_eq!(capped("short".to_owned()), "short");
    }
}
