//! Landings, with real git and a real gate.

use std::{collections::BTreeSet, time::Duration};

use kameo::actor::Spawn as _;
use shared::TaskId;
use tokio::sync::mpsc;

use super::*;
use crate::site::testing::{Ground, key, sh};

/// Hears how far landings come.
#[derive(Actor)]
struct Dispatcher(mpsc::UnboundedSender<LandingStep>);

impl Message<LandingStep> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, step: LandingStep, _: &mut Context<Self, ()>) {
        self.0.send(step).unwrap();
    }
}

struct Bench {
    ground: Ground,
    coordinator: ActorRef<Coordinator>,
    heard: mpsc::UnboundedReceiver<LandingStep>,
}

impl Bench {
    fn tip(&self, landed: &[(TaskId, CommitId)]) -> CommitId {
        landed.last().map_or_else(|| self.ground.base.clone(), |(_, commit)| commit.clone())
    }

    async fn new() -> Self {
        let ground = Ground::new().await;
        let (sender, heard) = mpsc::unbounded_channel();
        let lane = Lane::new(ground.site.clone(), ground.base.clone(), CancellationToken::new());
        let tell = Dispatcher::spawn(Dispatcher(sender)).recipient();
        Self { coordinator: Coordinator::spawn(Coordinator::new(lane, tell)), ground, heard }
    }

    fn landing(&self, task: &str, commit: &CommitId) -> Landing {
        let task = TaskId::new(task).unwrap();
        Landing {
            clashed_with: Vec::new(),
            key: AttemptKey { task, ..key() },
            commit: commit.clone(),
            base: self.ground.base.clone(),
            title: "t".to_owned(),
            summary: String::new(),
            scope: shared::Scope { write: vec![shared::Glob::new("**").unwrap()], ..shared::Scope::default() },
            deliver: Vec::new(),
            verify: Vec::new(),
            network: shared::Network::default(),
        }
    }

    fn batch(&self, landings: Vec<Landing>, gate: &str) -> Batch {
        Batch {
            number: 1,
            onto: self.ground.base.clone(),
            landings,
            gate: vec![gate.to_owned()],
            network: shared::Network::default(),
            timeout: Duration::from_secs(60),
            known_red: BTreeSet::new(),
            landed: Vec::new(),
            landed_proofs: Vec::new(),
            place: 0,
            cancel: CancellationToken::new(),
        }
    }

    async fn land(&mut self, commit: CommitId, gate: &str) -> LandingStep {
        let batch = self.batch(vec![self.landing("t", &commit)], gate);
        self.tell(batch).await
    }

    async fn tell(&mut self, batch: Batch) -> LandingStep {
        self.coordinator.tell(Land(Box::new(batch))).await.unwrap();
        self.heard.recv().await.unwrap()
    }

    async fn judged(&mut self, batch: Batch) -> Judged {
        match self.tell(batch).await {
            LandingStep::Judged(judged) => *judged,
            other => panic!("{other:?}"),
        }
    }

    async fn move_branch(&mut self, commit: CommitId) -> LandingStep {
        let onto = self.ground.base.clone();
        let passed = vec![Passed { key: key(), onto: onto.clone(), commit, mended: Vec::new() }];
        let judged = Judged { number: 1, onto, passed, fates: Vec::new(), flakes: Vec::new(), trouble: None };
        self.coordinator.tell(MoveBranch(Box::new(judged))).await.unwrap();
        self.heard.recv().await.unwrap()
    }
}

/// What came of a batch, in a line: who lands, and what becomes of the others.
fn told(judged: &Judged) -> String {
    let mut told: Vec<String> = judged.passed.iter().map(|passed| passed.key.task.to_string()).collect();
    for (key, fate) in &judged.fates {
        told.push(match fate {
            Fate::Conflicted { .. } => format!("{} conflicts", key.task),
            Fate::Red(verdict) => format!("{} is red ({})", key.task, verdict.command),
            Fate::Clashed { with, .. } => format!("{} clashes with {with}", key.task),
            Fate::PutBack(_) => format!("{} goes back", key.task),
        });
    }
    told.extend(judged.flakes.iter().map(|flake| format!("flaky: {}", flake.command)));
    told.extend(judged.trouble.clone());
    told.join(", ")
}

/// Tasks as `a: echo a > a`, stacked in that order; the gate; and what comes of it.
async fn check(tasks: &[&str], gate: &str, expected: &str) -> Bench {
    let mut bench = Bench::new().await;
    let mut landings = Vec::new();
    for task in tasks {
        let (name, script) = task.split_once(": ").unwrap();
        let commit = bench.ground.commit(name, script).await;
        landings.push(bench.landing(name, &commit));
    }
    let batch = bench.batch(landings, gate);
    let judged = bench.judged(batch).await;
    assert_eq!(told(&judged), expected);
    bench
}

