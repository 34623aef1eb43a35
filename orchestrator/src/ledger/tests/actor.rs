//! The actor: what is told to the journal, who is answered, and what is left behind by those who go.

use std::sync::Arc;

use kameo::actor::{ActorRef, Spawn as _};
use shared::{Purpose, Repair};
use tokio::sync::mpsc;
use worker::{budget::Budget as _, model::ModelSettings};

use super::*;
use crate::config::{Config, Sources};

/// Takes turns instead of the dispatcher.
struct Desk(mpsc::UnboundedSender<Turn>);

impl Actor for Desk {
    type Args = Self;
    type Error = std::convert::Infallible;

    async fn on_start(args: Self, _: ActorRef<Self>) -> Result<Self, Self::Error> {
        Ok(args)
    }
}

impl Message<TurnPaid> for Desk {
    type Reply = ();

    async fn handle(&mut self, TurnPaid(turn): TurnPaid, _: &mut Context<Self, ()>) {
        self.0.send(turn).unwrap();
    }
}

/// A Monday at four in the morning, when everything is dear at this provider until five.
fn at_peak() -> u64 {
    1_795_392_000 + 4 * 60 * 60
}

fn off_peak() -> u64 {
    at_peak() - 3 * 60 * 60
}

const PRICES: &str = r#"
[providers.mine]
base_url = "http://localhost/v1"
price = { hit = 0, miss = 1, output = 10, peak = { utc = ["04:00-05:00"], factor = 2 } }

[providers.dear]
base_url = "http://localhost/v1"
price = { hit = 1, miss = 3, output = 30 }

[providers.long]
base_url = "http://localhost/v1"
price = { hit = 0, miss = 1, output = 10, long = { above = 100000, prompt = 2, output = 2 } }
"#;

fn open(limits: Limits, clock: fn() -> u64) -> (ActorRef<Ledger>, mpsc::UnboundedReceiver<Turn>) {
    let repo = Some(("inspan.toml".into(), PRICES.to_owned()));
    let tariffs = Config::load(Sources { repo, ..Sources::default() }).unwrap().tariffs();
    let (sender, turns) = mpsc::unbounded_channel();
    let tell = Desk::spawn(Desk(sender)).recipient::<TurnPaid>();
    (Ledger::spawn(Ledger::new(LedgerArgs { limits, spent: Vec::new(), tariffs, tell, clock })), turns)
}

fn buyer(ledger: &ActorRef<Ledger>, task: &str, model: &str) -> Arc<AttemptBudget> {
    let settings = ModelSettings::new(model, worker::model::Dialect::OpenAiChat, "http://localhost/v1");
    let model = worker::model::connect(settings).unwrap();
    Arc::new(AttemptBudget::new(ledger.clone(), Some(key(task, 1)), model.as_ref()))
}

fn ask(miss: u64, output: u64) -> Ask {
    Ask::from(used(miss, output))
}

#[tokio::test]
async fn a_settled_turn_is_told_once_with_its_price_its_model_and_its_repairs() {
    let (ledger, mut turns) = open(Limits::default(), off_peak);
    let budget = buyer(&ledger, "a", "mine/model");
    let reservation = budget.reserve(ask(1_000, 1_000)).await.unwrap();
    let taken = Tokens { hit: 800, miss: 200, write: 0, output: 10 };
    let repairs: shared::Repairs = [(Repair::Brackets, 1)].into();
    let settlement = Settlement { used: taken, repairs: repairs.clone(), retries: 2, ..Settlement::default() };
    assert_eq!(budget.settle(reservation, settlement.clone()).await, Some(usd(0.0003)));
    let turn = turns.recv().await.unwrap();
    assert_eq!((turn.turn, turn.tokens, turn.cost, turn.uncached), (1, taken, Some(usd(0.0003)), Some(usd(0.0011))));
    assert_eq!((turn.model.as_str(), turn.repairs, turn.retries, turn.estimated), ("mine/model", repairs, 2, false));
    assert_eq!(budget.settle(reservation, settlement).await, None, "it was settled");
    let failed = budget.reserve(ask(1_000, 1_000)).await.unwrap();
    budget.settle(failed, Settlement { purpose: Purpose::Lost, ..Settlement::default() }).await;
    assert!(turns.try_recv().is_err(), "neither what was settled before nor what took nothing is a turn");
}

