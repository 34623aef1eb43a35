//! One call of git: how it is started, what it may wait for, and how it ends.
//!
//! **Invariant:** every call comes to an end: git asks nobody for anything, waits for another's lock for [`PATIENCE`], and whatever else it
//! waits for (a network disk, a program of the person's configuration) for [`LONGEST`].
//! **Invariant:** nothing of the person's environment points git elsewhere, and no key goes to its children.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
    time::{sleep, timeout},
};

use super::{GitError, lock};
use crate::environment::says_secret;

/// How long another git process is given to let go of a lock.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries meanwhile.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// Longer than git takes for anything that comes to an end, a checkout of a large repository on a slow disk included.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// One call of git.
#[derive(Debug)]
pub struct Call {
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    dir: Option<PathBuf>,
    input: Option<Vec<u8>>,
}

impl Call {
    /// With nothing but the settings that keep git quiet.
    pub fn new() -> Self {
        let quiet = [
            "core.hooksPath=/dev/null",
            "core.fsmonitor=false",
            "core.sparseCheckout=false",
            "gc.auto=0",
            // As long as `PATIENCE`, in milliseconds.
            "core.filesRefLockTimeout=5000",
            "core.packedRefsTimeout=5000",
            "commit.gpgSign=false",
            // A merge that moves one task's file into another's folder is a decision, and not git's.
            "merge.directoryRenames=false",
            // Whatever a worker left is committed as it is.
            "core.safecrlf=false",
            "core.protectNTFS=false",
            "core.protectHFS=false",
        ];
        let args = quiet.iter().flat_map(|setting| ["-c".into(), setting.into()]).collect();
        Self { args, env: Vec::new(), dir: None, input: None }
    }

    /// With the person's own hooks and settings: for what is done in their name and at their command.
    pub fn as_the_person() -> Self {
        Self { args: Vec::new(), env: Vec::new(), dir: None, input: None }
    }

