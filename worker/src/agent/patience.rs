//! What the harness puts up with: silence, repetition, refused finishes. Pure, so that each rule is seen at a glance.

use shared::Limit;

use super::Terminal;
use crate::model::{FinishReason, repair};

/// How many silent answers in a row are answered with a reminder.
const REMINDERS: u32 = 3;
/// At how many identical failing calls in a row the model is told to stop.
const REPETITIONS_TOLD: u32 = 3;
/// At how many the attempt ends.
const REPETITIONS_ENDED: u32 = 5;

/// At how many identical calls with identical results in a row the model is told to move on.
const CIRCLES_TOLD: u32 = 4;
/// At how many the attempt ends.
const CIRCLES_ENDED: u32 = 10;

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    GoOn,
    /// A word from the harness.
    Say(String),
    /// It is enough.
    End(Limit),
}

/// What has happened in a row.
#[derive(Debug, Default)]
pub(super) struct Patience {
    silent: u32,
    refused: u32,
    failing: Option<(String, u32)>,
    circling: Option<(String, u32)>,
}

impl Patience {
    /// An answer without a call.
    pub(super) fn silence(&mut self, text: &str, finish: FinishReason, terminal: &Terminal) -> Verdict {
        self.silent += 1;
        if self.silent > REMINDERS {
            return Verdict::End(Limit::Silence);
        }
        let what = match finish {
            FinishReason::Length => {
                "Your answer was cut because it was too long, and it called no tool, so nothing happened. Be shorter."
            }
            FinishReason::Filtered => "The provider withheld your answer, so nothing happened.",
            _ if repair::looks_like_a_call(text) => {
                "You wrote a tool call as text. It was not carried out: call the tool itself."
            }
            _ => "Your answer called no tool, so nothing happened.",
        };
        let name = terminal.tool;
        Verdict::Say(format!(
            "{what} Go on with a tool call. When there is nothing left to do, or it cannot be done, call `{name}`."
        ))
    }

    /// An answer with calls.
    pub(super) fn spoke(&mut self) {
        self.silent = 0;
    }

    /// A call that did what was asked. Weak models ask the same question over and over: what gives the same answer again and again is
    /// no progress either.
    pub(super) fn succeeded(&mut self, name: &str, arguments: &str, answer: &str) -> Verdict {
        self.failing = None;
        let times = count(&mut self.circling, format!("{name} {arguments}\n{answer}"));
        match times {
            CIRCLES_TOLD => Verdict::Say(format!(
                "You have called `{name}` {times} times in a row with the same arguments and the same result. It will not change. Use what \
                 you know and take the next step."
            )),
            CIRCLES_ENDED => Verdict::End(Limit::Repetition),
            _ => Verdict::GoOn,
        }
    }

    /// A call that failed. A terminal call that is refused counts by itself, for it is rightly tried again.
    pub(super) fn failed(&mut self, name: &str, arguments: &str, terminal: &Terminal) -> Verdict {
        self.circling = None;
        if name == terminal.tool {
            self.failing = None;
            self.refused += 1;
            return if self.refused >= terminal.refusals { Verdict::End(Limit::Finishes) } else { Verdict::GoOn };
        }
        let times = count(&mut self.failing, format!("{name} {arguments}"));
        match times {
            REPETITIONS_TOLD => Verdict::Say(format!(
                "You have made the same failing call of `{name}` {times} times in a row. It will fail again. Stop, read the error, and \
                 do something else: look at the current state first, or take another way."
            )),
            REPETITIONS_ENDED => Verdict::End(Limit::Repetition),
            _ => Verdict::GoOn,
        }
    }
}

