//! The harness's end of a helper: start it, send commands one after the other, hear how they end.
//!
//! **Invariant:** a session that is dropped ends its helper, and with it all that it runs: the helper hears the socket's end.
//! **Invariant:** every wait for the helper has a limit. One that does not answer is ended.

use std::{
    ffi::OsString,
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    process::Stdio,
    time::Duration,
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use tokio::{
    io::{AsyncReadExt as _, Interest, unix::AsyncFd},
    process::{Child, Command},
};

use super::{
    Policy, Tier, keeper,
    wire::{self, Answer, End, Order},
};

/// How long entering may take: bubblewrap on a machine that is busy with sixteen builds.
const ENTER: Duration = Duration::from_secs(30);
/// How long the helper may take to end everything.
const END: Duration = Duration::from_secs(10);

/// A helper that waits for commands.
pub(crate) struct Session {
    socket: AsyncFd<OwnedFd>,
    child: Child,
    /// What it rests on, in words.
    pub(crate) about: String,
}

impl Session {
    /// Starts a helper and has it take a policy.
    pub(crate) async fn enter(words: &[OsString], tier: Tier, policy: Policy) -> Result<Self, String> {
        let entering = Self::start(words, tier, policy);
        match tokio::time::timeout(ENTER, entering).await {
            Ok(entered) => entered,
            Err(_) => Err(format!("it did not come up within {} seconds", ENTER.as_secs())),
        }
    }

    async fn start(words: &[OsString], tier: Tier, policy: Policy) -> Result<Self, String> {
        let say = |error: io::Error| error.to_string();
        let flags = SocketFlags::CLOEXEC;
        let (here, there) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).map_err(|e| say(e.into()))?;
        rustix::io::ioctl_fionbio(&here, true).map_err(|e| say(e.into()))?;
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear().env("PATH", "/usr/bin:/bin").current_dir("/");
        command.stdin(Stdio::from(there)).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        // What holds a namespace ends it. Alone, the helper has to live to end what it has started, and hears the socket's end.
        command.kill_on_drop(tier == Tier::Bubblewrap);
        let child = keeper::spawn(command).await.map_err(say)?;
        let both = Interest::READABLE | Interest::WRITABLE;
        // SAFETY: the socket is owned by what is made here, and closed only with it.
        #[expect(unsafe_code, reason = "the runtime cannot see that an owned descriptor stays what it is")]
        let socket = unsafe { AsyncFd::register_with_interest(here, both) }.map_err(|error| error.to_string())?;
        let mut session = Self { socket, child, about: String::new() };
        let opened = session.open(tier, policy).await;
        match opened {
            Ok(about) => Ok(Self { about, ..session }),
            Err(why) => {
                let said = said(&mut session.child).await;
                Err(if said.is_empty() { why } else { format!("{why}: {said}") })
            }
        }
    }

    async fn open(&mut self, tier: Tier, policy: Policy) -> Result<String, String> {
        // What keeps the helper from coming up is told by its end, which is read below.
        let _ = self.send(&Order::Open { tier, policy: Box::new(policy) }, None).await;
        match self.hear().await {
            Ok(Some(Answer::Ready { about })) => Ok(about),
            Ok(Some(Answer::Refused { why })) => Err(why),
            Ok(Some(other)) => Err(format!("it answered {other:?} when it was to open")),
            Ok(None) => Err("it ended before it was ready".to_owned()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Err("it ended before it was ready".to_owned()),
            Err(error) => Err(format!("it could not be heard: {error}")),
        }
    }

    /// Starts a command whose output goes to `output`.
    pub(crate) async fn run(
        self,
        command: &str,
        cwd: &Path,
        env: &[(OsString, OsString)],
        output: OwnedFd,
    ) -> Result<Running, String> {
        use std::os::unix::ffi::OsStrExt as _;

        let bytes = |text: &OsString| text.as_bytes().to_vec();
        let env = env.iter().map(|(name, value)| (bytes(name), bytes(value))).collect();
        let order = Order::Run { command: command.to_owned(), cwd: cwd.to_owned(), env };
        self.send(&order, Some(&output)).await.map_err(|error| format!("the sandbox's helper has gone: {error}"))?;
        Ok(Running { session: self, ended: None })
    }

    async fn send(&self, order: &Order, descriptor: Option<&OwnedFd>) -> io::Result<()> {
        let packet = |socket: &OwnedFd| wire::send(socket, order, descriptor.map(AsFd::as_fd));
        self.socket.async_io(Interest::WRITABLE, packet).await
    }

    async fn hear(&self) -> io::Result<Option<Answer>> {
        let packet = |socket: &OwnedFd| wire::receive::<Answer>(socket);
        Ok(self.socket.async_io(Interest::READABLE, packet).await?.map(|(answer, _)| answer))
    }
}

/// What a helper that did not come up wrote.
async fn said(child: &mut Child) -> String {
    // It has ended, or is ended by this: its socket is still open.
    let _ = child.start_kill();
    let mut text = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        let _ = tokio::time::timeout(Duration::from_secs(1), stderr.take(4096).read_to_end(&mut text)).await;
    }
    String::from_utf8_lossy(&text).trim().replace('\n', "; ")
}

