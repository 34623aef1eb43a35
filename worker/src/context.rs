//! A brief in words: what a worker is told.
//!
//! **Invariant:** every worker of a run begins with the same bytes (system prompt, tools, repository brief); what differs comes after
//! them, so that a provider's cache serves all of them.
//! **Invariant:** the same brief gives the same text: no clock, no random id, no order of a hash map.
//!
//! The repository brief stands in the system message rather than in a user message of its own. Two user messages in a row are
//! refused by the chat templates of several local models, and for a cache it makes no difference.
//!
//! What becomes of a conversation that grows too long is in [`compaction`].
//!
//! The words are in `prompt/*.md`. The brief names no tool, for a program that is started as a worker gets the same text.

pub mod compaction;
pub mod room;
pub mod summary;
mod turns;

use std::sync::LazyLock;

use minijinja::{Environment, UndefinedBehavior, Value, context, syntax::SyntaxConfig, value::Serde};
use shared::{Brief, Glob, Limits, RepoPath, brief::HandOff};

use crate::model::Message;

/// The standing orders of every worker.
pub const WORKER_SYSTEM: &str = include_str!("prompt/worker_system.md");

/// How long the text of a conflict may be; past it the middle is left out, and the worker reads the files.
const LONGEST_CONFLICT: usize = 24 * 1024;

static PROMPTS: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut prompts = Environment::new();
    prompts.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    prompts.set_syntax(syntax.expect("the delimiters are the usual ones"));
    for (name, text) in [
        ("brief.md", include_str!("prompt/brief.md")),
        ("conflict.md", include_str!("prompt/conflict.md")),
        ("clash.md", include_str!("prompt/clash.md")),
    ] {
        prompts.add_template(name, text).expect("the tests render every prompt");
    }
    prompts
});

/// The messages that a fresh attempt begins with.
pub fn opening(repository_brief: &str, brief: &Brief) -> Vec<Message> {
    vec![shared_opening(repository_brief), Message::user(brief_text(brief))]
}

/// The part of the opening that is the same for every worker of a run: what a cache is warmed with.
pub fn shared_opening(repository_brief: &str) -> Message {
    match repository_brief.trim() {
        "" => Message::system(WORKER_SYSTEM.trim_end()),
        repository => Message::system(format!("{WORKER_SYSTEM}\n{repository}")),
    }
}

/// The task, as a model or a program reads it.
pub fn brief_text(brief: &Brief) -> String {
    let words = |globs: &[Glob]| globs.iter().map(Glob::to_string).collect::<Vec<_>>();
    render(
        "brief.md",
        context! {
            task => brief.key.task.as_str(),
            title => brief.title.trim(),
            goal => brief.goal.trim(),
            instructions => brief.instructions.trim(),
            write => words(&brief.scope.write),
            shared => words(&brief.scope.shared),
            deliver => Serde(&brief.deliver),
            verify => Serde(&brief.verify),
            hand_off => Serde(&brief.hand_off),
            received => Serde(&brief.received),
            around => brief.around.trim(),
            history => Serde(&brief.history),
            notes => Serde(&brief.notes),
            limits => limits_in_words(&brief.limits),
        },
    )
}

/// Why a change that was finished could not be merged.
#[derive(Debug, Clone, Copy)]
pub struct Conflict<'a> {
    /// The task whose change it is, in one line.
    pub title: &'a str,
    /// The tasks that landed meanwhile and touched the same files, in landing order.
    pub landed: &'a [HandOff],
    /// The files in conflict.
    pub paths: &'a [RepoPath],
    /// Both sides, with conflict markers: what has landed first, the worker's own second.
    pub detail: &'a str,
}

/// What a worker is told that has to do its task again on top of others' work.
pub fn conflict_notice(conflict: &Conflict<'_>) -> String {
    let text = fenced(conflict.detail);
    render(
        "conflict.md",
        context! { title => conflict.title.trim(), landed => Serde(conflict.landed), paths => Serde(conflict.paths), text },
    )
}

/// Why a change that was green alone did not land: it does not go together with another one that is green alone.
#[derive(Debug, Clone, Copy)]
pub struct Clash<'a> {
    /// The task whose change it is, in one line.
    pub title: &'a str,
    /// The task that landed.
    pub with: &'a str,
    /// What it hands on, if anything.
    pub landed: &'a [HandOff],
    /// What the worker itself had handed on.
    pub own: &'a str,
    /// What fails.
    pub command: &'a str,
    /// How it ended.
    pub ended: &'a str,
    /// What it said.
    pub output: &'a str,
}

