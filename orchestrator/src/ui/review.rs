//! The review: a person sees a plan, and approves it, changes it, talks about it or rejects it.
//!
//! **Invariant:** nobody is waited for who cannot answer: without a terminal, and at the end of the input, the answer is
//! [`Answer::Nobody`].

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use futures_util::future::BoxFuture;
use plans::{
    Plan, Survey, Task, WorkerKind,
    admission::{Admitted, Before, PlanRules},
    estimate,
    event::Settings,
    file, render,
};
use shared::{Limits, Money, Price, Tariff, TaskId};
use tokio_util::sync::CancellationToken;

use super::{
    Screen,
    question::{Question, Word, listen},
    words,
};
use worker::sandbox::Tier;

use crate::{approvals::Rules, disk::in_words, error::Error};

/// What a person says to a plan.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Go.
    Approve,
    /// Do not.
    Reject,
    /// This instead.
    Edited(Box<Admitted>),
    /// Think again.
    Comment(String),
    /// There is nobody.
    Nobody,
}

/// What is reviewed.
pub struct Sheet {
    /// The plan.
    pub plan: Plan,
    /// What has changed since the person last saw it.
    pub difference: Option<String>,
    /// Why it changed.
    pub cause: Option<String>,
    /// What was remarked of it.
    pub warnings: Vec<String>,
    /// Tasks of it that have landed: not the person's to change.
    pub settled: BTreeSet<TaskId>,
    /// How the run will behave.
    pub settings: Settings,
    /// Who carries it out.
    pub team: Team,
    /// What a person wants to be asked about, and what nobody may do.
    pub approvals: Arc<Rules>,
    /// What an edited plan is held against,
    pub rules: PlanRules,
    /// in the light of this repository.
    pub survey: Arc<Survey>,
    /// The file in which the person edits it.
    pub draft: PathBuf,
}

/// What is known about the workers' cost.
#[derive(Debug, Clone, Default)]
pub struct Team {
    /// Their model, if there is one.
    pub model: Option<String>,
    /// Its price, if it is known.
    pub tariff: Option<Tariff>,
    /// Which other models may come in, and when.
    pub reserve: Vec<String>,
    /// How many tokens every conversation begins with.
    pub opening: u64,
}

/// Whoever answers.
pub trait Reviewer: Send + Sync {
    /// Shows the sheet and waits for an answer.
    fn review(&self, sheet: Sheet) -> BoxFuture<'_, Result<Answer, Error>>;

    /// Shows the sheet of a plan that a policy approves, and waits for nothing.
    fn show(&self, sheet: &Sheet);

    /// Asks about something that a worker wants to do, until it is answered or nobody needs the answer any more.
    fn ask(&self, question: Question, away: CancellationToken) -> BoxFuture<'_, Word>;

    /// Says why there is no other plan; the one that was reviewed is reviewed again.
    fn say(&self, error: &Error);
}

/// A person at a terminal, if there is one.
pub struct Terminal {
    /// Where.
    pub screen: Screen,
}

impl Reviewer for Terminal {
    fn show(&self, sheet: &Sheet) {
        self.screen.say(&describe(sheet, super::width()));
    }

    fn say(&self, error: &Error) {
        self.screen.insist(&format!("There is no other plan: {error}"));
        if let Some(hint) = error.hint() {
            self.screen.insist(&format!(" hint: {hint}"));
        }
    }

    fn ask(&self, question: Question, away: CancellationToken) -> BoxFuture<'_, Word> {
        let screen = self.screen.clone();
        Box::pin(async move {
            let turn = screen.turn();
            let Some(_turn) = away.run_until_cancelled(turn.lock()).await.filter(|_| screen.interactive) else {
                return Word::Nobody;
            };
            let (asked, _room) = (screen.clone(), screen.make_room());
            let talk = tokio::task::spawn_blocking(move || listen(&asked, &question, &away)).await;
            talk.unwrap_or(Word::Nobody)
        })
    }

    fn review(&self, sheet: Sheet) -> BoxFuture<'_, Result<Answer, Error>> {
        let screen = self.screen.clone();
        Box::pin(async move {
            if !screen.interactive {
                screen.insist(&describe(&sheet, super::width()));
                return Ok(Answer::Nobody);
            }
            let (asked, turn) = (screen.clone(), screen.turn());
            let _turn = turn.lock().await;
            asked.ask(true);
            asked.insist(&describe(&sheet, super::width()));
            let talk = tokio::task::spawn_blocking(move || converse(&screen, &sheet)).await;
            asked.ask(false);
            talk.unwrap_or_else(|panic| Err(Error::Defect(panic.to_string())))
        })
    }
}

