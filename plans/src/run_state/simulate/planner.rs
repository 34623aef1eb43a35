//! The planner of a simulated world: typed edits from the evidence of each task in trouble, now and then useless ones, none, or none in time.
//!
//! It sees what the state holds and not what is so. Its edits go through `edit::refuse_blind` and `edit::apply` on the plan as it
//! stands when they arrive.

use shared::{Glob, Limits, Outcome, TaskId};

use super::{
    super::TaskRecord,
    truth::{CLEAR, ROOM, STRONG, extra},
    whole::{Due, Step, World},
};
use crate::{
    Plan, Task,
    edit::{self, Change, PlanEdit, Rewrite},
    event::Event,
    evidence::Setback,
};

/// What the planner will say.
pub(super) enum Answer {
    Edits(Vec<PlanEdit>),
    None(&'static str),
    /// No endpoint: the run halts.
    Gone,
}

impl World {
    pub(super) fn ask_planner(&mut self, number: u32, causes: &[TaskId]) {
        let answer = self.answer(causes);
        self.process.thinking = Some(answer);
        let after = if self.random.u32(0..10) == 0 { 3_600 } else { self.random.u64(30..600) };
        self.clock.put(after, Due::Mended(number));
    }

    fn answer(&mut self, causes: &[TaskId]) -> Answer {
        let whim = if self.class.is_kind() { 9 } else { self.random.u32(0..12) };
        let plan = self.state.plan().expect("there is a plan").clone();
        let retry = |task: &TaskId| because(Change::Retry { task: task.clone() });
        match whim {
            0 => Answer::None("it submitted no plan"),
            1 => Answer::Edits(vec![because(Change::Retry { task: TaskId::new("nobody").unwrap() })]),
            2 => Answer::Edits(causes.iter().map(retry).collect()),
            4 => Answer::Edits(causes.iter().flat_map(|id| self.under_another_name(&plan, id)).collect()),
            3 if self.kills_left > 0 => Answer::Gone,
            _ => {
                let records: Vec<TaskRecord> = causes.iter().filter_map(|id| self.state.task(id)).cloned().collect();
                let edits: Vec<PlanEdit> = records.iter().flat_map(|record| self.remedy(&plan, record)).collect();
                if edits.is_empty() { Answer::None("nothing is wrong") } else { Answer::Edits(edits) }
            }
        }
    }

    /// What a sensible planner does about one task.
    fn remedy(&mut self, plan: &Plan, record: &TaskRecord) -> Vec<PlanEdit> {
        let (task, id) = (plan.get(&record.id).expect("it is in trouble"), record.id.clone());
        let Some(last) = record.setbacks.last() else { return vec![because(Change::Retry { task: id })] };
        let rewrite = |with: Rewrite| because(Change::Rewrite { task: id.clone(), with });
        let clear = format!("{CLEAR}: {}", task.instructions);
        vec![match &last.setback {
            _ if record.setbacks.len() > 9 => because(Change::Drop { task: id }),
            Setback::Ended(Outcome::ScopeViolation { paths }) if paths.contains(&extra(&id)) => because(Change::Widen {
                task: id.clone(),
                write: vec![Glob::new(extra(&id).as_str()).unwrap()],
                shared: Vec::new(),
            }),
            Setback::Ended(Outcome::Exhausted { .. }) if self.random.u32(0..3) == 0 && !id.as_str().contains('-') => split(task),
            Setback::Ended(Outcome::Exhausted { .. }) => {
                rewrite(Rewrite { limits: Some(Limits { turns: Some(ROOM), ..task.limits }), ..Rewrite::default() })
            }
            Setback::Ended(Outcome::Failed { .. }) => rewrite(Rewrite { model: Some(STRONG.to_owned()), ..Rewrite::default() }),
            Setback::Ended(Outcome::Blocked { .. }) | Setback::Red(_) => {
                rewrite(Rewrite { instructions: Some(clear), ..Rewrite::default() })
            }
            Setback::Conflicted { with, .. } if with.iter().any(|with| plan.get(with).is_some()) => {
                let before = with.iter().find(|with| plan.get(with).is_some()).expect("just seen").clone();
                because(Change::Order { before, after: id })
            }
            _ => because(Change::Retry { task: id }),
        }]
    }

    /// The same once more, as if it were something else.
    fn under_another_name(&self, plan: &Plan, id: &TaskId) -> Vec<PlanEdit> {
        let Some(task) = plan.get(id).filter(|task| task.id.as_str().len() < 20) else { return Vec::new() };
        let name = TaskId::new(&format!("{}-as-{}", task.id, self.journal.len())).unwrap();
        let new = Box::new(Task { id: name, ..task.clone() });
        vec![because(Change::Drop { task: id.clone() }), because(Change::Add { new })]
    }

    pub(super) fn mended(&mut self, number: u32) -> Step {
        let Some(answer) = self.process.thinking.take() else { return Ok(()) };
        let edits = match answer {
            Answer::Edits(edits) => edits,
            Answer::None(why) => return self.record(Event::ReplanFailed { number, why: why.to_owned(), cut_off: false }),
            Answer::Gone => return self.record(Event::RunHalted { why: "the planner cannot be had".to_owned() }),
        };
        self.revise(Some(number), &edits)
    }

    /// The edits take effect on the plan as it stands, or not at all.
    pub(super) fn revise(&mut self, replan: Option<u32>, edits: &[PlanEdit]) -> Step {
        let plan = self.state.plan().expect("there is a plan");
        let progress = if replan.is_some() { self.state.progress() } else { self.state.progress().for_person() };
        let looked_at = match replan {
            Some(_) => edit::refuse_blind(plan, edits, &self.state.repeating()),
            None => Ok(()),
        };
        let revised = match (looked_at.and_then(|()| edit::apply(plan, edits, &progress)), replan) {
            (Ok(revised), _) => revised,
            (Err(problems), Some(number)) => {
                let why = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                return self.record(Event::ReplanFailed { number, why, cut_off: false });
            }
            (Err(_), None) => return Ok(()),
        };
        let (revision, plan, difference) = (self.state.revision() + 1, Box::new(revised.plan), String::new());
        let (fresh, dropped) = (revised.retried, revised.dropped);
        self.record(Event::PlanRevised { revision, replan, plan, fresh, dropped, difference })
    }
}

fn split(task: &Task) -> PlanEdit {
    let part = |name: &str, depends_on: Vec<TaskId>| Task {
        id: TaskId::new(&format!("{}-{name}", task.id)).unwrap(),
        depends_on,
        scope: shared::Scope { write: vec![Glob::new(&format!("{}-{name}/**", task.id)).unwrap()], ..task.scope.clone() },
        ..task.clone()
    };
    because(Change::Split { task: task.id.clone(), into: vec![part("a", Vec::new()), part("b", Vec::new())] })
}

pub(super) fn because(change: Change) -> PlanEdit {
    PlanEdit { change, because: "the evidence says so".to_owned() }
}
