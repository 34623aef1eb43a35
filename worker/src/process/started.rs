//! A command that was started, in a process group of this program's or through a sandbox's helper, and how it is ended.

use std::os::unix::process::ExitStatusExt as _;
use std::{
    io,
    os::fd::OwnedFd,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::{
    DRAIN, SETTLE, Shell, Status,
    group::{GRACE, Group},
    reader::Reader,
};
use crate::sandbox::Way;
#[cfg(target_os = "linux")]
use crate::sandbox::{CommandOver, Rights, Running};

/// One command.
pub(super) enum Started {
    /// A child of ours, the leader of a group.
    Own(Box<Child>, Group),
    /// A command of a session.
    #[cfg(target_os = "linux")]
    Inside(Box<Running>, Rights),
}

impl Started {
    /// Starts a command as the shell's sandbox wants it.
    pub(super) async fn new(shell: &Shell, command: &str, output: OwnedFd) -> Result<Self, String> {
        let env = shell.enclosure.environment(&shell.env);
        match shell.enclosure.way_in(&env).await? {
            Way::Behind(words) => {
                let mut words = words.into_iter().chain(["/bin/sh".into(), "-c".into(), command.into()]);
                let mut child = Command::new(words.next().unwrap_or_default());
                child.args(words).current_dir(&shell.cwd).env_clear().envs(env.iter().map(|(name, value)| (name, value)));
                let spawn = || -> io::Result<Child> {
                    child.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
                    child.process_group(0).kill_on_drop(true).spawn()
                };
                let child = spawn().map_err(|error| error.to_string())?;
                let group = Group::of(&child);
                Ok(Self::Own(Box::new(child), group))
            }
            #[cfg(target_os = "linux")]
            Way::Through(session, rights) => {
                let again = output.try_clone().map_err(|error| error.to_string())?;
                let running = match session.run(command, &shell.cwd, &env, output).await {
                    Ok(running) => running,
                    // A helper that has ended between two commands says nothing about the next: another one is started.
                    Err(_) => match shell.enclosure.way_in(&env).await? {
                        Way::Through(session, _) => session.run(command, &shell.cwd, &env, again).await?,
                        Way::Behind(_) => return Err("the sandbox has changed its kind; this is a fault of inspan".to_owned()),
                    },
                };
                Ok(Self::Inside(Box::new(running), rights))
            }
        }
    }

    pub(super) async fn wait(&mut self, timeout: Duration, cancel: &CancellationToken) -> Status {
        let end = async {
            match self {
                Self::Own(child, _) => child.wait().await.map_or_else(|error| Status::NotStarted(error.to_string()), ended),
                #[cfg(target_os = "linux")]
                Self::Inside(running, _) => running.over().await.into(),
            }
        };
        tokio::select! {
            biased;
            status = end => status,
            () = cancel.cancelled() => Status::Cancelled,
            () = tokio::time::sleep(timeout) => Status::TimedOut,
        }
    }

    /// Ends what is still at work; whether something could not be made to let go of its output.
    pub(super) async fn stop(self, shell: &Shell, reader: &mut Reader) -> bool {
        match self {
            Self::Own(mut child, mut group) => {
                group.end(&mut child).await;
                group.let_go();
            }
            #[cfg(target_os = "linux")]
            Self::Inside(mut running, rights) => {
                running.terminate(GRACE).await;
                if let (_, Some(session)) = running.clear().await {
                    shell.enclosure.give_back(session, rights).await;
                }
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = shell;
        !reader.ends_within(DRAIN).await
    }

    /// After a command's own end: waits a moment for the end of its output, then ends what it left behind. Whether there was anything.
    pub(super) async fn settle(self, shell: &Shell, reader: &mut Reader) -> bool {
        let ended = reader.ends_within(SETTLE).await;
        let left = match self {
            Self::Own(mut child, mut group) => {
                let members = group.has_members();
                if members {
                    group.end(&mut child).await;
                }
                group.let_go();
                members
            }
            #[cfg(target_os = "linux")]
            Self::Inside(running, rights) if ended && running.is_alone() => {
                shell.enclosure.give_back(running.into_session(), rights).await;
                false
            }
            #[cfg(target_os = "linux")]
            Self::Inside(running, rights) => {
                let (ended, session) = running.clear().await;
                if let Some(session) = session {
                    shell.enclosure.give_back(session, rights).await;
                }
                ended > 0
            }
        };
        #[cfg(not(target_os = "linux"))]
        let _ = shell;
        if left {
            reader.ends_within(DRAIN).await;
        }
        left || !ended
    }
}

fn ended(exit: ExitStatus) -> Status {
    exit.signal().map_or_else(|| Status::Exited(exit.code().unwrap_or(-1)), Status::Signalled)
}

#[cfg(target_os = "linux")]
impl From<CommandOver> for Status {
    fn from(over: CommandOver) -> Self {
        match over {
            CommandOver::Code(code) => Self::Exited(code),
            CommandOver::Signal(signal) => Self::Signalled(signal),
            CommandOver::Limit(which) => Self::Limited(which),
            CommandOver::NotStarted(why) => Self::NotStarted(why),
        }
    }
}