/// How a command in a session came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CommandOver {
    Code(i32),
    Signal(i32),
    /// A limit was passed: which.
    Limit(String),
    NotStarted(String),
}

/// A command that runs.
pub(crate) struct Running {
    session: Session,
    ended: Option<usize>,
}

impl Running {
    /// Waits for the end of the command's first process.
    pub(crate) async fn over(&mut self) -> CommandOver {
        match self.session.hear().await {
            Ok(Some(Answer::Ended { end, others })) => {
                self.ended = Some(others);
                match end {
                    End::Code(code) => CommandOver::Code(code),
                    End::Signal(signal) => CommandOver::Signal(signal),
                    End::Limit(which) => CommandOver::Limit(which),
                }
            }
            Ok(Some(Answer::NotStarted { why })) => {
                self.ended = Some(0);
                CommandOver::NotStarted(why)
            }
            Ok(Some(other)) => CommandOver::NotStarted(format!("the sandbox's helper answered {other:?}")),
            Ok(None) => CommandOver::Limit("the sandbox itself was ended while the command ran".to_owned()),
            Err(error) => CommandOver::NotStarted(format!("the sandbox's helper has gone: {error}")),
        }
    }

    /// Whether the command's end has been told and nothing else of it runs.
    pub(crate) fn is_alone(&self) -> bool {
        self.ended == Some(0)
    }

    /// Asks everything that runs to end, waits `grace`, and makes it.
    pub(crate) async fn terminate(&mut self, grace: Duration) {
        // One that cannot be asked is made to end below.
        let _ = self.session.send(&Order::Terminate, None).await;
        if self.ended.is_none() {
            let _ = tokio::time::timeout(grace, self.over()).await;
        }
    }

    /// Ends all that still runs; how many that were, and the session, if it can be used again.
    pub(crate) async fn clear(mut self) -> (usize, Option<Session>) {
        let cleared = tokio::time::timeout(END, async {
            self.session.send(&Order::Kill, None).await.ok()?;
            loop {
                match self.session.hear().await.ok()?? {
                    Answer::Gone { ended, all } => return Some((ended, all)),
                    // Told while the order was on its way.
                    Answer::Ended { .. } | Answer::NotStarted { .. } => {}
                    Answer::Ready { .. } | Answer::Refused { .. } => return None,
                }
            }
        });
        if let Ok(Some((ended, true))) = cleared.await {
            return (ended, Some(self.session));
        }
        tracing::error!(
            "what a command had left running could not be ended in time; its sandbox is ended with all that is in it"
        );
        // In a namespace nothing outlives this. Without one, what is left still carries the attempt's mark.
        let _ = self.session.child.start_kill();
        (1, None)
    }

    /// The session, when the command was alone.
    pub(crate) fn into_session(self) -> Session {
        self.session
    }
}
