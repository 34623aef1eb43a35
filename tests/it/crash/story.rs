//! The run that is killed: eight tasks, of which two write one line differently, and one breaks the gate until the planner mends it.
//!
//! Whatever the order in which things happen, and wherever it is cut short, its end is the same tree.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use ::plans::event::{Event, RunStatus};
use serde_json::json;
use shared::{AttemptKey, Outcome as End};
use tests::{
    Outcome, Scenario, branch,
    model::{ModelServer, Script, command, edits, finish, plan, write},
};

/// The gate takes a limit of 1 or 2, and task `c` alone does not know that.
const REPO: &str = "## limit\n1\n## gate.sh\ngrep -qx '[12]' limit\n## list.dat\nnobody\n";

/// `a` and `b` write one line of one file; both texts, one after the other, are not what they mean.
const PLAN: &str = "gate | sh gate.sh
    a | shared list.dat | write a/** | verify test $(wc -l < list.dat) = 1
    b | shared list.dat | write b/** | verify test $(wc -l < list.dat) = 1
    c | write limit
    d | write d.txt
    e | after d | write e.txt
    f | after a b | write f.txt | run cat list.dat > f.txt
    g | write g.txt | run echo g > g.txt
    h | after c g | write h.txt | run cat limit g.txt > h.txt";

const RESULT: &str = "## d.txt\nd\n## e.txt\ne\n## f.txt\nfrom a, from b\n## g.txt\ng\n## gate.sh\ngrep -qx '[12]' limit\n## h.txt\n2\ng\n\
                      ## limit\n2\n## list.dat\nfrom a, from b\n";

const HOW: [&str; 2] = ["--yes", "--dangerously-no-sandbox"];

/// Writes the line of one, or of both where the other's is there.
fn line(own: &str, other: &str) -> String {
    format!("if grep -q 'from {other}' list.dat; then echo 'from a, from b' > list.dat; else echo 'from {own}' > list.dat; fi")
}

fn script() -> Script {
    let both = || [command("echo 'from a, from b' > list.dat"), finish("Kept both.")];
    let mended =
        edits(&json!([{ "edit": "rewrite", "task": "c", "instructions": "Set it to 2.", "because": "the gate wants 2" }]));
    Script::new()
        .planner(1, [plan(PLAN)])
        .planner(2, [mended])
        .worker("a", 1, [command(&line("a", "b")), finish("Wrote a.")])
        .worker("b", 1, [command(&line("b", "a")), finish("Wrote b.")])
        .worker("a", 2, both())
        .worker("b", 2, both())
        .worker("c", 1, [command("echo 3 > limit"), finish("Raised it.")])
        .worker("c", 2, [command("echo 2 > limit"), finish("Set it to 2.")])
        .worker("d", 1, [write("d.txt", "x\n"), write("d.txt", "d\n"), finish("Wrote d.")])
        .worker("e", 1, [write("e.txt", "e\n"), finish("Wrote e.")])
}

/// Who asked, in which attempt, for which turn.
type Asking = (Option<String>, u32, usize);

/// One such run, and how it came about.
pub struct Story {
    server: ModelServer,
    s: Scenario,
}

impl Story {
    pub fn new() -> Self {
        let server = ModelServer::start(script());
        let s = Scenario::in_memory(REPO).model(&server);
        Self { server, s }
    }

    /// Carries it through in one go; says how many events it has.
    pub fn undisturbed(&self) -> u64 {
        self.go(&[]).code(0);
        self.assert_whole("nowhere");
        branch::assert_always_green(&self.s);
        let history = self.s.history();
        for (what, count) in [
            ("conflict", history.count(|event| matches!(event, Event::LandingConflicted { .. }))),
            ("red gate", history.count(|event| matches!(event, Event::LandingRefused { .. }))),
            ("re-plan", history.count(|event| matches!(event, Event::PlanRevised { .. }))),
        ] {
            assert_eq!(count, 1, "{what}: {}", history.outline());
        }
        history.0.len() as u64
    }

    /// Kills it at these points, one after the other, each in the process that takes the run up; then it is carried through. Says whether it
    /// died at the first of them.
    pub fn interrupted(&self, kills: &[String]) -> bool {
        let story = kills.join(", then at ");
        let mut died_first = false;
        for (number, point) in kills.iter().enumerate() {
            let at = match point.strip_prefix('+') {
                Some(more) => later(more, self.last()),
                None => point.clone(),
            };
            let out = self.go(&[("INSPAN_CRASH_AT", &at)]);
            let died = out.code == 137;
            died_first |= died && number == 0;
            assert!(died || out.code == 0, "to be killed at {story}: {}", out.all());
            if !died {
                break;
            }
            let paid = self.paid();
            let before = self.server.asked().len();
            self.assert_nothing_is_paid_twice(&paid, before, &story);
        }
        let (paid, before) = (self.paid(), self.server.asked().len());
        if !self.is_complete() {
            let out = self.go(&[]);
            assert_eq!(out.code, 0, "killed at {story}: {}\n{}", out.all(), self.s.history().outline());
        }
        self.assert_nothing_is_paid_twice(&paid, before, &story);
        self.assert_whole(&story);
        died_first
    }

    /// Begins the run, or takes it up.
    fn go(&self, env: &[(&str, &str)]) -> Outcome {
        let begun = self.last() > 0;
        let words: &[&str] = if begun { &["resume"] } else { &["run", "Make the change"] };
        self.s.start_with(&[words, &HOW].concat(), env).wait()
    }

    fn last(&self) -> u64 {
        if self.s.runs().is_empty() { 0 } else { self.s.history().0.len() as u64 }
    }

    fn is_complete(&self) -> bool {
        let ended = |event: &Event| matches!(event, Event::RunEnded { status: RunStatus::Complete, .. });
        !self.s.runs().is_empty() && self.s.history().count(ended) > 0
    }

    /// Turns of workers that stand in the journal.
    fn paid(&self) -> BTreeSet<Asking> {
        if self.s.runs().is_empty() {
            return BTreeSet::new();
        }
        let turn = |event: &Event| match event {
            Event::TurnTaken(turn) => {
                let task = turn.task.as_ref().map(ToString::to_string)?;
                Some((Some(task), turn.attempt?.0, turn.turn as usize))
            }
            _ => None,
        };
        self.s.history().events().filter_map(turn).collect()
    }

    /// What was paid when a process died is never asked for again; of the rest each turn was in flight at most once a death.
    fn assert_nothing_is_paid_twice(&self, paid: &BTreeSet<Asking>, before: usize, story: &str) {
        for asked in &self.server.asked()[before..] {
            let asking = (asked.task.clone(), asked.attempt, asked.turn.unwrap_or_default());
            assert!(
                !paid.contains(&asking),
                "killed at {story}: {asking:?} was paid and asked again\n{}",
                self.s.history().outline()
            );
        }
    }

    /// Everything that must hold when the run has come to its end, wherever it was cut short.
    fn assert_whole(&self, story: &str) {
        let (s, history) = (&self.s, self.s.history());
        let say = || format!("killed at {story}\n{}", history.outline());
        assert_eq!(s.result(), RESULT, "{}", say());
        assert!(self.is_complete(), "{}", say());
        assert!(history.0.iter().map(|entry| entry.seq).eq(1..=history.0.len() as u64), "the journal has gaps: {}", say());
        let landed = history.count(|event| matches!(event, Event::TaskLanded { .. }));
        assert_eq!(landed, 8, "each task lands once: {}", say());
        self.assert_no_turn_is_wasted(story);
        self.assert_nothing_finished_is_done_again(&say());
        self.assert_all_is_reachable(&say());
        self.assert_steps_are_green(&say());
        self.assert_nothing_is_left_over(&say());
    }

    fn assert_no_turn_is_wasted(&self, story: &str) {
        let deaths = story.matches("then").count() + usize::from(story != "nowhere");
        let mut counted: BTreeMap<Asking, usize> = BTreeMap::new();
        for asked in self.server.asked().into_iter().filter(|asked| asked.turn != Some(0)) {
            *counted.entry((asked.task, asked.attempt, asked.turn.unwrap_or_default())).or_default() += 1;
        }
        let wasted: Vec<_> = counted.iter().filter(|(_, times)| **times > 1 + deaths).collect();
        assert!(wasted.is_empty(), "killed at {story}: {wasted:?}");
    }

    fn assert_nothing_finished_is_done_again(&self, say: &str) {
        let mut finished: HashSet<AttemptKey> = HashSet::new();
        for event in self.s.history().events() {
            match event {
                Event::AttemptEnded { key, outcome: End::Done { .. }, .. } => drop(finished.insert(key.clone())),
                Event::AttemptStarted { key, .. } => assert!(!finished.contains(key), "{key} had finished: {say}"),
                _ => {}
            }
        }
    }

    /// Every commit that an attempt ended with is below some ref. A commit that was made for an attempt and that no ref came to name has its files
    /// in another that is.
    fn assert_all_is_reachable(&self, say: &str) {
        let repository = self.s.repository();
        let lines = repository.git(&["log", "--all", "--format=%H %T"]);
        let (commits, trees): (HashSet<&str>, HashSet<&str>) = lines.lines().filter_map(|line| line.split_once(' ')).unzip();
        for event in self.s.history().events() {
            if let Event::AttemptEnded { key, commit: Some(commit), .. } = event {
                assert!(commits.contains(commit.0.as_str()), "what {key} left is lost: {say}");
            }
        }
        let loose = repository.git(&["fsck", "--unreachable", "--no-progress"]);
        for commit in loose.lines().filter_map(|line| line.strip_prefix("unreachable commit ")) {
            let shown = repository.git(&["log", "-1", "--format=%T %s", commit]);
            let (tree, subject) = shown.split_once(' ').expect("a tree and a subject");
            assert!(!subject.starts_with("What attempt") || trees.contains(tree), "`{subject}` is lost: {say}");
        }
    }

    /// The gate is a look at two files; so is this.
    fn assert_steps_are_green(&self, say: &str) {
        for commit in branch::commits(&self.s) {
            let limit = self.s.repository().git(&["show", &format!("{commit}:limit"), &format!("{commit}:list.dat")]);
            let lines: Vec<&str> = limit.lines().collect();
            assert!(lines.len() == 2 && matches!(lines[0], "1" | "2"), "{commit} is red ({limit}): {say}");
        }
    }

    fn assert_nothing_is_left_over(&self, say: &str) {
        let run = self.s.run_id();
        let marked = format!("INSPAN_MARK={run}/");
        let strays = || processes_with(&marked).is_empty().then_some(());
        tests::eventually(strays).unwrap_or_else(|| panic!("{:?} are alive: {say}", processes_with(&marked)));
        let place = self.s.root().join("cache/inspan/worktrees").join(&run);
        let left: Vec<_> = std::fs::read_dir(&place).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        assert!(left.is_empty(), "worktrees are left over: {left:?}: {say}");
    }
}

/// A point that is so many events after those that there are.
fn later(more: &str, last: u64) -> String {
    let (number, before) = more.strip_suffix('-').map_or((more, ""), |number| (number, "-"));
    format!("{}{before}", last + number.parse::<u64>().expect("a number"))
}

/// Processes whose environment has a variable that begins so.
pub fn processes_with(variable: &str) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let carries = |pid: &u32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|found| found.starts_with(variable.as_bytes()))
    };
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(carries).collect()
}
