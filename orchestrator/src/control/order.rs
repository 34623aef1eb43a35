//! Orders and replies, as they stand on the wire: one line of JSON each, with a version.
//!
//! **Invariant:** another version of this program is told apart by the number, and not by words that it does not know.

use serde::{Deserialize, Serialize};

/// The version of the lines.
pub(super) const VERSION: u32 = 1;

/// What a person orders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum Order {
    /// Nothing begins and no model is asked.
    Pause,
    /// A paused run goes on.
    Unpause,
    /// The run is stopped, or one task of it given up.
    Cancel {
        /// Which; the whole run where none is named.
        task: Option<String>,
    },
    /// Words to whoever does a task.
    Steer {
        /// Which.
        task: String,
        /// The words.
        text: String,
    },
    /// A task is tried again.
    Retry {
        /// Which.
        task: String,
        /// The attempt that it goes on from.
        from: Option<u32>,
        /// What each attempt at it may take from now on, where that is another.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limits: Option<ForTask>,
    },
    /// A task is taken out of the plan.
    Skip {
        /// Which.
        task: String,
    },
    /// The planner looks at the plan now.
    Replan {
        /// What it is asked for; may be empty.
        comment: String,
    },
    /// Other limits.
    Limits(Limiting),
}

impl Order {
    /// The task that it is about, if it is about one.
    pub fn task(&self) -> Option<&str> {
        match self {
            Order::Cancel { task } => task.as_deref(),
            Order::Steer { task, .. } | Order::Retry { task, .. } | Order::Skip { task } => Some(task),
            Order::Limits(limiting) => limiting.task.as_ref().map(|wanted| wanted.task.as_str()),
            Order::Pause | Order::Unpause | Order::Replan { .. } => None,
        }
    }
}

/// What the run, or one task, may take from now on. What is not named stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limiting {
    /// What the run may cost, in US dollars.
    pub max_cost: Option<f64>,
    /// How many tokens it may use.
    pub max_tokens: Option<u64>,
    /// How many minutes it may take.
    pub max_minutes: Option<u32>,
    /// How much of the disk it may take, in megabytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_disk: Option<u64>,
    /// Workers at once.
    pub workers: Option<u32>,
    /// Tries at a task.
    pub attempts: Option<u32>,
    /// Re-plans.
    pub replans: Option<u32>,
    /// What each attempt at one task may take.
    pub task: Option<ForTask>,
}

/// What each attempt at one task may take.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ForTask {
    /// Which task.
    pub task: String,
    /// Model turns.
    pub turns: Option<u32>,
    /// Tokens.
    pub tokens: Option<u64>,
    /// US dollars.
    pub cost: Option<f64>,
    /// Minutes.
    pub minutes: Option<u32>,
}

/// Why an order is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What stands against it, and what that means.
    pub what: String,
    /// What to do instead; may be empty.
    pub hint: String,
}

/// What became of an order: what happens now, or why nothing does.
pub type Reply = Result<String, Refused>;

/// A line, either way.
#[derive(Debug, Serialize, Deserialize)]
struct Line<T> {
    version: u32,
    #[serde(flatten)]
    what: T,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
enum Said {
    Done {
        words: String,
    },
    Refused(Refused),
    /// So many are there that nobody more is listened to; nothing was done.
    Busy,
}

/// An order as a line, without its end.
pub(super) fn write_order(order: &Order) -> String {
    serde_json::to_string(&Line { version: VERSION, what: order }).expect("an order is plain data")
}

/// The order that a line holds, or what is wrong with it.
pub(super) fn read_order(line: &[u8]) -> Result<Order, Refused> {
    read(line).map_err(|what| Refused { what, hint: "type the command with the program that carries the run".to_owned() })
}

/// A reply as a line, without its end.
pub(super) fn write_reply(reply: &Reply) -> String {
    let what = match reply {
        Ok(words) => Said::Done { words: words.clone() },
        Err(refused) => Said::Refused(refused.clone()),
    };
    serde_json::to_string(&Line { version: VERSION, what }).expect("a reply is plain data")
}

/// What is said to whoever comes when there are too many, as a line without its end.
pub(super) fn write_busy() -> String {
    serde_json::to_string(&Line { version: VERSION, what: Said::Busy }).expect("a reply is plain data")
}

/// The reply that a line holds, none from who has no time, or what is wrong with it.
pub(super) fn read_reply(line: &[u8]) -> Result<Option<Reply>, String> {
    Ok(match read(line)? {
        Said::Done { words } => Some(Ok(words)),
        Said::Refused(refused) => Some(Err(refused)),
        Said::Busy => None,
    })
}

fn read<T: for<'de> Deserialize<'de>>(line: &[u8]) -> Result<T, String> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let strange = |error| format!("a line on the control socket does not read ({error}); nothing was done");
    let Version { version } = serde_json::from_slice(line).map_err(strange)?;
    if version != VERSION {
        return Err(format!(
            "the control socket was spoken to in version {version}, and this inspan speaks version {VERSION}; nothing was done"
        ));
    }
    serde_json::from_slice::<Line<T>>(line).map(|line| line.what).map_err(strange)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn orders_and_replies_are_lines_that_read_back_as_they_were() {
        let limits = Limiting { max_cost: Some(2.5), ..Limiting::default() };
        let orders = [
            Order::Pause,
            Order::Cancel { task: None },
            Order::Steer { task: "a".to_owned(), text: "two\nlines".to_owned() },
            Order::Retry { task: "a".to_owned(), from: Some(2), limits: None },
            Order::Limits(limits),
        ];
        let lines: Vec<String> = orders.iter().map(write_order).collect();
        for (order, line) in orders.iter().zip(&lines) {
            assert_eq!(read_order(line.as_bytes()).as_ref(), Ok(order));
        }
        expect![[r#"
            {"version":1,"order":"pause"}
            {"version":1,"order":"cancel","task":null}
            {"version":1,"order":"steer","task":"a","text":"two\nlines"}
            {"version":1,"order":"retry","task":"a","from":2}
            {"version":1,"order":"limits","max_cost":2.5,"max_tokens":null,"max_minutes":null,"workers":null,"attempts":null,"replans":null,"task":null}"#]]
        .assert_eq(&lines.join("\n"));
        for reply in [Ok("done".to_owned()), Err(Refused { what: "w".to_owned(), hint: "h".to_owned() })] {
            assert_eq!(read_reply(write_reply(&reply).as_bytes()), Ok(Some(reply)));
        }
        assert_eq!(read_reply(write_busy().as_bytes()), Ok(None));
    }

    #[test]
    fn what_is_no_order_is_refused_in_words() {
        let said = |line: &str| read_order(line.as_bytes()).unwrap_err().what;
        assert!(said("").contains("does not read"));
        assert!(said("\u{0}{").contains("does not read"));
        assert!(said(r#"{"version":1,"order":"explode"}"#).contains("explode"));
        assert!(said(r#"{"version":2,"order":"pause"}"#).contains("version 2"));
    }
}
