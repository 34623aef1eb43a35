//! What is going on right now, for whoever looks: one entry for each attempt that is alive, and one for the planner.
//!
//! Observers write from many tasks, each its own key, and never wait; the screen reads. Nothing here matters to the run.

use std::{sync::Arc, time::Instant};

use dashmap::DashMap;
use shared::{AttemptKey, Money, Tokens};
use worker::observe::{Observer, Progress};

/// Who is at work.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// The planner.
    Planner,
    /// A worker.
    Worker(AttemptKey),
}

/// What somebody is doing.
#[derive(Debug, Clone)]
pub struct Activity {
    /// Since when.
    pub since: Instant,
    /// The turn.
    pub turn: u32,
    /// Tokens so far.
    pub tokens: Tokens,
    /// Money so far, where the price is known.
    pub cost: Option<Money>,
    /// What it does right now: a tool, or waiting for the model.
    pub doing: String,
}

/// The board.
#[derive(Debug, Default)]
pub struct Board {
    activities: DashMap<Who, Activity>,
}

impl Board {
    /// Puts up a new attempt.
    pub fn start(&self, key: &AttemptKey) {
        self.put(Who::Worker(key.clone()), "preparing its worktree");
    }

    /// Says what an attempt does that nobody observes from within.
    pub fn says(&self, key: &AttemptKey, doing: &str) {
        if let Some(mut activity) = self.activities.get_mut(&Who::Worker(key.clone())) {
            doing.clone_into(&mut activity.doing);
        }
    }

    /// Takes an attempt down.
    pub fn end(&self, key: &AttemptKey) {
        self.activities.remove(&Who::Worker(key.clone()));
    }

    /// Who writes down what an attempt does.
    pub fn observer(self: &Arc<Self>, key: &AttemptKey) -> Arc<dyn Observer> {
        Arc::new(Watch { board: self.clone(), who: Who::Worker(key.clone()) })
    }

    /// Who writes down what the planner does.
    pub fn planner(self: &Arc<Self>) -> Arc<dyn Observer> {
        self.put(Who::Planner, "reading the repository");
        Arc::new(Watch { board: self.clone(), who: Who::Planner })
    }

    /// The planner has answered.
    pub fn planner_rests(&self) {
        self.activities.remove(&Who::Planner);
    }

    /// Everybody at work, in a stable order.
    pub fn activities(&self) -> Vec<(Who, Activity)> {
        let mut all: Vec<_> = self.activities.iter().map(|entry| (entry.key().clone(), entry.value().clone())).collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }

    fn put(&self, who: Who, doing: &str) {
        let (turn, tokens, cost, doing) = (0, Tokens::default(), None, doing.to_owned());
        self.activities.insert(who, Activity { since: Instant::now(), turn, tokens, cost, doing });
    }
}

struct Watch {
    board: Arc<Board>,
    who: Who,
}

impl Observer for Watch {
    fn saw(&self, progress: Progress) {
        let Some(mut activity) = self.board.activities.get_mut(&self.who) else { return };
        match progress {
            Progress::Held => "PAUSED: waits for `inspan resume`".clone_into(&mut activity.doing),
            Progress::Asking { turn } => {
                activity.turn = turn;
                "asks the model".clone_into(&mut activity.doing);
            }
            Progress::Streaming { bytes } => activity.doing = format!("hears the model ({} KiB)", bytes.div_ceil(1024)),
            Progress::Retrying { why, wait } => activity.doing = format!("waits {:.0} s: {why}", wait.as_secs_f64()),
            Progress::Translated { dropped } => activity.doing = format!("changes the model: {}", dropped.join("; ")),
            Progress::Turn { tokens, cost, .. } => {
                activity.tokens += tokens;
                if let Some(cost) = cost {
                    activity.cost = Some(activity.cost.unwrap_or_default() + cost);
                }
            }
            Progress::Compacted { before, after, .. } => {
                activity.doing = format!("made its conversation shorter ({before} to {after} tokens)");
            }
            Progress::Drift { what } => activity.doing = what,
            Progress::Tool { name, summary } => activity.doing = format!("{name} {summary}"),
            Progress::ToolEnded { name, ok } => activity.doing = format!("{name} {}", if ok { "done" } else { "failed" }),
        }
    }
}
