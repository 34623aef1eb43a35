//! What a person changes of an attempt while it goes on: whether it is held, and what it may spend.
//!
//! **Invariant:** time in which the run is held costs no minutes. **Invariant:** a limit that changes holds from the next look on, also
//! for whoever waits for its end; nobody has to be told to start again.
//!
//! Not here: who may order that (`orchestrator`).

use std::time::Duration;

use shared::Limits;
use tokio::{sync::watch, time::Instant};

/// Whether a person holds the run.
#[derive(Debug, Clone)]
pub struct Hold(watch::Receiver<bool>);

impl Hold {
    /// A hold that is off, and what puts it on and off.
    pub fn new() -> (watch::Sender<bool>, Self) {
        let (switch, hold) = watch::channel(false);
        (switch, Self(hold))
    }

    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is off.
    pub async fn over(&self) {
        // Who could put it off is gone: then nobody holds anything any more.
        let _ = self.0.clone().wait_for(|is_on| !is_on).await;
    }

    /// Waits until the minutes of these limits have passed, beside those that have passed `already`. Never, where there is no limit.
    pub async fn minutes_pass(&self, limits: &LiveLimits, already: Duration) {
        let (mut hold, mut limits, mut passed) = (self.0.clone(), limits.0.clone(), already);
        loop {
            let is_held = *hold.borrow_and_update();
            let most = limits.borrow_and_update().minutes.map(|minutes| Duration::from_secs(60 * u64::from(minutes)));
            let since = Instant::now();
            tokio::select! {
                biased;
                () = changed(&mut hold) => {}
                () = changed(&mut limits) => {}
                () = after(most.filter(|_| !is_held).map(|most| most.saturating_sub(passed))) => return,
            }
            if !is_held {
                passed += since.elapsed();
            }
        }
    }
}

impl Default for Hold {
    /// One that nobody can put on.
    fn default() -> Self {
        Self::new().1
    }
}

/// What an attempt may spend, now.
#[derive(Debug, Clone)]
pub struct LiveLimits(watch::Receiver<Limits>);

impl LiveLimits {
    /// Begins with these limits, and gives what changes them.
    pub fn new(limits: Limits) -> (watch::Sender<Limits>, Self) {
        let (change, limits) = watch::channel(limits);
        (change, Self(limits))
    }

    /// The limits as they are now.
    pub fn now(&self) -> Limits {
        *self.0.borrow()
    }
}

impl From<Limits> for LiveLimits {
    /// Limits that nobody can change.
    fn from(limits: Limits) -> Self {
        Self::new(limits).1
    }
}

async fn after(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// What nobody can change any more never changes.
async fn changed<T>(value: &mut watch::Receiver<T>) {
    if value.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(minutes: u32) -> Limits {
        Limits { minutes: Some(minutes), ..Limits::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_the_run_is_held_costs_no_minutes_and_a_limit_may_be_raised_meanwhile() {
        let ((switch, hold), (change, limits)) = (Hold::new(), LiveLimits::new(minutes(2)));
        let since = Instant::now();
        let passed = tokio::spawn(async move {
            hold.minutes_pass(&limits, Duration::from_secs(30)).await;
            since.elapsed().as_secs()
        });
        for (wait, is_held, most) in [(60, true, 2), (6_000, false, 2), (20, false, 5)] {
            tokio::time::sleep(Duration::from_secs(wait)).await;
            switch.send_replace(is_held);
            change.send_replace(minutes(most));
        }
        assert_eq!(passed.await.unwrap(), 6_000 + 300 - 30);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nothing_passes_and_what_is_used_up_has_passed_at_once() {
        let hold = Hold::default();
        let unlimited = LiveLimits::from(Limits::default());
        let never = hold.minutes_pass(&unlimited, Duration::MAX);
        assert!(tokio::time::timeout(Duration::from_secs(1_000_000), never).await.is_err());
        hold.minutes_pass(&LiveLimits::from(minutes(1)), Duration::from_secs(61)).await;
        hold.over().await;
    }
}
