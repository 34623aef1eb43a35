//! What is wrong, or odd, with a plan in the light of its repository and its run.
//!
//! A plan is valid on its own ([`Plan::new`]); here it is held against the survey and against the run's rules. An **error** is what the
//! harness would refuse to run. A **warning** is what usually ends in lost hours: work that nothing proves, tasks that turn out to
//! need each other, a team where one would do. Messages say what to do, for the reader is mostly a model with one try left.
//!
//! **Invariant:** linting costs what the plan's patterns match, not tasks times files: each pattern looks only below its fixed folder.
//!
//! Not here: whether commands exist or pass (the gate and the workers find out).

mod alone;
pub(crate) mod models;
mod ownership;
mod repository;
mod rights;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use shared::Limits;

use crate::{
    approval::PathRules,
    catalogue::Catalogue,
    file::Reading,
    plan::Plan,
    problem::{Place, Problem, Severity},
    survey::Survey,
    task::Task,
};

/// What the run asks of its plan.
#[derive(Debug, Clone, Default)]
pub struct LintRules {
    /// Whether there has to be a gate.
    pub gate: GateRule,
    /// What the whole run may spend: no attempt may be allowed more.
    pub run_limits: Limits,
    /// Which files no task may change.
    pub paths: PathRules,
    /// Whether a task may ask for the host's network.
    pub host: HostRule,
    /// Who knows the models that tasks may name.
    pub models: Option<Arc<dyn Catalogue>>,
}

/// Whether a plan may ask for what is a person's to give: the host's network, a model that no role has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HostRule {
    /// It is a person's plan, or one that a person reviews.
    #[default]
    Remarked,
    /// No person sees it before it takes effect.
    Refused,
}

/// Whether a plan has to have a gate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GateRule {
    /// A run without a gate would call everything green.
    #[default]
    Required,
    /// The person said `--no-gate`.
    NotWanted,
}

/// Everything that is wrong or odd with a plan, in the order of its tasks; each is placed at its task or key, and
/// [`Reading::locate`] moves it to where the text stands.
pub fn lint(plan: &Plan, survey: &Survey, rules: &LintRules) -> Vec<Problem> {
    let mut problems = alone::problems(plan.draft(), rules);
    problems.extend(rights::problems(plan.draft(), rules));
    problems.extend(models::problems(plan.draft(), rules));
    problems.extend(repository::problems(plan, survey));
    in_order(plan, &mut problems);
    problems
}

/// A document that was looked at from all sides.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The plan, unless one of the problems is an error.
    pub plan: Option<Plan>,
    /// All that is wrong and all that is odd, in the order of the document.
    pub problems: Vec<Problem>,
}

/// Reads, validates and lints at once, so that a plan with ten mistakes of ten kinds is refused once and not three times.
pub fn check(reading: &Reading, survey: &Survey, rules: &LintRules) -> Checked {
    let (plan, mut problems, found) = match reading.plan() {
        Ok(plan) => {
            let found = lint(&plan, survey, rules);
            (Some(plan), Vec::new(), found)
        }
        Err(problems) => {
            let mut found = alone::problems(&reading.draft, rules);
            found.extend(rights::problems(&reading.draft, rules));
            found.extend(models::problems(&reading.draft, rules));
            (None, problems, found)
        }
    };
    let own = found.into_iter().filter(|problem| !reading.follows_from_a_fault(problem));
    problems.extend(own.map(|problem| reading.locate(problem)));
    problems.sort_by_key(crate::file::line_of);
    Checked { plan: plan.filter(|_| !problems.iter().any(Problem::is_error)), problems }
}

fn in_order(plan: &Plan, problems: &mut [Problem]) {
    problems.sort_by_key(|problem| match &problem.place {
        Place::Task(id) | Place::Key { task: id, .. } => plan.index_of(id).map_or(0, |at| at + 1),
        _ => 0,
    });
}

/// A finding at a key of a task.
fn at_key(severity: Severity, task: &Task, key: &'static str, rule: &'static str, message: String) -> Problem {
    Problem { severity, place: place(task, key, None), rule, message }
}

/// A key of a task or, in a list, one of its items.
fn place(task: &Task, key: &'static str, item: Option<usize>) -> Place {
    Place::Key { task: task.id.clone(), key, item }
}
