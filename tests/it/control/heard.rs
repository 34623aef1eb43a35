//! Whether what a person changes and says reaches whom it is for, at the edges.

use ::plans::event::Event;
use serde_json::json;
use shared::Outcome;
use tests::model::{Script, edits, finish, plan, write};

use super::{WAIT, go, meet, scenario, waiting, waits_then_writes};

#[test]
fn words_that_come_when_no_turn_is_left_put_no_finished_work_at_risk_and_are_told() {
    let (s, _server) = scenario(Script::new().worker("a", 1, [write("a.txt", "a\n"), finish("Wrote a.")]));
    let s = s.config("[task]\nturns = 2\n[run]\nreplans = 0\nattempts = 1");
    let alive = waiting(&s, &format!("a | write a.txt | verify {WAIT}"), &[]);
    s.inspan(&["steer", "a", "use tabs"]).code(0);
    go(&s);
    alive.wait().code(0).says("a #1 is done; it had finished before it could hear: use tabs");
    let done = |event: &Event| match event {
        Event::AttemptEnded { outcome: Outcome::Done { report }, .. } => Some(report.unheard.clone()),
        _ => None,
    };
    assert_eq!(s.history().events().find_map(done), Some(vec!["use tabs".to_owned()]));
}

#[test]
fn a_limit_that_was_raised_holds_for_the_plan_that_the_planner_mends() {
    let limits = json!({ "turns": null, "tokens": 500_000, "cost_usd": null, "minutes": null });
    let change = edits(&json!([{ "edit": "rewrite", "task": "b", "limits": limits, "because": "it needs more" }]));
    let two = "a | write a.txt\n b | after a | write b.txt | run echo b > b.txt";
    let script = Script::new().planner(1, [plan(two)]).planner(2, [change]).worker("a", 1, waits_then_writes());
    let (s, server) = scenario(script);
    let alive = s.start(&["run", "Write", "--yes", "--max-tokens", "200000"]);
    meet(&s, "a.at");
    s.inspan(&["limits", "--max-tokens", "900000"]).code(0);
    s.inspan(&["replan", "more for b"]).code(0);
    s.wait_until(|event| matches!(event, Event::PlanRevised { .. }));
    go(&s);
    alive.wait().code(0);
    assert_eq!(server.asked_by_planner(2).len(), 1, "it was not refused");
}
