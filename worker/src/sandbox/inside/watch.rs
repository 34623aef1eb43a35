//! The limits that are sums over all processes of a command: looked at some fifty times a second, and more often
//! while they multiply.

use std::{
    fs,
    path::PathBuf,
    sync::mpsc,
    time::{Duration, Instant},
};

use super::{family::Family, memory};
use crate::sandbox::{CommandLimits, Policy};

/// What must stay free, whoever fills the disk: the harness itself has to write.
const FREE: u64 = 256 << 20;
/// As many files must still find room.
const FILES: u64 = 10_000;
/// Between two looks at what is free.
const QUICK: Duration = Duration::from_millis(250);
/// Before the first count of a command's files, and at least between two.
const SLOW: Duration = Duration::from_secs(1);
/// So much longer than a look takes is the pause after it.
const PATIENCE: u32 = 20;
/// Between two looks at a family that has grown by more than [`CROWD`] since the last.
const HURRY: Duration = Duration::from_millis(2);
const CROWD: u32 = 24;

/// What a command takes.
pub(super) struct Watch {
    family: Family,
    limits: CommandLimits,
    last: Instant,
    /// Processes and threads.
    alive: u32,
    pause: Duration,
    disk: Disk,
    /// What the whole machine had in shared memory when the command began.
    shared_before: u64,
}

struct Disk {
    folders: Vec<PathBuf>,
    /// What was free when the files were last counted, or at the beginning.
    free: Option<u64>,
    looked: Instant,
    counted: Option<u64>,
    count_at: Instant,
    /// A count that goes on, since when.
    counting: Option<mpsc::Receiver<u64>>,
    began: Instant,
}

impl Watch {
    pub(super) fn new(family: Family, policy: &Policy) -> Self {
        let all = || policy.write.iter().map(|writable| &writable.path);
        // One within another would be counted twice.
        let folders: Vec<PathBuf> =
            all().filter(|path| !all().any(|other| *path != other && path.starts_with(other))).cloned().collect();
        let now = Instant::now();
        let disk =
            Disk { free: free(&folders), folders, looked: now, counted: None, count_at: now + SLOW, counting: None, began: now };
        Self {
            family,
            limits: policy.limits,
            last: now,
            alive: 1,
            pause: super::TICK,
            disk,
            shared_before: memory::shared_of_machine(),
        }
    }

    /// Whether it is time for a look.
    pub(super) fn is_due(&self) -> bool {
        self.last.elapsed() >= self.pause
    }

    /// How long nothing needs to be looked at.
    pub(super) fn pause(&self) -> Duration {
        self.pause
    }

    /// Whether a limit has been passed: which, in words.
    pub(super) fn look(&mut self) -> Option<String> {
        let began = Instant::now();
        let found = self.passed();
        self.last = Instant::now();
        // A look at many takes a while; it is not to take the machine from them.
        self.pause = self.pause.max(if self.pause == HURRY { HURRY } else { began.elapsed() * PATIENCE });
        found
    }

    fn passed(&mut self) -> Option<String> {
        // Who cannot be seen now is looked at the next time; nobody is taken to be gone.
        let members = self.family.members().ok()?;
        let before = std::mem::replace(&mut self.alive, members.iter().map(|member| member.threads).sum());
        // Whatever multiplies is looked at more often: what it can become meanwhile is a question of time.
        self.pause = if self.alive > before + CROWD { HURRY } else { super::TICK };
        let private: u64 = members.iter().map(|member| member.memory).sum();
        // To know who has shared memory is dear; that somebody has taken more of it is not.
        let is_suspect = memory::shared_of_machine().saturating_sub(self.shared_before) > self.limits.memory / 4;
        let shared = if is_suspect { memory::shared(self.family, &members) } else { 0 };
        if private + shared > self.limits.memory {
            return Some(format!("it used more than {} of memory", in_words(self.limits.memory)));
        }
        if self.alive > self.limits.processes {
            return Some(format!("it had more than {} processes and threads", self.limits.processes));
        }
        self.disk.look(self.limits.disk)
    }
}

impl Disk {
    fn look(&mut self, limit: u64) -> Option<String> {
        if self.looked.elapsed() < QUICK {
            return None;
        }
        self.looked = Instant::now();
        if files_left(&self.folders).is_some_and(|left| left < FILES) {
            return Some("the disk can hold hardly any more files".to_owned());
        }
        let (now, before) = (free(&self.folders)?, self.free?);
        if now < FREE && now < before {
            return Some(format!("the disk is nearly full: {} are left", in_words(now)));
        }
        if let Some(size) = self.counting.as_ref().and_then(|counting| counting.try_recv().ok()) {
            self.counting = None;
            self.count_at = Instant::now() + (self.began.elapsed() * PATIENCE).max(SLOW);
            // Before the first count, what is missing on the disk is what there is to go by.
            let counted = *self.counted.get_or_insert(size.saturating_sub(before.saturating_sub(now)));
            self.free = Some(now);
            return (size.saturating_sub(counted) > limit).then(|| format!("it added more than {} to the disk", in_words(limit)));
        }
        // Somebody has filled the disk by that much, or nobody can tell because somebody else has emptied it.
        let is_due = before.saturating_sub(now) > limit || Instant::now() >= self.count_at;
        if is_due && self.counting.is_none() {
            self.count();
        }
        None
    }

    /// Counts beside: there may be millions of files.
    fn count(&mut self) {
        let (tell, hear) = mpsc::channel();
        let folders = self.folders.clone();
        self.began = Instant::now();
        let count = move || {
            // The command may have ended meanwhile.
            let _ = tell.send(folders.iter().map(|folder| size(folder)).sum());
        };
        self.counting = std::thread::Builder::new().name("count".to_owned()).spawn(count).is_ok().then_some(hear);
    }
}

fn free(folders: &[PathBuf]) -> Option<u64> {
    let places = folders.iter().filter_map(|folder| rustix::fs::statvfs(folder).ok());
    places.map(|place| place.f_bavail * place.f_frsize).min()
}

/// How many more files the disk can hold; none where it does not count them.
fn files_left(folders: &[PathBuf]) -> Option<u64> {
    let places = folders.iter().filter_map(|folder| rustix::fs::statvfs(folder).ok());
    places.filter(|place| place.f_files > 0).map(|place| place.f_favail).min()
}

/// Bytes on disk of all files below.
fn size(folder: &std::path::Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;

    let mut folders = vec![folder.to_owned()];
    let mut sum = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(data) if data.is_dir() => folders.push(entry.path()),
                Ok(data) => sum += data.blocks() * 512,
                Err(_) => {}
            }
        }
    }
    sum
}

fn in_words(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => format!("{} KiB", bytes >> 10),
        1_048_576..10_737_418_240 => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}
