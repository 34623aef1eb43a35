//! Edits take effect.
//!
//! New tasks come first and orders last, whatever their place in the call, so that an edit may name a task that a later one adds.
//! A task that has landed counts as before everything that has not: where a task comes to own a landed task's files, the
//! dependency that this is goes into the plan by itself.

use std::collections::{BTreeMap, BTreeSet};

use shared::{Glob, Network, TaskId};

use super::{Change, PlanEdit, Progress, Revised, Rewrite};
use crate::{
    plan::{Plan, PlanDraft},
    problem::{Place, Problem, Severity},
    spelling,
    task::{Task, WorkerKind},
};

/// The plan with all these edits.
///
/// # Errors
/// Edits that do not fit the plan, each at its path in the call; or, where they all fit, what the result lacks to be a plan.
pub fn apply(plan: &Plan, edits: &[PlanEdit], progress: &Progress) -> Result<Revised, Vec<Problem>> {
    let (tasks, gone) = (plan.tasks().to_vec(), taken_out(edits));
    let mut editing = Editing { tasks, progress, gone, touched: BTreeSet::new(), problems: Vec::new(), place: 0 };
    let mut sequence: Vec<usize> = (0..edits.len()).collect();
    sequence.sort_by_key(|&at| phase(&edits[at].change));
    for at in sequence {
        editing.place = at;
        editing.change(&edits[at].change);
    }
    editing.check_dependencies(plan, edits);
    editing.wait_for_landed_owners();
    let Editing { tasks, mut problems, touched, .. } = editing;
    problems.sort_by_key(|(at, _)| *at);
    let problems: Vec<Problem> = problems.into_iter().map(|(_, problem)| problem).collect();
    let draft = PlanDraft { goal: plan.goal().to_owned(), gate: plan.gate().clone(), tasks };
    let revised = match Plan::new(draft) {
        Ok(revised) if problems.is_empty() => revised,
        Err(more) if problems.iter().all(leaves_the_rest_as_meant) => return Err(with_more(problems, more)),
        _ => return Err(problems),
    };
    let ids = |plan: &Plan| plan.tasks().iter().map(|task| task.id.clone()).collect::<Vec<_>>();
    let retried = ids(&revised).into_iter().filter(|id| touched.contains(id)).collect();
    let dropped = ids(plan).into_iter().filter(|id| revised.get(id).is_none()).collect();
    Ok(Revised { plan: revised, retried, dropped })
}

fn phase(change: &Change) -> u8 {
    match change {
        Change::Add { .. } => 0,
        Change::Order { .. } => 2,
        _ => 1,
    }
}

struct Editing<'l> {
    tasks: Vec<Task>,
    progress: &'l Progress,
    /// Tasks that an edit of this call takes out of the plan, and which.
    gone: BTreeMap<TaskId, usize>,
    /// Tasks that begin anew.
    touched: BTreeSet<TaskId>,
    /// Each with the place of its edit.
    problems: Vec<(usize, Problem)>,
    /// The edit at hand, by its place in the call.
    place: usize,
}

