//! Other limits: raised at any time, and lowered as far as what is spent.
//!
//! **Invariant:** no limit falls below what was spent already: that would end the run or the attempt by a slip of the hand. Who wants that
//! cancels it.

use std::fmt::Display;

use plans::{
    Task,
    edit::{Change, Rewrite},
    event::{Event, Settings},
    run_state::Phase,
    task_state::TaskState,
};
use shared::{Limits, Money, TaskId, usage::counted};

use super::{Court, Granted, Refused, limits_of, refused};
use crate::{
    control::order::{ForTask, Limiting},
    disk::in_words,
};

/// Weighs an order of other limits.
pub(super) fn weigh(court: &Court<'_>, limiting: &Limiting) -> Result<Granted, Refused> {
    let (of_run, changed) = of_run(court, limiting)?;
    let mut granted = Granted { events: Vec::new(), words: String::new() };
    if !changed.is_empty() {
        granted.events.push(Event::LimitsChanged { settings: of_run });
        granted.words = format!("Run {} may take from now on: {}.", court.run(), changed.join(", "));
    }
    if let Some(task) = &limiting.task {
        let (event, words) = of_task(court, task)?;
        granted.events.push(event);
        granted.words = if granted.words.is_empty() { words } else { format!("{} {words}", granted.words) };
    }
    if granted.events.is_empty() {
        return Err(refused("no limit was named; nothing was changed", "such as `inspan limits --max-cost 5 --workers 8`"));
    }
    granted.words.push_str(&court.when());
    Ok(granted)
}

fn of_run(court: &Court<'_>, limiting: &Limiting) -> Result<(Settings, Vec<String>), Refused> {
    let (mut settings, mut changed) = (court.state.settings().clone(), Vec::new());
    let (tokens, cost) = court.state.spending().with_guesses();
    let most = &mut settings.run_limits;
    if let Some(usd) = limiting.max_cost {
        let limit = money(usd)?;
        priced(court)?;
        not_below(limit, "", cost, "the run has cost")?;
        most.cost = Some(limit);
        changed.push(limit.to_string());
    }
    if let Some(limit) = limiting.max_tokens {
        not_endless(limit)?;
        not_below(limit, " tokens", tokens.total(), "the run has used")?;
        most.tokens = Some(limit);
        changed.push(format!("{limit} tokens"));
    }
    if let Some(limit) = limiting.max_minutes {
        not_below(u64::from(limit), " minutes", court.means.worked.as_secs().div_ceil(60), "the run has taken")?;
        most.minutes = Some(limit);
        changed.push(counted(limit, "minute"));
    }
    if let Some(megabytes) = limiting.max_disk {
        let limit = megabytes.saturating_mul(1 << 20);
        if limit <= court.means.taken {
            let what =
                format!("{} of disk is too little: the run takes {} already", in_words(limit), in_words(court.means.taken));
            return Err(refused(format!("{what}; nothing was changed"), "name more; to end it, cancel it"));
        }
        settings.max_disk = Some(limit);
        changed.push(format!("{} of disk", in_words(limit)));
    }
    let counts = [
        (limiting.workers, &mut settings.workers, ("worker", " at once")),
        (limiting.attempts, &mut settings.attempts, ("attempt", " at a task")),
    ];
    for (wanted, setting, what) in counts {
        let Some(limit) = wanted else { continue };
        at_least_one(limit, &format!("{}s{}", what.0, what.1))?;
        *setting = limit;
        changed.push(counted(limit, what.0) + what.1);
    }
    if let Some(limit) = limiting.replans {
        if !settings.planner {
            return Err(refused(format!("run {} has no planner, so there are no re-plans", court.run()), ""));
        }
        not_below(limit, " re-plans", court.state.replans(), "the run has begun")?;
        settings.replans = limit;
        changed.push(counted(limit, "re-plan"));
    }
    Ok((settings, changed))
}

/// A task's own limits are part of the plan. Whoever is at it goes on, and has them at once.
fn of_task(court: &Court<'_>, wanted: &ForTask) -> Result<(Event, String), Refused> {
    let (record, task) = court.open_task(&wanted.task)?;
    let id = task.id.clone();
    debug_assert!(!matches!(court.state.phase(), Phase::Planning | Phase::Review), "its plan is in effect");
    let alive = match record.state {
        TaskState::Running { attempt, .. } => Some(attempt),
        _ => None,
    };
    let spent = alive
        .and_then(|attempt| record.by_attempt.get(&attempt))
        .map(plans::spending::Spending::with_guesses)
        .unwrap_or_default();
    let had = Had { turns: alive.map_or(0, |_| record.turns), tokens: spent.0.total(), cost: spent.1 };
    let limits = had.with(court, task.limits, wanted)?;
    let usual = court.state.settings().task_limits;
    if limits.or(usual) == limits_of(court.state, task) {
        let now = say(&limits_of(court.state, task));
        return Err(refused(
            format!("that changes nothing: each attempt at `{id}` may take {now}"),
            "name --turns, --tokens, --cost or --minutes",
        ));
    }
    let event = revision(court, &id, limits)?;
    let now = say(&limits.or(usual));
    let at_once = if alive.is_some() { "; the one that is at work has that at once" } else { "" };
    Ok((event, format!("Each attempt at `{id}` may take {now}{at_once}.")))
}

