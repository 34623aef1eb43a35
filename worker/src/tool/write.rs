//! `write_file`, `move_file` and `delete_file`: whole files.
//!
//! **Invariant:** a file is replaced whole or not at all: the new content is written beside it and renamed over it. A link that
//! appears at its name in between is replaced, not followed.
//! **Invariant:** content that the worker has not seen is not overwritten without a word about it. (`edit_file` refuses: there it means that
//! the worker is wrong about the file. A whole new file may be meant as one.)

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::{Shape, ToolSpec, object, sets::Workspace, tree::Writable, versions::Seen};

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
    let place = workspace.files.tree.writable(&arguments.path, &workspace.scope.now())?;
    let (path, content) = (&place.path, arguments.content.as_bytes());
    let said = what_it_replaces(workspace, &place, content)?;
    put(&place, content)?;
    workspace.files.versions.saw(path, content);
    Ok(said)
}

/// What there is already, in the words of the answer: a worker that replaces what it has not seen is told so, and where it still is.
fn what_it_replaces(workspace: &Workspace, place: &Writable, content: &[u8]) -> Result<String, String> {
    let path = &place.path;
    let Ok(data) = fs::symlink_metadata(&place.absolute) else { return Ok(format!("created `{path}`")) };
    if !data.is_file() {
        return Err(format!("`{path}` is no file; choose another name"));
    }
    let now = super::read::content(&place.absolute, path.as_str())?;
    let unseen = match workspace.files.versions.compare(path, &now) {
        _ if now.is_empty() || now == content => String::new(),
        Seen::Same => String::new(),
        Seen::Never => format!(", which you had not read; make sure that nothing of it is missing (`git show HEAD:{path}`)"),
        Seen::Changed => ", which had changed since you read it; make sure that nothing is missing".to_owned(),
    };
    Ok(format!("replaced `{path}`{unseen}"))
}

pub(super) fn rename(workspace: &Workspace, arguments: &MoveArguments, _: &CancellationToken) -> Result<String, String> {
    let (tree, scope) = (&workspace.files.tree, workspace.scope.now());
    let from = tree.writable(&arguments.from, &scope)?;
    let to = tree.writable(&arguments.to, &scope)?;
    check_file(workspace, &from)?;
    if let Ok(data) = fs::symlink_metadata(&to.absolute) {
        let what = if data.is_dir() { "is a folder; give the whole new path of the file" } else { "exists already" };
        return Err(format!("`{}` {what}, so nothing was moved", to.path));
    }
    make_parent(&to)?;
    fs::rename(&from.absolute, &to.absolute).map_err(|error| format!("`{}` cannot be moved: {error}", from.path))?;
    workspace.files.versions.moved(&from.path, &to.path);
    Ok(format!("moved `{}` to `{}`", from.path, to.path))
}

pub(super) fn delete(workspace: &Workspace, arguments: &DeleteArguments, _: &CancellationToken) -> Result<String, String> {
    let place = workspace.files.tree.removable(&arguments.path, &workspace.scope.now())?;
    check_file(workspace, &place)?;
    fs::remove_file(&place.absolute).map_err(|error| format!("`{}` cannot be deleted: {error}", place.path))?;
    workspace.files.versions.forget(&place.path);
    Ok(format!("deleted `{}`", place.path))
}

fn check_file(workspace: &Workspace, place: &Writable) -> Result<(), String> {
    let tree = &workspace.files.tree;
    match fs::symlink_metadata(&place.absolute) {
        Ok(data) if data.is_dir() => Err(format!("`{}` is a folder; name its files one by one", place.path)),
        Ok(_) => Ok(()),
        Err(_) => Err(tree.missing(&tree.readable(place.path.as_str())?)),
    }
}

fn make_parent(place: &Writable) -> Result<(), String> {
    let parent = place.absolute.parent().unwrap_or(&place.absolute);
    fs::create_dir_all(parent)
        .map_err(|error| format!("the folder of `{}` cannot be made: {error}; is a part of the path a file?", place.path))
}

/// Puts a whole file in its place, with the permissions of the one it replaces.
pub(super) fn put(place: &Writable, content: &[u8]) -> Result<(), String> {
    make_parent(place)?;
    let written = write_beside(&place.absolute, content).and_then(|beside| {
        let renamed = keep_permissions(&place.absolute, &beside).and_then(|()| fs::rename(&beside, &place.absolute));
        renamed.inspect_err(|_| drop(fs::remove_file(&beside)))
    });
    written.map_err(|error| format!("`{}` cannot be written: {error}", place.path))
}

fn write_beside(target: &Path, content: &[u8]) -> io::Result<PathBuf> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let beside = target.with_file_name(format!(".inspan-{}-{number}.tmp", std::process::id()));
    let mut file = File::create_new(&beside)?;
    file.write_all(content).inspect_err(|_| drop(fs::remove_file(&beside)))?;
    Ok(beside)
}

fn keep_permissions(target: &Path, beside: &Path) -> io::Result<()> {
    match fs::metadata(target) {
        Ok(data) => fs::set_permissions(beside, data.permissions()),
        Err(_) => Ok(()),
    }
}
