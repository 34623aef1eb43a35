//! What is so in a simulated world, whether or not anybody in it knows: what each task needs, which tasks do not go together, what is red on the
//! base; and a repository that is the list of changes which each commit holds.
//!
//! **Invariant:** the gate is a function of the tree alone. Whether a run of it also flickers is decided by whoever runs it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use shared::{AttemptKey, RepoPath, TaskId};

use crate::{Plan, Task, event::CommitId};

/// What a task needs before an honest worker can do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing more than it has.
    Nothing,
    /// A file outside its scope.
    MoreScope,
    /// A stronger model.
    BetterModel,
    /// More turns, or to be cut in parts.
    MoreRoom,
    /// Clearer words: as it reads, what is made of it is green alone and wrong.
    BetterWords,
    /// It cannot be done.
    Impossible,
}

/// The model that can do what others cannot.
pub(super) const STRONG: &str = "p/strong";
/// What clear words hold.
pub(super) const CLEAR: &str = "carefully";
/// With so many turns anything can be done that can be done at all.
pub(super) const ROOM: u32 = 100;

/// What is so.
#[derive(Debug, Default)]
pub(super) struct Truth {
    pub(super) needs: BTreeMap<TaskId, Need>,
    /// Pairs that are red together unless the later one was made on top of the earlier.
    pub(super) clashes: BTreeSet<(TaskId, TaskId)>,
    /// Pairs that touch the same lines, likewise.
    pub(super) conflicts: BTreeSet<(TaskId, TaskId)>,
    /// Whether `lint` fails on the base, and who mends it: the task, or the first of its parts.
    pub(super) lint: Option<TaskId>,
}

/// What one attempt made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub(super) key: AttemptKey,
    /// The task as it read when the attempt began.
    pub(super) spec: Task,
    pub(super) files: Vec<RepoPath>,
    pub(super) right: bool,
    /// Whether the harness itself has seen that it is done: in scope, delivered, green alone.
    pub(super) proved: bool,
    /// The tasks whose changes it was made on top of.
    pub(super) saw: BTreeSet<TaskId>,
}

impl Truth {
    pub(super) fn random(plan: &Plan, random: &mut fastrand::Rng, odds: Odds) -> Self {
        let ids: Vec<TaskId> = plan.tasks().iter().map(|task| task.id.clone()).collect();
        let mut truth = Self::default();
        for id in &ids {
            let need = if random.f32() < odds.need { NEEDS[random.usize(..NEEDS.len())] } else { Need::Nothing };
            let need = if random.f32() < odds.impossible { Need::Impossible } else { need };
            truth.needs.insert(id.clone(), need);
        }
        for (at, a) in ids.iter().enumerate() {
            for b in &ids[at + 1..] {
                let pairs = if random.bool() { &mut truth.clashes } else { &mut truth.conflicts };
                if random.f32() < odds.pair {
                    pairs.insert((a.clone(), b.clone()));
                }
            }
        }
        truth.lint = (random.f32() < odds.red_base).then(|| ids[random.usize(..ids.len())].clone());
        truth
    }

    /// Whether an honest worker could do the task as it reads now.
    pub(super) fn is_met(&self, task: &Task) -> bool {
        match self.needs.get(&task.id).copied().unwrap_or(Need::Nothing) {
            Need::Nothing => true,
            Need::MoreScope => task.scope.allows(&extra(&task.id)),
            Need::BetterModel => task.model.as_deref() == Some(STRONG),
            Need::MoreRoom => task.limits.turns >= Some(ROOM),
            Need::BetterWords => task.instructions.contains(CLEAR),
            Need::Impossible => false,
        }
    }

    /// The commands of the gate that are red on such a tree.
    pub(super) fn red(&self, tree: &[Change]) -> BTreeSet<&'static str> {
        let clash = |(at, change): (usize, &Change)| Self::partner(&self.clashes, &tree[..at], change).is_some();
        let make = tree.iter().any(|change| !change.right) || tree.iter().enumerate().any(clash);
        let mends = |change: &Change, mender: &TaskId| change.key.task.as_str().trim_end_matches("-a") == mender.as_str();
        let lint = self.lint.as_ref().is_some_and(|mender| !tree.iter().any(|change| mends(change, mender)));
        [(make, "make"), (lint, "lint")].into_iter().filter(|(red, _)| *red).map(|(_, command)| command).collect()
    }

    /// With which of these the change does not go together.
    pub(super) fn partner<'t>(pairs: &BTreeSet<(TaskId, TaskId)>, tree: &'t [Change], change: &Change) -> Option<&'t TaskId> {
        let own = &change.key.task;
        let is_pair =
            |other: &TaskId| pairs.contains(&(other.clone(), own.clone())) || pairs.contains(&(own.clone(), other.clone()));
        tree.iter().map(|other| &other.key.task).find(|other| is_pair(other) && !change.saw.contains(*other))
    }
}

/// Needs that a planner who reads its evidence can meet.
const NEEDS: [Need; 4] = [Need::MoreScope, Need::BetterModel, Need::MoreRoom, Need::BetterWords];

/// How often the world is against the run, each from 0 to 1.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Odds {
    pub(super) need: f32,
    pub(super) impossible: f32,
    pub(super) pair: f32,
    pub(super) red_base: f32,
}

/// The file that a task with [`Need::MoreScope`] cannot do without.
pub(super) fn extra(task: &TaskId) -> RepoPath {
    RepoPath::new(&format!("extra-{}", first_name(task))).unwrap()
}

/// A task under another name is about the same files.
pub(super) fn first_name(task: &TaskId) -> &str {
    task.as_str().split_once("-as-").map_or(task.as_str(), |(name, _)| name)
}

/// The repository.
pub(super) struct Git {
    trees: HashMap<CommitId, Vec<Change>>,
    pub(super) branch: CommitId,
    pub(super) refs: BTreeMap<AttemptKey, CommitId>,
}

impl Git {
    pub(super) fn new(base: &CommitId) -> Self {
        Self { trees: HashMap::from([(base.clone(), Vec::new())]), branch: base.clone(), refs: BTreeMap::new() }
    }

    pub(super) fn tree(&self, commit: &CommitId) -> &[Change] {
        self.trees.get(commit).unwrap_or_else(|| panic!("{commit} is no commit"))
    }

    pub(super) fn commit(&mut self, tree: Vec<Change>) -> CommitId {
        let commit = CommitId(format!("c{}", self.trees.len()));
        self.trees.insert(commit.clone(), tree);
        commit
    }

    /// Whether the run branch is at this commit or has been.
    pub(super) fn is_on_branch(&self, commit: &CommitId) -> bool {
        self.tree(&self.branch).starts_with(self.tree(commit))
    }

    /// What an attempt itself made in its commit, if it made anything.
    pub(super) fn own(&self, key: &AttemptKey, commit: &CommitId) -> Option<&Change> {
        self.tree(commit).iter().find(|change| change.key == *key)
    }
}
