//! Hostile commands: what they try, what is at stake, and how one sees from outside whether harm was done.
//!
//! An [`Attempt`] is data: a name, a script, and the [`Sign`] by which its success would be seen. An [`Assault`] lays out everything that
//! is at stake (files, a home with secrets, other projects and runs, servers, processes), lets the worker of a real run make all
//! attempts, and judges each: against the victims themselves, never by what the script claims, unless what it claims *is* the harm (it
//! read a secret, it got a handle that nobody may have).
//!
//! **Invariant:** an attempt that never ran counts as broken, not as held off: each leaves a record, and a script that fails for another
//! reason than being refused fails the test.
//! **Invariant:** every attempt is also made without a sandbox, where it must succeed, unless that could hurt more than its victim:
//! what cannot succeed proves nothing.
//! **Invariant:** the run goes on: a peaceful task that waits for the hostile one lands.

mod assault;
mod attempt;
mod bystander;
mod loot;
mod servers;
mod stakes;
mod tier;

pub use assault::{Assault, By, attack};
pub use attempt::{Attempt, Sign};
pub use bystander::Bystander;
pub use stakes::Stakes;
pub use tier::Tier;