impl Editing<'_> {
    fn change(&mut self, change: &Change) {
        match change {
            Change::Add { new } => {
                self.check_network("new.network", new, false);
                self.check_name("new.id", new, &[]);
                self.put(self.tasks.len(), (**new).clone());
            }
            Change::Drop { task } => self.drop_task(task),
            Change::Split { task, into } => self.split(task, into),
            Change::Merge { tasks, into } => self.merge(tasks, into),
            Change::Order { before, after } => self.order(before, after),
            Change::Widen { task, write, shared } => {
                if write.is_empty() && shared.is_empty() {
                    self.refuse("write", "no-change", format!("this widens `{task}` by nothing; name a pattern"));
                } else {
                    self.widen(task, write, shared);
                }
            }
            Change::Rewrite { task, with } => {
                if *with == Rewrite::default() {
                    self.refuse("task", "no-change", format!("this rewrites nothing of `{task}`; say what, or use `retry`"));
                } else {
                    self.rewrite(task, with);
                }
            }
            Change::Retry { task } => {
                self.open("task", task);
            }
        }
    }

    fn refuse(&mut self, key: &str, rule: &'static str, message: String) {
        let place = Place::Path(format!("edits[{}].{key}", self.place));
        self.problems.push((self.place, Problem { severity: Severity::Error, place, rule, message }));
    }

    fn position(&self, id: &TaskId) -> Option<usize> {
        self.tasks.iter().position(|task| task.id == *id)
    }

    /// The place of a task that may be changed.
    fn find(&mut self, key: &str, id: &TaskId) -> Option<usize> {
        let other = self.gone.get(id).copied().filter(|other| *other != self.place);
        let refusal = match (self.progress.against_change(id), other) {
            (Some(refusal), _) => Some(refusal),
            (None, Some(other)) => {
                let message = format!("edits[{other}] takes `{id}` out of the plan; keep one of the two edits");
                Some(("contradiction", message))
            }
            (None, None) => None,
        };
        if let Some((rule, message)) = refusal {
            self.refuse(key, rule, message);
            return None;
        }
        let found = self.position(id);
        if found.is_none() {
            let meant = spelling::nearest(id.as_str(), self.tasks.iter().map(|task| task.id.as_str()));
            let advice = meant.map_or_else(|| "name one that is".to_owned(), |meant| format!("did you mean `{meant}`?"));
            self.refuse(key, "unknown-task", format!("`{id}` is not in the plan; {advice}"));
        }
        found
    }

    /// A task that is about to be changed and so begins anew.
    fn open(&mut self, key: &str, id: &TaskId) -> Option<&mut Task> {
        let at = self.renewable(key, id)?;
        self.touched.insert(id.clone());
        Some(&mut self.tasks[at])
    }

    /// The place of a task that may be changed and begun again.
    fn renewable(&mut self, key: &str, id: &TaskId) -> Option<usize> {
        let at = self.find(key, id)?;
        let Some((rule, message)) = self.progress.against_renewal(id) else { return Some(at) };
        self.refuse(key, rule, message);
        None
    }

    /// A new task cannot have the name of one that stays; a part or a whole may keep one of those that it replaces.
    fn check_name(&mut self, key: &str, new: &Task, replaced: &[&TaskId]) {
        let id = &new.id;
        if replaced.contains(&id) {
            return;
        }
        if let Some((rule, message)) = self.progress.against_renewal(id) {
            self.refuse(key, rule, message);
        } else if self.position(id).is_some() {
            let message = match self.progress.against_change(id) {
                Some(_) => format!("`{id}` is in the plan already and stays as it is; choose another id"),
                None => format!("`{id}` is in the plan already; `rewrite` it, or choose another id"),
            };
            self.refuse(key, "duplicate-id", message);
        }
    }

    fn widen(&mut self, id: &TaskId, write: &[Glob], shared: &[Glob]) {
        let Some(at) = self.renewable("task", id) else { return };
        let has = |globs: &[Glob], wanted: &[Glob]| wanted.iter().all(|glob| globs.contains(glob));
        let scope = &self.tasks[at].scope;
        if has(&scope.write, write) && has(&scope.shared, shared) {
            let message = format!("`{id}` may write all of this already; use `retry` if it is to be tried again as it is");
            return self.refuse("write", "no-change", message);
        }
        let Some(task) = self.open("task", id) else { return };
        add_missing(&mut task.scope.write, write);
        add_missing(&mut task.scope.shared, shared);
    }

    fn rewrite(&mut self, id: &TaskId, with: &Rewrite) {
        let Some(at) = self.renewable("task", id) else { return };
        let mut rewritten = self.tasks[at].clone();
        rewrite(&mut rewritten, with);
        if rewritten == self.tasks[at] {
            let message = format!("`{id}` says this already; use `retry` if it is to be tried again as it is");
            return self.refuse("task", "no-change", message);
        }
        self.check_network("network", &rewritten, self.tasks[at].network == Network::Host);
        self.touched.insert(id.clone());
        self.tasks[at] = rewritten;
    }

    /// What begins anew must not wait for what will never land.
    fn check_dependencies(&mut self, plan: &Plan, edits: &[PlanEdit]) {
        let begun: Vec<Task> = self.tasks.iter().filter(|task| self.touched.contains(&task.id)).cloned().collect();
        for task in &begun {
            let never = |id: &&TaskId| !self.touched.contains(*id) && self.position(id).is_some();
            let Some((id, (rule, message))) =
                task.depends_on.iter().filter(never).find_map(|id| Some((id, self.progress.against_waiting_for(id)?)))
            else {
                continue;
            };
            let (place, key) = edits
                .iter()
                .enumerate()
                .find_map(|(at, edit)| Some((at, dependency_key(&edit.change, task, id)?)))
                .unwrap_or((0, ""));
            let was = plan.get(&task.id).is_some_and(|before| before.depends_on.contains(id));
            let message = if was { format!("`{}` depends on `{id}`: {message}", task.id) } else { message };
            self.place = place;
            self.refuse(key, rule, message);
        }
    }

    /// A wider network than any task had in whose place this one comes is for a plan that a person reviews.
    fn check_network(&mut self, key: &str, task: &Task, had_it: bool) {
        if task.network == Network::Host && !had_it {
            let message = format!(
                "`{}` asks for the host's network, which only a plan that a person reviews can; leave `network` out, and let its commands \
                 do with what the repository and the machine hold",
                task.id
            );
            self.refuse(key, "host-network", message);
        }
    }

    fn put(&mut self, at: usize, task: Task) {
        self.touched.insert(task.id.clone());
        self.tasks.insert(at, task);
    }

    fn drop_task(&mut self, id: &TaskId) {
        if let Some(at) = self.find("task", id) {
            let gone = self.tasks.remove(at);
            self.depend_instead(id, &gone.depends_on);
        }
    }

    /// Whoever depends on the one task depends on the others from now on.
    fn depend_instead(&mut self, gone: &TaskId, instead: &[TaskId]) {
        for task in self.tasks.iter_mut().filter(|task| task.depends_on.contains(gone)) {
            task.depends_on.retain(|id| id != gone);
            let others: Vec<TaskId> = instead.iter().filter(|id| **id != task.id).cloned().collect();
            add_missing(&mut task.depends_on, &others);
        }
    }

    fn split(&mut self, id: &TaskId, into: &[Task]) {
        let found = self.renewable("task", id);
        if into.len() < 2 {
            self.refuse("into", "no-change", format!("`{id}` is to be split into {}; give two parts or more", into.len()));
            return;
        }
        let Some(at) = found else { return };
        let whole = self.tasks.remove(at);
        let is_part = |name: &TaskId| into.iter().any(|part| part.id == *name);
        let ends: Vec<TaskId> =
            into.iter().map(|part| &part.id).filter(|id| !into.iter().any(|p| p.depends_on.contains(id))).cloned().collect();
        self.depend_instead(id, &ends);
        for (offset, part) in into.iter().enumerate() {
            self.check_network(&format!("into[{offset}].network"), part, whole.network == Network::Host);
            self.check_name(&format!("into[{offset}].id"), part, &[]);
            let mut part = part.clone();
            part.depends_on.retain(|name| name != id || is_part(id));
            let part = part_of(&whole, &part);
            self.put(at + offset, part);
        }
    }

    fn merge(&mut self, ids: &[TaskId], into: &Task) {
        let distinct: BTreeSet<&TaskId> = ids.iter().collect();
        if distinct.len() < 2 {
            self.refuse("tasks", "no-change", "a merge takes two tasks or more; use `rewrite` for one".to_owned());
            return;
        }
        let found: Vec<usize> = distinct.iter().filter_map(|id| self.renewable("tasks", id)).collect();
        if found.len() < distinct.len() {
            return;
        }
        let first = found.iter().copied().min().expect("two or more");
        let (gone, kept): (Vec<Task>, Vec<Task>) =
            std::mem::take(&mut self.tasks).into_iter().partition(|t| distinct.contains(&t.id));
        self.tasks = kept;
        self.check_name("into.id", into, &[]);
        self.check_network("into.network", into, gone.iter().any(|part| part.network == Network::Host));
        let mut whole = united(into, &gone);
        whole.depends_on.retain(|id| !distinct.contains(id) && *id != into.id);
        for part in &gone {
            self.depend_instead(&part.id, std::slice::from_ref(&into.id));
        }
        self.put(first, whole);
    }

    fn order(&mut self, before: &TaskId, after: &TaskId) {
        if before == after {
            let message = format!("`{before}` cannot wait for itself; name two tasks");
            return self.refuse("after", "no-change", message);
        }
        if self.position(before).is_none() {
            self.find("before", before);
            return;
        }
        let Some(at) = self.renewable("after", after) else { return };
        if self.tasks[at].depends_on.contains(before) && !self.touched.contains(after) {
            let message = format!("`{after}` waits for `{before}` already; use `retry` if it is to be tried again");
            return self.refuse("after", "no-change", message);
        }
        if let Some(task) = self.open("after", after) {
            add_missing(&mut task.depends_on, std::slice::from_ref(before));
        }
    }

    fn wait_for_landed_owners(&mut self) {
        let depends_on: BTreeMap<TaskId, Vec<TaskId>> =
            self.tasks.iter().map(|task| (task.id.clone(), task.depends_on.clone())).collect();
        let owners: Vec<Task> = self.tasks.iter().filter(|task| self.progress.landed.contains(&task.id)).cloned().collect();
        for task in self.tasks.iter_mut().filter(|task| !self.progress.landed.contains(&task.id)) {
            let contested: Vec<&Task> = owners.iter().filter(|owner| task.scope.contested(&owner.scope).is_some()).collect();
            if contested.is_empty() {
                continue;
            }
            let waits_for = ancestors(&task.id, &depends_on);
            let missing = contested.into_iter().map(|owner| &owner.id).filter(|id| !waits_for.contains(*id)).cloned();
            task.depends_on.extend(missing);
        }
    }
}

