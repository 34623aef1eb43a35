//! Root's processes are limited by no `setrlimit`. Where there is a hierarchy of the pids controller of its own (cgroup v1), the helper puts
//! itself and all that it starts into a group of it.
//!
//! Elsewhere the watch alone ends what multiplies, and a fork bomb of root may be quicker than it.

use std::{fs, path::Path};

const HIERARCHY: &str = "/sys/fs/cgroup/pids";
/// The helper, its threads, and what ends and is not waited for yet.
const ROOM: u32 = 256;

/// Joins a group of its own with so many processes at most, where that can be had.
pub(super) fn limit(processes: u32) {
    let own = std::process::id();
    let folder = Path::new(HIERARCHY).join(format!("inspan-{own}"));
    remove_old();
    let join = || {
        fs::create_dir(&folder)?;
        fs::write(folder.join("pids.max"), (processes + ROOM).to_string())?;
        fs::write(folder.join("cgroup.procs"), own.to_string())
    };
    // Without it there is the watch.
    let _: std::io::Result<()> = join();
}

/// Groups of processes that are gone. One that has just been made, with nobody in it yet, is another's.
fn remove_old() {
    for entry in fs::read_dir(HIERARCHY).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("inspan-"));
        if number.is_some_and(|number| !Path::new("/proc").join(number).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}
