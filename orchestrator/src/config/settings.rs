//! The merged settings as the types that the rest of the program uses.

use std::{fmt, path::PathBuf, time::Duration};

use plans::approval::{PathRules, Verdict};
use shared::{Glob, Limits, Money, RepoPath, Secrecy};
use worker::sandbox::{CommandLimits, Tier, TierChoice};

use super::{Secret, Setting, Settings, keys::KEYS, origin::Origin, value::Value};
use crate::approvals::{Prefix, Rules};

/// When a person is asked to approve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Review {
    /// The plan, and every change of it.
    Always,
    /// The plan.
    First,
    /// Nothing.
    Never,
}

impl Review {
    /// The review of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Always, Self::First, Self::Never].into_iter().find(|review| review.as_str() == name)
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::First => "first",
            Self::Never => "never",
        }
    }
}

impl fmt::Display for Review {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a whole run may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSettings {
    /// Workers at once.
    pub workers: u32,
    /// When a person is asked.
    pub review: Review,
    /// Money.
    pub max_cost: Option<Money>,
    /// Tokens of all kinds.
    pub max_tokens: Option<u64>,
    /// Minutes of wall time.
    pub max_minutes: Option<u32>,
    /// Bytes of disk.
    pub max_disk: Option<u64>,
    /// Bytes that have to be free.
    pub min_free: u64,
    /// Tries of a task before its failure is evidence for a re-plan.
    pub attempts: u32,
    /// Tries of a task that conflicts with what has landed.
    pub conflict_attempts: u32,
    /// Changes of the plan.
    pub replans: u32,
}

/// What the configuration says about the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateSettings {
    /// Instead of what is guessed from the manifests.
    pub commands: Option<Vec<String>>,
    /// For each command.
    pub timeout: Duration,
    /// Where its commands leave reports in the form of `JUnit`, beside the usual places.
    pub reports: Vec<Glob>,
}

/// How finished tasks come to the run branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LandingSettings {
    /// How many are proved together at most.
    pub batch: u32,
    /// Whether the next are proved on top of those whose proof takes long.
    pub speculate: bool,
}

/// What the configuration says about the sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxSettings {
    /// Which.
    pub tier: TierChoice,
    /// Further folders that may be read.
    pub read: Vec<PathBuf>,
    /// Further folders that may be written.
    pub write: Vec<PathBuf>,
    /// Folders of the repository that builds write into.
    pub build: Vec<PathBuf>,
    /// Heavy commands at once; none is one for each core.
    pub heavy: Option<u32>,
    /// For each command.
    pub limits: CommandLimits,
}

/// Files that a command makes from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Which.
    pub files: Glob,
    /// What makes them, at the top of the repository.
    pub command: String,
}

/// The defaults of the key table.
pub(super) fn defaults() -> Settings {
    let default = |text: &str, kind| {
        let item = text.parse::<toml_edit::Value>().ok().map(toml_edit::Item::Value);
        item.and_then(|item| Value::from_item(kind, &item).ok()).expect("each default fits its key")
    };
    let keys = KEYS.iter().filter_map(|key| Some((key, key.default?)));
    keys.map(|(key, text)| (key.name.to_owned(), Setting { value: default(text, key.kind), origin: Origin::Default })).collect()
}

pub(super) fn run(settings: &Settings) -> RunSettings {
    let number = |name| small(settings, name).unwrap_or_default();
    let bytes = |name| count(settings, name).map(|megabytes| megabytes.saturating_mul(1 << 20));
    RunSettings {
        workers: number("run.workers"),
        review: text(settings, "run.review").and_then(Review::named).unwrap_or(Review::First),
        max_cost: money(settings, "run.max_cost_usd"),
        max_tokens: count(settings, "run.max_tokens"),
        max_minutes: small(settings, "run.max_minutes"),
        max_disk: bytes("run.max_disk_mb"),
        min_free: bytes("run.min_free_mb").unwrap_or_default(),
        attempts: number("run.attempts"),
        conflict_attempts: number("run.conflict_attempts"),
        replans: number("run.replans"),
    }
}

pub(super) fn task(settings: &Settings) -> Limits {
    Limits {
        turns: small(settings, "task.turns"),
        tokens: count(settings, "task.tokens"),
        cost: money(settings, "task.cost_usd"),
        minutes: small(settings, "task.minutes"),
    }
}

pub(super) fn gate(settings: &Settings) -> GateSettings {
    GateSettings {
        commands: list(settings, "gate.commands"),
        timeout: duration(settings, "gate.timeout").unwrap_or(Duration::from_secs(20 * 60)),
        reports: list(settings, "gate.reports").unwrap_or_default().iter().filter_map(|text| Glob::new(text).ok()).collect(),
    }
}

pub(super) fn landing(settings: &Settings) -> LandingSettings {
    let speculate = settings.get("landing.speculate").is_none_or(|setting| setting.value != Value::Flag(false));
    LandingSettings { batch: small(settings, "landing.batch").unwrap_or(1), speculate }
}

