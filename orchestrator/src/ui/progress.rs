//! Progress of a run: one live line for each worker and one for the whole, or plain lines, or one JSON event a line.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use plans::{
    approval::Decider,
    event::{Entry, Event},
    run_state::{Owed, RunState},
    visible::in_line,
};
use shared::RunId;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    task::JoinHandle,
    time::Instant,
};

use super::{
    Screen, bill,
    board::{Activity, Board, Who},
    print, words,
};
use crate::journal::Journal;

/// How a run is shown while it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: the journal's entries, one a line, on standard output.
    Json,
}

/// What is needed to show a run.
pub struct Show {
    /// Where.
    pub screen: Screen,
    /// How.
    pub format: Format,
    /// Who is at work.
    pub board: Arc<Board>,
    /// The run.
    pub run: RunId,
    /// Its folder, where entries that were missed are read again.
    pub folder: PathBuf,
}

/// Shows a run until its entries end. Joining the handle waits until the last has been shown.
pub fn show(show: Show, entries: Receiver<Arc<Entry>>, shown: u64) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut view = View { last: shown, state: None, live: Live::new(&show.screen), show, began: Instant::now() };
        view.follow(entries).await;
    })
}

struct View {
    show: Show,
    /// The number of the last entry that was shown.
    last: u64,
    /// Folded along, for counts.
    state: Option<RunState>,
    live: Live,
    began: Instant,
}

impl View {
    async fn follow(&mut self, mut entries: Receiver<Arc<Entry>>) {
        self.catch_up();
        let mut tick = tokio::time::interval(Duration::from_millis(if self.show.screen.live { 120 } else { 60_000 }));
        loop {
            tokio::select! {
                entry = entries.recv() => match entry {
                    Ok(entry) => self.see(&entry),
                    Err(RecvError::Lagged(_)) => self.catch_up(),
                    Err(RecvError::Closed) => break,
                },
                _ = tick.tick() => self.draw(),
            }
        }
        self.catch_up();
        self.live.clear();
    }

    /// Reads from the journal what was not heard.
    fn catch_up(&mut self) {
        let journal = Journal::read_only(&self.show.folder, self.show.run.clone());
        // What was shown by an earlier process is folded once, to go on counting from there.
        let from = if self.state.is_some() { self.last } else { 0 };
        let Ok(missed) = journal.and_then(|journal| journal.after(from)) else { return };
        if self.state.is_none() {
            self.state = RunState::fold(missed.iter().take_while(|entry| entry.seq <= self.last)).ok();
        }
        for entry in &missed {
            self.see(entry);
        }
    }

    fn see(&mut self, entry: &Entry) {
        if entry.seq <= self.last {
            return;
        }
        if entry.seq > self.last + 1 {
            return self.catch_up();
        }
        self.last = entry.seq;
        match &mut self.state {
            // A view that cannot fold still shows lines.
            Some(state) => drop(state.apply(&entry.event)),
            None => self.state = RunState::begin(&entry.event).ok(),
        }
        match self.show.format {
            Format::Json => {
                print(&entry.line());
                // What was decided because nobody is there is said as well.
                if let Some(line) = words::line(entry).filter(|_| is_for_want_of_a_person(&entry.event)) {
                    self.show.screen.say(&line);
                }
            }
            Format::Text => {
                if let Some(line) = words::line(entry).filter(|_| is_news(&entry.event)) {
                    let hanging = line.replace('\n', "\n         ");
                    self.show.screen.say(&format!("{:>7}  {hanging}", words::clock(self.began.elapsed())));
                }
            }
        }
        self.draw();
    }

    fn draw(&mut self) {
        if !self.show.screen.live || self.show.screen.is_asking() || self.show.format == Format::Json {
            return;
        }
        let activities = self.show.board.activities();
        let summary = self.state.as_ref().map(|state| self.summary(state)).unwrap_or_default();
        self.live.draw(&self.show.screen, &activities, &summary);
    }

