//! The proof of a tree that nobody has proved yet: the person's branch and the result, merged.
//!
//! The run has proved its own tip. Where the person has gone on meanwhile, the two together are another tree, and two that are green alone
//! can be red together. So the plan's gate runs once more before the branch moves, in a place of the run's, as at any landing.
//!
//! **Invariant:** a merge that is only a proposal is taken only if the gate and the proof of each landed task pass on it.

use std::{collections::BTreeSet, sync::Arc};

use plans::{
    event::{CommitId, Proof as Kind, RedVerdict},
    run_state::{Phase, RunState},
};
use shared::RunId;
use tokio_util::sync::CancellationToken;
use worker::sandbox::{Tier, TierChoice};

use super::{Outcome, Result, refuse};
use crate::{
    config::Config,
    coordinator::{Candidate, Finding, Prover, Verdicts, distinct},
    error::Error,
    gate::{Claim, Gate},
    git::Git,
    launch::{Launch, sandbox},
    lease::Lease,
    models::Models,
    repository::Repository,
    site::Site,
    store::RunFolder,
    ui::{Screen, progress::Format},
};

/// The ref that holds what is being proved, and what was red: a person may want to look at it.
pub fn place(run: &RunId) -> String {
    format!("refs/inspan/{run}/_apply")
}

/// What a proof needs, until it is needed.
pub struct Means<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// The configuration.
    pub config: Config,
    /// Where is said what is going on.
    pub screen: Screen,
    /// The run's folder.
    pub folder: RunFolder,
    /// The right to work on it.
    pub lease: Lease,
}

/// Whoever proves merged trees.
pub struct Proof<'a> {
    means: Option<Means<'a>>,
    gate: Vec<Claim>,
    own: Vec<Claim>,
    known_red: BTreeSet<String>,
    settings: plans::event::Settings,
    why_not: &'static str,
    /// What failed on the tree that passed last, as it has since before the run.
    forgiven: BTreeSet<String>,
    open: Option<Open>,
    verdicts: Verdicts,
}

/// A place to prove things in.
struct Open {
    site: Arc<Site>,
    gate: Gate,
    launch: Launch,
}

impl<'a> Proof<'a> {
    /// Nobody: a clean merge is taken as it is, for this reason.
    pub fn none(why_not: &'static str) -> Self {
        Self {
            means: None,
            gate: Vec::new(),
            own: Vec::new(),
            known_red: BTreeSet::new(),
            settings: plans::event::Settings::default(),
            why_not,
            forgiven: BTreeSet::new(),
            open: None,
            verdicts: Verdicts::default(),
        }
    }

    /// The gate of a run, and the proofs of what landed in it.
    pub fn of(state: &RunState, means: Means<'a>, unproved: bool) -> Self {
        if unproved {
            return Self { means: Some(means), ..Self::none("Nothing has proved the merged tree.") };
        }
        let plan = state.plan().map(|plan| (plan, plan.gate().clone()));
        let Some((plan, gate)) = plan.filter(|(_, gate)| !state.settings().no_gate && !gate.commands.is_empty()) else {
            return Self { means: Some(means), ..Self::none("Nothing has proved the merged tree: the run has no gate.") };
        };
        let claim = |command: &String, proof, network| Claim {
            proof,
            of: None,
            command: command.clone(),
            timeout: gate.timeout,
            network,
        };
        let landed = state.landed().iter().filter_map(|id| plan.get(id));
        let own = landed.flat_map(|task| task.verify.iter().map(|command| claim(command, Kind::Task, task.network))).collect();
        Self {
            means: Some(means),
            gate: gate.commands.iter().map(|command| claim(command, Kind::Gate, gate.network)).collect(),
            own,
            known_red: state.known_red().iter().map(|red| red.command.clone()).collect(),
            settings: state.settings().clone(),
            ..Self::none("")
        }
    }

    /// Whether there is anything to prove a tree by.
    pub fn is_possible(&self) -> bool {
        !self.gate.is_empty()
    }