#[tokio::test]
async fn a_batch_is_a_chain_of_one_commit_a_task_of_which_the_top_is_proved_once() {
    let place = tempfile::tempdir().unwrap();
    let runs = place.path().join("runs");
    let gate = format!("echo run >> {}; test -e a -a -e b -a -e c", runs.display());
    let bench = check(&["a: touch a", "b: touch b", "c: touch c"], &gate, "a, b, c").await;
    assert_eq!(std::fs::read_to_string(runs).unwrap(), "run\n");
    let site = &bench.ground.site;
    let name = format!("refs/inspan/{}/_landing", site.run());
    let tasks = sh(&site.repository.root, &format!("git log --format=%b {name} | grep Inspan-Task"));
    assert_eq!(tasks, "Inspan-Task: c\nInspan-Task: b\nInspan-Task: a");
}

#[tokio::test]
async fn what_is_red_alone_is_refused_and_the_rest_of_the_stack_is_proved_again() {
    check(&["a: touch a", "b: touch b bad", "c: touch c"], "test ! -e bad", "a, b is red (test ! -e bad), c goes back").await;
}

#[tokio::test]
async fn two_that_are_green_alone_and_red_together_are_named_as_a_pair() {
    let gate = "test ! -e a -o ! -e c";
    check(&["a: touch a", "b: touch b", "c: touch c", "d: touch d"], gate, "a, b, c clashes with a, d goes back").await;
}

#[tokio::test]
async fn the_proof_of_a_task_below_is_a_clash_with_that_task() {
    let mut bench = Bench::new().await;
    let (a, b) = (bench.ground.commit("a", "touch a").await, bench.ground.commit("b", "touch b").await);
    let first = Landing { verify: vec!["test ! -e b".to_owned()], ..bench.landing("a", &a) };
    let batch = bench.batch(vec![first, bench.landing("b", &b)], "true");
    assert_eq!(told(&bench.judged(batch).await), "a, b clashes with a");
}

#[tokio::test]
async fn a_partner_is_found_among_what_landed_since_the_work_began() {
    let mut bench = Bench::new().await;
    let mut landed = Vec::new();
    for name in ["x", "y", "z"] {
        let commit = bench.ground.commit(name, &format!("touch {name}")).await;
        let batch = Batch { onto: bench.tip(&landed), ..bench.batch(vec![bench.landing(name, &commit)], "true") };
        landed.push((TaskId::new(name).unwrap(), bench.judged(batch).await.tip().clone()));
    }
    let commit = bench.ground.commit("a", "touch a").await;
    let batch = bench.batch(vec![bench.landing("a", &commit)], "test ! -e a -o ! -e y");
    let batch = Batch { onto: bench.tip(&landed), landed, ..batch };
    assert_eq!(told(&bench.judged(batch).await), "a clashes with y");
}

#[tokio::test]
async fn a_conflict_within_a_batch_is_none_yet_and_one_with_the_tip_is() {
    check(&["a: ln -s a f", "b: ln -s b f", "c: touch c"], "true", "a, c, b goes back").await;
    let mut bench = Bench::new().await;
    let (a, b) = (bench.ground.commit("a", "ln -s a f").await, bench.ground.commit("b", "ln -s b f").await);
    let batch = bench.batch(vec![bench.landing("a", &a), bench.landing("b", &b)], "true");
    assert_eq!(told(&bench.judged(Batch { onto: a, ..batch }).await), "a, b conflicts");
}

#[tokio::test]
async fn what_could_be_the_merge_of_two_lands_with_the_batch_only_if_it_passes() {
    let tasks = ["a: echo a = 1 > f.py", "b: echo b = 2 > f.py", "c: touch c"];
    check(&tasks, "true", "a, b, c").await;
    check(&tasks, "! grep -q a f.py || ! grep -q b f.py", "a, c, b goes back").await;
}

#[tokio::test]
async fn what_is_green_the_second_time_is_flaky_and_lands() {
    let place = tempfile::tempdir().unwrap();
    let gate = format!("test -e {0} || {{ touch {0}; exit 1; }}", place.path().join("ran").display());
    check(&["a: touch a", "b: touch b"], &gate, &format!("a, b, flaky: {gate}")).await;
}

