//! What an order comes to in the state that a run is in: events, and words that say what happens now; or why nothing does.
//!
//! **Invariant:** the same order in the same state comes to the same, be it given to the process that carries the run or journaled for
//! the next one. **Invariant:** a refusal says what stands against the order, and what to do.
//!
//! Pure: what the state does not know comes in as [`Means`]. Limits are weighed in [`limits`].

mod limits;
#[cfg(test)]
mod tests;

use std::time::Duration;

use plans::{
    Plan, Problem, Task, WorkerKind,
    edit::{self, Change, PlanEdit, Revised},
    event::{Event, RunLimit, RunStatus},
    run_state::{Phase, RunState, TaskRecord},
    spelling,
    task_state::TaskState,
};
use shared::{Attempt, AttemptKey, Limits, TaskId};

use super::order::{ForTask, Order, Refused};
use crate::ui::summary::{was_skipped, with_more};

/// The longest text of a person, in bytes.
const LONGEST: usize = 32 << 10;

/// What becomes of a plan by edits, or what is wrong with them.
pub type Editing<'a> = dyn Fn(&Plan, &[PlanEdit]) -> Result<Revised, Vec<Problem>> + 'a;

/// What the state does not know.
pub struct Means<'a> {
    /// The run's name.
    pub run: &'a str,
    /// Whether a process carries the run; else the order waits for the next one.
    pub carried: bool,
    /// Whether there is a planner.
    pub planner: bool,
    /// How long the run was worked at.
    pub worked: Duration,
    /// The plan after an edit.
    pub edit: &'a Editing<'a>,
    /// How much of the disk the run takes, where the order asks for that.
    pub taken: u64,
    /// The first model whose price is not known, where a limit in money needs it.
    pub unpriced: Option<String>,
}

/// What an order comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Granted {
    /// To be journaled, together.
    pub events: Vec<Event>,
    /// What happens now.
    pub words: String,
}

/// Weighs an order.
pub fn weigh(order: &Order, state: &RunState, means: &Means<'_>) -> Result<Granted, Refused> {
    Court { state, means }.weigh(order)
}

/// The name of a task of this run, or the nearest one that there is.
pub fn known(state: &RunState, task: &str) -> Result<TaskId, Refused> {
    let all = || state.tasks().iter().chain(state.gone()).map(|record| &record.id);
    if let Some(id) = all().find(|id| id.as_str() == task) {
        return Ok(id.clone());
    }
    let names: Vec<&str> = all().map(TaskId::as_str).collect();
    let hint = match spelling::nearest(task, names.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if names.is_empty() => "there is no plan yet; `inspan status` shows how the run stands".to_owned(),
        None => format!("its tasks are: {}", names.join(", ")),
    };
    Err(refused(format!("there is no task `{task}` in this run; nothing was done"), hint))
}

fn refused(what: impl Into<String>, hint: impl Into<String>) -> Refused {
    Refused { what: what.into(), hint: hint.into() }
}

fn granted(event: Event, words: impl Into<String>) -> Granted {
    Granted { events: vec![event], words: words.into() }
}

struct Court<'a> {
    state: &'a RunState,
    means: &'a Means<'a>,
}

