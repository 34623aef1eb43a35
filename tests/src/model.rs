//! A scripted model behind a real HTTP endpoint.
//!
//! What it answers is in [`script`], what can go wrong with an answer in [`fault`], the endpoint itself in [`server`].

mod fault;
mod gzip;
mod reply;
mod script;
mod server;

pub use fault::Fault;
pub use reply::Shape;
pub use script::{Script, Turn, call, command, edits, finish, hand_off, plan, say, write};
pub use server::{Asked, Disorder, ModelServer};

/// The key that every scripted endpoint expects. It is looked for in places where no key may be.
pub const KEY: &str = "hush-hush-not-a-real-one";
