//! Classes of worlds: how kind they are, and so what may be expected of a run in one.
//!
//! In a kind world every task can be done, workers fail only in ways that another try gets over, and the planner does what its evidence says:
//! there a run that does not end complete has failed by its own fault, whoever kills its process or gives orders.

use shared::Limits;

use super::{super::story::plan, checks::Checks, truth::Odds};
use crate::{Plan, event::Settings, plan::Gate};

/// How the world is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Kind, and left alone.
    Quiet,
    /// Kind, but for processes that die at any instant.
    Dying,
    /// Kind, with a person who pauses, steers, retries and wants re-plans.
    Peopled,
    /// Workers fail, lie and stray; a planner with whims; tasks that cannot be done.
    Rough,
    /// The same with little money and time.
    Tight,
    /// All of it, with a person who also cancels, drops and gives up.
    Wild,
}

pub(super) const CLASSES: [Class; 6] = [Class::Quiet, Class::Dying, Class::Peopled, Class::Rough, Class::Tight, Class::Wild];

impl Class {
    pub(super) fn of(seed: u64) -> Self {
        let at = usize::try_from(seed % CLASSES.len() as u64).expect("it is small");
        CLASSES[at]
    }

    /// Which part of its runs ends complete, at least.
    pub(super) fn floor(self) -> f64 {
        match self {
            Self::Quiet | Self::Dying | Self::Peopled => 1.0,
            Self::Rough => 0.25,
            Self::Tight | Self::Wild => 0.0,
        }
    }

    pub(super) fn is_kind(self) -> bool {
        matches!(self, Self::Quiet | Self::Dying | Self::Peopled)
    }

    pub(super) fn is_wild(self) -> bool {
        self == Self::Wild
    }

    pub(super) fn odds(self) -> Odds {
        let kind = Odds { need: 0.2, impossible: 0.0, pair: 0.08, red_base: 0.2 };
        if self.is_kind() { kind } else { Odds { need: 0.3, impossible: 0.05, ..kind } }
    }

    /// How often an attempt does not do its honest best.
    pub(super) fn misconduct(self) -> f32 {
        if self.is_kind() { 0.2 } else { 0.35 }
    }

    /// How often a landing fails for a reason that is nobody's.
    pub(super) fn trouble(self) -> f32 {
        if matches!(self, Self::Quiet | Self::Peopled) { 0.0 } else { 0.04 }
    }

    pub(super) fn kills(self, random: &mut fastrand::Rng) -> u32 {
        match self {
            Self::Quiet | Self::Peopled => 0,
            Self::Dying => random.u32(1..8),
            _ => random.u32(0..3),
        }
    }

    pub(super) fn orders(self) -> u32 {
        match self {
            Self::Peopled => 12,
            Self::Wild => 18,
            _ => 0,
        }
    }

    pub(super) fn settings(self, random: &mut fastrand::Rng) -> Settings {
        let tight = |random: &mut fastrand::Rng| Limits {
            tokens: Some(random.u64(4_000..120_000)),
            minutes: Some(random.u32(20..400)),
            ..Limits::default()
        };
        let kind = self.is_kind();
        let limited = self == Self::Tight || (self.is_wild() && random.bool());
        Settings {
            workers: random.u32(1..=4),
            attempts: if kind { random.u32(2..=3) } else { random.u32(1..=3) },
            conflict_attempts: if kind { 3 } else { random.u32(1..=3) },
            replans: if kind { 40 } else { random.u32(0..=6) },
            batch: random.u32(1..=5),
            planner: kind || random.u32(0..5) > 0,
            run_limits: if limited { tight(random) } else { Limits::default() },
            ..Settings::default()
        }
    }

    /// The plan of a seed: up to nine tasks with random dependencies, two commands in its gate.
    pub(super) fn plan(seed: u64) -> Plan {
        let mut random = fastrand::Rng::with_seed(seed);
        let line = |at: usize, random: &mut fastrand::Rng| {
            let after: Vec<String> = (0..at).filter(|_| random.f32() < 0.25).map(|before| format!("t{before}")).collect();
            format!("t{at} <- {}", after.join(" "))
        };
        let size = random.usize(1..=9);
        let lines: Vec<String> = (0..size).map(|at| line(at, &mut random)).collect();
        let mut draft = plan(&lines.join("; ")).draft().clone();
        draft.gate = Gate { commands: vec!["make".to_owned(), "lint".to_owned()], ..Gate::default() };
        Plan::new(draft).unwrap()
    }

    /// When a run has to be over by: what its limits allow it to do, one thing after the other, and the time when nobody was at it.
    pub(super) fn horizon(checks: &Checks) -> u64 {
        let tasks = 9 * 2;
        let rounds = u64::from(checks.most_replans) + u64::from(checks.orders) + u64::from(checks.resumes) + 1;
        let tries = u64::from(checks.most_attempts + checks.most_conflicts) + u64::from(checks.resumes);
        let attempt = 12 * 150 + 1_800 + 1_200 + 300;
        tasks * rounds * tries * attempt + rounds * 4_000 + u64::from(checks.resumes) * 1_000 + 14_400 + 3_600
    }
}
