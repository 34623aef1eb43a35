//! `write_file`, `move_file` and `delete_file`: whole files.
//!
//! **Invariant:** a file is replaced whole or not at all: the new content is written beside it and renamed over it. A link that
//! appears at its name in between is replaced, not followed.
//! **Invariant:** content that the worker has not seen is not overwritten without a word about it. (`edit_file` refuses: there it means that
//! the worker is wrong about the file. A whole new file may be meant as one.)

use std::io;

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::{
    Shape, ToolSpec, object,
    sets::Workspace,
    tree::{Purpose, ToWrite},
    versions::Seen,
};
use crate::beneath::Kind;

#[derive(Deserialize)]
pub(super) struct WriteArguments {
    path: String,
    content: String,
}

#[derive(Deserialize)]
pub(super) struct MoveArguments {
    from: String,
    to: String,
}

#[derive(Deserialize)]
pub(super) struct DeleteArguments {
    path: String,
}

pub(super) fn write_spec() -> ToolSpec {
    ToolSpec {
        name: "write_file",
        description: "Create a file, or replace the whole of one.",
        parameters: object(&[("path", Shape::Text), ("content", Shape::Text)]),
    }
}

pub(super) fn move_spec() -> ToolSpec {
    ToolSpec {
        name: "move_file",
        description: "Move or rename a file.",
        parameters: object(&[("from", Shape::Text), ("to", Shape::Text)]),
    }
}

pub(super) fn delete_spec() -> ToolSpec {
    ToolSpec { name: "delete_file", description: "Delete a file.", parameters: object(&[("path", Shape::Text)]) }
}

pub(super) fn write(workspace: &Workspace, arguments: &WriteArguments, _: &CancellationToken) -> Result<String, String> {
    let place = workspace.files.tree.to_write(&arguments.path, &workspace.scope.now(), Purpose::Create)?;
    let (path, content) = (&place.path, arguments.content.as_bytes());
    let said = what_it_replaces(workspace, &place, content)?;
    put(&place, content)?;
    workspace.files.versions.saw(path, content);
    Ok(said)
}

/// What there is already, in the words of the answer: a worker that replaces what it has not seen is told so, and where it still is.
fn what_it_replaces(workspace: &Workspace, place: &ToWrite, content: &[u8]) -> Result<String, String> {
    let path = &place.path;
    match place.kind() {
        None => return Ok(format!("created `{path}`")),
        Some(Kind::File) => {}
        Some(_) => return Err(format!("`{path}` is no file; choose another name")),
    }
    // What is too large to look at was too large to be read.
    let seen = place.content().map(|now| match workspace.files.versions.compare(path, &now) {
        _ if now.is_empty() || now == content => Seen::Same,
        seen => seen,
    });
    let unseen = match seen.unwrap_or(Seen::Never) {
        Seen::Same => String::new(),
        Seen::Never => format!(", which you had not read; make sure that nothing of it is missing (`git show HEAD:{path}`)"),
        Seen::Changed => ", which had changed since you read it; make sure that nothing is missing".to_owned(),
    };
    Ok(format!("replaced `{path}`{unseen}"))
}

pub(super) fn rename(workspace: &Workspace, arguments: &MoveArguments, _: &CancellationToken) -> Result<String, String> {
    let (tree, scope) = (&workspace.files.tree, workspace.scope.now());
    let from = tree.to_write(&arguments.from, &scope, Purpose::Change)?;
    check_file(&from)?;
    let to = tree.to_write(&arguments.to, &scope, Purpose::Create)?;
    let taken = |kind| {
        let what = if kind == Kind::Folder { "is a folder; give the whole new path of the file" } else { "exists already" };
        format!("`{}` {what}, so nothing was moved", to.path)
    };
    if let Some(kind) = to.kind() {
        return Err(taken(kind));
    }
    from.folder.rename(from.name(), &to.folder, to.name()).map_err(|error| match to.kind() {
        Some(kind) if error.kind() == io::ErrorKind::AlreadyExists => taken(kind),
        _ => format!("`{}` cannot be moved: {error}", from.path),
    })?;
    workspace.files.versions.moved(&from.path, &to.path);
    Ok(format!("moved `{}` to `{}`", from.path, to.path))
}

pub(super) fn delete(workspace: &Workspace, arguments: &DeleteArguments, _: &CancellationToken) -> Result<String, String> {
    let place = workspace.files.tree.to_write(&arguments.path, &workspace.scope.now(), Purpose::Delete)?;
    check_file(&place)?;
    place.folder.remove(place.name()).map_err(|error| format!("`{}` cannot be deleted: {error}", place.path))?;
    workspace.files.versions.forget(&place.path);
    Ok(format!("deleted `{}`", place.path))
}

fn check_file(place: &ToWrite) -> Result<(), String> {
    match place.kind() {
        Some(Kind::Folder) => Err(format!("`{}` is a folder; name its files one by one", place.path)),
        _ => Ok(()),
    }
}

/// Puts a whole file in its place.
pub(super) fn put(place: &ToWrite, content: &[u8]) -> Result<(), String> {
    place.folder.put(place.name(), content).map_err(|error| format!("`{}` cannot be written: {error}", place.path))
}
