//! Running proofs: one command, which must exit with 0 on exactly one tree.
//!
//! A gate's worktree is kept for the whole run, with its build output: only what differs between two landings is built again.
//!
//! **Invariant:** the worktree is put to the tree's files before every command. A command that rewrites files (a formatter, a test that
//! writes snapshots) neither helps nor harms the next one; what it builds and git ignores is there for the next one, so a verdict belongs
//! to a tree and to all commands of its proof, in their order.
//! **Invariant:** what the machine lacks is no verdict; see [`Trouble`].
//!
//! A red is read to its end, not only what is shown of it: what fails has a name there, or in a report that the command wrote.
//!
//! What is done about a red is in `coordinator`.

mod reports;

use std::{
    ffi::OsStr,
    time::{Duration, SystemTime},
};

use plans::{
    event::{CommitId, Proof, RedVerdict},
    failures::Failures,
};
use shared::{Glob, Network, TaskId};
use tokio_util::sync::CancellationToken;
use worker::{
    process::{CommandEnd, Shell, Status, end_strays},
    sandbox::Writes,
};

use crate::{
    coordinator::trouble::{Failure, Trouble, classify, is_on_path, is_taken},
    disk::is_full,
    error::Error,
    quarters::Holder,
    site::Site,
    worktree::Worktree,
};

/// A place to prove things in.
pub struct Gate {
    worktree: Worktree,
    shell: Shell,
    mark: String,
    /// Where commands leave reports, beside the usual places.
    reports: Vec<Glob>,
}

/// What is to be proved about a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Which proof the command belongs to.
    pub proof: Proof,
    /// Whose it is; none where it is the gate's.
    pub of: Option<TaskId>,
    /// The command.
    pub command: String,
    /// How long it may take.
    pub timeout: Duration,
    /// What it can reach.
    pub network: Network,
}

/// What a command has said about a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It exited with 0.
    Green,
    /// It did not.
    Red(Red),
    /// Nothing: it is the machine that failed.
    Nothing(Silence),
}

/// Why a command has said nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// What happened and what to do.
    pub why: String,
    /// Whether it may have to do with the tree: with other files the command may come to its end.
    pub may_be_the_tree: bool,
}

/// A command that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Red {
    /// As evidence.
    pub verdict: RedVerdict,
    /// Whether it might pass when it is run once more.
    pub may_be_flaky: bool,
}

impl Gate {
    /// In a worktree that is kept for the whole run. Making it is a whole checkout.
    pub async fn open(site: &Site, holder: &str, base: &CommitId) -> Result<Self, Error> {
        let worktree = site.standing_worktree(holder, base).await?;
        let mark = site.mark(holder);
        let env = site.environment.of_gate(site.run(), worktree.folder(), &mark);
        let holder = Holder { worktree: &worktree, env, writes: Writes::Tree, network: Network::default() };
        let shell = site.quarters.shell(&site.repository.git, holder);
        Ok(Self { worktree, shell, mark, reports: site.reports.clone() })
    }

    /// Forgets what the commands of one proof have left at home, or running in a session.
    pub fn begin(&self) -> Result<(), Error> {
        self.worktree.renew_scratch()
    }

    /// Runs one command on the files of a commit.
    pub async fn run(&self, commit: &CommitId, claim: &Claim, cancel: &CancellationToken) -> Result<Said, Error> {
        let shell = self.shell_in(claim.network);
        self.worktree.check_out(commit).await?;
        let began = SystemTime::now();
        let end = shell.run(&claim.command, claim.timeout, cancel).await;
        end_strays(&self.mark);
        match &end.status {
            Status::Cancelled => Err(Error::Interrupted),
            // That says nothing about the commit, and nobody is to blame.
            Status::NotStarted(why) => Err(not_started(&claim.command, why)),
            _ if end.succeeded() => Ok(Said::Green),
            _ => {
                let failures = self.failures(&end, began).await;
                Ok(self.failed(claim, &end, (&shell, failures)))
            }
        }
    }

