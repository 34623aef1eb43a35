//! Landings, with real git and a real gate.

use std::time::Duration;

use kameo::actor::Spawn as _;
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
    async fn new() -> Self {
        let ground = Ground::new().await;
        let (sender, heard) = mpsc::unbounded_channel();
        let lane = Lane::new(ground.site.clone(), ground.base.clone(), CancellationToken::new());
        let tell = Dispatcher::spawn(Dispatcher(sender)).recipient();
        Self { coordinator: Coordinator::spawn(Coordinator::new(lane, tell)), ground, heard }
    }

    async fn land(&mut self, commit: CommitId, gate: &str) -> LandingStep {
        let landing = Landing {
            run: self.ground.site.run().clone(),
            key: key(),
            commit,
            base: self.ground.base.clone(),
            onto: self.ground.base.clone(),
            title: "t".to_owned(),
            summary: String::new(),
            scope: shared::Scope {
                write: vec![shared::Glob::new("**").unwrap()],
                shared: Vec::new(),
                ..shared::Scope::default()
            },
            deliver: Vec::new(),
            verify: Vec::new(),
            gate: vec![gate.to_owned()],
            task_network: shared::Network::default(),
            gate_network: shared::Network::default(),
            timeout: Duration::from_secs(60),
            landed: Vec::new(),
            verify_of: Vec::new(),
        };
        self.coordinator.tell(Land(Box::new(landing))).await.unwrap();
        self.heard.recv().await.unwrap()
    }

    async fn move_branch(&mut self, commit: CommitId) -> LandingStep {
        let onto = self.ground.base.clone();
        self.coordinator.tell(MoveBranch { key: key(), onto, commit }).await.unwrap();
        self.heard.recv().await.unwrap()
    }
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
    assert!(matches!(step, LandingStep::Passed { .. }), "{step:?}");
    let step = bench.land(commit, "grep other src/a").await;
    assert!(matches!(&step, LandingStep::Red { verdict, .. } if verdict.red_before == Some(true)), "{step:?}");
}

#[tokio::test]
async fn a_run_branch_that_somebody_deleted_is_not_made_again_behind_their_back() {
    let mut bench = Bench::new().await;
    let commit = bench.ground.commit("done", "echo done > src/a").await;
    let step = bench.move_branch(commit.clone()).await;
    let LandingStep::Broken { error: Error::Refused { what, .. }, .. } = step else { panic!("{step:?}") };
    assert!(what.contains("moved or deleted by somebody else"), "{what}");
    let site = bench.ground.site.clone();
    sh(&site.repository.root, &format!("git branch {} {}", site.branch(), bench.ground.base));
    let step = bench.move_branch(commit).await;
    assert!(matches!(step, LandingStep::Moved { .. }), "{step:?}");
}