/// Whether all edits took effect in spite of the problem, so that what else is wrong with the result is no consequence of it.
fn leaves_the_rest_as_meant(problem: &Problem) -> bool {
    matches!(problem.rule, "duplicate-id" | "ended")
}

/// What is told already of an edit is not told again of the plan.
fn with_more(mut problems: Vec<Problem>, more: Vec<Problem>) -> Vec<Problem> {
    let is_told = problems.iter().any(|problem| problem.rule == "duplicate-id");
    problems.extend(more.into_iter().filter(|problem| !is_told || problem.rule != "duplicate-id"));
    problems
}

/// The tasks that an edit takes out and does not put back under the same name, each with the edit's place.
fn taken_out(edits: &[PlanEdit]) -> BTreeMap<TaskId, usize> {
    let of = |change: &Change| -> Vec<TaskId> {
        match change {
            Change::Drop { task } => vec![task.clone()],
            Change::Split { task, into } => {
                std::iter::once(task).filter(|id| into.iter().all(|part| part.id != **id)).cloned().collect()
            }
            Change::Merge { tasks, into } => tasks.iter().filter(|id| **id != into.id).cloned().collect(),
            _ => Vec::new(),
        }
    };
    // Of two that take out the same task the first counts, and the second is told of it.
    edits.iter().enumerate().rev().flat_map(|(at, edit)| of(&edit.change).into_iter().map(move |id| (id, at))).collect()
}

