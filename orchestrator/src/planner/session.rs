//! One conversation of the planner: the words it begins with, and what its end means.

use std::sync::Arc;

use minijinja::{Environment, UndefinedBehavior, context, syntax::SyntaxConfig};
use plans::{Plan, event::CommitId};
use serde_json::Value;
use shared::Limits;
use tokio::sync::mpsc;
use worker::{
    agent::{Agent, AgentEnd, Conversation as Talk, Terminal},
    context::room::longest_result,
    model::{Label, Message, Role},
    tool::{ReadTools, ToolSpec},
    transcript::Transcript,
};

use super::{
    Desk, as_json,
    tools::{Judge, PlannerTools, REFUSALS},
};
use crate::{error::Error, ledger::AttemptBudget};

/// What the planner is asked to do.
pub(super) enum Errand<'a> {
    /// A plan for a goal.
    Plan { goal: &'a str },
    /// Another plan, after a person's comment.
    Revise { goal: &'a str, plan: &'a Plan, comment: &'a str },
    /// Edits, after evidence.
    Mend { plan: &'a Plan, evidence: &'a str, comment: Option<&'a str> },
}

/// What a conversation is about and how it ends.
pub(super) struct Conversation<'a, T> {
    pub(super) errand: Errand<'a>,
    pub(super) tool: ToolSpec,
    pub(super) judge: Judge<T>,
}

/// A planner that has not answered by then has lost its way.
const LIMITS: Limits = Limits { turns: Some(60), tokens: None, cost: None, minutes: Some(30) };

impl Desk {
    pub(super) async fn converse<T: Send + 'static>(&self, at: &CommitId, what: Conversation<'_, T>) -> Result<T, Error> {
        let session = self.next_session();
        let model = self.model.as_recorded(None, session).unwrap_or_else(|| self.model.clone());
        let read = self.look_from(at, model.context_window()).await?;
        let terminal = Terminal { tool: what.tool.name, refusals: REFUSALS + 1 };
        let tools = Arc::new(PlannerTools::new(read, what.tool, what.judge));
        let path = self.site.folder.planner_transcript(session);
        let transcript = Transcript::create(&path).map_err(Error::disk(&path))?;
        let system = format!("{}\n\n{}", include_str!("prompt/planner_system.md").trim_end(), self.site.repository_brief);
        let mut talk =
            Talk::new(vec![Message::system(&system), Message::user(say(&what.errand))], transcript, self.site.secrecy.clone());
        let agent = Agent {
            toolbox: tools.clone(),
            budget: Arc::new(AttemptBudget::new(self.ledger.clone(), None, model.as_ref())),
            observer: self.site.board.planner(),
            limits: LIMITS.into(),
            hold: self.hold.clone(),
            label: Label { run: self.site.run().clone(), role: Role::Planner, task: None, attempt: session, turn: 0 },
            max_tokens: model.max_output(),
            model,
            terminal,
            summariser: self.site.models.summariser.clone(),
            // Each errand has a tool of its own.
            kin: None,
        };
        // Nobody steers the planner: a person's comment begins a conversation of its own.
        let (_steer, mut steer) = mpsc::channel(1);
        let end = agent.run(&mut talk, &mut steer, &self.cancel).await;
        self.site.board.planner_rests();
        tools.take().ok_or_else(|| without_answer(end))
    }

    /// Puts the lookout to a commit's files.
    async fn look_from(&self, at: &CommitId, window: u64) -> Result<ReadTools, Error> {
        let mut lookout = self.lookout.lock().await;
        let worktree = match lookout.take() {
            Some(worktree) => {
                worktree.check_out(at).await?;
                worktree
            }
            None => self.site.standing_worktree("_planner", at).await?,
        };
        let read = ReadTools::new(worktree.tree(), worktree.folder().join("spill"), self.site.secrecy.clone())
            .map(|read| read.showing(longest_result(window)))
            .map_err(Error::disk(&worktree.tree()));
        *lookout = Some(worktree);
        read
    }

    /// Conversations are counted over the whole run, by their transcripts.
    fn next_session(&self) -> u32 {
        let mut session = 1;
        while self.site.folder.planner_transcript(session).exists() {
            session += 1;
        }
        session
    }
}

fn say(errand: &Errand<'_>) -> String {
    let mut prompts = Environment::new();
    prompts.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    prompts.set_syntax(syntax.expect("the delimiters are the usual ones"));
    let (text, values) = match *errand {
        Errand::Plan { goal } => (include_str!("prompt/plan.md"), context! { goal }),
        Errand::Revise { goal, plan, comment } => {
            (include_str!("prompt/revise.md"), context! { goal, plan => as_json(plan), comment })
        }
        Errand::Mend { plan, evidence, comment } => {
            (include_str!("prompt/mend.md"), context! { goal => plan.goal(), plan => as_json(plan), evidence, comment })
        }
    };
    prompts.render_str(text, values).expect("the tests render every prompt with every value")
}

fn without_answer(end: AgentEnd) -> Error {
    let hint = "the run is kept; go on with `inspan resume` when that is mended".to_owned();
    match end {
        AgentEnd::Ended(value) => {
            let why = value.get("refused").and_then(Value::as_str).unwrap_or("it ended without one").to_owned();
            Error::NoPlan { why: format!("its last one was refused as well.\n{why}") }
        }
        AgentEnd::Exhausted { limit, last } => {
            Error::NoPlan { why: format!("it reached {limit}. Its last words: {}", last.trim()) }
        }
        AgentEnd::Unavailable { why } => Error::Model { what: why, hint },
        AgentEnd::Failed { why } => Error::Model { what: format!("the planner broke: {why}"), hint },
        AgentEnd::OverBudget => Error::OverBudget("nothing is left for the planner's next request".to_owned()),
        AgentEnd::Cancelled => Error::Interrupted,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn every_errand_renders_with_what_it_needs() {
        let text = "version = 1\ngoal = \"g\"\n[gate]\ncommands = [\"true\"]\n[[task]]\nid = \"a\"\ntitle = \"A\"\ninstructions = \"do\"\nwrite = [\"a\"]\n";
        let plan = plans::file::parse_toml(text).unwrap();
        let all = [
            say(&Errand::Plan { goal: "the {{ goal }}" }),
            say(&Errand::Revise { goal: "g", plan: &plan, comment: "smaller" }),
            say(&Errand::Mend { plan: &plan, evidence: "a: red", comment: None }),
            say(&Errand::Mend { plan: &plan, evidence: "a: red", comment: Some("no new task") }),
        ];
        let heads: Vec<String> =
            all.iter().map(|text| text.lines().filter(|line| line.starts_with('#')).collect::<Vec<_>>().join(" | ")).collect();
        expect![[r#"
            # The goal
            # The goal | # The plan so far | # What the person who reviews it says
            # The goal | # The plan as it stands | # How it goes | # What to do
            # The goal | # The plan as it stands | # How it goes | # What the person who reviews your answer says | # What to do"#]].assert_eq(&heads.join("\n"));
        assert!(all[0].contains("the {{ goal }}"), "a goal is text, not a template");
        assert!(all[3].contains("no new task"));
    }
}
