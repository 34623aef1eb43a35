//! Every key there is: its name, what it may hold, its variable, its default, and what it is for.
//!
//! Files, environment, flags, `inspan config`, the commented file of `inspan init` and the messages about unknown keys all read this
//! table, so a key is added in one place. Those of providers are in [`provider`].

mod provider;

pub(super) use provider::{MODEL_KEYS, PROVIDER_KEYS, SPOKEN, provider_key};

/// What a key may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Any text but the empty one.
    Text,
    /// A whole number of at least this.
    Count(u64),
    /// Dollars.
    Usd,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// `90s`, `20m`, `1h 30m`.
    Duration,
    /// A list of texts; in the environment one a line.
    Lines,
    /// A list of patterns of files, by their names where they have no `/`; in the environment one a line.
    Names,
    /// A list of words; in the environment with commas between them.
    Words,
    /// A list of beginnings of commands; in the environment one a line.
    Prefixes,
    /// A list of patterns over the repository's files; in the environment one a line.
    Globs,
    /// An absolute path; `~/` is the home directory.
    Folder,
    /// A list of such paths; in the environment with commas between them.
    Folders,
    /// `http://` or `https://`.
    Url,
    /// `true` or `false`.
    Flag,
    /// `{ hit = …, miss = …, output = … }`, in dollars a million tokens.
    Price,
    /// A list of `{ files = "glob", command = "…" }`.
    Generators,
    /// Any table, as JSON.
    Table,
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    /// With the table it stands in: `run.workers`.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The variable that sets it.
    pub(super) variable: Option<&'static str>,
    /// As it would stand in a file.
    pub(super) default: Option<&'static str>,
    /// What to show where there is no default.
    pub(super) example: &'static str,
    pub(super) about: &'static str,
}

const fn key(name: &'static str, kind: Kind, variable: &'static str, default: Option<&'static str>, about: &'static str) -> Key {
    Key { name, kind, variable: Some(variable), default, example: "", about }
}