/// Under which key of an edit it says that a task waits for another, or that the task begins anew at all.
fn dependency_key(change: &Change, task: &Task, on: &TaskId) -> Option<&'static str> {
    match change {
        Change::Add { new } => (new.id == task.id).then_some("new.depends_on"),
        Change::Split { into, .. } => into.iter().any(|part| part.id == task.id).then_some("into"),
        Change::Merge { into, .. } => (into.id == task.id).then_some("into"),
        Change::Order { before, after } => (*after == task.id && before == on).then_some("before"),
        Change::Rewrite { task: id, with } if with.depends_on.is_some() => (*id == task.id).then_some("depends_on"),
        Change::Widen { task: id, .. } | Change::Rewrite { task: id, .. } | Change::Retry { task: id } => {
            (*id == task.id).then_some("task")
        }
        Change::Drop { .. } => None,
    }
}

/// All that a task waits for, directly or not.
fn ancestors<'d>(id: &'d TaskId, depends_on: &'d BTreeMap<TaskId, Vec<TaskId>>) -> BTreeSet<&'d TaskId> {
    let mut seen = BTreeSet::new();
    let mut open = vec![id];
    while let Some(id) = open.pop() {
        open.extend(depends_on.get(id).into_iter().flatten().filter(|id| seen.insert(*id)));
    }
    seen
}