impl Court<'_> {
    fn weigh(&self, order: &Order) -> Result<Granted, Refused> {
        self.goes_on(order)?;
        match order {
            Order::Pause => self.pause(),
            Order::Unpause => self.unpause(),
            Order::Cancel { task: None } => Ok(granted(Event::CancelRequested, self.stops())),
            Order::Cancel { task: Some(task) } => self.give_up(task),
            Order::Steer { task, text } => self.steer(task, text),
            Order::Retry { task, from, limits } => self.retry(task, from.map(Attempt), limits.as_ref()),
            Order::Skip { task } => self.skip(task),
            Order::Replan { comment } => self.replan(comment),
            Order::Limits(limiting) => limits::weigh(self, limiting),
        }
    }

    fn run(&self) -> &str {
        self.means.run
    }

    /// Where the run goes on at all, and so that the order matters.
    fn goes_on(&self, order: &Order) -> Result<(), Refused> {
        let (run, state) = (self.run(), self.state);
        let retry = matches!(order, Order::Retry { .. }) && !self.means.carried;
        match state.phase() {
            Phase::Rejected => return Err(refused(format!("run {run} was rejected"), "start another one with `inspan run`")),
            Phase::Over(status) if !retry => {
                let hint = match (order, status, state.over_budget()) {
                    (Order::Limits(limiting), ..) if limiting.task.is_some() => format!(
                        "`inspan retry {run} TASK` with `--turns N`, `--tokens N`, `--cost USD` or `--minutes N` tries it again with more"
                    ),
                    (_, RunStatus::OverBudget, Some(why)) => with_more(why, run),
                    (_, RunStatus::Complete, _) => format!("`inspan apply {run}` brings its result in"),
                    (Order::Limits(_), ..) => {
                        format!("`inspan resume {run}` takes the same flags, and takes up what did not land")
                    }
                    _ => format!("`inspan retry {run} TASK` or `inspan resume {run}` takes up what did not land"),
                };
                return Err(refused(format!("run {run} is over ({status}); nothing of it is under way"), hint));
            }
            _ => {}
        }
        if !self.means.carried {
            return Ok(());
        }
        let hint = |more: &str| format!("wait until it has stopped; `inspan resume {run}{more}` then goes on");
        if state.is_cancelling() {
            return Err(refused(format!("run {run} is being stopped already"), hint("")));
        }
        if state.is_out_of_time() && !matches!(order, Order::Cancel { task: None }) {
            let (what, flag) = match state.limit_reached() {
                Some(limit @ RunLimit::Disk) => ("the room on the disk", limit.flag()),
                _ => ("the time", RunLimit::Minutes.flag()),
            };
            return Err(refused(format!("{what} of run {run} is used up, and it is being stopped"), hint(&format!(" {flag}"))));
        }
        if let Some(why) = state.halted() {
            return Err(refused(format!("run {run} cannot go on: {why}"), hint("")));
        }
        let begins = matches!(order, Order::Retry { .. } | Order::Replan { .. });
        match state.over_budget().filter(|_| begins) {
            Some(why) => {
                let flags = state.limit_reached().map_or_else(
                    || RunLimit::ALL.map(|limit| format!("`{}`", limit.flag())).join(" or "),
                    |limit| format!("`{}`", limit.flag()),
                );
                let hint = format!("raise it first: `inspan limits {run}` with {flags}");
                Err(refused(format!("nothing new begins in run {run}, for its budget is reached: {why}"), hint))
            }
            None => Ok(()),
        }
    }

    /// What is said after what happens, where it does not happen yet.
    fn when(&self) -> String {
        match (self.means.carried, self.state.is_paused()) {
            (false, _) => format!(" No process carries the run: `inspan resume {}` carries it out.", self.run()),
            (true, true) => format!(" The run is paused: `inspan resume {}` lets it go on.", self.run()),
            (true, false) => String::new(),
        }
    }

    fn pause(&self) -> Result<Granted, Refused> {
        let run = self.run();
        if !self.means.carried {
            let hint = format!("`inspan resume {run}` goes on with it");
            return Err(refused(format!("no process carries run {run}, so there is nothing to pause"), hint));
        }
        if self.state.is_paused() {
            return Err(refused(format!("run {run} is paused already"), format!("`inspan resume {run}` lets it go on")));
        }
        let is_command = |(record, _): &(&TaskRecord, Attempt)| {
            let task = self.state.plan().and_then(|plan| plan.get(&record.id));
            task.is_some_and(|task| matches!(task.worker, WorkerKind::Command(_)))
        };
        let (commands, agents): (Vec<_>, Vec<_>) = self.state.running().partition(is_command);
        let agents = match agents.len() {
            0 => String::new(),
            1 => " One worker finishes its turn and waits.".to_owned(),
            more => format!(" {more} workers finish their turns and wait."),
        };
        let commands = match commands.len() {
            0 => String::new(),
            1 => " One command runs to its end and then waits to land.".to_owned(),
            more => format!(" {more} commands run to their end and then wait to land."),
        };
        let rest = agents + &commands;
        let words =
            format!("Run {run} is paused: nothing begins and no model is asked.{rest} `inspan resume {run}` lets it go on.");
        Ok(granted(Event::RunPaused, words))
    }

    fn unpause(&self) -> Result<Granted, Refused> {
        let run = self.run();
        if !self.state.is_paused() {
            return Err(refused(format!("run {run} is not paused"), format!("`inspan status {run}` shows how it stands")));
        }
        Ok(granted(Event::RunUnpaused, format!("Run {run} goes on.")))
    }

    fn stops(&self) -> String {
        format!("Run {} is being stopped; what its workers have is kept.", self.run())
    }

    /// The record of a task that is in the plan, and that plan in effect.
    fn task(&self, task: &str) -> Result<(&TaskRecord, &Task), Refused> {
        let (state, run) = (self.state, self.run());
        let id = known(state, task)?;
        if matches!(state.phase(), Phase::Planning | Phase::Review) {
            let hint = format!("change the plan where it is reviewed: `inspan review {run}`");
            return Err(refused(format!("the plan of run {run} is not approved yet, so none of its tasks is under way"), hint));
        }
        match state.task(&id).zip(state.plan().and_then(|plan| plan.get(&id))) {
            Some(found) => Ok(found),
            None => Err(self.gone(&id)),
        }
    }

    /// Of a task that is no longer in the plan: who took it out, and where its work is.
    fn gone(&self, id: &TaskId) -> Refused {
        let run = self.run();
        let record = self.state.gone().iter().find(|record| record.id == *id);
        let who = if record.is_some_and(was_skipped) { "you skipped it" } else { "a re-plan dropped it" };
        let what = format!("`{id}` is no longer in the plan of run {run}: {who}, and that is not taken back");
        let left = |record: &TaskRecord| record.trail.iter().rev().find(|(_, trail)| trail.left.is_some()).map(|(at, _)| *at);
        let hint = match record.and_then(left) {
            Some(last) => format!(
                "what it has done is kept as refs/inspan/{run}/{id}/{last}: `inspan diff {run} --task {id} --attempt {last}` shows it"
            ),
            None => format!("nothing of it was done; `inspan status {run}` shows the tasks that are in the plan"),
        };
        refused(what, hint)
    }

    /// The same of a task that has neither landed nor lands just now.
    fn open_task(&self, task: &str) -> Result<(&TaskRecord, &Task), Refused> {
        let (record, task) = self.task(task)?;
        let id = &task.id;
        let hint = || format!("see what it changed: `inspan diff {} --task {id}`; another change is another run", self.run());
        match &record.state {
            TaskState::Landed { commit } => {
                Err(refused(format!("`{id}` has landed as {}; that is not taken back", commit.short()), hint()))
            }
            TaskState::Landing { .. } if self.means.carried => {
                Err(refused(format!("`{id}` is landing right now; it is too late"), hint()))
            }
            _ => Ok((record, task)),
        }
    }

    fn give_up(&self, task: &str) -> Result<Granted, Refused> {
        let (record, task) = self.open_task(task)?;
        let (id, run) = (task.id.clone(), self.run());
        if record.given_up || matches!(record.state, TaskState::Ended { .. }) {
            let what = format!("`{id}` has ended already ({})", if record.given_up { "given up" } else { record.state.name() });
            return Err(refused(what, format!("`inspan retry {run} {id}` tries it again")));
        }
        let now = match record.state {
            TaskState::Running { attempt, .. } => {
                format!("is being stopped; what it has done is kept as refs/inspan/{run}/{id}/{attempt}")
            }
            _ => "is given up".to_owned(),
        };
        let waiting: Vec<String> = self.state.waiting_for(std::slice::from_ref(&id)).iter().map(ToString::to_string).collect();
        let rest = if waiting.is_empty() {
            String::new()
        } else {
            format!(" With it go {}, which wait for it; `inspan skip` would have let them go on without it.", waiting.join(", "))
        };
        let words = format!("`{id}` {now}.{rest}{}", self.when());
        Ok(granted(Event::TaskCancelRequested { task: id }, words))
    }

    fn steer(&self, task: &str, text: &str) -> Result<Granted, Refused> {
        let (record, task) = self.open_task(task)?;
        let (id, run) = (task.id.clone(), self.run());
        if let WorkerKind::Command(command) = &task.worker {
            let hint = format!("`inspan cancel {run} {id}` stops it, `inspan retry {run} {id}` runs it again");
            return Err(refused(format!("`{id}` is done by the command `{command}`, which hears nobody"), hint));
        }
        let text = checked(text)?;
        if text.is_empty() {
            return Err(refused("there are no words; nothing was said", format!("inspan steer {run} {id} \"WORDS\"")));
        }
        let now = match &record.state {
            TaskState::Running { unwanted: false, .. } if !record.given_up => "hears it at its next turn",
            TaskState::Waiting | TaskState::Running { .. } | TaskState::InTrouble { .. } if !record.given_up => {
                "hears it when it starts"
            }
            _ => {
                let what = format!("nobody is at `{id}` any more: it is {}", record.state.name());
                return Err(refused(what, format!("`inspan retry {run} {id}` has it done again; then it can be told")));
            }
        };
        let words = format!("Whoever is at `{id}` {now}, and so does every later attempt.{}", self.when());
        Ok(granted(Event::Steered { task: id, text: text.to_owned() }, words))
    }

    fn retry(&self, task: &str, from: Option<Attempt>, limits: Option<&ForTask>) -> Result<Granted, Refused> {
        let (record, task) = self.open_task(task)?;
        let (id, run) = (task.id.clone(), self.run());
        if let Some(from) = from {
            self.can_go_on_from(record, from)?;
        }
        let ended = |id: &&TaskId| {
            self.state.task(id).is_some_and(|record| matches!(record.state, TaskState::Ended { .. }) || record.given_up)
        };
        if let Some(cause) = task.depends_on.iter().find(ended) {
            let what = format!("`{id}` depends on `{cause}`, which has ended without landing");
            return Err(refused(what, format!("`inspan retry {run} {cause}` tries that again, and what waits for it follows")));
        }
        let how = from.map(|from| format!(", from where attempt {from} left off")).unwrap_or_default();
        let stops = match record.state {
            TaskState::Running { attempt, .. } => format!(" Attempt {attempt} is being stopped; what it has done is kept."),
            _ => String::new(),
        };
        let (mut events, more) = match limits {
            Some(wanted) => limits::of_next_attempts(self, wanted, task)?,
            None => (Vec::new(), String::new()),
        };
        let words = format!("`{id}` is tried again with all its attempts{how}.{more}{stops}{}", self.when());
        events.push(Event::RetryRequested { task: id, from });
        Ok(Granted { events, words })
    }

    fn can_go_on_from(&self, record: &TaskRecord, from: Attempt) -> Result<(), Refused> {
        let (id, run) = (&record.id, self.run());
        let left: Vec<String> =
            record.trail.iter().filter(|(_, trail)| trail.left.is_some()).map(|(attempt, _)| attempt.to_string()).collect();
        let hint = match left.as_slice() {
            [] => format!("none has yet; `inspan retry {run} {id}` begins anew"),
            some => format!("these have: {}; `inspan diff {run} --task {id} --attempt N` shows what", some.join(", ")),
        };
        let is_running = matches!(record.state, TaskState::Running { attempt, .. } if attempt == from);
        match record.trail.get(&from) {
            None => Err(refused(format!("there is no attempt {from} at `{id}`"), hint)),
            Some(_) if is_running && self.means.carried => {
                let hint = format!("stop it first: `inspan cancel {run} {id}`; or tell it: `inspan steer {run} {id} WORDS`");
                Err(refused(format!("attempt {from} at `{id}` is at work"), hint))
            }
            Some(trail) if trail.left.is_none() && !is_running => {
                Err(refused(format!("attempt {from} at `{id}` left nothing"), hint))
            }
            Some(_) => Ok(()),
        }
    }

    fn skip(&self, task: &str) -> Result<Granted, Refused> {
        let (record, task) = self.open_task(task)?;
        let (id, run) = (task.id.clone(), self.run());
        let key = |attempt| AttemptKey { task: id.clone(), attempt };
        let stops = match record.state {
            TaskState::Running { attempt, .. } => format!(" {} is being stopped; what it has done is kept.", key(attempt)),
            _ => String::new(),
        };
        let Revised { plan, retried, dropped } = self.edited(Change::Drop { task: id.clone() })?;
        let after = self.state.plan().into_iter().flat_map(Plan::tasks).filter(|task| task.depends_on.contains(&id));
        let after: Vec<&str> = after.map(|task| task.id.as_str()).collect();
        let rest = if after.is_empty() { String::new() } else { format!(" {} no longer waits for it.", after.join(", ")) };
        let words = format!("`{id}` is taken out of the plan of run {run}.{stops}{rest}{}", self.when());
        Ok(Granted { events: vec![self.revision(plan, retried, dropped, "skip: a person wants it")], words })
    }

    fn edited(&self, change: Change) -> Result<Revised, Refused> {
        let Some(plan) = self.state.plan() else { return Err(refused("there is no plan yet", "")) };
        let edit = PlanEdit { change, because: "a person wants it".to_owned() };
        (self.means.edit)(plan, &[edit]).map_err(|problems| {
            let list: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
            let hint = format!("have the planner look at it: `inspan replan {} \"WORDS\"`", self.run());
            refused(format!("the plan does not allow it: {}; nothing was done", list.join("; ")), hint)
        })
    }

    fn revision(&self, plan: Plan, fresh: Vec<TaskId>, dropped: Vec<TaskId>, cause: &str) -> Event {
        let before = self.state.plan().map(|before| edit::diff(before, &plan)).unwrap_or_default();
        let difference = format!("{cause}\n\n{}", before.trim_end());
        Event::PlanRevised { revision: self.state.revision() + 1, replan: None, plan: Box::new(plan), fresh, dropped, difference }
    }

    fn replan(&self, comment: &str) -> Result<Granted, Refused> {
        let run = self.run();
        if !self.state.settings().planner || (self.means.carried && !self.means.planner) {
            return Err(refused(
                format!("run {run} has no planner"),
                format!("`inspan skip {run} TASK` and `inspan retry {run} TASK` need none"),
            ));
        }
        if matches!(self.state.phase(), Phase::Planning | Phase::Review) {
            return Err(refused(
                format!("the plan of run {run} is not approved yet"),
                format!("comment on it in `inspan review {run}`"),
            ));
        }
        if self.state.is_replanning() && self.means.carried {
            return Err(refused(format!("run {run} is being re-planned already"), "wait for what comes of it, then ask again"));
        }
        let comment = checked(comment)?.to_owned();
        let words = format!("The planner of run {run} looks at the plan now; what is under way goes on.{}", self.when());
        Ok(granted(Event::ReplanRequested { comment }, words))
    }
}

/// A person's text, if it is not a book.
fn checked(text: &str) -> Result<&str, Refused> {
    let text = text.trim();
    if text.len() > LONGEST {
        let what = format!("the text has {} bytes, and {LONGEST} are heard at most; nothing was said", text.len());
        return Err(refused(what, "put it into a file of the repository, or say it in parts"));
    }
    Ok(text)
}

/// The limits of a task's attempts, as they are now.
fn limits_of(state: &RunState, task: &Task) -> Limits {
    task.limits.or(state.settings().task_limits)
}
