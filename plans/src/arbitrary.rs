//! Any plan at all, for tests of what must hold for every plan.

use std::time::Duration;

use proptest::{collection::vec, option, prelude::*};
use shared::{Glob, Limits, Money, Network, RepoPath, Scope, TaskId};

use crate::{
    plan::{Gate, Plan, PlanDraft},
    task::{Task, WorkerKind},
};

/// Mostly the characters on which writers of TOML, JSON and tables stumble.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select("\"'\\\n\r\t\0\u{7f}\u{85}\u{202e}\u{feff} #=[]{},.aé漢😀".chars().collect::<Vec<_>>());
    let pieces = prop_oneof![
        4 => odd.prop_map(String::from),
        1 => any::<char>().prop_map(String::from),
        2 => prop::sample::select(vec!["\"\"\"", "'''", "\r\n", "word ", "\\u0041", "\n\n"]).prop_map(String::from),
    ];
    vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

/// A plan whose tasks own a folder each and depend on earlier ones only.
pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    let gate = (vec(text(), 0..3), any::<u32>(), 0..1_000_000_000_u32, network())
        .prop_map(|(commands, secs, nanos, network)| Gate { commands, timeout: Duration::new(secs.into(), nanos), network });
    (text(), gate, vec(task(), 0..6)).prop_map(|(goal, gate, mut tasks)| {
        for (at, task) in tasks.iter_mut().enumerate() {
            own(task, at);
        }
        Plan::new(PlanDraft { goal, gate, tasks }).expect("made to be valid")
    })
}

/// Turns a task without a place into the one at that place.
fn own(task: &mut Task, at: usize) {
    task.id = TaskId::new(&format!("t{at}")).expect("a letter and a number");
    let earlier = (0..at).map(|i| TaskId::new(&format!("t{i}")).expect("a letter and a number"));
    task.depends_on = earlier.zip(task.title.bytes()).filter(|(_, byte)| byte % 2 == 0).map(|(id, _)| id).collect();
    let folder = format!("d{at}/\"é 'x");
    task.scope.write.push(Glob::new(&format!("{folder}/**")).expect("a glob"));
    for path in &mut task.deliver {
        *path = RepoPath::new(&format!("{folder}/{path}")).expect("a path");
    }
}

fn network() -> impl Strategy<Value = Network> {
    prop::sample::select(Network::ALL.to_vec())
}

prop_compose! {
    fn limits()(
        turns in option::of(any::<u32>()),
        tokens in option::of(0..=i64::MAX.cast_unsigned()),
        nano_usd in option::of(0..1_000_000_000_000_000_u64),
        minutes in option::of(any::<u32>()),
    ) -> Limits {
        Limits { turns, tokens, cost: nano_usd.map(|nano_usd| Money { nano_usd }), minutes }
    }
}

prop_compose! {
    fn task()(
        (title, instructions) in (text(), text()),
        shared in vec(prop::sample::select(vec!["Cargo.lock", "src/{a,b}.rs", "x\\*y", "q\"q"]), 0..3),
        deliver in vec(prop::sample::select(vec!["a.rs", "b c/ü.rs", "q\"q"]), 0..3),
        verify in vec(text(), 0..3),
        hand_off in option::of(text()),
        command in option::of(text()),
        limits in limits(),
        network in network(),
        model in option::of(text()),
    ) -> Task {
        Task {
            id: TaskId::new("x").expect("a letter"),
            title,
            instructions,
            depends_on: Vec::new(),
            scope: Scope { write: Vec::new(), shared: shared.iter().map(|s| Glob::new(s).expect("a glob")).collect(), ..Scope::default() },
            network,
            deliver: deliver.iter().map(|s| RepoPath::new(s).expect("a path")).collect(),
            verify,
            hand_off,
            worker: command.map_or(WorkerKind::Agent, WorkerKind::Command),
            model,
            limits,
        }
    }
}
