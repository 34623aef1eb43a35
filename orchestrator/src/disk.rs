//! What a run takes of the disk, and what is left of it.
//!
//! What is left is asked of the file system and costs microseconds. What a run takes is counted file by file, and so only now and then,
//! beside everything else.
//!
//! **Invariant:** a disk that cannot be asked is not blamed.
//!
//! Files that several names share count once for each, and what a file system stores only once for copies counts for each copy: the count
//! is never too small.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// The places that a run writes to.
#[derive(Debug, Clone)]
pub struct Places {
    /// What is the run's alone: its folder of records, and that of its worktrees.
    pub own: Vec<PathBuf>,
    /// The repository's objects, which the run adds to.
    pub objects: PathBuf,
}

/// A disk with too little room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// A place on it.
    pub place: PathBuf,
    /// Bytes that are free.
    pub free: u64,
}

impl Places {
    /// The first place whose disk has less room than this, or none for another file.
    pub fn shortage(&self, least: u64) -> Option<Shortage> {
        self.own.iter().chain([&self.objects]).find_map(|place| short(place, least))
    }

    /// Bytes on disk of everything that is the run's alone. Takes as long as a look at every file.
    pub fn taken(&self) -> u64 {
        self.own.iter().map(|folder| size(folder)).sum()
    }
}

impl Shortage {
    /// What happened, and what to do.
    pub fn in_words(&self, least: u64) -> String {
        format!(
            "the disk of {} is nearly full: {} are free, and nothing is begun with less than {}; make room (`inspan clean` removes directories \
             that no run needs), put worktrees elsewhere (`[paths] worktrees`), or be content with less (`[run] min_free_mb`)",
            self.place.display(),
            in_words(self.free),
            in_words(least)
        )
    }
}

/// What a run has taken against what it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// There is room.
    Within,
    /// Nothing new begins; who is at work may end, and what is finished lands.
    Reached,
    /// Whoever is at work is stopped, too.
    Passed,
}

/// What follows from a count.
pub fn judge(taken: u64, bound: Option<u64>) -> Verdict {
    match bound {
        Some(bound) if taken >= bound.saturating_add(bound / 4) => Verdict::Passed,
        Some(bound) if taken >= bound => Verdict::Reached,
        _ => Verdict::Within,
    }
}

/// `1.5 GiB`, `512 MiB`, `3 KiB`.
pub fn in_words(bytes: u64) -> String {
    let of = |shift: u32| (bytes >> shift, (bytes >> (shift - 10) & 1023) * 10 / 1024);
    match bytes {
        0..0x400 => format!("{bytes} bytes"),
        0x400..0x10_0000 => format!("{} KiB", of(10).0),
        0x10_0000..0x4000_0000 => format!("{} MiB", of(20).0),
        _ => format!("{}.{} GiB", of(30).0, of(30).1),
    }
}

/// Whether less is left of a disk than a build needs to say anything.
pub fn is_full(folder: &Path) -> bool {
    const LEAST: u64 = 64 << 20;
    short(folder, LEAST).is_some()
}

/// The disk of a place, where it has less room than this, or none for another file.
fn short(place: &Path, least: u64) -> Option<Shortage> {
    let disk = rustix::fs::statvfs(nearest(place)).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let is_short = free < least || (least > 0 && disk.f_files > 0 && disk.f_favail == 0);
    is_short.then(|| Shortage { place: place.to_owned(), free })
}

/// A folder that is not made yet lies on the disk of the one above.
fn nearest(place: &Path) -> &Path {
    place.ancestors().find(|path| path.exists()).unwrap_or(place)
}

/// What all that is in a folder takes on the disk, links not followed.
pub fn size(folder: &Path) -> u64 {
    let mut folders = vec![folder.to_owned()];
    let mut sum = 0;
    while let Some(folder) = folders.pop() {
        // What is gone in this moment takes nothing.
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            sum += meta.blocks() * 512;
            if meta.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_bound_nothing_begins_and_a_quarter_beyond_it_nobody_goes_on() {
        use Verdict::{Passed, Reached, Within};
        for (taken, bound, verdict) in [
            (99, Some(100), Within),
            (100, Some(100), Reached),
            (124, Some(100), Reached),
            (125, Some(100), Passed),
            (u64::MAX, None, Within),
            (u64::MAX - 1, Some(u64::MAX), Within),
            (0, Some(1), Within),
        ] {
            assert_eq!(judge(taken, bound), verdict, "{taken} of {bound:?}");
        }
    }

    #[test]
    fn sizes_read_as_people_say_them() {
        let sizes = [0, 1023, 1024, 5 << 20, 512 << 20, 3 << 29, 20 << 30].map(in_words);
        assert_eq!(sizes, ["0 bytes", "1023 bytes", "1 KiB", "5 MiB", "512 MiB", "1.5 GiB", "20.0 GiB"]);
    }

    #[test]
    fn what_is_counted_is_what_lies_on_the_disk_and_nothing_behind_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (own, other) = (folder.path().join("own"), folder.path().join("other"));
        for place in [own.join("deep/er"), other.clone()] {
            std::fs::create_dir_all(place).unwrap();
        }
        std::fs::write(own.join("deep/er/file"), vec![1; 300_000]).unwrap();
        std::fs::write(other.join("file"), vec![1; 900_000]).unwrap();
        std::os::unix::fs::symlink(&other, own.join("link")).unwrap();
        let places = Places { own: vec![own, folder.path().join("not there")], objects: other };
        let taken = places.taken();
        assert!((300_000..800_000).contains(&taken), "{taken}");
    }

    #[test]
    fn a_place_that_is_not_made_yet_is_on_the_disk_of_the_folder_above() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places { own: vec![folder.path().join("a/b/c")], objects: folder.path().to_owned() };
        assert_eq!(places.shortage(0), None);
        assert!(!is_full(folder.path()), "there is room for this test");
        let short = places.shortage(u64::MAX).unwrap();
        assert_eq!(short.place, folder.path().join("a/b/c"));
        assert!(short.in_words(u64::MAX).contains("min_free_mb"));
    }
}