pub(super) fn sandbox(settings: &Settings, home: Option<&str>) -> SandboxSettings {
    let words = |name| list(settings, name).unwrap_or_default();
    let places = |name| words(name).into_iter().filter_map(|text| Value::Text(text).to_path(home)).collect();
    let number = |name| count(settings, name).unwrap_or_default();
    let megabytes = |name| number(name).saturating_mul(1 << 20);
    SandboxSettings {
        tier: text(settings, "sandbox.tier").and_then(tier_named).unwrap_or_default(),
        read: places("sandbox.read"),
        write: places("sandbox.write"),
        build: words("sandbox.build").iter().filter_map(|folder| inside(folder)).collect(),
        heavy: small(settings, "sandbox.heavy"),
        limits: CommandLimits {
            memory: megabytes("sandbox.memory_mb"),
            processes: small(settings, "sandbox.processes").unwrap_or_default(),
            file: megabytes("sandbox.file_mb"),
            open_files: number("sandbox.open_files"),
            cpu_seconds: number("sandbox.cpu_minutes").saturating_mul(60),
            disk: megabytes("sandbox.disk_mb"),
        },
    }
}

fn tier_named(name: &str) -> Option<TierChoice> {
    Tier::named(name).map(TierChoice::Only)
}

/// A folder of the repository; `.` is all of it.
fn inside(folder: &str) -> Option<PathBuf> {
    if folder == "." { Some(PathBuf::new()) } else { RepoPath::new(folder).ok().map(|path| PathBuf::from(path.as_str())) }
}

/// What is secret: names as configured, and the keys of models.
pub(super) fn secrecy<'a>(settings: &Settings, held: impl Iterator<Item = &'a Secret>) -> Secrecy {
    let globs = |name| {
        let patterns = list(settings, name).unwrap_or_default();
        // They were checked when they were read.
        patterns.iter().filter_map(|text| Secrecy::pattern(text).ok()).flatten().collect()
    };
    Secrecy::new(globs("secrets.deny"), globs("secrets.allow"), held.map(Secret::reveal))
}

/// The person's rules about commands and files. What is in the lists was checked when it was read.
pub(super) fn approvals(settings: &Settings) -> Rules {
    let entries = |name| list(settings, name).unwrap_or_default();
    let prefixes = |name| entries(name).iter().filter_map(|text| Prefix::new(text).ok()).collect();
    let globs = |name| entries(name).iter().filter_map(|text| Glob::new(text).ok()).collect();
    let verdict = |name, otherwise| match text(settings, name) {
        Some("allow") => Verdict::Allow,
        Some("ask") => Verdict::Ask,
        Some("deny") => Verdict::Deny,
        _ => otherwise,
    };
    let usual = Rules::default();
    Rules {
        allow: prefixes("approvals.allow"),
        ask: prefixes("approvals.ask"),
        deny: prefixes("approvals.deny"),
        default: verdict("approvals.default", usual.default),
        paths: PathRules { ask: globs("approvals.ask_paths"), deny: globs("approvals.deny_paths") },
        unattended: verdict("approvals.unattended", usual.unattended),
        deadline: duration(settings, "approvals.deadline").unwrap_or(usual.deadline),
    }
}

/// The person's rules about generated files.
pub(super) fn generated(settings: &Settings) -> Vec<Generated> {
    match settings.get("merge.generated").map(|setting| &setting.value) {
        Some(Value::Generators(rules)) => rules.clone(),
        _ => Vec::new(),
    }
}

/// Where nothing is configured, worktrees are made in the user's cache directory.
pub(super) fn place_worktrees(settings: &mut Settings, cache: Option<PathBuf>) {
    let place = cache.and_then(|cache| cache.join("inspan").into_os_string().into_string().ok());
    if let Some(place) = place {
        let default = || Setting { value: Value::Text(place), origin: Origin::Default };
        settings.entry("paths.worktrees".to_owned()).or_insert_with(default);
    }
}

pub(super) fn worktrees(settings: &Settings, home: Option<&str>) -> Option<PathBuf> {
    settings.get("paths.worktrees")?.value.to_path(home)
}

pub(super) fn text<'a>(settings: &'a Settings, name: &str) -> Option<&'a str> {
    match &settings.get(name)?.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

pub(super) fn count(settings: &Settings, name: &str) -> Option<u64> {
    match settings.get(name)?.value {
        Value::Count(count) => Some(count),
        _ => None,
    }
}

/// A count that is beyond any use when it is larger than four billion.
pub(super) fn small(settings: &Settings, name: &str) -> Option<u32> {
    count(settings, name).map(|count| u32::try_from(count).unwrap_or(u32::MAX))
}

pub(super) fn money(settings: &Settings, name: &str) -> Option<Money> {
    match settings.get(name)?.value {
        Value::Usd(money) => Some(money),
        _ => None,
    }
}

pub(super) fn duration(settings: &Settings, name: &str) -> Option<Duration> {
    match settings.get(name)?.value {
        Value::Duration(duration) => Some(duration),
        _ => None,
    }
}

pub(super) fn list(settings: &Settings, name: &str) -> Option<Vec<String>> {
    match &settings.get(name)?.value {
        Value::List(list) => Some(list.clone()),
        _ => None,
    }
}
