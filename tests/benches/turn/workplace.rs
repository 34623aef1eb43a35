//! A worker with everything that it needs, in a temporary folder.

use std::{fmt::Write as _, fs, path::Path, sync::Arc};

use futures_util::future::{BoxFuture, FutureExt as _, ready};
use shared::{Attempt, AttemptKey, Brief, Glob, Limit, Limits, Price, RunId, Scope, TaskId};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use worker::{
    agent::{Agent, AgentEnd, Conversation, Terminal},
    budget::Unlimited,
    context,
    hold::Hold,
    model::{Dialect, Label, Model, ModelSettings, Request, Role, connect},
    process::Shell,
    tool::{
        Acceptance, LiveScope, NoRules, ScopeAnswer, ScopeGuard, ScopeOffice, Strayed, Toolbox, Verdict, WorkerPlace, WorkerTools,
    },
    transcript::Transcript,
};

use crate::journal::TurnJournal;

/// The file that the worker reads and changes.
pub const FILE: &str = "src/money.rs";
/// The line that it changes, before and after.
pub const LINES: [&str; 2] = ["    let currency = \"EUR\";", "    let currency = \"USD\";"];

/// Where attempts are made, one after another, each with a transcript and a journal of its own.
pub struct Workplace {
    model: Arc<dyn Model>,
}

impl Workplace {
    pub fn new(base_url: &str) -> Self {
        // The endpoint counts a byte as a token.
        let settings = ModelSettings {
            context_window: 1 << 30,
            price: Some(price()),
            ..ModelSettings::new("bench/canned", Dialect::OpenAiChat, base_url)
        };
        Self { model: connect(settings).expect("the settings are right") }
    }

    /// Bytes of a request on the wire that holds nothing but what all workers are told, and their tools.
    pub async fn first_request(&self) -> u64 {
        let folder = folder();
        let tools = tools(folder.path()).specs();
        let messages = [context::shared_opening("")];
        let request = Request { label: &label(), messages: &messages, tools: &tools, max_tokens: 16_384 };
        let answer = self.model.ask(&request, &|_| {}, &CancellationToken::new()).await.expect("the endpoint answers");
        answer.usage.expect("it says how long the request was").miss
    }

    /// An attempt of so many turns, an even number; the bytes of its last request.
    pub async fn attempt(&self, turns: u32) -> u64 {
        let folder = folder();
        let journal = Arc::new(TurnJournal::create(&folder.path().join("journal.db"), run(), key()));
        let agent = Agent {
            model: Arc::clone(&self.model),
            toolbox: Arc::new(tools(folder.path())),
            budget: Arc::new(Unlimited),
            observer: journal.clone(),
            limits: Limits { turns: Some(turns), minutes: Some(30), ..Limits::default() }.into(),
            hold: Hold::default(),
            label: label(),
            max_tokens: self.model.max_output(),
            terminal: Terminal::FINISH,
            summariser: None,
            kin: None,
        };
        let transcript = Transcript::create(&folder.path().join("attempt.jsonl")).expect("a new file");
        let opening = context::opening(&"src/ holds the library, tests/ its tests.\n".repeat(50), &brief());
        let mut talk = Conversation::new(opening, transcript, Arc::default());
        let (_steer, mut steered) = mpsc::channel(1);
        let end = agent.run(&mut talk, &mut steered, &CancellationToken::new()).await;
        assert!(matches!(end, AgentEnd::Exhausted { limit: Limit::Turns, .. }), "{end:?}");
        assert_eq!(talk.totals().turns, turns);
        journal.longest_request()
    }
}

fn price() -> Price {
    let usd = |usd| shared::Money::from_usd(usd).expect("a small amount");
    Price { hit: usd(0.003), miss: usd(0.15), write: None, output: usd(0.6) }
}

/// A folder with a file of some hundred lines in it.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("tree").join(FILE);
    let mut text = format!("//! Money.\n\nfn default() -> Money {{\n{}\n    Money::new(currency)\n}}\n", LINES[0]);
    for line in 0..60 {
        let _ = writeln!(text, "fn amount_{line}() -> u64 {{ {line} }}");
    }
    fs::create_dir_all(file.parent().expect("it has a folder")).expect("a new folder");
    fs::write(file, text).expect("a new file");
    folder
}

fn tools(folder: &Path) -> WorkerTools {
    let (root, spill_dir) = (folder.join("tree"), folder.join("spill"));
    let shell = Shell {
        cwd: root.clone(),
        env: Vec::new(),
        spill_dir: spill_dir.clone(),
        enclosure: worker::sandbox::Enclosure::open(),
        permits: worker::process::Permits::default(),
    };
    let place = WorkerPlace {
        longest_result: usize::MAX,
        root,
        seen: folder.join("seen"),
        spill_dir,
        shell,
        scope: LiveScope::new(scope()),
        secrecy: Arc::default(),
        guard: Arc::new(Yes),
        office: Arc::new(Yes),
        acceptance: Arc::new(Yes),
        clearance: Arc::new(NoRules),
    };
    WorkerTools::new(place).expect("the folder is there")
}

/// Accepts and grants everything.
struct Yes;

impl Acceptance for Yes {
    fn accept<'a>(&'a self, _: &'a CancellationToken) -> BoxFuture<'a, Verdict> {
        ready(Verdict::Accepted).boxed()
    }
}

impl ScopeGuard for Yes {
    fn after_command(&self) -> BoxFuture<'_, Strayed> {
        ready(Strayed::Nowhere).boxed()
    }
}

impl ScopeOffice for Yes {
    fn request(&self, write: Vec<Glob>, _: String) -> BoxFuture<'_, ScopeAnswer> {
        ready(ScopeAnswer::Granted(Scope { write, ..Scope::default() })).boxed()
    }
}

fn scope() -> Scope {
    Scope { write: vec![Glob::new("src/**").expect("a glob")], shared: Vec::new(), ..Scope::default() }
}

fn run() -> RunId {
    RunId::from_bits(1)
}

fn key() -> AttemptKey {
    AttemptKey { task: TaskId::new("money-type").expect("a name"), attempt: Attempt(1) }
}

fn label() -> Label {
    Label { run: run(), role: Role::Worker, task: Some(key().task), attempt: 1, turn: 1 }
}

fn brief() -> Brief {
    Brief {
        run: run(),
        key: key(),
        goal: "Give every money value a currency".to_owned(),
        title: "Money carries a currency".to_owned(),
        instructions: "Add the currency to every amount.\n".repeat(20),
        scope: scope(),
        deliver: Vec::new(),
        verify: vec!["cargo test".to_owned()],
        hand_off: None,
        received: Vec::new(),
        around: String::new(),
        notes: Vec::new(),
        history: Vec::new(),
        limits: Limits::default(),
    }
}
