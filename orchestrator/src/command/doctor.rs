//! `doctor`: is everything there that a run needs, and what can the configured models do?
//!
//! `BAD` is what no run, or no run with the person's configuration, could do without; it makes the exit code 1. Everything else is a note:
//! a model is not needed for plans whose tasks are all done by commands.

mod findings;
mod probe;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use worker::sandbox::{Tier, TierChoice};

use self::findings::Seen;
use super::Here;
use crate::{
    config::{Config, ConfigError, ModelChoice, Overrides, Role},
    error::Error,
    git::Call,
    launch::sandbox,
    models::connect,
    ui,
};

/// What a model was seen to do in so long, or why nothing was seen.
type Found = Result<(Seen, Duration), String>;

const NO_MODEL: [&str; 4] = [
    "none is configured: fine for command workers. For agents,",
    "set DEEPSEEK_API_KEY,",
    "or INSPAN_MODEL=provider/model, such as ollama/qwen3-coder (`model` in inspan.toml),",
    "or INSPAN_BASE_URL, INSPAN_MODEL and, where it wants one, INSPAN_API_KEY, for any OpenAI-compatible server",
];

/// The oldest git whose `merge-tree` does what landings need.
const OLDEST_GIT: (u32, u32) = (2, 45);

struct Report {
    text: String,
    healthy: bool,
}

impl Report {
    fn good(&mut self, what: &str, detail: &str) {
        writeln!(self.text, "ok    {what:12} {detail}").expect("writing to a string");
    }

    fn bad(&mut self, what: &str, detail: &str) {
        self.healthy = false;
        writeln!(self.text, "BAD   {what:12} {detail}").expect("writing to a string");
    }

    /// Another line about what was said last.
    fn more(&mut self, detail: &str) {
        writeln!(self.text, "{:19}{detail}", "").expect("writing to a string");
    }

    fn note(&mut self, what: &str, detail: &str) {
        writeln!(self.text, "note  {what:12} {detail}").expect("writing to a string");
    }
}

/// `inspan doctor`.
pub(super) async fn doctor(here: &Here) -> Result<u8, Error> {
    let mut report = Report { text: String::new(), healthy: true };
    git(&mut report).await;
    let root = repository(&mut report, here).await;
    // Models can be looked at from anywhere; what a repository's own file says of them only within it.
    match configuration(here, root.as_deref()) {
        Err(error) => report.bad("config", &error.to_string()),
        Ok(config) => {
            report.good("config", "`inspan config` shows it");
            report.good("prices", &format!("built in, as of {}", crate::config::prices_as_of()));
            worktrees(&mut report, config.worktrees.as_deref());
            models(&mut report, here, &config, root.as_deref().unwrap_or(&here.directory)).await;
        }
    }
    sandboxes(&mut report).await;
    ui::print_words(&report.text);
    Ok(u8::from(!report.healthy))
}

/// Its root, if there is one.
async fn repository(report: &mut Report, here: &Here) -> Option<PathBuf> {
    match here.repository().await {
        Err(error) => {
            report.bad("repository", &format!("{error}; {}", error.hint().unwrap_or_default()));
            None
        }
        Ok(repository) => {
            let branch = repository.branch.clone().unwrap_or_else(|| "detached HEAD".to_owned());
            report.good("repository", &format!("{} on {branch}", repository.root.display()));
            Some(repository.root)
        }
    }
}

fn configuration(here: &Here, root: Option<&Path>) -> Result<Config, Error> {
    let config = Config::read(root, Overrides::default()).map_err(|error| Error::Usage(error.to_string()))?;
    config.warnings.iter().for_each(|warning| here.screen.say(&format!("warning: {warning}")));
    Ok(config)
}

/// Each kind that this system could have. One is enough, but the better one is worth its package.
async fn sandboxes(report: &mut Report) {
    let kinds: &[Tier] = if cfg!(target_os = "macos") { &[Tier::Seatbelt] } else { &[Tier::Bubblewrap, Tier::Helper] };
    let mut missing = Vec::new();
    for &tier in kinds {
        match sandbox(TierChoice::Only(tier)).await {
            Ok(chosen) => report.good("sandbox", &chosen.about),
            Err(error) => missing.push(error.to_string().replace("; no run was started", "")),
        }
    }
    let none = missing.len() == kinds.len();
    for why in &missing {
        if none { report.bad("sandbox", why) } else { report.note("sandbox", why) }
    }
}

async fn git(report: &mut Report) {
    match Call::new().args(["version"]).text().await {
        Err(error) => report.bad("git", &error.to_string()),
        Ok(text) => {
            let number = text.split_whitespace().nth(2).unwrap_or_default();
            let mut parts = number.split('.').map(|part| part.parse().unwrap_or(0));
            let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
            if version >= OLDEST_GIT {
                report.good("git", number);
            } else {
                report.bad("git", &format!("{number} is too old; 2.45 is needed"));
            }
        }
    }
}

fn worktrees(report: &mut Report, place: Option<&std::path::Path>) {
    let Some(place) = place else { return report.bad("worktrees", "no place: set HOME or `[paths] worktrees`") };
    match std::fs::create_dir_all(place).and_then(|()| tempfile_in(place)) {
        Ok(()) => report.good("worktrees", &place.display().to_string()),
        Err(error) => report.bad("worktrees", &format!("{}: {error}; set `[paths] worktrees`", place.display())),
    }
}