fn add_missing<T: Clone + PartialEq>(list: &mut Vec<T>, items: &[T]) {
    for item in items {
        if !list.contains(item) {
            list.push(item.clone());
        }
    }
}

/// A part of a task, with the whole's for what it does not say.
pub(super) fn part_of(whole: &Task, part: &Task) -> Task {
    let mut part = part.clone();
    if part.depends_on.is_empty() {
        part.depends_on.clone_from(&whole.depends_on);
    }
    inherit_model(&mut part, std::slice::from_ref(whole));
    part
}

/// The whole that several tasks become, with theirs for what it does not say.
pub(super) fn united(into: &Task, gone: &[Task]) -> Task {
    let mut whole = into.clone();
    let no_scope = into.scope.globs().next().is_none();
    for part in gone {
        add_missing(&mut whole.depends_on, &part.depends_on);
        if no_scope {
            add_missing(&mut whole.scope.write, &part.scope.write);
            add_missing(&mut whole.scope.shared, &part.scope.shared);
        }
        if into.deliver.is_empty() {
            add_missing(&mut whole.deliver, &part.deliver);
        }
        if into.verify.is_empty() {
            add_missing(&mut whole.verify, &part.verify);
        }
    }
    if into.hand_off.is_none() {
        let parts: Vec<&str> = gone.iter().filter_map(|part| part.hand_off.as_deref()).collect();
        whole.hand_off = (!parts.is_empty()).then(|| parts.join("\n"));
    }
    inherit_model(&mut whole, gone);
    whole
}

/// A model that a person chose for all of the work stays with it, unless the edit names another.
fn inherit_model(task: &mut Task, before: &[Task]) {
    let Some(first) = before.first().filter(|_| task.worker == WorkerKind::Agent && task.model.is_none()) else { return };
    if before.iter().all(|other| other.model == first.model) {
        task.model.clone_from(&first.model);
    }
}

pub(super) fn rewrite(task: &mut Task, with: &Rewrite) {
    fn set<T: Clone>(field: &mut T, value: Option<&T>) {
        if let Some(value) = value {
            field.clone_from(value);
        }
    }
    set(&mut task.title, with.title.as_ref());
    set(&mut task.instructions, with.instructions.as_ref());
    set(&mut task.depends_on, with.depends_on.as_ref());
    set(&mut task.network, with.network.as_ref());
    set(&mut task.deliver, with.deliver.as_ref());
    set(&mut task.verify, with.verify.as_ref());
    set(&mut task.limits, with.limits.as_ref());
    if with.hand_off.is_some() {
        task.hand_off.clone_from(&with.hand_off);
    }
    if with.model.is_some() {
        task.model.clone_from(&with.model);
    }
}
