//! Every key there is: its name, what it may hold, its variable, its default, and what it is for.
//!
//! Files, environment, flags, `inspan config`, the commented file of `inspan init` and the messages about unknown keys all read this
//! table, so a key is added in one place.

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

const fn within_provider(name: &'static str, kind: Kind, about: &'static str) -> Key {
    Key { name, kind, variable: None, default: None, example: "", about }
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
/// How a server is spoken to.
pub(super) const DIALECTS: &[&str] = &["openai-chat", "openai-responses", "anthropic-messages", "scripted", "replay"];
/// How a provider keeps the beginnings of requests.
pub(super) const CACHES: &[&str] = &["none", "automatic", "warmed", "breakpoints"];
/// Where a key goes.
pub(super) const AUTH_HEADERS: &[&str] = &["authorization", "x-api-key", "api-key"];

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

/// The keys of `[providers.NAME]`.
pub(super) const PROVIDER_KEYS: &[Key] = &[
    such_as(r#""https://example.org/v1""#, within_provider("base_url", Kind::Url, "The address, up to and including /v1.")),
    such_as(r#""openai-chat""#, within_provider("dialect", Kind::OneOf(DIALECTS), "How it is spoken to.")),
    such_as(
        r#""EXAMPLE_API_KEY""#,
        within_provider("api_key_env", Kind::Text, "The variable that holds the key. Left out, no key is sent."),
    ),
    such_as(
        "128_000",
        within_provider("context_window", Kind::Count(1), "How many tokens a request and its answer may be together."),
    ),
    such_as("16_384", within_provider("max_output", Kind::Count(1), "How many tokens one answer may have.")),
    such_as("true", within_provider("streaming", Kind::Flag, "Whether answers are asked for as a stream.")),
    such_as("true", within_provider("parallel_calls", Kind::Flag, "Whether the model may ask for several calls at once.")),
    such_as(
        r#""automatic""#,
        within_provider(
            "cache",
            Kind::OneOf(CACHES),
            "How it keeps the beginnings of requests: none, automatic, warmed (by one request before many), breakpoints.",
        ),
    ),
    such_as(
        r#""max_completion_tokens""#,
        within_provider(
            "max_tokens_key",
            Kind::Text,
            "The member of a request that bounds the answer, where it has another name.",
        ),
    ),
    such_as(
        r#""prompt_cache_key""#,
        within_provider(
            "affinity_key",
            Kind::Text,
            "The member of a request that carries the run's id, so that it meets its cache.",
        ),
    ),
    such_as(
        r#""api-key""#,
        within_provider("auth_header", Kind::OneOf(AUTH_HEADERS), "The header that carries the key, where it is another."),
    ),
    such_as(r#"{ x-title = "Inspan" }"#, within_provider("headers", Kind::Table, "Further headers of each request.")),
    such_as("false", within_provider("reasoning_roundtrip", Kind::Flag, "Whether earlier reasoning must be sent back.")),
    such_as("false", within_provider("strict_tools", Kind::Flag, "Whether the server knows strict tools.")),
    such_as("{ temperature = 0.2 }", within_provider("extra_body", Kind::Table, "Further members of each request.")),
    such_as(
        "{ hit = 0.1, miss = 0.5, output = 2.0 }",
        within_provider(
            "price",
            Kind::Price,
            "Dollars a million tokens: cached (hit), other (miss), written by the model (output), put into the cache (write).",
        ),
    ),
    such_as(
        "5",
        within_provider("retries", Kind::Count(0), "How often a request that failed for a passing reason is sent again."),
    ),
    such_as(
        r#""500ms""#,
        within_provider("retry_wait", Kind::Duration, "How long until it is sent again for the first time; then twice as long."),
    ),
    such_as(r#""3m""#, within_provider("idle_timeout", Kind::Duration, "How long nothing at all may come.")),
    such_as(r#""20m""#, within_provider("request_timeout", Kind::Duration, "How long one answer may take.")),
];

/// The keys of `[providers.NAME.models."MODEL"]`, which go before the provider's.
pub(super) const MODEL_KEYS: &[&str] = &[
    "price",
    "context_window",
    "max_output",
    "streaming",
    "parallel_calls",
    "cache",
    "max_tokens_key",
    "reasoning_roundtrip",
    "strict_tools",
    "extra_body",
];

/// The key of `[providers.NAME]` with this name.
pub(super) fn provider_key(name: &str) -> Option<&'static Key> {
    PROVIDER_KEYS.iter().find(|key| key.name == name)
}

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
