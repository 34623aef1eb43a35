//! `run --replay`: a new run, answered from the transcripts of one that is over, without a model.
//!
//! The replay begins as the recorded run did: with its goal, or with the plan it was given. It is a run of its own, on the commit that is
//! checked out now; where that makes a difference to what a model is told, the replay ends there and says so ([`worker::model::replay`]).

use plans::{
    event::{Author, Event},
    file::write_toml,
};

use super::{Here, entries, run::Source};
use crate::{
    cli::RunArgs,
    error::Error,
    store::{RunFolder, Store},
};

/// The recorded run, if one is asked for.
pub(super) async fn recorded(here: &Here, args: &RunArgs) -> Result<Option<RunFolder>, Error> {
    let Some(name) = &args.replay else { return Ok(None) };
    let repository = here.repository().await?;
    Store::new(&repository.state_dir()).find(name).map(Some)
}

/// The model that answers from it, as `--model` has it.
pub(super) fn model(folder: &RunFolder) -> String {
    format!("replay/{}", folder.path.display())
}

/// Where the recorded run had its plan from.
pub(super) fn source(folder: &RunFolder) -> Result<Source, Error> {
    let (mut goal, mut given) = (String::new(), None);
    for entry in entries(folder)? {
        match entry.event {
            Event::RunStarted { goal: started, .. } => goal = started,
            Event::PlanProposed { revision: 1, plan, author, .. } => given = Some((plan, author)),
            _ => {}
        }
    }
    Ok(match given {
        Some((plan, Author::File)) => Source::File(format!("the plan of run {}", folder.run), write_toml(&plan)),
        Some((_, Author::Solo)) => Source::Solo(goal),
        _ => Source::Planner(goal),
    })
}
