//! The process group of one command, and how it is ended.
//!
//! **Invariant:** a group that was not let go is killed when its owner is dropped: a future that is thrown away leaves nothing behind.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::Child;

/// Between the polite signal and the other one.
pub(super) const GRACE: Duration = Duration::from_millis(300);
/// How long a killed child is waited for. One that hangs in the kernel is left to the runtime to reap.
const LAST_WAIT: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(10);

/// A child started as the leader of a group of its own.
pub(super) struct Group(Option<Pid>);

impl Group {
    /// The group that this child leads. It must not have been waited for yet.
    pub(super) fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// SIGTERM, a short grace, SIGKILL.
    pub(super) async fn end(&self, child: &mut Child) {
        self.signal(Signal::TERM);
        let gone = async {
            // An error means that there is nothing left to wait for.
            let _ = child.wait().await;
            while self.has_members() {
                tokio::time::sleep(POLL).await;
            }
        };
        if tokio::time::timeout(GRACE, gone).await.is_err() {
            self.signal(Signal::KILL);
            let _ = tokio::time::timeout(LAST_WAIT, child.wait()).await;
        }
    }

    /// Whether a live process is in the group. The dead that nobody has reaped do not count, where the system lets us tell.
    pub(super) fn has_members(&self) -> bool {
        let Some(leader) = self.0 else { return false };
        test_kill_process_group(leader).is_ok() && living(leader).unwrap_or(true)
    }

    /// Forgets the group: it has been dealt with.
    pub(super) fn let_go(&mut self) {
        self.0 = None;
    }

    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.0 {
            // An error means that the group is gone, which is what was wanted.
            let _ = kill_process_group(leader, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Looks for a live member in `/proc`; `None` where there is no such thing.
fn living(leader: Pid) -> Option<bool> {
    let processes = std::fs::read_dir("/proc").ok()?;
    let stats = processes.flatten().filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    let mut seen = false;
    for stat in stats {
        seen = true;
        // `pid (name) state parent group …`; the name may contain anything, also `)`.
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let alive = !matches!(fields.next(), Some("Z" | "X"));
        let group = fields.nth(1).and_then(|group| group.parse().ok());
        if alive && group == Some(leader.as_raw_nonzero().get()) {
            return Some(true);
        }
    }
    seen.then_some(false)
}