    /// More arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// A variable of its environment.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((key.into(), value.as_ref().to_owned()));
        self
    }

    /// Where it runs.
    #[must_use]
    pub fn dir(mut self, dir: &Path) -> Self {
        self.dir = Some(dir.to_owned());
        self
    }

    /// What it reads.
    #[must_use]
    pub fn input(mut self, input: Vec<u8>) -> Self {
        self.input = Some(input);
        self
    }

    /// Runs it, whatever it comes to. Where a lock is in its way, it has not begun yet, and is run again until [`PATIENCE`] is over.
    pub async fn output(self) -> Result<Output, GitError> {
        let began = Instant::now();
        loop {
            let out = self.once().await?;
            match lock::in_the_way(&out) {
                Some(lock) if began.elapsed() >= PATIENCE => return Err(GitError::Locked { lock }),
                Some(_) => sleep(PAUSE).await,
                None => return Ok(out),
            }
        }
    }

    async fn once(&self) -> Result<Output, GitError> {
        let mut child = self.start()?;
        let group = child.id();
        let _under_way = UnderWay::of(group);
        if let (Some(input), Some(mut stdin)) = (self.input.clone(), child.stdin.take()) {
            tokio::spawn(async move { stdin.write_all(&input).await });
        }
        if let Ok(out) = timeout(LONGEST, child.wait_with_output()).await {
            return out.map_err(GitError::Start);
        }
        end_group(group);
        Err(GitError::Slow { call: self.in_words(), after: LONGEST })
    }

    fn start(&self) -> Result<Child, GitError> {
        let mut command = Command::new("git");
        for (key, _) in std::env::vars_os().filter(|(key, _)| !is_for_git(&key.to_string_lossy())) {
            command.env_remove(key);
        }
        command.args(&self.args).envs(NOBODY_IS_THERE).envs(self.env.iter().map(|(key, value)| (key, value)));
        if let Some(dir) = &self.dir {
            if !dir.is_dir() {
                return Err(GitError::NoFolder(dir.clone()));
            }
            command.current_dir(dir);
        }
        command.stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() });
        // A group of its own: Ctrl-C is for this program, which then brings git's work to an end.
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).process_group(0);
        command.spawn().map_err(GitError::Start)
    }

    /// What it does, without its settings.
    fn in_words(&self) -> String {
        let skip = self.args.iter().take_while(|arg| *arg == "-c" || arg.to_string_lossy().contains('=')).count();
        self.args[skip..].iter().take(4).map(|arg| arg.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    /// Runs it and returns its standard output.
    pub async fn bytes(self) -> Result<Vec<u8>, GitError> {
        let call = self.in_words();
        let out = self.output().await?;
        if out.status.success() {
            return Ok(out.stdout);
        }
        let said = String::from_utf8_lossy(&out.stderr).trim().to_owned();
        Err(GitError::Failed { call, said: if said.is_empty() { out.status.to_string() } else { said } })
    }

    /// Runs it and returns its standard output as text, without the last line end.
    pub async fn text(self) -> Result<String, GitError> {
        let out = self.bytes().await?;
        Ok(String::from_utf8_lossy(&out).trim_end_matches('\n').to_owned())
    }
}

/// No editor, no pager, no prompt: whatever would ask gets an empty answer and goes on, or says that it cannot.
const NOBODY_IS_THERE: [(&str, &str); 10] = [
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_EDITOR", "true"),
    ("GIT_SEQUENCE_EDITOR", "true"),
    ("GIT_PAGER", "cat"),
    ("GIT_ASKPASS", "true"),
    ("SSH_ASKPASS", "true"),
    ("SSH_ASKPASS_REQUIRE", "force"),
    ("GCM_INTERACTIVE", "never"),
    ("LC_ALL", "C"),
];

/// The calls that are under way in this process, by their process group.
static CALLS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// A call on that list, for as long as it lives.
struct UnderWay(Option<u32>);

impl UnderWay {
    fn of(group: Option<u32>) -> Self {
        calls().extend(group);
        Self(group)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(group) = &self.0 {
            calls().remove(group);
        }
    }
}

fn calls() -> MutexGuard<'static, BTreeSet<u32>> {
    CALLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends every call that is under way, with whatever it has started: for a process that leaves at once.
pub fn end_calls() {
    calls().iter().for_each(|group| end_group(Some(*group)));
}

/// Ends a call with whatever it has started.
fn end_group(leader: Option<u32>) {
    if let Some(group) = leader.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw) {
        // It may have ended in this moment.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Filters and hooks of the person's configuration run as children of git: they get no key, and nothing that points git elsewhere.
fn is_for_git(name: &str) -> bool {
    let identity = ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"];
    if name.starts_with("GIT_") {
        return identity.contains(&name) || name.starts_with("GIT_CONFIG");
    }
    !says_secret(name)
}

impl Default for Call {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::testing::Ground;

    /// With the clock stopped, a wait for a process is as long as its limit.
    #[tokio::test(start_paused = true)]
    async fn a_call_that_waits_for_something_that_does_not_come_is_ended_and_says_so() {
        let seconds = format!("{}", 800_000 + u64::from(std::process::id()));
        let call = || Call::new().args(["-c", &format!("alias.wait=!sleep {seconds}"), "wait"]);
        let error = call().text().await.unwrap_err();
        assert_eq!(error.to_string().split(';').next().unwrap(), "`git wait` was not done after 1h and was ended");
        let called = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let waits = || {
            std::fs::read_dir("/proc")
                .into_iter()
                .flatten()
                .flatten()
                .any(|entry| called(entry) == format!("sleep\0{seconds}\0").into_bytes())
        };
        while waits() {
            std::thread::yield_now();
        }
    }

    #[tokio::test]
    async fn nobody_is_asked_for_a_message_a_password_or_a_page() {
        let ground = Ground::new().await;
        let here = || Call::new().dir(&ground.site.repository.root);
        here().args(["commit", "--allow-empty", "--quiet", "--amend"]).text().await.unwrap();
        here().args(["-c", "core.pager=false", "--paginate", "log", "-1"]).text().await.unwrap();
        let asked = b"protocol=https\nhost=nowhere.invalid\n\n".to_vec();
        let answer = here().args(["credential", "fill"]).input(asked).text().await.unwrap();
        assert!(answer.contains("password=") && !answer.contains("password=x"), "{answer}");
    }
}
