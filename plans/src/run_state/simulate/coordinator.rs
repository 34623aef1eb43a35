//! The coordinator: merges finished tasks in a batch, runs the gate on the result, finds who is red, and moves the branch.
//!
//! A second batch may be proved on top of a slow first one; it lands only if the first has landed as a whole.
//!
//! **Invariant:** the branch moves by compare-and-swap from the commit that the batch was stacked on.

use shared::{AttemptKey, RepoPath, TaskId};

use super::{
    super::{Finished, story::red},
    truth::{Change, Truth},
    whole::{Due, Step, World},
};
use crate::event::{CommitId, Event};

/// The batches that the coordinator is at.
#[derive(Default)]
pub(super) struct UnderWay {
    numbers: u64,
    first: Option<Batch>,
    ahead: Option<Batch>,
}

struct Batch {
    number: u64,
    onto: CommitId,
    known: Vec<String>,
    keys: Vec<AttemptKey>,
    verdict: Verdict,
    is_slow: bool,
    is_heard: bool,
    is_moving: bool,
}

/// What will come of a batch.
#[derive(Default)]
struct Verdict {
    passed: Vec<Passed>,
    fates: Vec<Event>,
    /// All that was stacked, before it is known whether it passes: what comes next is proved on top of that.
    top: Option<CommitId>,
    flaky: bool,
    trouble: Option<String>,
}

struct Passed {
    key: AttemptKey,
    onto: CommitId,
    commit: CommitId,
    mended: Vec<String>,
}

impl UnderWay {
    pub(super) fn is_slow(&mut self, number: u64) {
        if let Some(first) = self.first.as_mut().filter(|first| first.number == number) {
            first.is_slow = true;
        }
    }
}

impl World {
    pub(super) fn land(&mut self, finished: &[Finished]) -> Step {
        let onto = self.state.tip().clone();
        self.announce(finished, &onto)?;
        let batch = self.prove(finished, onto);
        assert!(self.process.under_way.first.is_none(), "two batches at once");
        self.process.under_way.first = Some(batch);
        Ok(())
    }

    fn announce(&mut self, finished: &[Finished], onto: &CommitId) -> Step {
        assert!(!finished.is_empty() && finished.len() <= self.state.settings().batch as usize);
        let start = |finished: &Finished| Event::LandingStarted { key: finished.key.clone(), onto: onto.clone() };
        self.record_all(finished.iter().map(start).collect())
    }

    /// The next batch on top of one whose proof takes long.
    pub(super) fn look_ahead(&mut self) -> Step {
        let under_way = &self.process.under_way;
        let first = under_way.first.as_ref().filter(|first| first.is_slow && under_way.ahead.is_none());
        let top = first.and_then(|first| first.verdict.top.clone());
        let (finished, tip) = (self.state.next_batch(), self.state.tip().clone());
        let Some(onto) = top.filter(|_| !finished.is_empty() && self.process.alive) else { return Ok(()) };
        self.announce(&finished, &tip)?;
        let batch = self.prove(&finished, onto);
        self.process.under_way.ahead = Some(batch);
        Ok(())
    }

    /// Proves a batch: how it turns out is known here at once and to the run only when it is due.
    fn prove(&mut self, finished: &[Finished], onto: CommitId) -> Batch {
        self.process.under_way.numbers += 1;
        let number = self.process.under_way.numbers;
        let known: Vec<String> = self.state.known_red().iter().map(|red| red.command.clone()).collect();
        let verdict = self.verdict(finished, &onto, &known);
        let takes = self.random.u64(60..1_200);
        if takes > 600 {
            self.clock.put(300, Due::Slow(number));
        }
        self.clock.put(takes, Due::Judged(number));
        let keys = finished.iter().map(|finished| finished.key.clone()).collect();
        Batch { number, onto, known, keys, verdict, is_slow: false, is_heard: false, is_moving: false }
    }

    fn verdict(&mut self, finished: &[Finished], onto: &CommitId, known: &[String]) -> Verdict {
        let mut verdict = Verdict { flaky: self.random.u32(0..8) == 0, ..Verdict::default() };
        if self.random.f32() < self.class.trouble() {
            verdict.trouble = Some("no disk".to_owned());
            verdict.fates = finished.iter().map(|finished| put_back(&finished.key, "no disk")).collect();
            return verdict;
        }
        let (mut below, mut is_red, mut ahead) = (onto.clone(), false, Vec::new());
        for Finished { key, commit } in finished {
            let change = self.git.own(key, commit).unwrap_or_else(|| panic!("{key} lands without a change")).clone();
            let tree = self.git.tree(&below).to_vec();
            if is_red {
                ahead.push(change);
                verdict.fates.push(put_back(key, "one before it is red"));
            } else if let Some(with) = Truth::partner(&self.truth.conflicts, &tree, &change) {
                verdict.fates.push(conflict(key, onto, with));
            } else {
                let stacked: Vec<Change> = tree.iter().cloned().chain([change]).collect();
                let reds = self.truth.red(&stacked);
                if let Some(command) = reds.iter().find(|command| !known.iter().any(|known| known == *command)) {
                    is_red = true;
                    verdict.fates.push(self.blame(key, onto, &stacked, command));
                    ahead = stacked;
                    continue;
                }
                let mended = known.iter().filter(|command| !reds.contains(command.as_str())).cloned().collect();
                let commit = self.git.commit(stacked);
                verdict.passed.push(Passed { key: key.clone(), onto: below, commit: commit.clone(), mended });
                below = commit;
            }
        }
        let top = if is_red { self.git.commit(ahead) } else { below };
        verdict.top = (top != *onto).then_some(top);
        verdict
    }

