//! `plan`: a plan is drafted, shown and written, and nothing is carried out.

use plans::{file, run_state::RunState};

use super::{
    Here,
    begin::{Begun, Kind, prepare, read_goal, surroundings},
};
use crate::{
    cli::{HowArgs, PlanArgs},
    dispatcher::Ending,
    error::{Error, exit_code_of},
    recorder::RecordError,
    ui,
};

/// `inspan plan`.
pub(super) async fn plan(here: &Here, args: PlanArgs) -> Result<u8, Error> {
    let goal = read_goal(here, &args.goal)?;
    let around = surroundings(here, &HowArgs { limits: args.limits, ..HowArgs::default() }).await?;
    let prepared = prepare(here, around, Kind { no_gate: args.no_gate, solo: false }, &goal).await?;
    let Begun { launch, recorder, site } = prepared.begin(here, &goal, Ok(None)).await?;
    let folder = launch.folder.clone();
    if let Ending::Over(status) = launch.carry_through(recorder, true, site.clone()).await? {
        let state = RunState::fold(&super::entries(&folder)?).map_err(RecordError::from)?;
        here.screen.say(&format!("There is no plan. {}", ui::status_of_run(&folder.run, &state, false).trim_end()));
        return Ok(exit_code_of(status));
    }
    let state = RunState::fold(&super::entries(&folder)?).map_err(RecordError::from)?;
    let plan = state.plan().ok_or_else(|| Error::Defect("a plan was drafted and is not there".to_owned()))?.clone();
    let text = file::write_toml(&plan);
    here.screen.say(&ui::review::describe(&site.sheet(plan, state.settings()), ui::width()));
    match args.output {
        None => ui::print(&text),
        Some(path) => {
            let path = here.directory.join(path);
            std::fs::write(&path, text).map_err(Error::disk(&path))?;
            here.screen.say(&format!("Wrote {}. Carry it out with `inspan run --plan {}`.", path.display(), path.display()));
        }
    }
    here.screen.say(&format!("Or approve it as it is with `inspan review {}`.", folder.run));
    Ok(0)
}
