//! Room on the disk: what has to be there before anything begins, and how much the run may take.
//!
//! **Invariant:** a disk that is nearly full is nobody's fault: the run halts, and goes on when there is room. The run's own bound is a limit
//! like the others: it ends the run over budget, with what has landed.

use std::{sync::Arc, time::Duration};

use kameo::{
    actor::ActorRef,
    message::{Context, Message},
};
use plans::{event::Event, run_state::Owed};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use super::Dispatcher;
use crate::{
    disk::{Verdict, in_words, judge},
    error::Error,
};

/// Between two counts at least, unless an attempt has ended.
const PAUSE: Duration = Duration::from_secs(10);
/// So many times as long as a count takes is the pause after it.
const PATIENCE: u32 = 20;

/// Says when it is time to count.
#[derive(Debug, Clone, Default)]
pub(super) struct Room(Arc<Notify>);

impl Room {
    /// Somebody has left something behind: it is counted soon.
    pub(super) fn has_changed(&self) {
        self.0.notify_one();
    }
}

impl Dispatcher {
    /// Counts what the run takes, now and then. A bound that is set later holds from the next process on.
    pub(super) fn watch_the_disk(&self, me: &ActorRef<Self>) {
        if self.state().settings().max_disk.is_none() {
            return;
        }
        let (me, cancel, room, places) = (me.downgrade(), self.cancel.clone(), self.room.clone(), self.site.places());
        let counting = async move {
            loop {
                let (places, began) = (places.clone(), Instant::now());
                let Ok(taken) = tokio::task::spawn_blocking(move || places.taken()).await else { return };
                let Some(me) = me.upgrade() else { return };
                // A dispatcher that is gone needs no room.
                let _ = me.tell(Taken(taken)).await;
                // Whatever comes first: an end, or the time.
                let _ = timeout(PAUSE.max(began.elapsed() * PATIENCE), room.0.notified()).await;
            }
        };
        tokio::spawn(async move { cancel.run_until_cancelled(counting).await });
    }

    /// Halts the run where something new is owed and a disk has no room for it. Says whether it did.
    pub(super) fn halt_without_room(&mut self, owed: &[Owed]) -> Result<bool, Error> {
        let begins = |owed: &Owed| {
            matches!(owed, Owed::Plan | Owed::Start { .. } | Owed::ProveBase | Owed::Land { .. } | Owed::Replan { .. })
        };
        let least = self.state().settings().min_free;
        if self.state().halted().is_some() || !owed.iter().any(begins) {
            return Ok(false);
        }
        let Some(shortage) = self.site.places().shortage(least) else { return Ok(false) };
        self.record(&Event::RunHalted { why: shortage.in_words(least) })?;
        Ok(true)
    }

    /// Says whether it was news.
    pub(super) fn heard_of_taken(&mut self, taken: u64) -> Result<bool, Error> {
        let bound = self.state().settings().max_disk;
        let verdict = judge(taken, bound);
        let is_news = match verdict {
            Verdict::Within => false,
            Verdict::Reached => self.state().over_budget().is_none(),
            Verdict::Passed => !self.state().is_out_of_time(),
        };
        let Some(bound) = bound.filter(|_| is_news) else { return Ok(false) };
        let stop = verdict == Verdict::Passed;
        let why = format!("the run's limit of {} of disk (--max-disk): it takes {}", in_words(bound), in_words(taken));
        self.record(&Event::BudgetReached { why, stop })?;
        if stop {
            self.cancel.cancel();
        }
        Ok(true)
    }
}

/// So many bytes the run takes.
struct Taken(u64);

impl Message<Taken> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, Taken(bytes): Taken, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        match self.heard_of_taken(bytes) {
            Ok(true) => self.pursue(&me).await,
            Ok(false) => {}
            Err(error) => self.finish(Err(error)),
        }
    }
}