    fn summary(&self, state: &RunState) -> String {
        let count = |name: &str| state.tasks().iter().filter(|record| record.state.name() == name).count();
        let landing: Vec<&str> = state.landings().map(|record| record.id.as_str()).collect();
        let doing = match (landing.as_slice(), state.is_replanning()) {
            (_, true) => ", re-planning".to_owned(),
            ([first], _) => format!(", proving {first}"),
            ([first, rest @ ..], _) => format!(", proving {first} and {} more", rest.len()),
            ([], _) if state.owed().contains(&Owed::ProveBase) => ", proving the base".to_owned(),
            _ => String::new(),
        };
        format!(
            "{}{}/{} landed, {} running{doing}  {}  {}",
            if state.is_paused() { "PAUSED  " } else { "" },
            state.landed().len(),
            state.tasks().len(),
            count("running"),
            bill::spent(state.spending()),
            words::clock(self.began.elapsed()),
        )
    }
}

/// What a person wants to read as it happens; what the live lines show already is left out.
fn is_news(event: &Event) -> bool {
    !matches!(
        event,
        Event::LandingStarted { .. } | Event::RunStarted { .. } | Event::RunEnded { .. } | Event::ApprovalAsked { .. }
    )
}

fn is_for_want_of_a_person(event: &Event) -> bool {
    match event {
        Event::ApprovalDecided { by, .. } | Event::ScopeRefused { by, .. } | Event::ScopeGranted { by, .. } => {
            matches!(by, Decider::Unattended | Decider::Deadline)
        }
        _ => false,
    }
}

/// The lines that are drawn over.
struct Live {
    bars: BTreeMap<Who, ProgressBar>,
    whole: Option<ProgressBar>,
}

impl Live {
    fn new(screen: &Screen) -> Self {
        let whole = screen.live.then(|| screen.bars().add(bar()));
        Self { bars: BTreeMap::new(), whole }
    }

    fn draw(&mut self, screen: &Screen, activities: &[(Who, Activity)], summary: &str) {
        let Some(whole) = &self.whole else { return };
        self.bars.retain(|who, bar| {
            let stays = activities.iter().any(|(other, _)| other == who);
            if !stays {
                bar.finish_and_clear();
            }
            stays
        });
        for (who, activity) in activities {
            let line = self.bars.entry(who.clone()).or_insert_with(|| screen.bars().insert_before(whole, bar()));
            line.set_message(in_line(&describe(who, activity)));
        }
        whole.set_message(in_line(summary));
    }

    fn clear(&mut self) {
        self.bars.values().chain(&self.whole).for_each(ProgressBar::finish_and_clear);
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new_spinner().with_style(style)
}

fn describe(who: &Who, activity: &Activity) -> String {
    let name = match who {
        Who::Planner => "planner".to_owned(),
        Who::Worker(key) => key.to_string(),
    };
    let spent = bill::spent_so_far(activity.tokens, activity.cost);
    let turn = if activity.turn == 0 { String::new() } else { format!("turn {}  {spent}  ", activity.turn) };
    let doing: String = activity.doing.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    format!("  {name:24} {}  {turn}{doing}", words::clock(activity.since.elapsed()))
}

#[cfg(test)]
mod tests {
    use plans::event::{CommitId, Settings};

    use super::*;

    #[test]
    fn what_was_missed_is_read_from_where_the_view_stands() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunId::new("abcdefgh").unwrap();
        let mut journal = Journal::open(folder.path(), run.clone()).unwrap();
        let (base, settings) = (CommitId("b".repeat(40)), Settings::default());
        let first = Event::RunStarted {
            goal: "g".to_owned(),
            head: base.clone(),
            base,
            snapshot: false,
            settings,
            program: String::new(),
        };
        journal.append(&first).unwrap();
        let screen = Screen::of_process(true);
        let board = Arc::new(Board::default());
        let show = Show { screen, format: Format::Text, board, run, folder: folder.path().to_owned() };
        let mut view = View { last: 1, state: None, live: Live::new(&show.screen), show, began: Instant::now() };
        view.catch_up();
        assert_eq!((view.last, view.state.as_ref().map(RunState::goal)), (1, Some("g")), "folded, not shown again");
        let unseen = journal.append(&Event::RunHalted { why: "h".to_owned() }).unwrap();
        let next = journal.append(&Event::CancelRequested).unwrap();
        view.see(&next);
        assert_eq!((view.last, unseen.seq), (3, 2));
        let state = view.state.as_ref().unwrap();
        assert!(state.halted().is_some() && state.is_cancelling(), "both were folded, each once");
    }
}