    /// Why there is nothing.
    pub fn why_not(&self) -> &'static str {
        self.why_not
    }

    /// What a tree that passed is told to have passed, and what not.
    pub(super) fn passed(&self) -> String {
        let red: Vec<String> = self.forgiven.iter().map(|command| format!("`{command}`")).collect();
        if red.is_empty() {
            return "The merged tree passes the gate.".to_owned();
        }
        format!("The merged tree passes the gate but for {}, red since before the run.", red.join(", "))
    }

    /// What fails on a tree, if anything does; a proposal is held to more.
    pub(super) async fn red(
        &mut self,
        git: &Git,
        result: &Result<'_>,
        head: &CommitId,
        (tree, is_proposal): (&str, bool),
    ) -> Outcome<Option<RedVerdict>> {
        let parents = [head, result.tip];
        let commit = git.commit_tree(tree, &parents, "A result and the branch that it is brought into, to be proved\n").await?;
        git.set_ref(&place(result.run), &commit).await?;
        let claims = if is_proposal { distinct(self.own.iter().chain(&self.gate).cloned()) } else { self.gate.clone() };
        self.say(if is_proposal {
            "Trying a merge of what both changed:"
        } else {
            "Proving your branch and the result together:"
        });
        self.open(result.base).await?;
        let open = self.open.as_ref().expect("it was opened");
        let mut prover = Prover::new(&open.gate, &self.verdicts, self.known_red.clone(), CancellationToken::new());
        match prover.prove(&Candidate { commit, tree: tree.to_owned() }, &claims).await? {
            Finding::Green { still_red } => {
                self.forgiven = still_red;
                Ok(None)
            }
            Finding::Red { red, .. } => Ok(Some(red.verdict)),
            Finding::Trouble(silence) => Err(refuse(
                &format!("the merged tree could not be proved: {}", silence.why),
                "mend that and apply again, or bring it in unproved with `--no-gate`",
            )),
        }
    }

    fn say(&self, what: &str) {
        let commands: Vec<String> = self.gate.iter().map(|claim| format!("`{}`", claim.command)).collect();
        let screen = self.means.as_ref().map(|means| &means.screen).or(self.open.as_ref().map(|open| &open.launch.screen));
        if let Some(screen) = screen {
            screen.say(&format!("{what} {}", commands.join(", ")));
        }
    }

    async fn open(&mut self, base: &CommitId) -> Outcome<()> {
        let Some(Means { repository, config, screen, folder, lease }) = self.means.take() else { return Ok(()) };
        let settings = self.settings.clone();
        let tier = Tier::named(&settings.sandbox).filter(|tier| *tier != Tier::None);
        let sandbox = sandbox(tier.map_or(config.sandbox.tier, TierChoice::Only)).await?;
        let (repository, format) = (repository.clone(), Format::Text);
        let launch = Launch { repository, config, screen, format, folder, lease, settings, sandbox, told: 0 };
        let site = launch.site(Models::default())?;
        let gate = Gate::open(&site, "_gate", base).await?;
        self.open = Some(Open { site, gate, launch });
        Ok(())
    }

    /// Clears away what the proof has needed.
    pub async fn close(self, state: &RunState) {
        if let Some(open) = self.open
            && matches!(state.phase(), Phase::Over(_))
        {
            open.site.take_down(state).await;
        }
    }
}

/// Why a red tree is not brought in.
pub(super) fn refusal(run: &RunId, red: &RedVerdict) -> Error {
    const SHOWN: usize = 20;
    let lines: Vec<&str> = red.output.trim_end().lines().collect();
    let tail = lines[lines.len().saturating_sub(SHOWN)..].join("\n");
    let what =
        format!("your branch and the result are red together: `{}` {}; nothing was changed\n{tail}", red.command, red.ended);
    let hint = format!(
        "look at the two merged with `git switch --detach {}`; mend your branch and apply again, or bring the result in as it is with `--no-gate`",
        place(run)
    );
    Error::Refused { what: what.trim_end().to_owned(), hint }
}
