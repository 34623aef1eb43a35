//! Edits take effect.
//!
//! New tasks come first and orders last, whatever their place in the call, so that an edit may name a task that a later one adds.
//! A task that has landed counts as before everything that has not: where a task comes to own a landed task's files, the
//! dependency that this is goes into the plan by itself.

use std::collections::{BTreeMap, BTreeSet};

use shared::{Network, TaskId};

use super::{Change, PlanEdit, Revised, Rewrite};
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
pub fn apply(plan: &Plan, edits: &[PlanEdit], landed: &BTreeSet<TaskId>) -> Result<Revised, Vec<Problem>> {
    let mut editing = Editing { tasks: plan.tasks().to_vec(), landed, touched: BTreeSet::new(), problems: Vec::new(), place: 0 };
    let mut sequence: Vec<usize> = (0..edits.len()).collect();
    sequence.sort_by_key(|&at| phase(&edits[at].change));
    for at in sequence {
        editing.place = at;
        editing.change(&edits[at].change);
    }
    if !editing.problems.is_empty() {
        editing.problems.sort_by_key(|(at, _)| *at);
        return Err(editing.problems.into_iter().map(|(_, problem)| problem).collect());
    }
    editing.wait_for_landed_owners();
    let draft = PlanDraft { goal: plan.goal().to_owned(), gate: plan.gate().clone(), tasks: editing.tasks };
    let revised = Plan::new(draft)?;
    let ids = |plan: &Plan| plan.tasks().iter().map(|task| task.id.clone()).collect::<Vec<_>>();
    let retried = ids(&revised).into_iter().filter(|id| editing.touched.contains(id)).collect();
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
    landed: &'l BTreeSet<TaskId>,
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
                self.put(self.tasks.len(), (**new).clone());
            }
            Change::Drop { task } => self.drop_task(task),
            Change::Split { task, into } => self.split(task, into),
            Change::Merge { tasks, into } => self.merge(tasks, into),
            Change::Order { before, after } => self.order(before, after),
            Change::Widen { task, write, shared } => {
                if write.is_empty() && shared.is_empty() {
                    self.refuse("write", "no-change", format!("this widens `{task}` by nothing; name a pattern"));
                } else if let Some(task) = self.open("task", task) {
                    add_missing(&mut task.scope.write, write);
                    add_missing(&mut task.scope.shared, shared);
                }
            }
            Change::Rewrite { task, with } => {
                if *with == Rewrite::default() {
                    self.refuse("task", "no-change", format!("this rewrites nothing of `{task}`; say what, or use `retry`"));
                } else if let Some(at) = self.find("task", task) {
                    let mut rewritten = self.tasks[at].clone();
                    rewrite(&mut rewritten, with);
                    self.check_network("network", &rewritten, self.tasks[at].network == Network::Host);
                    self.touched.insert(task.clone());
                    self.tasks[at] = rewritten;
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
        let found = self.position(id);
        if self.landed.contains(id) {
            let message = format!("`{id}` has landed and stays as it is; add a task that depends on it");
            self.refuse(key, "landed", message);
            return None;
        }
        if found.is_none() {
            let meant = spelling::nearest(id.as_str(), self.tasks.iter().map(|task| task.id.as_str()));
            let advice = meant.map_or_else(|| "name one that is".to_owned(), |meant| format!("did you mean `{meant}`?"));
            self.refuse(key, "unknown-task", format!("`{id}` is not in the plan, or an edit before this took it out; {advice}"));
        }
        found
    }

    /// A task that is about to be changed and so begins anew.
    fn open(&mut self, key: &str, id: &TaskId) -> Option<&mut Task> {
        let at = self.find(key, id)?;
        self.touched.insert(id.clone());
        Some(&mut self.tasks[at])
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
        let found = self.find("task", id);
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
            let mut part = part.clone();
            part.depends_on.retain(|name| name != id || is_part(id));
            if part.depends_on.is_empty() {
                part.depends_on.clone_from(&whole.depends_on);
            }
            inherit_model(&mut part, std::slice::from_ref(&whole));
            self.put(at + offset, part);
        }
    }

    fn merge(&mut self, ids: &[TaskId], into: &Task) {
        let distinct: BTreeSet<&TaskId> = ids.iter().collect();
        if distinct.len() < 2 {
            self.refuse("tasks", "no-change", "a merge takes two tasks or more; use `rewrite` for one".to_owned());
            return;
        }
        let found: Vec<usize> = distinct.iter().filter_map(|id| self.find("tasks", id)).collect();
        if found.len() < distinct.len() {
            return;
        }
        let first = found.iter().copied().min().expect("two or more");
        let (gone, kept): (Vec<Task>, Vec<Task>) =
            std::mem::take(&mut self.tasks).into_iter().partition(|t| distinct.contains(&t.id));
        self.tasks = kept;
        self.check_network("into.network", into, gone.iter().any(|part| part.network == Network::Host));
        let mut whole = united(into, &gone);
        whole.depends_on.retain(|id| !distinct.contains(id) && *id != into.id);
        for part in &gone {
            self.depend_instead(&part.id, std::slice::from_ref(&into.id));
        }
        self.put(first, whole);
    }

    fn order(&mut self, before: &TaskId, after: &TaskId) {
        if self.position(before).is_none() {
            self.find("before", before);
            return;
        }
        if let Some(task) = self.open("after", after) {
            add_missing(&mut task.depends_on, std::slice::from_ref(before));
        }
    }

    fn wait_for_landed_owners(&mut self) {
        let depends_on: BTreeMap<TaskId, Vec<TaskId>> =
            self.tasks.iter().map(|task| (task.id.clone(), task.depends_on.clone())).collect();
        let owners: Vec<Task> = self.tasks.iter().filter(|task| self.landed.contains(&task.id)).cloned().collect();
        for task in self.tasks.iter_mut().filter(|task| !self.landed.contains(&task.id)) {
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

/// The whole that several tasks become, with theirs for what it does not say.
fn united(into: &Task, gone: &[Task]) -> Task {
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

fn rewrite(task: &mut Task, with: &Rewrite) {
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