/// What a worker is told that has to do its task again so that it goes together with another's.
pub fn clash_notice(clash: &Clash<'_>) -> String {
    let Clash { with, command, ended, .. } = *clash;
    let (title, own, text) = (clash.title.trim(), clash.own.trim(), fenced(clash.output));
    render("clash.md", context! { title, with, landed => Serde(clash.landed), own, command, ended, text })
}

/// A long text between fences that nothing in it can end.
fn fenced(text: &str) -> String {
    let text = cut_in_the_middle(text.trim_end(), LONGEST_CONFLICT);
    let fence = "`".repeat(3.max(longest_run_of_backticks(&text) + 1));
    format!("{fence}\n{text}\n{fence}")
}

fn render(name: &str, values: Value) -> String {
    let prompt = PROMPTS.get_template(name).expect("both prompts are there");
    prompt.render(values).expect("the tests render every prompt with every value")
}

/// `80 turns, 600000 tokens, $0.50, 20 minutes`; empty where there are none.
fn limits_in_words(limits: &Limits) -> String {
    let parts = [
        limits.turns.map(|turns| format!("{turns} turns")),
        limits.tokens.map(|tokens| format!("{tokens} tokens")),
        limits.cost.map(|cost| cost.to_string()),
        limits.minutes.map(|minutes| format!("{minutes} minutes")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn cut_in_the_middle(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let is_boundary = |at: &usize| text.is_char_boundary(*at);
    let head = (0..=longest / 2).rev().find(is_boundary).unwrap_or(0);
    let tail = (text.len() - longest / 2..text.len()).find(is_boundary).unwrap_or(text.len());
    format!("{}\n[… {} bytes left out; read the files …]\n{}", &text[..head], tail - head, &text[tail..])
}

fn longest_run_of_backticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use shared::{Attempt, AttemptKey, Money, RunId, Scope, TaskId};

    use super::*;

    fn brief() -> Brief {
        let globs = |texts: &[&str]| texts.iter().map(|text| Glob::new(text).unwrap()).collect();
        Brief {
            run: RunId::new("abcdefgh").unwrap(),
            key: AttemptKey { task: TaskId::new("money-type").unwrap(), attempt: Attempt(2) },
            goal: "Give every money value a currency".into(),
            title: "Money carries a Currency".into(),
            instructions: "Add `Currency` to `crates/money`.\n".into(),
            scope: Scope { write: globs(&["crates/money/**"]), shared: globs(&["Cargo.lock"]), ..Scope::default() },
            deliver: vec![RepoPath::new("crates/money/src/currency.rs").unwrap()],
            verify: vec!["cargo test -p money".into()],
            hand_off: Some("How a `Money` is built and compared now".into()),
            received: vec![hand_off()],
            around: "Other files that use symbols of yours:\n\n- src/shop.rs: Money\n".into(),
            notes: vec!["The submodule `vendor` is empty.".into()],
            history: vec!["Attempt 1 ran into the limit of turns.".into(), "Attempt 2 was cancelled.".into()],
            limits: Limits { turns: Some(80), tokens: Some(600_000), cost: Money::from_usd(0.5), minutes: Some(20) },
        }
    }

    fn hand_off() -> HandOff {
        HandOff { from: TaskId::new("codes").unwrap(), title: "ISO codes".into(), text: "`Code::parse(&str)`".into() }
    }

    fn bare() -> Brief {
        Brief {
            deliver: vec![],
            verify: vec![],
            hand_off: None,
            received: vec![],
            around: String::new(),
            notes: vec![],
            history: vec![],
            limits: Limits::default(),
            scope: Scope { shared: vec![], ..brief().scope },
            ..brief()
        }
    }

    fn check(text: &str, expected: &Expect) {
        expected.assert_eq(text);
    }

    #[test]
    fn a_full_brief_reads_like_this() {
        check(
            &brief_text(&brief()),
            &expect![[r#"
                # Your task: Money carries a Currency (`money-type`)

                Add `Currency` to `crates/money`.

                ## The goal of the whole run
                Others work on the rest of it. It is here so that you know what your part is for.

                Give every money value a currency

                ## Scope: what you may write
                - `crates/money/**`
                - `Cargo.lock` (shared: other tasks change it too, so keep your change there small)

                ## Files that must exist when you are done
                - `crates/money/src/currency.rs`

                ## Proof: the harness runs this when you are done
                - `cargo test -p money`

                ## What your hand-off must tell
                How a `Money` is built and compared now

                ## Handed over by the tasks that yours builds on
                Their work is in your worktree.

                ### ISO codes (`codes`)
                `Code::parse(&str)`

                ## Around your files
                As it was when the run started; lines may have moved since.

                Other files that use symbols of yours:

                - src/shop.rs: Money

                ## Earlier attempts at this task
                They did not land. Do not go the same way again.
                1. Attempt 1 ran into the limit of turns.
                2. Attempt 2 was cancelled.

                ## About this worktree
                - The submodule `vendor` is empty.

                ## Limits
                80 turns, 600000 tokens, $0.50, 20 minutes. Past that the attempt ends, finished or not.
            "#]],
        );
    }

    #[test]
    fn what_a_brief_lacks_leaves_no_trace() {
        check(
            &brief_text(&bare()),
            &expect![[r"
            # Your task: Money carries a Currency (`money-type`)

            Add `Currency` to `crates/money`.

            ## The goal of the whole run
            Others work on the rest of it. It is here so that you know what your part is for.

            Give every money value a currency

            ## Scope: what you may write
            - `crates/money/**`
        "]],
        );
    }

    #[test]
    fn a_conflict_reads_like_this() {
        let detail = "<<<<<<< landed\nlet a = \"```\";\n=======\nlet a = 2;\n>>>>>>> yours\n";
        let paths = [RepoPath::new("src/a.rs").unwrap()];
        check(
            &conflict_notice(&Conflict { landed: &[hand_off()], paths: &paths, title: "Money carries a Currency", detail }),
            &expect![[r#"
                Your change for “Money carries a Currency” passed, but it does not fit any more: while you worked, other tasks landed that changed the same lines.

                ## Where you are now
                Your worktree now stands at the new tip: the others' work is in it, **your own change is not**. What you read of these files earlier is out of date; read them again before you edit.

                ## In conflict
                - `src/a.rs`

                ## What landed meanwhile

                ### ISO codes (`codes`)
                `Code::parse(&str)`

                ## Both sides
                Between `<<<<<<<` and `=======` stands what is there now, between `=======` and `>>>>>>>` what you had written.

                ````
                <<<<<<< landed
                let a = "```";
                =======
                let a = 2;
                >>>>>>> yours
                ````

                ## What to do
                Do your task again on top of what is there now, including the files that were not in conflict. Keep what the others did: both intents must hold afterwards. Where the two contradict each other, keep theirs, do as much of your task as fits, and say so in your summary. Then run the proof and call `finish`."#]],
        );
    }

    #[test]
    fn a_clash_reads_like_this() {
        let clash = Clash {
            title: "Money carries a Currency",
            with: "codes",
            landed: &[hand_off()],
            own: "`Money::new` takes a code now.",
            command: "make test",
            ended: "exit 2",
            output: "2 failed",
        };
        check(
            &clash_notice(&clash),
            &expect![[r#"
            Your change for “Money carries a Currency” passes alone, and so does that of `codes`, which has landed meanwhile. The two together fail. Nobody is to blame for that.

            ## Where you are now
            Your worktree now stands at the new tip: the work of `codes` is in it, **your own change is not**. What you read earlier is out of date; read a file again before you edit it.

            ## What fails with both
            `make test` (exit 2)

            ```
            2 failed
            ```

            ## What `codes` hands on (ISO codes)
            `Code::parse(&str)`

            ## What you had handed on
            `Money::new` takes a code now.

            ## What to do
            Do your task again on top of what is there now, so that what fails above passes. Keep what the others did: both intents must hold afterwards. Where the two contradict each other, keep theirs, do as much of your task as fits, and say so in your summary. Then run the proof and call `finish`."#]],
        );
        assert!(!clash_notice(&Clash { own: " ", ..clash }).contains("What you had"));
    }

    #[test]
    fn a_huge_conflict_is_cut_in_the_middle() {
        let text = "é".repeat(LONGEST_CONFLICT);
        let notice = conflict_notice(&Conflict { landed: &[], paths: &[], title: "t", detail: &text });
        assert!(notice.len() < LONGEST_CONFLICT + 2_000 && notice.contains("bytes left out"));
    }

    #[test]
    fn two_workers_of_a_run_begin_with_the_same_bytes() {
        let (one, two) = (opening("A workspace of two crates.", &brief()), opening("A workspace of two crates.", &bare()));
        assert_eq!(one[0], two[0]);
        assert_ne!(one[1], two[1]);
        assert_eq!(one[0], shared_opening("A workspace of two crates."));
    }

    #[test]
    fn the_standing_orders_fit_their_share_of_the_first_request() {
        assert!(WORKER_SYSTEM.len() <= 2_252, "{} bytes", WORKER_SYSTEM.len());
    }
}
