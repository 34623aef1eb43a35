//! A run whose records are damaged: its work is in git, and git needs no records of ours.

use std::path::Path;

/// Where the work of a run is, one of whose files does not read. The run is the folder that the file is in.
pub(super) fn what_is_left(file: &Path) -> String {
    let run = file.parent().and_then(Path::file_name).map_or("RUN".into(), |name| name.to_string_lossy());
    format!(
        "no work is lost with it: what landed is in the branch inspan/{run}, what each attempt left under refs/inspan/{run}/ (`git for-each-ref \
         refs/inspan/{run}` lists it), and files that nobody could commit in the run's folder of worktrees. `inspan log {run}` shows what reads. \
         Put the file back from a backup and `inspan resume {run}` goes on; or begin anew from what landed: `git switch -c NAME inspan/{run}`, \
         then `inspan run`"
    )
}
