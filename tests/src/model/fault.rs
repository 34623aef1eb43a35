//! What can go wrong with an answer.

/// Instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A refusal with this status.
    Status(u16),
    /// The answer begins and the connection breaks.
    Cut,
    /// Nothing comes, for as long as the other side waits.
    Stall,
    /// A refusal of requests that hold this word, in words that name it.
    Refuses(&'static str),
    /// A page that is no model's answer.
    Garbage,
}
