//! How far the tasks of a plan have come, as far as an edit has to know, and what may be done to a task that has come so far.
//!
//! | edit | waiting | running | finished | landing | in trouble | landed | ended | given up |
//! |---|---|---|---|---|---|---|---|---|
//! | `drop` | goes | stopped, its work kept | goes, its work kept | refused | goes | refused | goes | goes |
//! | `split`, `merge` | goes | stopped, kept | goes, kept | refused | goes | refused | goes | refused |
//! | `widen`, `rewrite` | changes | stopped, begins anew | begins anew | refused | begins anew | refused | begins anew | refused |
//! | `retry` | as it is | stopped, begins anew | begins anew | refused | begins anew | refused | begins anew | refused |
//! | `order … after` it | waits | stopped, begins anew | begins anew | refused | begins anew | refused | begins anew | refused |
//! | to depend on it (`add`, `rewrite`, `order … before` it) | waits | waits | waits | waits | waits | on its result | refused | refused |
//!
//! "Goes" and "changes" are at once; whoever depended on a task that goes depends on what that depended on, and is tried again where it had
//! ended only because of it. An ended task that the same call sends again (`retry`, `widen`, `rewrite`, `order … after` it) may be depended on.
//! "Given up" is by a person, and their word stands against the planner's; their own edit takes it back.
//!
//! In any state: an edit that changes nothing is refused, so is one of a task that another edit of the call takes out of the plan, and a
//! new task with the name of one that is in it. A name that the plan has no more may be used again: its attempts are counted on.

use std::collections::{BTreeMap, BTreeSet};

use shared::TaskId;

use crate::event::TaskEnd;

/// How far the tasks of a plan have come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// On the run branch.
    pub landed: BTreeSet<TaskId>,
    /// With the coordinator.
    pub landing: BTreeSet<TaskId>,
    /// Those that will not land as things stand, and how they ended.
    pub ended: BTreeMap<TaskId, TaskEnd>,
    /// Those that a person has given up. None of them is in here where it is a person who edits.
    pub given_up: BTreeSet<TaskId>,
}

impl Progress {
    /// Tasks that no edit may touch: they have landed or are landing.
    pub fn settled(&self) -> BTreeSet<TaskId> {
        self.landed.union(&self.landing).cloned().collect()
    }

    /// The same for a person, whose own word may be taken back.
    #[must_use]
    pub fn for_person(self) -> Self {
        Self { given_up: BTreeSet::new(), ..self }
    }

    /// Why a task can no longer be changed, if so, and what to do instead.
    pub(super) fn against_change(&self, id: &TaskId) -> Option<(&'static str, String)> {
        if self.landed.contains(id) {
            return Some(("landed", format!("`{id}` has landed and stays as it is; add a task that depends on it")));
        }
        let instead = "add a task that depends on it, or wait for what comes of it";
        self.landing.contains(id).then(|| ("landing", format!("`{id}` is landing now and stays as it is; {instead}")))
    }

    /// Why a task may not be begun again, if so.
    pub(super) fn against_renewal(&self, id: &TaskId) -> Option<(&'static str, String)> {
        let why = || format!("a person has given `{id}` up; leave it out, or `drop` it so that what depends on it can go on");
        self.given_up.contains(id).then(|| ("given-up", why()))
    }

    /// Why nothing can wait for a task, if so.
    pub(super) fn against_waiting_for(&self, id: &TaskId) -> Option<(&'static str, String)> {
        self.against_renewal(id).or_else(|| {
            let end = self.ended.get(id)?;
            let why = format!(
                "`{id}` has ended as {end}, so whatever waits for it would be dropped at once; `retry` or `rewrite` it in the same call, or do \
                 without it"
            );
            Some(("ended", why))
        })
    }
}

impl From<BTreeSet<TaskId>> for Progress {
    fn from(landed: BTreeSet<TaskId>) -> Self {
        Self { landed, ..Self::default() }
    }
}