fn tempfile_in(place: &std::path::Path) -> std::io::Result<()> {
    let probe = place.join(format!(".probe-{}", std::process::id()));
    std::fs::write(&probe, "probe")?;
    std::fs::remove_file(probe)
}

/// Every role's models, then every endpoint once.
async fn models(report: &mut Report, here: &Here, config: &Config, root: &Path) {
    let mut choices: Vec<ModelChoice> = Vec::new();
    // Whoever only makes conversations short needs no tools.
    let mut agents: BTreeSet<String> = BTreeSet::new();
    let (mut missing, mut said) = (Vec::new(), String::new());
    for role in Role::ALL {
        match config.lineup(role) {
            Ok(lineup) => {
                for (place, choice) in lineup.into_iter().enumerate() {
                    let stand_in = if place == 0 { "" } else { "else " };
                    report.good(role.as_str(), &format!("{stand_in}{}", in_words(&choice)));
                    if role != Role::Summariser {
                        agents.insert(choice.name.clone());
                    }
                    if choices.iter().all(|other| other.name != choice.name) {
                        choices.push(choice);
                    }
                }
            }
            Err(ConfigError::NoModel) => missing.push(role),
            Err(error) if error.to_string() == said => report.bad(role.as_str(), "the same"),
            Err(error) => {
                said = error.to_string();
                report.bad(role.as_str(), &said);
            }
        }
    }
    if missing == [Role::Planner] {
        report.note("planner", "none is configured: plans come from you (`--plan`, `--solo`)");
    } else if !missing.is_empty() {
        let [head, ways @ ..] = NO_MODEL;
        report.note("model", head);
        for way in ways {
            report.more(way);
        }
    }
    unpriced(report, config, &choices);
    if choices.iter().any(|choice| !choice.base_url.is_empty()) {
        here.screen.say(&format!("Asking the configured models, for {} s at most …", probe::PATIENCE.as_secs()));
    }
    for (choice, found) in asked(&choices, root).await {
        match found {
            Some(Ok((seen, took))) => endpoint(report, choice, &seen, Use { took, by_agents: agents.contains(&choice.name) }),
            Some(Err(why)) => report.bad("endpoint", &format!("{}: {why}", choice.name)),
            None => match connect(choice, root) {
                Ok(_) => report.good("endpoint", &format!("{} is there", choice.name)),
                Err(error) => report.bad("endpoint", &format!("{error}. {}", error.hint().unwrap_or_default())),
            },
        }
    }
}

/// All endpoints at once, but each server's models one after another: a small one does one thing at a time. None is one without a server.
async fn asked<'c>(choices: &'c [ModelChoice], root: &Path) -> Vec<(&'c ModelChoice, Option<Found>)> {
    let mut servers: BTreeMap<&str, Vec<&ModelChoice>> = BTreeMap::new();
    for choice in choices {
        servers.entry(&choice.base_url).or_default().push(choice);
    }
    let each = servers.into_values().map(|models| async move {
        let mut found = Vec::new();
        for choice in models {
            let seen = if choice.base_url.is_empty() { None } else { Some(probe::probe(choice, root).await) };
            found.push((choice, seen));
        }
        found
    });
    let mut found = futures_util::future::join_all(each).await.into_iter().flatten().collect::<Vec<_>>();
    found.sort_by_key(|(choice, _)| choices.iter().position(|other| other.name == choice.name));
    found
}

fn in_words(choice: &ModelChoice) -> String {
    let price = choice.price.as_ref().map_or("price not known".to_owned(), price_in_words);
    match choice.base_url.as_str() {
        "" => choice.name.clone(),
        url => format!("{} at {url}, {} ({price})", choice.name, choice.dialect),
    }
}

fn price_in_words(tariff: &shared::Tariff) -> String {
    let times = tariff.peak.as_ref().map_or(String::new(), |peak| format!(", {} times that at peak hours", peak.factor.times()));
    format!("{} in, {} out per million{times}", tariff.price.miss, tariff.price.output)
}

/// A limit in money that is configured, and that no run could keep.
fn unpriced(report: &mut Report, config: &Config, choices: &[ModelChoice]) {
    let limit = [("run.max_cost_usd", config.run.max_cost), ("task.cost_usd", config.task.cost)];
    let Some((key, _)) = limit.into_iter().find(|(_, limit)| limit.is_some()) else { return };
    for choice in choices.iter().filter(|choice| choice.price.is_none()) {
        let ModelChoice { name, provider, model, .. } = choice;
        let advice = format!("say it as `price` in [providers.{provider}.models.\"{model}\"], or limit tokens instead");
        report.bad("price", &format!("{key} is set, but nobody knows the price of {name}; {advice}"));
    }
}

/// How an endpoint answered, and what for it is there.
struct Use {
    took: Duration,
    by_agents: bool,
}

fn endpoint(report: &mut Report, choice: &ModelChoice, seen: &Seen, Use { took, by_agents }: Use) {
    let tokens = seen.answer.usage.map_or("no token counts".to_owned(), |usage| format!("{} tokens", usage.total()));
    let head = format!("{} answers in {} ms, {tokens}", choice.name, took.as_millis());
    match seen.obstacle().filter(|_| by_agents) {
        None => report.good("endpoint", &head),
        Some(why) => report.bad("endpoint", &format!("{}: {why}", choice.name)),
    }
    report.more(&seen.line());
    for note in seen.notes(&choice.provider, &choice.capabilities) {
        report.note("endpoint", &format!("{}: {note}", choice.name));
    }
}
