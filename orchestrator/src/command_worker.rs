//! A worker that is a program: one command, run in the same isolation as an agent's commands, its work looked at in the same way.
//!
//! The program finds its brief in the file that `INSPAN_BRIEF` names, and may write what the tasks after it need to know into the
//! file that `INSPAN_HAND_OFF` names.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use kameo::actor::Recipient;
use plans::visible::in_line;
use shared::{Brief, Limit, Outcome, Report};
use tokio_util::sync::CancellationToken;
use worker::{
    actor::AttemptOver,
    beneath::Root,
    context::brief_text,
    hold::{Hold, LiveLimits},
    process::{CommandEnd, Shell, Status},
    tool::{Acceptance as _, Verdict},
};

use crate::acceptance::Inspection;

/// What a command worker is to do.
pub struct CommandJob {
    /// The command, for the shell.
    pub command: String,
    /// What it is told.
    pub brief: Brief,
    /// The attempt's folder, where brief and hand-off lie.
    pub folder: PathBuf,
    /// What it may take; of that a program is bound by its minutes.
    pub limits: LiveLimits,
    /// Where it runs.
    pub shell: Shell,
    /// Who looks at its work.
    pub inspection: Inspection,
}

/// The minutes of a command that has no limit.
pub const MINUTES: u32 = 30;

/// Beyond any limit of minutes.
const FOREVER: Duration = Duration::from_secs(u64::MAX / 4);

/// A command may say this much to the tasks after it.
const LONGEST_HAND_OFF: u64 = 16 << 10;

/// Runs the job and tells its end to `done`, whatever happens.
pub fn employ(job: CommandJob, cancel: CancellationToken, done: Recipient<AttemptOver>) {
    let key = job.brief.key.clone();
    tokio::spawn(async move {
        let work = tokio::spawn(async move { job.carry_out(&cancel).await });
        let outcome = work.await.unwrap_or_else(|panic| Outcome::Failed { why: format!("the harness broke: {panic}") });
        // Whoever waits for it is gone only when the whole run is.
        let _ = done.tell(AttemptOver::without_turns(key, outcome)).await;
    });
}

