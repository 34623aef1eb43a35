//! The planner: an agent that may look at everything and change nothing but the plan.
//!
//! Each time it is asked, it begins a conversation of its own that holds all it needs: the goal, the repository, the plan as it
//! stands, what went wrong. So a run that was taken up by another process plans no worse than one that was never interrupted, and
//! what a person reads in the transcript is what led to the plan.
//!
//! **Invariant:** what comes out was admitted (`plans::admission`). A refused one goes back with all its problems, at most three times.

mod session;
mod tools;

use std::sync::Arc;

use kameo::{
    Actor,
    actor::ActorRef,
    message::{Context, Message},
    reply::DelegatedReply,
};
use plans::{
    Plan, Survey,
    admission::{Admitted, PlanRules},
    edit::{self, PlanEdit},
    event::CommitId,
    file,
};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use worker::{hold::Hold, model::Model};

use self::{
    session::{Conversation, Errand},
    tools::Judged,
};
use crate::{error::Error, ledger::Ledger, site::Site};

/// The actor.
pub struct Planner {
    desk: Arc<Desk>,
}

/// What every conversation of the planner uses.
struct Desk {
    site: Arc<Site>,
    model: Arc<dyn Model>,
    ledger: ActorRef<Ledger>,
    /// Whether a person holds the run.
    hold: Hold,
    cancel: CancellationToken,
    /// Where it looks at the repository; made when it is first asked.
    lookout: Mutex<Option<crate::worktree::Worktree>>,
}

/// A plan with what the linter remarked.
pub type Drafted = Admitted;

/// Edits of a plan that hold together.
#[derive(Debug, Clone)]
pub struct Mended {
    /// The edits, to be applied to the plan as it stands when they take effect.
    pub edits: Vec<PlanEdit>,
}

impl Planner {
    /// At its desk.
    pub fn new(
        (site, model): (Arc<Site>, Arc<dyn Model>),
        ledger: ActorRef<Ledger>,
        hold: Hold,
        cancel: CancellationToken,
    ) -> Self {
        Self { desk: Arc::new(Desk { site, model, ledger, hold, cancel, lookout: Mutex::new(None) }) }
    }
}

impl Actor for Planner {
    type Args = Self;
    type Error = std::convert::Infallible;

    async fn on_start(args: Self, _: ActorRef<Self>) -> Result<Self, Self::Error> {
        Ok(args)
    }
}

/// Make a plan for a goal.
pub struct Draft {
    /// The goal.
    pub goal: String,
    /// The commit to plan for.
    pub base: CommitId,
    /// A plan that a person has commented on, and the comment.
    pub revise: Option<(Plan, String)>,
    /// What it is held against.
    pub rules: PlanRules,
}

/// Mend a plan in the light of evidence.
pub struct Mend {
    /// The plan.
    pub plan: Plan,
    /// The tip of the run branch.
    pub tip: CommitId,
    /// How far the tasks have come: what has landed or is landing is not to be changed.
    pub progress: edit::Progress,
    /// Tasks that came to the same end twice, and to which.
    pub repeating: edit::Repeating,
    /// How every task stands, and what stopped those in trouble.
    pub evidence: String,
    /// What a person said of an earlier answer.
    pub comment: Option<String>,
    /// What the mended plan is held against.
    pub rules: PlanRules,
}

impl Message<Draft> for Planner {
    type Reply = DelegatedReply<Result<Drafted, Error>>;

    async fn handle(&mut self, draft: Draft, ctx: &mut Context<Self, Self::Reply>) -> Self::Reply {
        let desk = self.desk.clone();
        ctx.spawn(async move { desk.draft(draft).await })
    }
}

impl Message<Mend> for Planner {
    type Reply = DelegatedReply<Result<Mended, Error>>;

    async fn handle(&mut self, mend: Mend, ctx: &mut Context<Self, Self::Reply>) -> Self::Reply {
        let desk = self.desk.clone();
        ctx.spawn(async move { desk.mend(mend).await })
    }
}

impl Desk {
    async fn draft(self: Arc<Self>, Draft { goal, base, revise, rules }: Draft) -> Result<Drafted, Error> {
        let (desk, wanted) = (self.clone(), goal.clone());
        let judge = move |arguments: &Value| desk.judge_plan(&rules, &wanted, arguments);
        let errand = match &revise {
            None => Errand::Plan { goal: &goal },
            Some((plan, comment)) => Errand::Revise { goal: &goal, plan, comment },
        };
        let tool = tools::submit_plan();
        self.converse(&base, Conversation { errand, tool, judge: Box::new(judge) }).await
    }

    async fn mend(self: Arc<Self>, mend: Mend) -> Result<Mended, Error> {
        let mend = Arc::new(mend);
        let (survey, asked) = (self.site.survey.clone(), mend.clone());
        let judge = move |arguments: &Value| judge_edits(&asked, &survey, arguments);
        let errand = Errand::Mend { plan: &mend.plan, evidence: &mend.evidence, comment: mend.comment.as_deref() };
        let tool = tools::edit_plan();
        self.converse(&mend.tip, Conversation { errand, tool, judge: Box::new(judge) }).await
    }

    fn judge_plan(&self, rules: &PlanRules, goal: &str, arguments: &Value) -> Judged<Drafted> {
        rules.submitted(goal, arguments, &self.site.survey).map_err(|problems| say(&problems))
    }
}

fn judge_edits(Mend { plan, progress, repeating, rules, .. }: &Mend, survey: &Survey, arguments: &Value) -> Judged<Mended> {
    let edits = edit::read_edits(arguments).map_err(|problems| say(&problems))?;
    edit::refuse_blind(plan, &edits, repeating).map_err(|problems| say(&problems))?;
    let mended = rules.mended(plan, &edits, progress, survey);
    mended.map(|_| Mended { edits }).map_err(|problems| say(&problems))
}

fn say(problems: &[plans::Problem]) -> String {
    let list: Vec<String> = problems.iter().map(|problem| format!("- {problem}")).collect();
    format!("The plan is refused. Mend all of these, then submit the whole again:\n{}", list.join("\n"))
}

/// The plan as the planner reads it.
fn as_json(plan: &Plan) -> String {
    serde_json::to_string_pretty(&file::write_json(plan)).unwrap_or_default()
}
