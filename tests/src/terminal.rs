//! A person at a terminal: the binary behind a pseudo-terminal, what it shows, and what is typed.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use rustix::{
    fs::{Mode, OFlags},
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};

use crate::eventually;

/// A process that believes that somebody sits in front of it.
pub struct Terminal {
    child: Child,
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    pub(crate) fn start(mut command: Command) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("there are pseudo-terminals");
        grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("it is ours");
        let name = ptsname(&ours, Vec::new()).expect("it has a name");
        let theirs = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("it opens");
        let stream = || Stdio::from(theirs.try_clone().expect("a descriptor can be doubled"));
        command.stdin(stream()).stdout(stream()).stderr(stream());
        let child = command.spawn().expect("the binary starts");
        drop((theirs, command));
        let keyboard = File::from(ours);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut shown, kept) = (keyboard.try_clone().expect("a descriptor can be doubled"), screen.clone());
        thread::spawn(move || {
            let mut piece = [0; 4096];
            // When the process has gone, reading fails.
            while let Ok(read @ 1..) = shown.read(&mut piece) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..read]);
            }
        });
        Self { child, keyboard, screen }
    }

    /// All that was shown so far.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap_or_else(PoisonError::into_inner)).replace('\r', "")
    }

    /// Waits until the text was shown `times` times.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str, times: usize) -> &mut Self {
        let found = eventually(|| (self.shown().matches(text).count() >= times).then_some(()));
        if found.is_none() {
            // The test fails; whatever becomes of the process is no matter.
            let _ = self.child.kill();
            panic!("`{text}` was not shown {times} times:\n{}", self.shown());
        }
        self
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) -> &mut Self {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).expect("the terminal takes it");
        self
    }

    /// Ctrl-C.
    pub fn interrupt(&mut self) -> &mut Self {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a living process has a number");
        kill_process(pid, Signal::INT).expect("it is ours");
        self
    }

    /// Its exit code.
    #[track_caller]
    pub fn end(mut self) -> i32 {
        let status = eventually(|| self.child.try_wait().expect("it is ours"));
        if status.is_none() {
            // As above.
            let _ = self.child.kill();
        }
        let status = status.unwrap_or_else(|| panic!("no end:\n{}", self.shown()));
        status.code().unwrap_or(-1)
    }
}