#[tokio::test]
async fn what_has_been_red_since_before_the_run_refuses_nothing_until_it_has_passed() {
    let mut bench = Bench::new().await;
    let known = |bench: &Bench, name: &str, commit: &CommitId| Batch {
        known_red: BTreeSet::from(["test -e mended".to_owned()]),
        ..bench.batch(vec![bench.landing(name, commit)], "test -e mended")
    };
    let a = bench.ground.commit("a", "touch a").await;
    let batch = known(&bench, "a", &a);
    let judged = bench.judged(batch).await;
    assert_eq!((told(&judged).as_str(), judged.passed[0].mended.len()), ("a", 0));
    let b = bench.ground.commit("b", "touch mended").await;
    let batch = known(&bench, "b", &b);
    let judged = bench.judged(batch).await;
    assert_eq!(judged.passed[0].mended, ["test -e mended"]);
    assert!(
        matches!(bench.land(a, "test -e mended").await, LandingStep::Judged(judged) if told(&judged) == "t is red (test -e mended)")
    );
}

#[tokio::test]
async fn what_the_machine_lacks_puts_the_whole_batch_back_and_blames_nobody() {
    let why = "a goes back, b goes back, the gate's `no-such-tool --all` needs `no-such-tool`, which is not installed (exit 127); \
               install it, or mend the gate";
    check(&["a: touch a", "b: touch b"], "no-such-tool --all", why).await;
}

#[tokio::test]
async fn a_gate_that_cannot_be_opened_breaks_the_landing_and_the_next_one_opens_it() {
    let mut bench = Bench::new().await;
    let commit = bench.ground.commit("done", "echo done > src/a").await;
    let worktrees = bench.ground.site.worktrees.clone();
    std::fs::write(&worktrees, "in the way").unwrap();
    let step = bench.land(commit.clone(), "true").await;
    assert!(matches!(step, LandingStep::Broken { error: Error::Disk { .. }, .. }), "{step:?}");
    std::fs::remove_file(&worktrees).unwrap();
    let step = bench.land(commit.clone(), "grep done src/a").await;
    let LandingStep::Judged(judged) = step else { panic!("{step:?}") };
    assert_eq!(told(&judged), "t");
    let step = bench.land(commit, "grep other src/a").await;
    let LandingStep::Judged(judged) = step else { panic!("{step:?}") };
    let Fate::Red(verdict) = &judged.fates[0].1 else { panic!("{judged:?}") };
    assert_eq!(verdict.red_before, Some(true));
}

#[tokio::test]
async fn a_run_branch_that_somebody_deleted_is_made_again_and_one_with_their_commits_is_not_moved() {
    let mut bench = Bench::new().await;
    let commit = bench.ground.commit("done", "echo done > src/a").await;
    let step = bench.move_branch(commit.clone()).await;
    assert!(matches!(step, LandingStep::Moved { .. }), "{step:?}");
    let site = bench.ground.site.clone();
    bench.ground.commit("theirs", "echo theirs > src/b").await;
    sh(&site.repository.root, &format!("git branch -f {} theirs", site.branch()));
    let step = bench.move_branch(commit).await;
    let LandingStep::Broken { error: Error::Refused { what, .. }, .. } = step else { panic!("{step:?}") };
    assert!(what.contains("moved by somebody else"), "{what}");
}

#[tokio::test]
async fn a_process_that_was_fenced_off_does_not_move_the_branch() {
    let mut bench = Bench::new().await;
    let site = &bench.ground.site;
    let recorder = bench.ground.recorder();
    let commit = bench.ground.commit("made", "echo b > src/b").await;
    site.repository.git.swap_ref(&site.branch_ref(), &bench.ground.base, None).await.unwrap();
    let (sender, heard) = mpsc::unbounded_channel();
    let lane = Lane::new(site.clone(), bench.ground.base.clone(), CancellationToken::new()).within(recorder.fence());
    let tell = Dispatcher::spawn(Dispatcher(sender)).recipient();
    // Another process takes the run.
    let other = crate::journal::Journal::open(&site.folder.path, site.run().clone()).unwrap();
    (bench.coordinator, bench.heard) = (Coordinator::spawn(Coordinator::new(lane, tell)), heard);
    let LandingStep::Broken { error, .. } = bench.move_branch(commit).await else { panic!("it moved") };
    assert!(error.to_string().contains("another process has taken the run over"), "{error}");
    let site = &bench.ground.site;
    assert_eq!(site.repository.git.commit(&site.branch_ref()).await.as_ref(), Some(&bench.ground.base));
    drop(other);
}

#[tokio::test]
async fn a_branch_that_is_where_it_is_to_go_has_moved() {
    let mut bench = Bench::new().await;
    let commit = bench.ground.commit("made", "echo b > src/b").await;
    let site = &bench.ground.site;
    // A call of git whose process was killed has done its work after that.
    site.repository.git.swap_ref(&site.branch_ref(), &commit, None).await.unwrap();
    let step = bench.move_branch(commit).await;
    assert!(matches!(step, LandingStep::Moved(_)), "{step:?}");
}
