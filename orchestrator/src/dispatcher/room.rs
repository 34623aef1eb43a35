//! Room on the disk: what has to be there before anything begins, and how much the run may take.
//!
//! **Invariant:** a disk that is nearly full is nobody's fault: the run halts, and goes on when there is room. The run's own bound is a limit
//! like the others: it ends the run over budget, with what has landed.
//! **Invariant:** the dispatcher never waits for a disk. One that does not answer, as a network disk may, holds up what would be begun on it, and
//! no order and no end.

use std::{sync::Arc, time::Duration};

use kameo::{
    actor::ActorRef,
    message::{Context, Message},
};
use plans::{
    event::{Event, RunLimit},
    run_state::Owed,
};
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

/// What is known of room on the disks, and when it is time to count.
#[derive(Debug, Default)]
pub(super) struct Room {
    news: Arc<Notify>,
    known: Known,
}

/// What is known of the disks at this moment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Nothing: what they said before may no longer be so.
    #[default]
    Nothing,
    /// They are being asked.
    Asked,
    /// There is room.
    Room,
}

impl Room {
    /// Somebody has left something behind: it is counted soon.
    pub(super) fn has_changed(&self) {
        self.news.notify_one();
    }
}

/// Whether it needs room.
fn begins(owed: &Owed) -> bool {
    matches!(owed, Owed::Plan | Owed::Start { .. } | Owed::ProveBase | Owed::Land { .. } | Owed::Replan { .. })
}

impl Dispatcher {
    /// Counts what the run takes, now and then, from when it has a bound on.
    pub(super) fn watch_the_disk(&self, me: &ActorRef<Self>) {
        if self.state().settings().max_disk.is_none() {
            return;
        }
        let (me, cancel, news, places) = (me.downgrade(), self.cancel.clone(), self.room.news.clone(), self.site.places());
        let counting = async move {
            loop {
                let (places, began) = (places.clone(), Instant::now());
                let Ok(taken) = tokio::task::spawn_blocking(move || places.taken()).await else { return };
                let Some(me) = me.upgrade() else { return };
                // A dispatcher that is gone needs no room.
                let _ = me.tell(Taken(taken)).await;
                // Whatever comes first: an end, or the time.
                let _ = timeout(PAUSE.max(began.elapsed() * PATIENCE), news.notified()).await;
            }
        };
        tokio::spawn(async move { cancel.run_until_cancelled(counting).await });
    }

    /// What of all that is owed can be made now, and whether anything waits: what begins something new does, until the disks have said that
    /// there is room for it.
    pub(super) fn with_room(&mut self, mut owed: Vec<Owed>, me: &ActorRef<Self>) -> (Vec<Owed>, bool) {
        let needs_none = self.state().settings().min_free == 0 || self.state().halted().is_some() || self.end.is_none();
        if needs_none || self.room.known == Known::Room || !owed.iter().any(begins) {
            return (owed, false);
        }
        if self.room.known == Known::Nothing {
            self.ask_the_disks(me);
        }
        owed.retain(|owed| !begins(owed));
        (owed, true)
    }

    /// They answer with a message.
    fn ask_the_disks(&mut self, me: &ActorRef<Self>) {
        let (me, places, least) = (me.downgrade(), self.site.places(), self.state().settings().min_free);
        self.room.known = Known::Asked;
        tokio::spawn(async move {
            let short = move || places.shortage(least).map(|shortage| shortage.in_words(least));
            // A look that fails blames no disk.
            let shortage = tokio::task::spawn_blocking(short).await.unwrap_or_default();
            if let Some(me) = me.upgrade() {
                // A dispatcher that is gone needs no room.
                let _ = me.tell(Looked { shortage }).await;
            }
        });
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
        self.record(&Event::BudgetReached { why, stop, limit: Some(RunLimit::Disk) })?;
        if stop {
            self.cancel.cancel();
        }
        Ok(true)
    }
}

/// What the disks have answered.
struct Looked {
    shortage: Option<String>,
}

impl Message<Looked> for Dispatcher {
    type Reply = ();

    async fn handle(&mut self, Looked { shortage }: Looked, ctx: &mut Context<Self, ()>) {
        let me = ctx.actor_ref().clone();
        self.room.known = Known::Nothing;
        match shortage {
            // What was to be begun may be wanted no more.
            Some(why) if self.state().halted().is_none() && self.state().owed().iter().any(begins) => {
                return self.record_and_pursue(&Event::RunHalted { why }, &me).await;
            }
            Some(_) => {}
            None => self.room.known = Known::Room,
        }
        self.pursue(&me).await;
        if self.room.known == Known::Room {
            self.room.known = Known::Nothing;
        }
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
