//! Calls that would read, write or destroy a secret, refused before they reach their tool.
//!
//! **Invariant:** no file tool opens a file that is a secret by its name, under whatever spelling or through whatever link.
//! **Invariant:** only what a file holds that the person excepted is shown everywhere; no argument of a call excepts anything.
//! **Invariant:** no file tool writes the marker of a mask where a secret stood: the model cannot put back what it never saw.
//!
//! It looks at the arguments alone, so the tools themselves need not know of it. What they show is masked where it enters the
//! conversation; `read_file` and `search` mask by themselves besides, for they cut texts, and half a secret cannot be told.

use std::borrow::Cow;

use serde_json::Value;
use shared::{RepoPath, Secrecy, secret::count_markers};

use super::tree::Tree;

/// Tools that open the file that they are given. `list_files` shows no more than its name.
const OPENING: &[&str] = &["read_file", "search", "write_file", "edit_file", "move_file", "delete_file"];
/// A larger file has no markers that anybody wrote.
const LARGEST: u64 = 4 << 20;

/// One worktree and what is secret in it.
#[derive(Clone, Copy)]
pub(super) struct Watch<'a> {
    pub(super) secrecy: &'a Secrecy,
    pub(super) tree: &'a Tree,
}

impl Watch<'_> {
    /// Why a call is not carried out, if it is not.
    pub(super) fn admits(&self, tool: &str, arguments: &Value) -> Result<(), String> {
        if !OPENING.contains(&tool) {
            return Ok(());
        }
        let text = |key: &str| arguments.get(key).and_then(Value::as_str);
        for path in ["path", "from", "to"].into_iter().filter_map(text) {
            self.admits_name(path)?;
        }
        match (tool, text("path")) {
            ("write_file", Some(path)) => self.admits_text(path, "", text("content").unwrap_or_default()),
            ("edit_file", Some(path)) => {
                self.admits_text(path, text("old_text").unwrap_or_default(), text("new_text").unwrap_or_default())
            }
            _ => Ok(()),
        }
    }

    fn admits_name(&self, text: &str) -> Result<(), String> {
        let Some(path) = self.path(text) else { return Ok(()) };
        let opened = self.tree.open(text).ok();
        let is_folder = opened.as_ref().is_some_and(|opened| opened.data.is_dir());
        let real = opened.and_then(|opened| opened.path);
        if is_folder || !(self.secrecy.denies(&path) || real.is_some_and(|real| self.secrecy.denies(&real))) {
            return Ok(());
        }
        Err(format!(
            "`{path}` holds secrets by its name, so no tool opens it and no task commits one. Work without its content: read the code that \
             uses it, or a template such as `.env.example`. If the task needs it, finish as `blocked`: a person can except it with \
             `[secrets] allow` in inspan.toml"
        ))
    }

    /// Whether a text may be written, or be looked for to be replaced. Markers that the file really holds are text like any other.
    fn admits_text(&self, path: &str, old: &str, new: &str) -> Result<(), String> {
        if self.path(path).is_some_and(|path| self.secrecy.allows(&path)) {
            // Such a file is shown as it is, so a marker in it is text. What the model writes into it excepts nothing: else any
            // worker could have any secret that it learned of shown and committed everywhere.
            return Ok(());
        }
        let (seen, written) = (count_markers(old), count_markers(new));
        if seen == 0 && written == 0 {
            return Ok(());
        }
        let real = self.text(path);
        if seen > 0 && !real.contains(old) {
            return Err(
                "`old_text` has a marker like `[masked: …]`: a secret stands there that you are not shown, so the text does not match. Choose \
                 an `old_text` that ends before the marker or begins after it; the secret itself stays as it is"
                    .to_owned(),
            );
        }
        let known = if old.is_empty() { count_markers(&real) } else { seen };
        if written <= known {
            return Ok(());
        }
        Err(
            "the new text has a marker like `[masked: …]`, which stands for a secret that you are not shown; written, it would destroy the \
             secret. Leave those lines as they are (edit_file the parts around them), or have the program read the value from its \
             environment"
                .to_owned(),
        )
    }

    fn text(&self, path: &str) -> String {
        // What cannot be read has no markers; the tool says what is wrong with it.
        let opened = self.tree.open(path).ok().filter(|opened| opened.data.is_file() && opened.data.len() <= LARGEST);
        opened.and_then(|opened| String::from_utf8(opened.content().ok()?).ok()).unwrap_or_default()
    }

    fn path(&self, text: &str) -> Option<RepoPath> {
        self.tree.repo_path(text).ok().flatten()
    }
}

/// A file's text as it may be shown. What an excepted file holds is shown, here and from now on everywhere.
pub(super) fn shown<'a>(secrecy: &Secrecy, path: Option<&RepoPath>, text: &'a str) -> Cow<'a, str> {
    if path.is_some_and(|path| secrecy.allows(path)) {
        secrecy.except(text.as_bytes());
        return Cow::Borrowed(text);
    }
    secrecy.mask(text)
}