    fn blame(&self, key: &AttemptKey, onto: &CommitId, stacked: &[Change], command: &str) -> Event {
        let (last, before) = stacked.split_last().expect("the change is in there");
        let (key, onto, verdict) = (key.clone(), onto.clone(), red(command));
        match Truth::partner(&self.truth.clashes, before, last).filter(|_| last.right) {
            Some(with) => Event::TasksClashed { key, onto, with: with.clone(), verdict },
            None => Event::LandingRefused { key, onto, verdict },
        }
    }

    pub(super) fn heard_verdict(&mut self, number: u64) -> Step {
        let under_way = &mut self.process.under_way;
        match (&mut under_way.first, &mut under_way.ahead) {
            (Some(first), _) if first.number == number => first.is_heard = true,
            (_, Some(ahead)) if ahead.number == number => {
                ahead.is_heard = true;
                return Ok(());
            }
            _ => return Ok(()),
        }
        self.judged()
    }

    /// The verdict on the batch that is to land now.
    fn judged(&mut self) -> Step {
        let first = self.process.under_way.first.as_mut().expect("it was judged");
        let tasks: Vec<TaskId> = first.keys.iter().map(|key| key.task.clone()).collect();
        let (number, is_empty) = (first.number, first.verdict.passed.is_empty());
        let gate_passed = |passed: &Passed| {
            let Passed { key, onto, commit, mended } = passed;
            Event::GatePassed { key: key.clone(), onto: onto.clone(), commit: commit.clone(), mended: mended.clone() }
        };
        let passed: Vec<Event> = first.verdict.passed.iter().map(gate_passed).collect();
        first.is_moving = !is_empty;
        if first.verdict.flaky {
            self.record(Event::FlakySeen { command: "make".to_owned(), tasks, output: String::new(), failing: Vec::new() })?;
        }
        if is_empty {
            self.set_back()?;
            return self.take_up_what_is_ahead();
        }
        self.record_all(passed)?;
        self.clock.put(2, Due::Moved(number));
        Ok(())
    }

    pub(super) fn move_branch(&mut self, number: u64) -> Step {
        let Some(first) = self.process.under_way.first.as_ref().filter(|first| first.number == number) else { return Ok(()) };
        let (bottom, top) = (first.verdict.passed.first().expect("some"), first.verdict.passed.last().expect("some"));
        assert!(self.git.branch == bottom.onto, "I6: the branch is not where the batch was stacked on");
        self.git.branch = top.commit.clone();
        let landed = |passed: &Passed| Event::TaskLanded { key: passed.key.clone(), commit: passed.commit.clone() };
        let landed = first.verdict.passed.iter().map(landed).collect();
        self.record_all(landed)?;
        self.set_back()?;
        self.take_up_what_is_ahead()
    }

    fn set_back(&mut self) -> Step {
        let first = self.process.under_way.first.take().expect("it was judged");
        for fate in first.verdict.fates {
            self.record(fate)?;
        }
        match first.verdict.trouble {
            Some(why) => self.record(Event::RunHalted { why }),
            None => Ok(()),
        }
    }

    fn take_up_what_is_ahead(&mut self) -> Step {
        let Some(ahead) = self.process.under_way.ahead.take() else { return Ok(()) };
        let known: Vec<String> = self.state.known_red().iter().map(|red| red.command.clone()).collect();
        if ahead.onto == *self.state.tip() && ahead.known == known && self.state.halted().is_none() {
            let is_heard = ahead.is_heard;
            self.process.under_way.first = Some(ahead);
            return if is_heard { self.judged() } else { Ok(()) };
        }
        for key in &ahead.keys {
            self.record(put_back(key, "it was proved on a tip that never came"))?;
        }
        Ok(())
    }

    /// The commands are stopped; what already moves the branch goes on.
    pub(super) fn break_off(&mut self) -> Step {
        let under_way = &mut self.process.under_way;
        let first = under_way.first.take_if(|first| !first.is_moving);
        let cut: Vec<AttemptKey> = first.into_iter().chain(under_way.ahead.take()).flat_map(|batch| batch.keys).collect();
        for key in &cut {
            self.record(put_back(key, "the run is being stopped"))?;
        }
        Ok(())
    }
}

fn put_back(key: &AttemptKey, why: &str) -> Event {
    Event::LandingPutBack { key: key.clone(), why: why.to_owned() }
}

fn conflict(key: &AttemptKey, onto: &CommitId, with: &TaskId) -> Event {
    let paths = vec![RepoPath::new("log").unwrap()];
    Event::LandingConflicted { key: key.clone(), onto: onto.clone(), paths, with: vec![with.clone()], detail: String::new() }
}
