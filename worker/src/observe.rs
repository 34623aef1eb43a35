//! What an attempt tells while it goes on, for whoever watches.
//!
//! **Invariant:** watching changes nothing. An observer must not block, and what it misses is lost to it alone: results travel
//! elsewhere.

use std::time::Duration;

use shared::{Money, Tokens};

/// Something that an agent does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A person holds the run; nothing is asked until they let it go on.
    Held,
    /// A request goes out.
    Asking {
        /// The turn, counted from 1.
        turn: u32,
    },
    /// The answer comes.
    Streaming {
        /// How many bytes of it so far.
        bytes: u64,
    },
    /// The request failed and is sent again.
    Retrying {
        /// What went wrong.
        why: String,
        /// How long until then.
        wait: Duration,
    },
    /// Another provider wrote a part of the conversation; the model gets it without what only that provider can read.
    Translated {
        /// What it does not get, a line for each provider.
        dropped: Vec<String>,
    },
    /// The answer is there.
    Turn {
        /// The turn.
        turn: u32,
        /// What it took.
        tokens: Tokens,
        /// What that costs, if anybody knows.
        cost: Option<Money>,
        /// The tools that the model wants called.
        tools: Vec<String>,
    },
    /// The conversation was made shorter.
    Compacted {
        /// How many tokens the next request would have had.
        before: u64,
        /// How many it has now.
        after: u64,
        /// Whether a model has summed up what went.
        is_summed_up: bool,
    },
    /// A request does not begin as it should: its provider's cache does not know it.
    Drift {
        /// What is not as it was.
        what: String,
    },
    /// A call begins.
    Tool {
        /// The tool.
        name: String,
        /// On what, in a few words.
        summary: String,
    },
    /// A call has ended.
    ToolEnded {
        /// The tool.
        name: String,
        /// Whether it did what was asked.
        ok: bool,
    },
}

/// Somebody who watches.
pub trait Observer: Send + Sync {
    /// Called from within the loop. Returns at once.
    fn saw(&self, progress: Progress);
}

/// Nobody who watches.
pub struct Unwatched;

impl Observer for Unwatched {
    fn saw(&self, _: Progress) {}
}