/// The sheet as text: difference and cause if it is a revision, then table, graph, gate, limits, costs, warnings.
pub fn describe(sheet: &Sheet, width: usize) -> String {
    let mut text = String::new();
    let mut part = |heading: &str, body: &str| {
        if !body.trim().is_empty() {
            writeln!(text, "{heading}\n\n{}\n", words::indent(body.trim_end())).expect("writing to a string");
        }
    };
    let plan = &sheet.plan;
    part("Goal", plan.goal());
    part("Why the plan changes", sheet.cause.as_deref().unwrap_or_default());
    part("What changes", sheet.difference.as_deref().unwrap_or_default());
    let (limits, team) = (sheet.settings.task_limits, &sheet.team);
    let costs = estimate::facts(plan, limits, team.opening, |task| price(sheet, task));
    let facts = render::TableFacts { width: width - 2, usual_model: team.model.clone(), ..costs };
    part("Tasks", &render::table(plan, &facts));
    part("Rights", &rights_in_words(sheet, width - 2));
    part("Order", &render::graph(plan, width - 2, |_| None));
    part("Limits", &limits_in_words(sheet));
    let warnings: Vec<String> = sheet.warnings.iter().map(|warning| format!("- {warning}")).collect();
    part("Warnings", &warnings.join("\n"));
    text
}

/// The price of the model that begins with a task.
fn price(sheet: &Sheet, task: &Task) -> Option<Price> {
    match &task.model {
        Some(name) => sheet.rules.models.as_ref()?.look_up(name).ok()?.price,
        None => sheet.team.tariff.as_ref().map(|tariff| tariff.price),
    }
}

/// What each task may do, and what all of them are held to.
fn rights_in_words(sheet: &Sheet, width: usize) -> String {
    let mut text = render::rights(&sheet.plan, &sheet.approvals.paths, width);
    if sheet.settings.sandbox == Tier::None.as_str() {
        text.insert_str(0, "NO SANDBOX: nothing holds commands to what stands here; they may do whatever you may\n");
    }
    if let Some(rules) = sheet.approvals.in_words() {
        writeln!(text, "{rules}").expect("writing to a string");
    }
    text
}

fn limits_in_words(sheet: &Sheet) -> String {
    let Settings { workers, attempts, replans, task_limits, run_limits, max_disk, min_free, .. } = &sheet.settings;
    let mut text = format!(
        "up to {} at once, {} at a task, {}\neach attempt, where its task says nothing else: {}\n",
        words::counted(*workers, "worker"),
        words::counted(*attempts, "attempt"),
        words::counted(*replans, "re-plan"),
        say_limits(task_limits, None),
    );
    for task in sheet.plan.tasks().iter().filter(|task| task.limits != Limits::default()) {
        writeln!(text, "each attempt at {}: {}", task.id, say_limits(&task.limits.or(*task_limits), None))
            .expect("writing to a string");
    }
    writeln!(text, "the whole run: {}", say_limits(run_limits, *max_disk)).expect("writing to a string");
    if *min_free > 0 {
        writeln!(text, "nothing begins with less than {} free on a disk", in_words(*min_free)).expect("writing to a string");
    }
    if sheet.plan.tasks().iter().any(|task| task.worker == WorkerKind::Agent) {
        writeln!(text, "{}", expectation(sheet)).expect("writing to a string");
    }
    if sheet.settings.no_gate {
        text.push_str("NO GATE: nothing proves the merged tree but the tasks' own verification\n");
    }
    text
}

/// What all attempts will probably take if none fails, and who else may come in.
fn expectation(sheet: &Sheet) -> String {
    let Team { model, opening, reserve, .. } = &sheet.team;
    let (plan, limits) = (&sheet.plan, sheet.settings.task_limits);
    let agents = plan.tasks().iter().filter(|task| task.worker == WorkerKind::Agent);
    let cost: Option<Money> =
        agents.clone().map(|task| Some(estimate::cost(estimate::tokens(task, limits, *opening), price(sheet, task)?))).sum();
    let peak = sheet.team.tariff.as_ref().and_then(|tariff| tariff.peak.as_ref());
    let peak = peak.map_or(String::new(), |peak| format!(", {} times that at peak hours", peak.factor.times()));
    let cost = cost.map_or("its price is not known".to_owned(), |cost| format!("about {cost}{peak}"));
    let mut models: Vec<&str> =
        agents.map(|task| task.model.as_ref().or(model.as_ref()).map_or("no model", String::as_str)).collect();
    models.sort_unstable();
    models.dedup();
    let total = words::count(estimate::total(plan, limits, *opening).total());
    let expected = format!("expected with {}: about {total} tokens; {cost}", models.join(", "));
    std::iter::once(expected).chain(reserve.iter().cloned()).collect::<Vec<_>>().join("\n")
}

