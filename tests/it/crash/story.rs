//! The run that is killed: eight tasks, of which two write one line differently, and one breaks the gate until the planner mends it.
//!
//! Whatever the order in which things happen, and wherever it is cut short, its end is the same tree.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Path, PathBuf},
};

use ::plans::event::{Event, RunStatus};
use serde_json::json;
use shared::{AttemptKey, Outcome as End};
use tests::{
    History, Outcome, Scenario, branch,
    model::{ModelServer, Script, Turn, command, edits, finish, plan, write},
};
use worker::transcript::Entry;

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

/// A model that knows what it is about: told that the harness was interrupted, it does all of its work again rather than trust that it was done.
fn does(shell: &str, more: &[Turn]) -> Vec<Turn> {
    let whole = || command(shell).and(finish("Did it."));
    more.iter().cloned().chain((0..6).map(|_| whole())).collect()
}

fn script() -> Script {
    let both = || does("echo 'from a, from b' > list.dat", &[]);
    let mended =
        edits(&json!([{ "edit": "rewrite", "task": "c", "instructions": "Set it to 2.", "because": "the gate wants 2" }]));
    let (a, b) = (line("a", "b"), line("b", "a"));
    Script::new()
        .planner(1, [plan(PLAN)])
        .mender([mended])
        .worker("a", 1, does(&a, &[command(&a)]))
        .worker("b", 1, does(&b, &[command(&b)]))
        .worker("a", 2, both())
        .worker("b", 2, both())
        .worker("c", 1, does("echo 3 > limit", &[]))
        .worker("c", 2, does("echo 2 > limit", &[command("echo 4 > limit")]))
        .worker("d", 1, does("echo d > d.txt", &[write("d.txt", "x\n"), command("echo y > d.txt")]))
        .worker("e", 1, does("echo e > e.txt", &[]))
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
            assert_eq!(count, 1, "{what}: {}", in_words(&history));
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
            let out = self.go_on(&[("INSPAN_CRASH_AT", &at)], &story);
            let died = out.code == 137;
            died_first |= died && number == 0;
            assert!(died || out.code == 0, "to be killed at {story}: {}", out.all());
            if !died {
                break;
            }
        }
        // A run that was complete when its process died is cleared up after, and says so.
        let expected = i32::from(self.is_complete());
        let out = self.go_on(&[], &story);
        assert_eq!(out.code, expected, "killed at {story}: {}\n{}", out.all(), in_words(&self.s.history()));
        self.assert_whole(&story);
        died_first
    }

    /// Takes it as far as it comes, and looks whether anything is asked for that was answered before.
    fn go_on(&self, env: &[(&str, &str)], story: &str) -> Outcome {
        let (answered, before) = (self.answered(), self.server.asked().len());
        let out = self.go(env);
        self.assert_no_answer_is_asked_for_again(&answered, before, story);
        out
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

    /// Turns of workers whose answer is on disk.
    fn answered(&self) -> BTreeSet<Asking> {
        if self.s.runs().is_empty() {
            return BTreeSet::new();
        }
        let mut answered = BTreeSet::new();
        for attempt in files_below(&self.s.run_folder().join("transcripts")) {
            let Some(task) = attempt.parent().and_then(Path::file_name).and_then(|name| name.to_str()) else { continue };
            let number = attempt.file_stem().and_then(|name| name.to_str()?.parse().ok());
            for (turn, entry) in worker::transcript::read_entries(&attempt).unwrap_or_default() {
                if let (Entry::Answer(_), Some(number)) = (entry, number) {
                    answered.insert((Some(task.to_owned()), number, turn as usize));
                }
            }
        }
        answered
    }

    /// What was answered on disk when a process died is never asked for again; of the rest each turn was in flight at most once a death.
    fn assert_no_answer_is_asked_for_again(&self, answered: &BTreeSet<Asking>, before: usize, story: &str) {
        for asked in &self.server.asked()[before..] {
            let asking = (asked.task.clone(), asked.attempt, asked.turn.unwrap_or_default());
            assert!(
                !answered.contains(&asking),
                "killed at {story}: {asking:?} was answered and asked again\n{}",
                in_words(&self.s.history())
            );
        }
    }

    /// Everything that must hold when the run has come to its end, wherever it was cut short.
    fn assert_whole(&self, story: &str) {
        let (s, history) = (&self.s, self.s.history());
        let say = || format!("killed at {story}\n{}", in_words(&history));
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
            let (tree, subject) = shown.split_once(' ').unwrap_or((&shown, ""));
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

/// What happened, with what went wrong in words.
fn in_words(history: &History) -> String {
    let wrong = |entry: &::plans::event::Entry| match &entry.event {
        Event::AttemptEnded { outcome: End::Done { .. } | End::Interrupted, .. } => None,
        event @ (Event::AttemptEnded { .. } | Event::RunHalted { .. } | Event::LandingPutBack { .. }) => {
            Some(format!("{event:?}\n"))
        }
        _ => None,
    };
    history.outline() + &history.0.iter().filter_map(wrong).collect::<String>()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
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
