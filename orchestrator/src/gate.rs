//! Running proofs: commands that must exit with 0 on exactly one tree.
//!
//! The gate's worktree is kept for the whole run, with its build output: only what differs between two landings is built again.
//!
//! **Invariant:** a verdict belongs to a commit: the worktree is put to that commit's files before every command. A command that
//! rewrites files (a formatter, a test that writes snapshots) neither helps nor harms the next one.

use std::{collections::HashMap, time::Duration};

use plans::event::{CommitId, Proof, RedVerdict};
use shared::Network;
use tokio_util::sync::CancellationToken;
use worker::{
    process::{CommandEnd, Shell, Status, end_strays},
    sandbox::Writes,
};

use crate::{error::Error, quarters::Holder, site::Site, worktree::Worktree};

/// A place to prove things in.
pub struct Gate {
    worktree: Worktree,
    shell: Shell,
    mark: String,
    /// What is known about commits that were asked about before: whether a command passes there.
    known: HashMap<(CommitId, String, Network), bool>,
}

/// What is to be proved about a commit.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    /// Which proof the commands belong to.
    pub proof: Proof,
    /// The commands, in order.
    pub commands: &'a [String],
    /// For each.
    pub timeout: Duration,
    /// What they can reach.
    pub network: Network,
}

impl Gate {
    /// In a worktree that is kept for the whole run. Making it is a whole checkout.
    pub async fn open(site: &Site, base: &CommitId) -> Result<Self, Error> {
        const HOLDER: &str = "_gate";
        let worktree = site.standing_worktree(HOLDER, base).await?;
        let mark = site.mark(HOLDER);
        let env = site.environment.of_gate(site.run(), worktree.folder(), &mark);
        let holder = Holder { worktree: &worktree, env, writes: Writes::Tree, network: Network::default() };
        let shell = site.quarters.shell(&site.repository.git, holder);
        Ok(Self::new(worktree, shell, mark))
    }

    /// In a worktree of its own. `mark` is in the environment of the shell, to find strays.
    fn new(worktree: Worktree, shell: Shell, mark: String) -> Self {
        Self { worktree, shell, mark, known: HashMap::new() }
    }

    /// Runs the commands on the files of a commit until one fails.
    pub async fn check(
        &mut self,
        commit: &CommitId,
        claim: Claim<'_>,
        cancel: &CancellationToken,
    ) -> Result<Option<RedVerdict>, Error> {
        // What one landing's commands have left at home, or running in a session, is not there for the next.
        self.worktree.renew_scratch()?;
        let shell = self.shell_in(claim.network);
        for command in claim.commands {
            self.worktree.check_out(commit).await?;
            let end = shell.run(command, claim.timeout, cancel).await;
            end_strays(&self.mark);
            match &end.status {
                Status::Cancelled => return Err(Error::Interrupted),
                // That says nothing about the commit, and nobody is to blame.
                Status::NotStarted(why) => return Err(not_started(command, why)),
                _ => {}
            }
            self.known.insert((commit.clone(), command.clone(), claim.network), end.succeeded());
            if !end.succeeded() {
                return Ok(Some(red(claim.proof, command, &end, shell.output_of(&end))));
            }
        }
        Ok(None)
    }

    /// A shell with a session of its own.
    fn shell_in(&self, network: Network) -> Shell {
        Shell { enclosure: self.shell.enclosure.in_network(network), ..self.shell.clone() }
    }

    /// Whether a command passes on another commit: the one before, to tell who broke it.
    pub async fn passes(
        &mut self,
        commit: &CommitId,
        command: &str,
        claim: Claim<'_>,
        cancel: &CancellationToken,
    ) -> Result<bool, Error> {
        if let Some(known) = self.known.get(&(commit.clone(), command.to_owned(), claim.network)) {
            return Ok(*known);
        }
        let commands = [command.to_owned()];
        Ok(self.check(commit, Claim { commands: &commands, ..claim }, cancel).await?.is_none())
    }
}

fn not_started(command: &str, why: &str) -> Error {
    let what = format!("`{command}` could not be started to prove a landing: {why}");
    Error::Refused { what, hint: "`inspan doctor` shows what is missing".to_owned() }
}

/// A failed command as evidence.
fn red(proof: Proof, command: &str, end: &CommandEnd, output: String) -> RedVerdict {
    RedVerdict { proof, command: command.to_owned(), ended: end.status.to_string(), output, red_before: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::testing::Ground;

    async fn check(commands: &[&str]) -> Option<RedVerdict> {
        let ground = Ground::new().await;
        let commit = ground.commit("later", "echo later > src/a").await;
        let mut gate = Gate::open(&ground.site, &ground.base).await.unwrap();
        let commands: Vec<String> = commands.iter().map(|&command| command.to_owned()).collect();
        let claim =
            Claim { proof: Proof::Gate, commands: &commands, timeout: Duration::from_secs(60), network: Network::default() };
        gate.check(&commit, claim, &CancellationToken::new()).await.unwrap()
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
        let _gate = Gate::open(&ground.site, &ground.base).await.unwrap();
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
