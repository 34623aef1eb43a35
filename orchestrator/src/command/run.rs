//! `run`: from a goal, or from a plan file, to the end.

use plans::{Problem, admission::Admitted, event::Author, file::parse_toml, run_state::RunState};

use super::{
    Here,
    begin::{Begun, Kind, Proposal, Surroundings, prepare, read, read_goal, surroundings},
    replay,
};
use crate::{
    cli::RunArgs,
    config::Config,
    dispatcher::Ending,
    error::{Error, exit_code_of},
    recorder::RecordError,
    repository::Repository,
    site::Site,
    store::RunFolder,
    ui::{self, progress::Format, words},
};

/// Where the plan comes from.
pub(super) enum Source {
    /// A file: its name and its text.
    File(String, String),
    /// The goal alone.
    Solo(String),
    /// The planner, asked with the goal.
    Planner(String),
}

impl Source {
    /// What the run is for. A plan that cannot be read is refused later, with everything that is wrong with it.
    fn goal(&self) -> String {
        match self {
            Self::File(_, text) => parse_toml(text).map(|plan| plan.goal().to_owned()).unwrap_or_default(),
            Self::Solo(goal) | Self::Planner(goal) => goal.clone(),
        }
    }
}

/// `inspan run`.
pub(super) async fn run(here: &Here, mut args: RunArgs) -> Result<u8, Error> {
    let recorded = replay::recorded(here, &args).await?;
    let is_goal_given = args.goal.goal.is_some() || args.goal.file.is_some();
    let source = match (&args.plan, &recorded) {
        (Some(path), _) => Source::File(path.display().to_string(), read(&here.directory.join(path))?),
        (None, Some(folder)) if !is_goal_given => replay::source(folder)?,
        _ if args.solo => Source::Solo(read_goal(here, &args.goal)?),
        _ => Source::Planner(read_goal(here, &args.goal)?),
    };
    let solo = matches!(source, Source::Solo(_));
    args.how.limits.model = recorded.as_ref().map(replay::model).or(args.how.limits.model);
    let around = surroundings(here, &args.how).await?;
    let begun = begin(here, around, Kind { no_gate: args.no_gate, solo }, source).await?;
    go_on(here, begun).await
}

/// A run of a goal in a repository, with a configuration that does not come from the person's files: the demo.
pub(crate) async fn run_configured(
    here: &Here,
    repository: Repository,
    config: Config,
    goal: &str,
) -> Result<(RunFolder, u8), Error> {
    let around = Surroundings { repository, config, format: Format::Text };
    let begun = begin(here, around, Kind::default(), Source::Planner(goal.to_owned())).await?;
    let folder = begun.launch.folder.clone();
    Ok((folder, go_on(here, begun).await?))
}

pub(super) async fn begin(here: &Here, around: Surroundings, kind: Kind, source: Source) -> Result<Begun, Error> {
    let prepared = prepare(here, around, kind, &source.goal()).await?;
    let (goal, proposed) = propose(&prepared.site, source);
    prepared.begin(here, &goal, proposed).await
}

/// The goal, and the plan where there is one before the planner is asked.
fn propose(site: &Site, source: Source) -> (String, Result<Option<Proposal>, Error>) {
    let (rules, survey) = (&site.rules, &*site.survey);
    let (name, goal, author, admitted) = match source {
        Source::Planner(goal) => return (goal, Ok(None)),
        Source::File(name, text) => {
            let admitted = rules.of_file(&text, survey);
            let goal = admitted.as_ref().map(|admitted| admitted.plan.goal().to_owned()).unwrap_or_default();
            (name, goal, Author::File, admitted)
        }
        Source::Solo(goal) => {
            let admitted = rules.solo(&goal, survey);
            ("the goal as one task".to_owned(), goal, Author::Solo, admitted)
        }
    };
    (goal, proposal(site, name, author, admitted).map(Some))
}

fn proposal(
    site: &Site,
    source_name: String,
    author: Author,
    admitted: Result<Admitted, Vec<Problem>>,
) -> Result<Proposal, Error> {
    let guess = || site.rules.guess.commands.clone();
    let admitted = admitted.map_err(|problems| Error::InvalidPlan { source_name, problems, guess: guess() })?;
    Ok(Proposal { admitted, author })
}

/// Carries a run to its end, and says how it ended.
pub(super) async fn go_on(here: &Here, begun: Begun) -> Result<u8, Error> {
    let Begun { launch, recorder, site } = begun;
    let (folder, started) = (launch.folder.clone(), std::time::Instant::now());
    let ending = launch.carry_through(recorder, false, site).await?;
    let Ending::Over(status) = ending else { return Ok(0) };
    let state = RunState::fold(&super::entries(&folder)?).map_err(RecordError::from)?;
    here.screen.say("");
    here.screen.say(ui::status_of_run(&folder.run, &state, false).trim_end());
    here.screen.say(&format!("time     {}", words::clock(started.elapsed())));
    here.screen.say(&ui::summary::what_next(status, &state, folder.run.as_str()));
    Ok(exit_code_of(status))
}
