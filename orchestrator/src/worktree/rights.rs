//! Files and folders that their owner may not read.
//!
//! Git leaves out what lies in a folder that it cannot open, without failing, and refuses to add a file that it cannot read. A command that
//! takes such rights away would have its changes lost, or an attempt unsaved.
//!
//! **Invariant:** rights are only ever given, to the owner, and only to what is no link.

use std::{fs::Permissions, os::unix::fs::PermissionsExt as _, path::Path};

const READ_AND_WRITE: u32 = 0o600;
const ENTER: u32 = 0o700;

/// Lets the owner read and write everything below. What does not belong to us stays as it is.
pub(super) fn open_up(tree: &Path) {
    let walk = ignore::WalkBuilder::new(tree)
        .standard_filters(false)
        // Here, and not below, because a folder is opened after it has been asked for.
        .filter_entry(|entry| {
            open_one(entry);
            entry.depth() == 0 || entry.file_name() != ".git"
        })
        .build();
    walk.for_each(drop);
}

fn open_one(entry: &ignore::DirEntry) {
    let Some(kind) = entry.file_type().filter(|kind| kind.is_dir() || kind.is_file()) else { return };
    let Ok(data) = entry.metadata() else { return };
    let (mode, needed) = (data.permissions().mode(), if kind.is_dir() { ENTER } else { READ_AND_WRITE });
    if mode & needed != needed {
        let _ = std::fs::set_permissions(entry.path(), Permissions::from_mode(mode | needed));
    }
}