#[tokio::test]
async fn the_price_is_that_of_the_hour_and_of_the_model_that_answered() {
    for (clock, model, cost) in [
        (off_peak as fn() -> u64, None, Some(0.002)),
        (at_peak, None, Some(0.004)),
        (off_peak, Some("dear/one"), Some(0.006)),
        (off_peak, Some("other/one"), None),
    ] {
        let (ledger, mut turns) = open(Limits::default(), clock);
        let budget = buyer(&ledger, "a", "mine/model");
        let reservation = budget.reserve(ask(1_000, 100)).await.unwrap();
        let model = model.map(str::to_owned);
        budget.settle(reservation, Settlement { used: used(1_000, 100), model, ..Settlement::default() }).await;
        assert_eq!(turns.recv().await.unwrap().cost, cost.map(usd));
    }
}

#[tokio::test]
async fn each_try_is_priced_alone_and_by_the_model_that_was_asked() {
    let of = |model: Option<&str>| Try { model: model.map(str::to_owned), tokens: used(60_000, 0) };
    for (lost, asked_last, cost) in [
        (of(None), None, 0.12),
        (of(Some("dear/one")), None, 0.24),
        (of(Some("long/one")), Some("dear/one"), 0.24),
        (of(None), Some("dear/one"), 0.36),
    ] {
        let (ledger, mut turns) = open(Limits::default(), off_peak);
        let budget = buyer(&ledger, "a", "long/one");
        let reservation = budget.reserve(ask(60_000, 100)).await.unwrap();
        let model = asked_last.map(str::to_owned);
        let settlement = Settlement { used: used(120_000, 0), lost: vec![lost], model, ..Settlement::default() };
        budget.settle(reservation, settlement).await;
        let turn = turns.recv().await.unwrap();
        assert_eq!((turn.tokens, turn.cost), (used(120_000, 0), Some(usd(cost))));
    }
}

#[tokio::test]
async fn what_nobody_counted_is_told_apart_and_counts_against_the_limits() {
    let (ledger, mut turns) = open(limits(Some(100_000), Some(1.0)), off_peak);
    let budget = buyer(&ledger, "a", "mine/model");
    let reservation = budget.reserve(ask(1_000, 1_000)).await.unwrap();
    let guessed = vec![Try { model: None, tokens: used(80_000, 1_000) }];
    budget.settle(reservation, Settlement { used: used(1_000, 100), guessed, retries: 1, ..Settlement::default() }).await;
    let turn = turns.recv().await.unwrap();
    assert_eq!((turn.tokens, turn.cost), (used(1_000, 100), Some(usd(0.002))));
    assert_eq!((turn.guessed, turn.guessed_cost), (used(80_000, 1_000), Some(usd(0.09))));
    let next = buyer(&ledger, "b", "mine/model").reserve(ask(1_000, 90_000)).await.unwrap();
    assert!(next.estimate.output < 15_000, "{next:?}");
}

#[tokio::test]
async fn a_summary_by_a_dearer_model_is_reserved_at_its_price() {
    let (ledger, _turns) = open(limits(None, Some(0.04)), off_peak);
    let budget = buyer(&ledger, "a", "mine/model");
    let settings = ModelSettings::new("dear/one", worker::model::Dialect::OpenAiChat, "http://localhost/v1");
    let dear = worker::model::connect(settings).unwrap();
    let granted = budget.reserve(ask(1_000, 8_000).of(dear.as_ref())).await.unwrap();
    assert_eq!(granted.estimate.output, 1_206, "0.0392 less 0.003 for the prompt, at thirty a million");
}

#[tokio::test]
async fn what_is_reserved_is_the_dearest_that_the_request_may_come_to() {
    let limits = limits(None, Some(0.04));
    let granted = |clock| async move {
        let (ledger, _turns) = open(limits, clock);
        buyer(&ledger, "a", "mine/model").reserve(ask(1_000, 8_000)).await.unwrap().estimate.output
    };
    assert_eq!(granted(off_peak).await, 3_820, "a fiftieth is kept");
    assert_eq!(granted(at_peak).await, 1_860);
    assert_eq!(granted(|| at_peak() - 30 * 60).await, 1_860, "it may run into the hour");
}