pub(super) fn say_limits(limits: &Limits, disk: Option<u64>) -> String {
    let parts = [
        limits.turns.map(|turns| words::counted(turns, "turn")),
        limits.tokens.map(|tokens| format!("{} tokens", words::count(tokens))),
        limits.cost.map(|cost| cost.to_string()),
        limits.minutes.map(|minutes| words::counted(minutes, "minute")),
        disk.map(|bytes| format!("{} of disk", in_words(bytes))),
    ];
    let said: Vec<String> = parts.into_iter().flatten().collect();
    if said.is_empty() { "no limit".to_owned() } else { said.join(", ") }
}

/// Blocks until the person has said something that can be understood.
fn converse(screen: &Screen, sheet: &Sheet) -> Result<Answer, Error> {
    loop {
        screen.insist("Approve this plan?  [a]pprove  [e]dit  [c]omment  [r]eject  [m]ermaid  [?]");
        let Some(line) = read_line() else { return Ok(Answer::Nobody) };
        let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        match word.to_ascii_lowercase().as_str() {
            "a" | "approve" | "y" | "yes" => return Ok(Answer::Approve),
            "r" | "reject" | "n" | "no" | "q" | "quit" => return Ok(Answer::Reject),
            "m" | "mermaid" => screen.insist(&render::mermaid(&sheet.plan)),
            "e" | "edit" => match edit(screen, sheet)? {
                Some(edited) if edited.plan == sheet.plan => screen.insist("Nothing has changed."),
                Some(edited) => return Ok(Answer::Edited(Box::new(edited))),
                None => screen.insist("The plan is as it was."),
            },
            "c" | "comment" => {
                let comment =
                    if rest.trim().is_empty() { ask(screen, "What should be different?") } else { Some(rest.to_owned()) };
                match comment {
                    Some(comment) if !comment.trim().is_empty() => return Ok(Answer::Comment(comment.trim().to_owned())),
                    Some(_) => {}
                    None => return Ok(Answer::Nobody),
                }
            }
            _ => screen.insist(HELP),
        }
    }
}

const HELP: &str = "  a  carry the plan out as it is
  e  change it in your editor, and see it again
  c  say what should be different; the planner changes it (`c TEXT`, or just `c`)
  r  reject it: nothing is done
  m  print it as a Mermaid graph
Ctrl-C leaves; `inspan review` brings you back here.";

fn ask(screen: &Screen, question: &str) -> Option<String> {
    screen.insist(question);
    read_line()
}

fn read_line() -> Option<String> {
    let mut line = String::new();
    matches!(std::io::stdin().read_line(&mut line), Ok(read) if read > 0).then_some(line)
}

/// Opens the plan in the person's editor until it is one, or until they give up.
fn edit(screen: &Screen, sheet: &Sheet) -> Result<Option<Admitted>, Error> {
    let path = &sheet.draft;
    std::fs::write(path, file::write_toml(&sheet.plan)).map_err(Error::disk(path))?;
    let before = Before { plan: &sheet.plan, settled: &sheet.settled };
    loop {
        if let Err(why) = open_editor(path) {
            screen.insist(&format!(
                "The editor could not be used: {why}. Set EDITOR, or edit {} and run it with --plan.",
                path.display()
            ));
            return Ok(None);
        }
        let text = std::fs::read_to_string(path).map_err(Error::disk(path))?;
        let problems = match sheet.rules.edited(&text, before, &sheet.survey) {
            Ok(admitted) => return Ok(Some(admitted)),
            Err(problems) => problems,
        };
        let problems: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
        screen.insist(&format!("The edited plan has problems:\n{}", problems.join("\n")));
        let again = ask(screen, "Edit again?  [y]es  [n]o, keep the plan as it was");
        if !again.is_some_and(|answer| matches!(answer.trim(), "" | "y" | "yes" | "e")) {
            return Ok(None);
        }
    }
}

fn open_editor(path: &Path) -> Result<(), String> {
    let chosen = ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok().filter(|editor| !editor.trim().is_empty()));
    let editor = chosen.unwrap_or_else(|| "vi".to_owned());
    // An editor may come with arguments (`code --wait`): the shell splits them.
    let run = Command::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(path).status();
    match run {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{editor}` ended with {status}")),
        Err(error) => Err(error.to_string()),
    }
}
