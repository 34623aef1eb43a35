//! What a person orders while a run is under way, from another terminal.
//!
//! ```text
//! inspan steer ─► control (a socket in the run's folder) ─► rules: order and state ─► events, or a refusal in words
//!        no process carries the run ─► the lease, the same rules, the journal ─► carried out by `inspan resume`
//! ```
//!
//! **Invariant:** who may open the run's folder may order; nobody else, and no command of a worker.
//! **Invariant:** a run never fails, waits or dies because of its socket, whoever connects and whatever they send or do not read.
//!
//! What an order comes to is decided in [`rules`], purely; that it is done is the dispatcher's affair (`dispatcher::orders`).

mod client;
mod order;
mod place;
pub mod rules;
mod server;

pub use client::{NoAnswer, send};
pub use order::{ForTask, Limiting, Order, Refused, Reply};
pub use server::{Open, open};
