//! Other limits: raised at any time, and lowered as far as what is spent.
//!
//! **Invariant:** no limit falls below what was spent already: that would end the run or the attempt by a slip of the hand. Who wants that
//! cancels it.

use std::fmt::Display;

use plans::{
    edit::{Change, Rewrite},
    event::{Event, Settings},
    run_state::Phase,
    task_state::TaskState,
};
use shared::{Limits, Money};

use super::{Court, Granted, Refused, limits_of, refused};
use crate::{
    control::order::{ForTask, Limiting},
    ui::words::number,
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
        not_below(limit, " tokens", tokens.total(), "the run has used")?;
        most.tokens = Some(limit);
        changed.push(format!("{limit} tokens"));
    }
    if let Some(limit) = limiting.max_minutes {
        not_below(u64::from(limit), " minutes", court.means.worked.as_secs().div_ceil(60), "the run has taken")?;
        most.minutes = Some(limit);
        changed.push(number(limit, "minute"));
    }
    let counts = [
        (limiting.workers, &mut settings.workers, "workers at once"),
        (limiting.attempts, &mut settings.attempts, "attempts at a task"),
    ];
    for (wanted, setting, what) in counts {
        let Some(limit) = wanted else { continue };
        at_least_one(limit, what)?;
        *setting = limit;
        changed.push(format!("{limit} {what}"));
    }
    if let Some(limit) = limiting.replans {
        if !settings.planner {
            return Err(refused(format!("run {} has no planner, so there are no re-plans", court.run()), ""));
        }
        not_below(limit, " re-plans", court.state.replans(), "the run has begun")?;
        settings.replans = limit;
        changed.push(format!("{limit} re-plans"));
    }
    Ok((settings, changed))
}

/// A task's own limits are part of the plan. Whoever is at it goes on, and has them at once.
fn of_task(court: &Court<'_>, wanted: &ForTask) -> Result<(Event, String), Refused> {
    let (record, task) = court.open_task(&wanted.task)?;
    let id = task.id.clone();
    debug_assert!(!matches!(court.state.phase(), Phase::Planning | Phase::Review), "its plan is in effect");
    let mut limits = task.limits;
    let alive = match record.state {
        TaskState::Running { attempt, .. } => Some(attempt),
        _ => None,
    };
    let spent = alive
        .and_then(|attempt| record.by_attempt.get(&attempt))
        .map(plans::spending::Spending::with_guesses)
        .unwrap_or_default();
    if let Some(limit) = wanted.turns {
        at_least_one(limit, "turns")?;
        not_below(limit, " turns", alive.map_or(0, |_| record.turns), "its attempt has had")?;
        limits.turns = Some(limit);
    }
    if let Some(limit) = wanted.tokens {
        not_below(limit, " tokens", spent.0.total(), "its attempt has used")?;
        limits.tokens = Some(limit);
    }
    if let Some(usd) = wanted.cost {
        let limit = money(usd)?;
        priced(court)?;
        not_below(limit, "", spent.1, "its attempt has cost")?;
        limits.cost = Some(limit);
    }
    if let Some(limit) = wanted.minutes {
        at_least_one(limit, "minutes")?;
        limits.minutes = Some(limit);
    }
    let usual = court.state.settings().task_limits;
    if limits.or(usual) == limits_of(court.state, task) {
        let now = say(&limits_of(court.state, task));
        return Err(refused(
            format!("that changes nothing: each attempt at `{id}` may take {now}"),
            "name --turns, --tokens, --cost or --minutes",
        ));
    }
    let rewrite = Rewrite { limits: Some(limits), ..Rewrite::default() };
    let revised = court.edited(Change::Rewrite { task: id.clone(), with: rewrite })?;
    let event = court.revision(revised.plan, Vec::new(), Vec::new(), "limits: a person has changed them");
    let now = say(&limits.or(usual));
    let at_once = if alive.is_some() { "; the one that is at work has that at once" } else { "" };
    Ok((event, format!("Each attempt at `{id}` may take {now}{at_once}.")))
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

fn at_least_one(limit: u32, what: &str) -> Result<(), Refused> {
    let none = || refused(format!("0 {what} is too little: at least 1 is needed; nothing was changed"), "name more");
    if limit > 0 { Ok(()) } else { Err(none()) }
}

fn say(limits: &Limits) -> String {
    let parts = [
        limits.turns.map(|turns| number(turns, "turn")),
        limits.tokens.map(|tokens| format!("{tokens} tokens")),
        limits.cost.map(|cost| cost.to_string()),
        limits.minutes.map(|minutes| number(minutes, "minute")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "whatever the run may".to_owned() } else { parts.join(", ") }
}