    /// What fails by name, out of all that was said and of the reports that were written.
    async fn failures(&self, end: &CommandEnd, began: SystemTime) -> Failures {
        let (output, tree, globs) = (end.output.clone(), self.worktree.tree(), self.reports.clone());
        // A red without names is a red all the same.
        tokio::task::spawn_blocking(move || reports::failures(&output, &tree, &globs, began)).await.unwrap_or_default()
    }

    fn failed(&self, claim: &Claim, end: &CommandEnd, (shell, failures): (&Shell, Failures)) -> Said {
        let output = shell.output_of(end);
        let path = shell.env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_os_str());
        let has_tool = |name: &str| is_on_path(path.unwrap_or(OsStr::new("/usr/bin:/bin")), name);
        let disk_is_full = is_full(self.worktree.folder());
        let (command, status) = (claim.command.as_str(), &end.status);
        let failure = Failure {
            proof: claim.proof,
            command,
            status,
            output: &output,
            network: claim.network,
            disk_is_full,
            has_tool: &has_tool,
            is_taken: &is_taken,
        };
        match classify(&failure) {
            Some(trouble) => Said::Nothing(Silence {
                why: trouble.in_words(command, &status.to_string()),
                may_be_the_tree: matches!(trouble, Trouble::TimedOut | Trouble::OutOfMemory),
            }),
            None => Said::Red(Red {
                verdict: RedVerdict::new(claim.proof, command, status.to_string(), output).showing(failures),
                // Whatever took all of its time will take it again.
                may_be_flaky: *status != Status::TimedOut,
            }),
        }
    }

    /// A shell with a session of its own.
    fn shell_in(&self, network: Network) -> Shell {
        Shell { enclosure: self.shell.enclosure.in_network(network), ..self.shell.clone() }
    }
}

fn not_started(command: &str, why: &str) -> Error {
    let what = format!("`{command}` could not be started to prove a landing: {why}");
    Error::Refused { what, hint: "`inspan doctor` shows what is missing".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::testing::Ground;

    async fn check(commands: &[&str]) -> Option<RedVerdict> {
        let ground = Ground::new().await;
        let commit = ground.commit("later", "echo later > src/a").await;
        let gate = Gate::open(&ground.site, "_gate", &ground.base).await.unwrap();
        for command in commands {
            let (command, timeout) = ((*command).to_owned(), Duration::from_secs(60));
            let claim = Claim { proof: Proof::Gate, of: None, command, timeout, network: Network::default() };
            match gate.run(&commit, &claim, &CancellationToken::new()).await.unwrap() {
                Said::Green => {}
                Said::Red(red) => return Some(red.verdict),
                Said::Nothing(silence) => panic!("{}", silence.why),
            }
        }
        None
    }

    #[tokio::test]
    async fn each_command_runs_on_the_commit_whatever_the_one_before_wrote() {
        let red = check(&["echo mended > src/a; rm lock; touch new; mkdir -p nested/.git", "grep mended src/a"]).await;
        assert_eq!(red.unwrap().command, "grep mended src/a");
        let green = check(&["echo mended > src/a; rm lock; touch new", "grep later src/a && test -e lock -a ! -e new"]).await;
        assert_eq!(green, None);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_an_earlier_process_left_running_is_ended_before_the_gate_is_opened() {
        use std::os::unix::process::ExitStatusExt as _;

        let ground = Ground::new().await;
        let mark = ground.site.mark("_gate");
        let mut stray = std::process::Command::new("sleep").arg("600").env("INSPAN_MARK", mark).spawn().unwrap();
        let _gate = Gate::open(&ground.site, "_gate", &ground.base).await.unwrap();
        assert_eq!(stray.wait().unwrap().signal(), Some(9));
    }

    #[tokio::test]
    async fn git_shows_the_commit_without_a_difference() {
        assert_eq!(
            check(&["test \"$(git rev-parse HEAD)\" && test -z \"$(git status --porcelain)\"", "git diff --exit-code"]).await,
            None
        );
    }
}
