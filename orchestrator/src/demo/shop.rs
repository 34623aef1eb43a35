//! The demo's throw-away repository: a workspace of six tiny crates that builds and tests without any network.
//!
//! **Invariant:** it is made in a folder that is empty, or not there; nothing of anybody's is ever overwritten.
//! **Invariant:** all that the demo leaves is in that folder; script and worktrees are in its git directory, out of the tree.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{error::Error, git::Call};

const FILES: &str = include_str!("repository.txt");

/// The script, from the root of the repository.
pub(super) const SCRIPT: &str = ".git/inspan/demo.json";

/// The folder that was asked for, or a new one in the system's folder for temporary files.
pub(super) fn place(from: &Path, into: Option<&Path>) -> Result<PathBuf, Error> {
    let Some(into) = into else { return temporary() };
    let folder = from.join(into);
    match std::fs::read_dir(&folder).map(|mut entries| entries.next().is_some()) {
        Ok(true) => {
            let advice = "name an empty folder, or one that is not there";
            return Err(Error::Usage(format!("{} is not empty; {advice}", folder.display())));
        }
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::disk(&folder)(error)),
        Ok(false) | Err(_) => {}
    }
    std::fs::create_dir_all(&folder).map_err(Error::disk(&folder))?;
    folder.canonicalize().map_err(Error::disk(&folder))
}

fn temporary() -> Result<PathBuf, Error> {
    loop {
        let folder = std::env::temp_dir().join(format!("inspan-demo-{:06x}", fastrand::u32(..) & 0x00ff_ffff));
        match std::fs::create_dir(&folder) {
            Ok(()) => return folder.canonicalize().map_err(Error::disk(&folder)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::disk(&folder)(error)),
        }
    }
}

/// Makes the repository with its one commit, and puts the script beside it.
pub(super) async fn build(root: &Path, script: &Value) -> Result<(), Error> {
    for (path, text) in files() {
        write(&root.join(path), text)?;
    }
    git(root, &["init", "--quiet", "--template=", "--initial-branch=main"]).await?;
    git(root, &["add", "--all", "--force"]).await?;
    git(root, &["commit", "--quiet", "--message=Invoices without a currency"]).await?;
    write(&root.join(SCRIPT), &script.to_string())
}

/// The files by path, each with its text.
pub(super) fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.split("==> ").filter_map(|part| part.split_once(" <==\n"))
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::disk(folder))?;
    }
    std::fs::write(path, text).map_err(Error::disk(path))
}

/// Git with an identity of its own: the demo asks nothing of the person's configuration.
async fn git(root: &Path, args: &[&str]) -> Result<(), Error> {
    let call = Call::new().dir(root).args(args);
    let named = ["AUTHOR", "COMMITTER"].iter().fold(call, |call, role| {
        call.env(&format!("GIT_{role}_NAME"), "Inspan demo").env(&format!("GIT_{role}_EMAIL"), "demo@inspan.invalid")
    });
    named.bytes().await?;
    Ok(())
}