/// Other limits of a task that is tried again: nothing was spent by who comes. No event where they are what they were.
pub(super) fn of_next_attempts(court: &Court<'_>, wanted: &ForTask, task: &Task) -> Result<(Vec<Event>, String), Refused> {
    let limits = Had::default().with(court, task.limits, wanted)?;
    let usual = court.state.settings().task_limits;
    let words = format!(" Each may take {}.", say(&limits.or(usual)));
    if limits == task.limits {
        return Ok((Vec::new(), words));
    }
    Ok((vec![revision(court, &task.id, limits)?], words))
}

fn revision(court: &Court<'_>, task: &TaskId, limits: Limits) -> Result<Event, Refused> {
    let rewrite = Rewrite { limits: Some(limits), ..Rewrite::default() };
    let revised = court.edited(Change::Rewrite { task: task.clone(), with: rewrite })?;
    Ok(court.revision(revised.plan, Vec::new(), Vec::new(), "limits: a person has changed them"))
}

/// What the attempt at work has had.
#[derive(Default)]
struct Had {
    turns: u32,
    tokens: u64,
    cost: Money,
}

impl Had {
    /// The limits with those that are wanted, none of which is below.
    fn with(&self, court: &Court<'_>, mut limits: Limits, wanted: &ForTask) -> Result<Limits, Refused> {
        if let Some(limit) = wanted.turns {
            at_least_one(limit, "turns")?;
            not_below(limit, " turns", self.turns, "its attempt has had")?;
            limits.turns = Some(limit);
        }
        if let Some(limit) = wanted.tokens {
            not_endless(limit)?;
            not_below(limit, " tokens", self.tokens, "its attempt has used")?;
            limits.tokens = Some(limit);
        }
        if let Some(usd) = wanted.cost {
            let limit = money(usd)?;
            priced(court)?;
            not_below(limit, "", self.cost, "its attempt has cost")?;
            limits.cost = Some(limit);
        }
        if let Some(limit) = wanted.minutes {
            at_least_one(limit, "minutes")?;
            limits.minutes = Some(limit);
        }
        Ok(limits)
    }
}

fn money(usd: f64) -> Result<Money, Refused> {
    let wrong = || refused(format!("{usd} is no amount of dollars; nothing was changed"), "such as 2.50");
    Money::from_usd(usd).filter(|money| money.nano_usd > 0).ok_or_else(wrong)
}

fn priced(court: &Court<'_>) -> Result<(), Refused> {
    let Some(model) = &court.means.unpriced else { return Ok(()) };
    let what = format!("the price of {model} is not known, so a limit in dollars cannot be kept; nothing was changed");
    Err(refused(what, format!("limit tokens instead: `inspan limits {} --max-tokens N`", court.run())))
}

fn not_below<T: Copy + PartialOrd + Display>(limit: T, unit: &str, spent: T, who: &str) -> Result<(), Refused> {
    if limit >= spent {
        return Ok(());
    }
    let what = format!("{limit}{unit} is too little: {who} {spent}{unit} already; nothing was changed");
    Err(refused(what, "name more; to end it, cancel it"))
}

/// A plan is also a file, and its syntax has no greater number.
fn not_endless(tokens: u64) -> Result<(), Refused> {
    const MOST: u64 = i64::MAX.cast_unsigned();
    let too_many =
        || refused(format!("{tokens} tokens is too much: at most {MOST} can be named; nothing was changed"), "name less");
    if tokens <= MOST { Ok(()) } else { Err(too_many()) }
}

fn at_least_one(limit: u32, what: &str) -> Result<(), Refused> {
    let none = || refused(format!("0 {what} is too little: at least 1 is needed; nothing was changed"), "name more");
    if limit > 0 { Ok(()) } else { Err(none()) }
}

fn say(limits: &Limits) -> String {
    let parts = [
        limits.turns.map(|turns| counted(turns, "turn")),
        limits.tokens.map(|tokens| format!("{tokens} tokens")),
        limits.cost.map(|cost| cost.to_string()),
        limits.minutes.map(|minutes| counted(minutes, "minute")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "whatever the run may".to_owned() } else { parts.join(", ") }
}