const fn fallback(name: &'static str, variable: &'static str, about: &'static str) -> Key {
    such_as(r#"["openrouter/deepseek/deepseek-v4-pro"]"#, key(name, Kind::Words, variable, None, about))
}

const fn such_as(example: &'static str, key: Key) -> Key {
    Key { example, ..key }
}

/// When a person is asked.
pub(super) const REVIEWS: &[&str] = &["always", "first", "never"];
/// What a rule can say.
pub(super) const VERDICTS: &[&str] = &["allow", "ask", "deny"];
/// What can be said where nobody is there to ask.
pub(super) const UNATTENDED: &[&str] = &["allow", "deny"];

/// What bounds commands. That nothing does is said by a flag, never by a file.
pub(super) const TIERS: &[&str] = &["auto", "bubblewrap", "helper", "seatbelt"];

/// All keys outside `[providers]`, in the order in which they are shown.
pub(super) const KEYS: &[Key] = &[
    such_as(
        r#""deepseek/deepseek-flash""#,
        key(
            "model",
            Kind::Text,
            "INSPAN_MODEL",
            None,
            "The model of every role, as provider/model. Without one: DeepSeek, where DEEPSEEK_API_KEY is set.",
        ),
    ),
    such_as(
        r#""deepseek/deepseek-v4-pro""#,
        key("models.planner", Kind::Text, "INSPAN_MODEL_PLANNER", None, "The planner's model, where it is another."),
    ),
    such_as(
        r#""deepseek/deepseek-flash""#,
        key("models.worker", Kind::Text, "INSPAN_MODEL_WORKER", None, "The workers' model, where it is another."),
    ),
    such_as(
        r#""deepseek/deepseek-v4-pro""#,
        key(
            "models.resolver",
            Kind::Text,
            "INSPAN_MODEL_RESOLVER",
            None,
            "The model that does a task again after a conflict. Left out, the one that did it before.",
        ),
    ),
    such_as(
        r#""deepseek/deepseek-flash""#,
        key(
            "models.summariser",
            Kind::Text,
            "INSPAN_MODEL_SUMMARISER",
            None,
            "The model that makes long conversations short. Left out, whichever has the conversation.",
        ),
    ),
    such_as(
        r#""deepseek/deepseek-v4-pro""#,
        key(
            "models.escalation",
            Kind::Text,
            "INSPAN_MODEL_ESCALATION",
            None,
            "A stronger model for a task at which an attempt has failed. A conflict or an interruption is no failure.",
        ),
    ),
    fallback(
        "models.fallback.planner",
        "INSPAN_MODEL_FALLBACK_PLANNER",
        "Models that stand in for the planner's, in this order.",
    ),
    fallback("models.fallback.worker", "INSPAN_MODEL_FALLBACK_WORKER", "Models that stand in for the workers'."),
    fallback("models.fallback.resolver", "INSPAN_MODEL_FALLBACK_RESOLVER", "Models that stand in for the resolver's."),
    fallback("models.fallback.summariser", "INSPAN_MODEL_FALLBACK_SUMMARISER", "Models that stand in for the summariser's."),
    fallback("models.fallback.escalation", "INSPAN_MODEL_FALLBACK_ESCALATION", "Models that stand in for the stronger one."),
    key("run.workers", Kind::Count(1), "INSPAN_WORKERS", Some("4"), "How many workers there are at once."),
    key(
        "run.review",
        Kind::OneOf(REVIEWS),
        "INSPAN_REVIEW",
        Some(r#""first""#),
        "When a person approves: each plan and re-plan (always), the plan (first), nothing (never).",
    ),
    such_as("5.00", key("run.max_cost_usd", Kind::Usd, "INSPAN_MAX_COST", None, "What a whole run may cost.")),
    such_as(
        "20_000_000",
        key("run.max_tokens", Kind::Count(1), "INSPAN_MAX_TOKENS", None, "How many tokens a whole run may use."),
    ),
    such_as("240", key("run.max_minutes", Kind::Count(1), "INSPAN_MAX_MINUTES", None, "How long a whole run may take.")),
    such_as(
        "20_000",
        key(
            "run.max_disk_mb",
            Kind::Count(1),
            "INSPAN_MAX_DISK_MB",
            None,
            "What the worktrees and records of a whole run may take of the disk.",
        ),
    ),
    key(
        "run.min_free_mb",
        Kind::Count(0),
        "INSPAN_MIN_FREE_MB",
        Some("512"),
        "What must be free on each disk that a run writes to before anything new begins; with less it halts.",
    ),
    key(
        "run.attempts",
        Kind::Count(1),
        "INSPAN_ATTEMPTS",
        Some("2"),
        "How often a task is tried before its failure goes to the planner.",
    ),
    key(
        "run.conflict_attempts",
        Kind::Count(0),
        "INSPAN_CONFLICT_ATTEMPTS",
        Some("3"),
        "How often a task that conflicts is tried again from the new tip.",
    ),
    key("run.replans", Kind::Count(0), "INSPAN_REPLANS", Some("3"), "How often the plan may be changed."),
    key(
        "task.turns",
        Kind::Count(1),
        "INSPAN_TASK_TURNS",
        Some("80"),
        "Model turns of one attempt, unless the plan says otherwise.",
    ),
    such_as("600_000", key("task.tokens", Kind::Count(1), "INSPAN_TASK_TOKENS", None, "Tokens of one attempt.")),
    such_as("0.50", key("task.cost_usd", Kind::Usd, "INSPAN_TASK_COST", None, "What one attempt may cost.")),
    key("task.minutes", Kind::Count(1), "INSPAN_TASK_MINUTES", Some("30"), "How long one attempt may take."),
    such_as(
        r#"["cargo test --workspace"]"#,
        key(
            "gate.commands",
            Kind::Lines,
            "INSPAN_GATE_COMMANDS",
            None,
            "What must pass before the run branch moves. Left out, it is guessed from the manifests.",
        ),
    ),
    key("gate.timeout", Kind::Duration, "INSPAN_GATE_TIMEOUT", Some(r#""20m""#), "How long each of these commands may take."),
    such_as(
        r#"["build/reports/*.xml"]"#,
        key(
            "gate.reports",
            Kind::Globs,
            "INSPAN_GATE_REPORTS",
            None,
            "Where test runners leave reports in the form of JUnit, beside the usual places: what fails is named from them.",
        ),
    ),
    such_as(
        r#"[{ files = "api/*.pb.go", command = "make api" }]"#,
        Key {
            variable: None,
            ..key(
                "merge.generated",
                Kind::Generators,
                "",
                None,
                "Files that a command makes from others: where two tasks conflict in one, it is made anew instead of merged.",
            )
        },
    ),
    key(
        "landing.batch",
        Kind::Count(1),
        "INSPAN_LANDING_BATCH",
        Some("32"),
        "How many finished tasks are proved together at most. What is red is found by halving; 1 proves each alone.",
    ),
    key(
        "landing.speculate",
        Kind::Flag,
        "INSPAN_LANDING_SPECULATE",
        Some("true"),
        "Whether, while a slow gate is at one batch, the next is proved on top of it, in a second worktree.",
    ),
    key(
        "context.map_tokens",
        Kind::Count(0),
        "INSPAN_MAP_TOKENS",
        Some("2000"),
        "How long the map of the repository's most used symbols is that every prompt begins with; 0 leaves it out.",
    ),
    key(
        "env.pass",
        Kind::Words,
        "INSPAN_ENV_PASS",
        Some("[]"),
        "Variables that commands of workers may see, beyond PATH and its like; a trailing * stands for any ending. Keys of models are never passed.",
    ),
    key(
        "sandbox.tier",
        Kind::OneOf(TIERS),
        "INSPAN_SANDBOX",
        Some(r#""auto""#),
        "What bounds the commands of workers: bubblewrap (tier A), helper (tier B), seatbelt (macOS), or the best there is (auto).",
    ),
    key(
        "sandbox.read",
        Kind::Folders,
        "INSPAN_SANDBOX_READ",
        Some("[]"),
        "Further folders that commands may read, absolute or ~/; system and toolchains are readable anyway.",
    ),
    key(
        "sandbox.write",
        Kind::Folders,
        "INSPAN_SANDBOX_WRITE",
        Some("[]"),
        "Further folders that commands may write, such as a compiler's cache. Whatever one task puts there, all others find.",
    ),
    key(
        "sandbox.build",
        Kind::Words,
        "INSPAN_SANDBOX_BUILD",
        Some("[]"),
        "Folders of the repository that builds write into, beside those that .gitignore names; \".\" is all of it.",
    ),
    such_as(
        "2",
        key(
            "sandbox.heavy",
            Kind::Count(1),
            "INSPAN_SANDBOX_HEAVY",
            None,
            "How many builds and test suites of a run go on at once; left out, one for each core.",
        ),
    ),
    key(
        "sandbox.memory_mb",
        Kind::Count(16),
        "INSPAN_SANDBOX_MEMORY_MB",
        Some("8192"),
        "Memory of a command and all its processes.",
    ),
    key(
        "sandbox.processes",
        Kind::Count(1),
        "INSPAN_SANDBOX_PROCESSES",
        Some("1024"),
        "Processes and threads of a command at once.",
    ),
    key("sandbox.file_mb", Kind::Count(1), "INSPAN_SANDBOX_FILE_MB", Some("4096"), "How large one file may become."),
    key("sandbox.open_files", Kind::Count(16), "INSPAN_SANDBOX_OPEN_FILES", Some("4096"), "Open files of one process."),
    key("sandbox.cpu_minutes", Kind::Count(1), "INSPAN_SANDBOX_CPU_MINUTES", Some("60"), "Processor time of one process."),
    key("sandbox.disk_mb", Kind::Count(1), "INSPAN_SANDBOX_DISK_MB", Some("16384"), "What a command may add to the disk."),
    key(
        "secrets.deny",
        Kind::Names,
        "INSPAN_SECRETS_DENY",
        Some("[]"),
        "Files that no model sees and no task adds, beyond .env, private keys and their like. A pattern without a / is about names.",
    ),
    key(
        "secrets.allow",
        Kind::Names,
        "INSPAN_SECRETS_ALLOW",
        Some("[]"),
        "Files that hold no secrets whatever they are called and whatever they hold: samples, fixtures of tests.",
    ),
    such_as(
        r#"["cargo", "npm test"]"#,
        key(
            "approvals.allow",
            Kind::Prefixes,
            "INSPAN_APPROVALS_ALLOW",
            None,
            "Commands that agents may run whatever approvals.default says, by their first words: \"npm test\" is also npm test -- x, and \
             not npm tests. Approvals are a courtesy in front of the sandbox, not the wall: they know a command only as it is written.",
        ),
    ),
    such_as(
        r#"["git push", "npm publish"]"#,
        key(
            "approvals.ask",
            Kind::Prefixes,
            "INSPAN_APPROVALS_ASK",
            None,
            "Commands about which you are asked first. The strictest rule counts, for each command of a line: deny, ask, allow, default.",
        ),
    ),
    such_as(
        r#"["sudo", "curl"]"#,
        key("approvals.deny", Kind::Prefixes, "INSPAN_APPROVALS_DENY", None, "Commands that are not run."),
    ),
    key(
        "approvals.default",
        Kind::OneOf(VERDICTS),
        "INSPAN_APPROVALS_DEFAULT",
        Some(r#""allow""#),
        "What is said to commands that no rule names: allow, ask or deny. Builtins of the shell such as cd and echo are always run.",
    ),
    such_as(
        r#"["ci/**"]"#,
        key(
            "approvals.ask_paths",
            Kind::Globs,
            "INSPAN_APPROVALS_ASK_PATHS",
            None,
            "Files about which you are asked before a tool changes one, or a task asks to own it. (Commands change files unasked.)",
        ),
    ),
    such_as(
        r#"["deploy/**", "**/*.pem"]"#,
        key(
            "approvals.deny_paths",
            Kind::Globs,
            "INSPAN_APPROVALS_DENY_PATHS",
            None,
            "Files that no task may change, whatever its scope says. Found also when a command has changed them: then nothing of it lands.",
        ),
    ),
    key(
        "approvals.unattended",
        Kind::OneOf(UNATTENDED),
        "INSPAN_APPROVALS_UNATTENDED",
        Some(r#""deny""#),
        "What becomes of a question where nobody is there: no terminal, --yes, JSON output.",
    ),
    key(
        "approvals.deadline",
        Kind::Duration,
        "INSPAN_APPROVALS_DEADLINE",
        Some(r#""10m""#),
        "How long a question waits for you. Then it is decided as if nobody were there.",
    ),
    such_as(
        r#""~/.cache/inspan""#,
        key(
            "paths.worktrees",
            Kind::Folder,
            "INSPAN_WORKTREES",
            None,
            "Where worktrees are made. Left out, in the user's cache directory.",
        ),
    ),
];

/// The known name that was probably meant: one with the same last part in another table, or one that is spelled much alike.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_lowercase();
    let likeness = |other: &str| {
        let misplaced = if last(other) == last(name) { 0.9 } else { 0.0 };
        strsim::jaro_winkler(name, other).max(strsim::jaro_winkler(&last(name), &last(other)) - 0.05).max(misplaced)
    };
    let best = known.map(|other| (likeness(other), other)).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness > 0.8).map(|(_, name)| name)
}
