//! Disks of a test's own: small ones that fill up, and ones that can only be read.
//!
//! They are mounted in a namespace that a process holds for as long as the test; `inspan` is started in it ([`Disks::around`]), also a second
//! time. Nobody else on the machine sees any of it, and with the holder it is gone.
//!
//! **Invariant:** nothing is mounted outside that namespace, and nothing needs rights that a person has not.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::Scenario;

/// A namespace with mounts of its own.
pub struct Disks {
    holder: Child,
}

impl Disks {
    /// One in which everything is as it is outside.
    pub fn new() -> Self {
        let mut holder = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", "echo held; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare starts");
        let mut line = String::new();
        BufReader::new(holder.stdout.take().expect("it is piped")).read_line(&mut line).expect("it is text");
        assert_eq!(line, "held\n", "there is a namespace");
        Self { holder }
    }

    /// From now on `inspan` is typed in there.
    #[must_use]
    pub fn around(&self, scenario: Scenario) -> Scenario {
        let enter = self.enter().join(" ");
        // To enter a namespace is to leave the folder one is in.
        scenario.after(&format!("here=$PWD; export here; exec {enter} sh -c 'cd \"$here\" && exec \"$0\" \"$@\"' \"$0\" \"$@\""))
    }

    fn enter(&self) -> Vec<String> {
        ["nsenter", "--user", "--mount", "--preserve-credentials", "--target", &self.holder.id().to_string(), "--"]
            .map(str::to_owned)
            .to_vec()
    }

    /// Does this in there, with a place as `$0`.
    #[track_caller]
    fn sh(&self, script: &str, place: &Path) {
        let words = self.enter();
        let out =
            Command::new(&words[0]).args(&words[1..]).args(["sh", "-ec", script]).arg(place).output().expect("nsenter starts");
        assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
    }

    /// A disk of so many kilobytes, with whatever the folder holds now.
    #[track_caller]
    pub fn small(&self, place: &Path, kilobytes: u32) {
        std::fs::create_dir_all(place).expect("a folder can be made");
        let script = format!(
            "n=$(mktemp -d); mount -t tmpfs -o size={kilobytes}k tmpfs $n; cp -a \"$0/.\" $n; mount --move $n \"$0\"; rmdir $n"
        );
        self.sh(&script, place);
    }

    /// Fills such a disk to the last byte.
    #[track_caller]
    pub fn fill(&self, place: &Path) {
        self.sh("cat /dev/zero > \"$0/filler\" 2> /dev/null || true", place);
    }

    /// Makes room again.
    #[track_caller]
    pub fn make_room(&self, place: &Path) {
        self.sh("rm \"$0/filler\"", place);
    }

    /// Makes it larger.
    #[track_caller]
    pub fn grow(&self, place: &Path, kilobytes: u32) {
        self.sh(&format!("mount -o remount,size={kilobytes}k \"$0\""), place);
    }

    /// What is there can only be read.
    #[track_caller]
    pub fn read_only(&self, place: &Path) {
        std::fs::create_dir_all(place).expect("a folder can be made");
        self.sh("mount --bind \"$0\" \"$0\"; mount -o remount,bind,ro \"$0\"", place);
    }

    /// It can be written again.
    #[track_caller]
    pub fn writable(&self, place: &Path) {
        self.sh("umount \"$0\"", place);
    }

    /// Where something of it is seen from outside.
    pub fn look(&self, place: &Path) -> PathBuf {
        let inside = place.strip_prefix("/").unwrap_or(place);
        PathBuf::from(format!("/proc/{}/root", self.holder.id())).join(inside)
    }
}

impl Default for Disks {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Disks {
    fn drop(&mut self) {
        // It may be gone already; nobody else is ended.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
