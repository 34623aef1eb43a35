//! A process that has nothing to do with the run.

use std::{
    fs,
    process::{Child, Command, Stdio},
};

/// Sleeps, with a secret in its environment, until it is dropped.
pub struct Bystander(Child);

impl Bystander {
    /// Starts one.
    pub fn start() -> Self {
        let mut command = Command::new("sleep");
        command.arg("3600").env("BYSTANDER", "sesame-bystander");
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sleep starts"))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Whether it sleeps as it should: it has not ended and was not stopped.
    pub fn is_well(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        let state = stat.rsplit(')').next().unwrap_or_default().split_whitespace().next();
        matches!(state, Some("S" | "R" | "D"))
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        // It may have ended before; either way nothing is left of it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