/// What the command wrote for those after it: the beginning of a regular file. A pipe or a device there would keep us waiting.
fn read_hand_off(path: &Path) -> String {
    let folder = path.parent().and_then(|folder| Root::open(folder).ok());
    let name = Path::new(path.file_name().unwrap_or_default());
    let file = folder.and_then(|folder| folder.file(name).ok());
    let Some(file) = file.filter(|file| file.metadata().is_ok_and(|data| data.is_file())) else { return String::new() };
    let mut text = Vec::new();
    // What cannot be read was not handed over.
    let _ = file.take(LONGEST_HAND_OFF).read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

impl CommandJob {
    async fn carry_out(mut self, cancel: &CancellationToken) -> Outcome {
        // Nothing is written where the command may have left a link.
        let (brief, hand_off) = (self.folder.join("brief.md"), self.folder.join("notes/hand_off.md"));
        if let Err(error) = std::fs::write(&brief, &*self.inspection.secrecy.mask(&brief_text(&self.brief))) {
            return Outcome::Unavailable { why: format!("{} cannot be written: {error}", brief.display()) };
        }
        self.shell.env.push(("INSPAN_BRIEF".into(), brief.into()));
        self.shell.env.push(("INSPAN_HAND_OFF".into(), hand_off.clone().into()));
        let end = within(&self.limits, (&self.shell, &self.command), cancel).await;
        match end.status {
            Status::Cancelled => Outcome::Cancelled,
            Status::TimedOut => Outcome::Exhausted { limit: Limit::Minutes, last: self.said(&end) },
            Status::Exited(0) => self.accepted(&end, read_hand_off(&hand_off), cancel).await,
            Status::NotStarted(why) => Outcome::Unavailable { why: format!("`{}` could not be started: {why}", self.command) },
            Status::Exited(_) | Status::Signalled(_) | Status::Limited(_) => Outcome::Failed { why: self.said(&end) },
        }
    }

    async fn accepted(&self, end: &CommandEnd, hand_off: String, cancel: &CancellationToken) -> Outcome {
        match self.inspection.accept(cancel).await {
            _ if cancel.is_cancelled() => Outcome::Cancelled,
            Verdict::Unknown(why) => Outcome::Unavailable { why: format!("`{}` ended well, but {why}", self.command) },
            Verdict::Refused(why) => Outcome::Failed { why: format!("`{}` ended well, but {why}", self.command) },
            Verdict::Accepted => {
                let summary = format!("Ran `{}` ({}).", self.command, end.in_words());
                Outcome::Done { report: Report { summary, hand_off, ..Report::default() } }
            }
        }
    }

    fn said(&self, end: &CommandEnd) -> String {
        let missing = if end.status == Status::Exited(127) { " (the shell did not find a program of that name)" } else { "" };
        headed(&self.command, &format!("{}{missing}", end.status), &self.shell.output_of(end))
    }
}

/// What a command that failed has said, below a line that tells a list of failures apart: how it ended, its last words, and which it was.
fn headed(command: &str, ended: &str, output: &str) -> String {
    const SHOWN: usize = 60;
    let last = output.lines().rev().map(in_line).find(|line| !line.is_empty()).map(|line| cut(&line, 2 * SHOWN));
    let last = last.map_or(String::new(), |line| format!(": {line}"));
    let short = cut(&in_line(command), SHOWN);
    let whole = if short == command { String::new() } else { format!("$ {command}\n") };
    format!("`{short}` {ended}{last}\n{whole}{output}")
}

/// The beginning of a line.
fn cut(line: &str, most: usize) -> String {
    if line.chars().count() <= most {
        line.to_owned()
    } else {
        format!("{} […]", line.chars().take(most).collect::<String>().trim_end())
    }
}

/// Runs the command until its minutes are over, be they as they were or as a person has changed them since. A command goes on while
/// the run is held, and so do its minutes.
async fn within(limits: &LiveLimits, command: (&Shell, &str), cancel: &CancellationToken) -> CommandEnd {
    let (stop, hold) = (cancel.child_token(), Hold::default());
    let run = command.0.run(command.1, FOREVER, &stop);
    tokio::pin!(run);
    tokio::select! {
        biased;
        end = &mut run => end,
        () = hold.minutes_pass(limits, Duration::ZERO) => {
            stop.cancel();
            match run.await {
                end if end.status == Status::Cancelled && !cancel.is_cancelled() => CommandEnd { status: Status::TimedOut, ..end },
                end => end,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn the_minutes_of_a_command_may_be_changed_while_it_runs() {
        let folder = tempfile::tempdir().unwrap();
        let go = folder.path().join("go");
        let shell = Shell {
            cwd: folder.path().to_owned(),
            env: vec![("PATH".into(), std::env::var_os("PATH").unwrap())],
            spill_dir: folder.path().join("spill"),
            enclosure: worker::sandbox::Enclosure::open(),
            permits: worker::process::Permits::default(),
        };
        let minutes = |minutes| shared::Limits { minutes: Some(minutes), ..Default::default() };
        for (lowered, expected) in [(true, Status::TimedOut), (false, Status::Exited(0))] {
            let (change, limits) = LiveLimits::new(minutes(1));
            let (shell, cancel) = (shell.clone(), CancellationToken::new());
            let (begun, has_begun) = oneshot::channel();
            let work = tokio::spawn(async move {
                let command = "touch at; until test -e go; do sleep 0.01; done";
                begun.send(()).unwrap();
                within(&limits, (&shell, command), &cancel).await.status
            });
            has_begun.await.unwrap();
            change.send_replace(minutes(if lowered { 0 } else { 9 }));
            if !lowered {
                std::fs::write(&go, "").unwrap();
            }
            assert_eq!(work.await.unwrap(), expected);
        }
    }

    #[test]
    fn the_first_line_of_a_failure_says_how_it_ended_and_its_last_words() {
        assert_eq!(
            headed("make", "exit 3", "compiling\nboom\u{1b}[0m\n\n"),
            "`make` exit 3: boom\\u{1b}[0m\ncompiling\nboom\u{1b}[0m\n\n"
        );
        assert_eq!(headed("make", "exit 3", ""), "`make` exit 3\n");
        let long = "echo a; ".repeat(20);
        let said = headed(&long, "exit 1", &"x".repeat(500));
        let first = said.lines().next().unwrap();
        assert!(first.chars().count() < 210 && first.starts_with("`echo a;") && first.contains("exit 1: xxx"), "{first}");
        assert!(said.contains(&format!("$ {long}")), "nothing of the command is lost");
    }
}