#[tokio::test]
async fn who_goes_while_it_waits_leaves_nothing_reserved_and_nobody_waiting() {
    let (ledger, _turns) = open(limits(Some(20_000), None), off_peak);
    let (first, second, third) = (buyer(&ledger, "a", "m/m"), buyer(&ledger, "b", "m/m"), buyer(&ledger, "c", "m/m"));
    let granted = first.reserve(ask(1_000, 16_000)).await.unwrap();
    let waits = tokio::spawn(async move { second.reserve(ask(1_000, 16_000)).await });
    let patient = tokio::spawn(async move { third.reserve(ask(1_000, 16_000)).await });
    // Both stand in the queue once the ledger has answered what came after them.
    tokio::task::yield_now().await;
    ledger.ask(Shares { number: 1, shares: Vec::new() }).await.unwrap();
    waits.abort();
    assert!(waits.await.unwrap_err().is_cancelled());
    first.settle(granted, Settlement::default()).await;
    assert_eq!(patient.await.unwrap().unwrap().estimate.output, 16_000);
}

#[tokio::test]
async fn an_attempt_that_panics_before_it_settles_leaves_nothing_reserved() {
    let (ledger, _turns) = open(limits(Some(20_000), None), off_peak);
    let (dying, patient) = (buyer(&ledger, "a", "m/m"), buyer(&ledger, "b", "m/m"));
    let dies = tokio::spawn(async move {
        dying.reserve(ask(1_000, 16_000)).await.unwrap();
        panic!("a defect");
    });
    assert!(dies.await.unwrap_err().is_panic());
    assert_eq!(patient.reserve(ask(1_000, 16_000)).await.unwrap().estimate.output, 16_000);
}

#[tokio::test]
async fn a_budget_that_ends_closes_its_own_requests_only() {
    let (ledger, mut turns) = open(limits(Some(20_000), None), off_peak);
    let (first, again) = (buyer(&ledger, "a", "m/m"), buyer(&ledger, "a", "m/m"));
    let granted = again.reserve(ask(100, 1_024)).await.unwrap();
    drop(first);
    tokio::task::yield_now().await;
    again.settle(granted, Settlement { used: used(100, 10), ..Settlement::default() }).await;
    assert_eq!(turns.recv().await.unwrap().tokens, used(100, 10));
}

#[tokio::test]
async fn shares_that_come_late_do_not_undo_newer_ones() {
    let (ledger, _turns) = open(limits(Some(100_000), None), off_peak);
    let share = |task: &str, tokens| Share { account: account(task), tokens, money: 0, at_work: true };
    ledger.ask(Shares { number: 2, shares: vec![share("a", 1)] }).await.unwrap();
    ledger.ask(Shares { number: 1, shares: vec![share("a", 1), share("b", 99)] }).await.unwrap();
    let granted = buyer(&ledger, "a", "m/m").reserve(ask(50_000, 8_000)).await.unwrap();
    assert_eq!(granted.estimate.output, 8_000);
}

#[tokio::test]
async fn what_a_provider_counts_makes_the_next_estimate_of_its_model_larger() {
    let (ledger, _turns) = open(limits(Some(100_000), None), off_peak);
    let guessed = |miss| Ask { guessed: miss, ..ask(miss, 1_000) };
    let budget = buyer(&ledger, "a", "m/m");
    let first = budget.reserve(guessed(10_000)).await.unwrap();
    budget.settle(first, Settlement { used: used(20_000, 10), ..Settlement::default() }).await;
    let again = buyer(&ledger, "b", "m/m").reserve(guessed(10_000)).await.unwrap();
    assert_eq!(again.estimate.miss, 21_000);
    let other = buyer(&ledger, "c", "m/other").reserve(guessed(10_000)).await.unwrap();
    assert_eq!(other.estimate.miss, 10_000, "of another model nothing is known");
}
