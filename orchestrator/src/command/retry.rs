//! `retry`: a task is tried again, in the run that goes on or in one that is taken up for it.

use plans::{
    Plan,
    edit::{self, PlanEdit},
    event::Event,
    run_state::RunState,
};
use shared::TaskId;

use super::{
    Here,
    look::state_of,
    orders::{Told, tell},
    resume::{Purpose, Stopped, take_up},
    target::{Want, task_and_rest},
};
use crate::{
    cli::{AttemptArgs, LimitArgs, RetryArgs},
    control::{
        ForTask, Order,
        rules::{self, Editing, Means},
    },
    error::Error,
};

/// `inspan retry`.
pub(super) async fn retry(here: &Here, args: &RetryArgs) -> Result<u8, Error> {
    let repository = here.repository().await?;
    let (folder, task, _) = task_and_rest(here, &repository, &args.task.names, Want::Retry)?;
    let task = task.to_owned();
    let AttemptArgs { turns, tokens, minutes, cost } = args.limits;
    let limits = (args.limits != AttemptArgs::default()).then(|| ForTask { task: task.clone(), turns, tokens, cost, minutes });
    let order = Order::Retry { task, from: args.from, limits };
    match tell(&folder, &order).await? {
        Told::Reply(reply) => {
            here.screen.say(&reply?);
            if args.how.limits != LimitArgs::default() {
                here.screen
                    .say(&format!("Its other flags were not heard: `inspan limits {}` changes what it may take.", folder.run));
            }
            Ok(0)
        }
        Told::Silence(error) => Err(error),
        Told::NobodyCarries => {
            let again = Again(order);
            // Before anything is begun: what is refused now is refused without a trace.
            let state = state_of(&folder)?.1;
            let edit = |plan: &Plan, edits: &[PlanEdit]| edit::apply(plan, edits, &state.progress().for_person());
            again.weighed(&state, folder.run.as_str(), (&edit, None))?;
            Box::pin(take_up(here, Stopped { repository, folder }, &args.how, Purpose::Retry(again))).await
        }
    }
}

/// The order to try a task again, for a run that is taken up.
pub(super) struct Again(Order);

impl Again {
    /// The tasks that the run is taken up for, and what follows on that.
    pub(super) fn weighed(
        &self,
        state: &RunState,
        run: &str,
        (edit, unpriced): (&Editing<'_>, Option<String>),
    ) -> Result<(Vec<TaskId>, Vec<Event>), Error> {
        let worked = std::time::Duration::ZERO;
        let means = Means { run, carried: false, planner: true, worked, edit, taken: 0, unpriced };
        let events = rules::weigh(&self.0, state, &means)?.events;
        let task = |event: &Event| match event {
            Event::RetryRequested { task, .. } => Some(task.clone()),
            _ => None,
        };
        Ok((events.iter().filter_map(task).collect(), events))
    }
}