/// How often this has happened in a row.
fn count(last: &mut Option<(String, u32)>, now: String) -> u32 {
    let times = match last.take() {
        Some((before, times)) if before == now => times + 1,
        _ => 1,
    };
    *last = Some((now, times));
    times
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::summary::is_word;

    const TERMINAL: Terminal = Terminal { tool: "finish", refusals: 6 };

    /// One letter a verdict: `.` goes on, `s` says something, or the limit that ends it.
    fn letter(verdict: &Verdict) -> String {
        match verdict {
            Verdict::GoOn => ".".into(),
            Verdict::Say(_) => "s".into(),
            Verdict::End(limit) => format!(" {limit}"),
        }
    }

    #[test]
    fn identical_failing_calls_are_told_and_then_ended() {
        let mut patience = Patience::default();
        let mut fail = |arguments: &str| letter(&patience.failed("read_file", arguments, &TERMINAL));
        let verdicts: String = ["a", "a", "b", "a", "a", "a", "a", "a"].into_iter().map(&mut fail).collect();
        assert_eq!(verdicts, ".....s. the limit of identical calls");
    }

    #[test]
    fn a_success_between_makes_it_no_row() {
        let mut patience = Patience::default();
        for _ in 0..9 {
            assert_eq!(patience.failed("read_file", "a", &TERMINAL), Verdict::GoOn);
            assert_eq!(patience.failed("read_file", "a", &TERMINAL), Verdict::GoOn);
            assert_eq!(patience.succeeded("read_file", "b", "text"), Verdict::GoOn);
        }
    }

    #[test]
    fn going_in_circles_is_told_and_then_ended() {
        let mut patience = Patience::default();
        let mut ask = |answer: &str| letter(&patience.succeeded("search", "x", answer));
        let verdicts: String = ["1", "2", "2", "2", "2", "2", "2", "2", "2", "2", "2"].into_iter().map(&mut ask).collect();
        assert_eq!(verdicts, "....s..... the limit of identical calls");
    }

    #[test]
    fn refused_finishes_count_over_the_whole_attempt() {
        let mut patience = Patience::default();
        let verdicts: String = (0..6)
            .map(|_| {
                assert_eq!(patience.succeeded("read_file", "b", "text"), Verdict::GoOn);
                letter(&patience.failed("finish", "{}", &TERMINAL))
            })
            .collect();
        assert_eq!(verdicts, "..... the limit of refused finishes");
    }

    #[test]
    fn silence_is_reminded_three_times_in_a_row() {
        let mut patience = Patience::default();
        let mut silence = || letter(&patience.silence("hm", FinishReason::Stop, &TERMINAL));
        let verdicts: String = (0..4).map(|_| silence()).collect();
        assert_eq!(verdicts, "sss the limit of answers without a tool call");
        patience.spoke();
        assert_eq!(letter(&patience.silence("hm", FinishReason::Stop, &TERMINAL)), "s");
    }

    #[test]
    fn nothing_of_this_has_to_be_remembered_when_a_conversation_is_made_shorter() {
        let mut patience = Patience::default();
        let said = [FinishReason::Stop, FinishReason::Length, FinishReason::Filtered]
            .map(|finish| patience.silence("", finish, &TERMINAL));
        let leaked = Patience::default().silence("<tool_call>", FinishReason::Stop, &TERMINAL);
        let failed = (0..REPETITIONS_TOLD).map(|_| patience.failed("a", "b", &TERMINAL)).last();
        let succeeded = (0..CIRCLES_TOLD).map(|_| patience.succeeded("a", "b", "c")).last();
        for verdict in said.into_iter().chain([leaked]).chain(failed).chain(succeeded) {
            let Verdict::Say(text) = verdict else { panic!("{verdict:?}") };
            assert!(!is_word(&text), "{text}");
        }
    }

    #[test]
    fn a_call_written_as_text_is_called_by_its_name() {
        let Verdict::Say(text) = Patience::default().silence("<｜DSML｜tool_calls>", FinishReason::Stop, &TERMINAL) else {
            panic!()
        };
        assert!(text.starts_with("You wrote a tool call as text."), "{text}");
    }
}
