//! What is known about trees that were proved before, for as long as the process lives.
//!
//! **Invariant:** a verdict holds for one tree, one list of commands in their order, and one environment. A command may build on what the
//! ones before it have built and git ignores, so it is nothing without them. All places where the gate proves something have the same
//! environment but for the network, so that is all of it that the key names.
//! **Invariant:** a red is known only once it was red twice (see `proof`); what was green after it was red is known as green.
//!
//! Why not the verdicts of the workers' own proofs? They run where the worker has worked: what it has built or installed there, and
//! git ignores, is part of no tree. Green there does not mean green here, so a task is proved once more where it is to land.
//!
//! Why not on disk? A new process may find another machine: other tools, another clock, a disk with room again.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use plans::event::Proof;
use shared::Network;

use crate::gate::{Claim, Red};

/// Verdicts by tree and commands. Shared by the lanes of a run.
#[derive(Debug, Default)]
pub struct Verdicts(Mutex<HashMap<Key, Known>>);

type Key = (String, Vec<(Proof, String, Network)>);

/// What is known of the last of some commands on a tree, where those before it pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// It passes.
    Green,
    /// It fails, and did so again.
    Red(Red),
}

impl Verdicts {
    /// What is known of the last of these.
    pub fn get(&self, tree: &str, claims: &[Claim]) -> Option<Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key(tree, claims)).cloned()
    }

    /// Remembers.
    pub fn put(&self, tree: &str, claims: &[Claim], known: Known) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key(tree, claims), known);
    }
}

fn key(tree: &str, claims: &[Claim]) -> Key {
    (tree.to_owned(), claims.iter().map(|claim| (claim.proof, claim.command.clone(), claim.network)).collect())
}
