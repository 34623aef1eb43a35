//! `edit_file`: replaces a piece of a file that the worker has seen as it is now.

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::{
    Shape, ToolSpec, object,
    replace::{Occurrences, list, replace},
    sets::Workspace,
    tree::{Purpose, ToWrite},
    versions::Seen,
    write::put,
};
use crate::beneath::Kind;

#[derive(Deserialize)]
pub(super) struct Arguments {
    path: String,
    old_text: String,
    new_text: String,
    replace_all: Option<bool>,
}

pub(super) fn spec() -> ToolSpec {
    ToolSpec {
        name: "edit_file",
        description: "Replace `old_text` by `new_text` in a file you have read. `old_text` is copied exactly, without line numbers, and \
                      must occur once unless `replace_all`.",
        parameters: object(&[
            ("path", Shape::Text),
            ("old_text", Shape::Text),
            ("new_text", Shape::Text),
            ("replace_all", Shape::MaybeFlag),
        ]),
    }
}

pub(super) fn run(workspace: &Workspace, arguments: &Arguments, _: &CancellationToken) -> Result<String, String> {
    let place = workspace.files.tree.to_write(&arguments.path, &workspace.scope.now(), Purpose::Change)?;
    let path = &place.path;
    let text = seen_text(workspace, &place)?;
    let which = if arguments.replace_all == Some(true) { Occurrences::All } else { Occurrences::Once };
    let replaced = replace(&text, &arguments.old_text, &arguments.new_text, which)?;
    put(&place, replaced.text.as_bytes())?;
    workspace.files.versions.saw(path, replaced.text.as_bytes());
    let (count, lines) = (replaced.lines.len(), list(&replaced.lines));
    Ok(match count {
        1 => format!("edited `{path}` at line {lines}"),
        _ => format!("edited `{path}` at {count} places (lines {lines})"),
    })
}

/// The text of a file, provided that it is what the worker has seen.
fn seen_text(workspace: &Workspace, place: &ToWrite) -> Result<String, String> {
    let path = &place.path;
    if place.kind() != Some(Kind::File) {
        return Err(format!("`{path}` is no file; name a file"));
    }
    let bytes = place.content()?;
    match workspace.files.versions.compare(path, &bytes) {
        Seen::Never => Err(format!("`{path}` has not been read; read it with read_file, then edit it")),
        Seen::Changed => Err(format!("`{path}` has changed since it was read; read it again with read_file, then edit it")),
        Seen::Same => String::from_utf8(bytes)
            .map_err(|_| format!("`{path}` is not UTF-8, so it cannot be edited as text; change it with run_command")),
    }
}
