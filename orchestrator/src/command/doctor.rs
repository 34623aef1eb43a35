//! `doctor`: is everything there that a run needs?

use std::fmt::Write as _;

use tokio_util::sync::CancellationToken;
use worker::{
    model::{Label, Message, Request, Role as Asker},
    sandbox::{Tier, TierChoice},
};

use super::Here;
use crate::{
    config::{Overrides, Role},
    error::Error,
    git::Call,
    launch::{connect, sandbox},
    ui,
};

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

    fn note(&mut self, what: &str, detail: &str) {
        writeln!(self.text, "note  {what:12} {detail}").expect("writing to a string");
    }
}

/// `inspan doctor`.
pub(super) async fn doctor(here: &Here) -> Result<u8, Error> {
    let mut report = Report { text: String::new(), healthy: true };
    git(&mut report).await;
    match here.repository().await {
        Err(error) => {
            report.bad("repository", &format!("{error}; {}", error.hint().unwrap_or_default()));
        }
        Ok(repository) => {
            let branch = repository.branch.clone().unwrap_or_else(|| "detached HEAD".to_owned());
            report.good("repository", &format!("{} on {branch}", repository.root.display()));
            match here.config(&repository, Overrides::default()) {
                Err(error) => report.bad("config", &error.to_string()),
                Ok(config) => {
                    report.good("config", "`inspan config` shows it");
                    worktrees(&mut report, config.worktrees.as_deref());
                    models(&mut report, &config, &repository.root).await;
                }
            }
        }
    }
    sandboxes(&mut report).await;
    ui::print(&report.text);
    Ok(u8::from(!report.healthy))
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

async fn models(report: &mut Report, config: &crate::config::Config, root: &std::path::Path) {
    let mut asked = Vec::new();
    for (role, name) in [(Role::Planner, "planner"), (Role::Worker, "worker")] {
        let choice = match config.model(role) {
            Ok(choice) => choice,
            Err(error) => {
                report.bad(name, &error.to_string());
                continue;
            }
        };
        let price = choice
            .price
            .map_or("price not known".to_owned(), |price| format!("{} in, {} out per million", price.miss, price.output));
        report.good(name, &format!("{} at {} ({price})", choice.name, choice.base_url));
        if asked.contains(&choice.name) || choice.base_url.is_empty() {
            continue;
        }
        asked.push(choice.name.clone());
        match connect(&choice, root) {
            Err(error) => report.bad("endpoint", &error.to_string()),
            Ok(model) => match one_word(model.as_ref()).await {
                Ok(said) => report.good("endpoint", &said),
                Err(why) => report.bad("endpoint", &why),
            },
        }
    }
}

/// One small request.
async fn one_word(model: &dyn worker::model::Model) -> Result<String, String> {
    let run = shared::RunId::from_bits(0);
    let label = Label { run, role: Asker::Planner, task: None, attempt: 0, turn: 1 };
    let messages = [Message::user("Answer with the single word: ready")];
    let request = Request { label: &label, messages: &messages, tools: &[], max_tokens: 512 };
    let started = std::time::Instant::now();
    let answer = model.ask(&request, &|_| {}, &CancellationToken::new()).await.map_err(|error| error.in_full())?;
    let took = started.elapsed().as_millis();
    let tokens = answer.usage.map_or("no token counts".to_owned(), |usage| format!("{} tokens", usage.total()));
    Ok(format!("answers in {took} ms, {tokens}"))
}
