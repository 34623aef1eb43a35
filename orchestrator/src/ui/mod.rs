//! The terminal: what a person sees and says.
//!
//! **Invariant:** standard output is data, standard error is talk. **Invariant:** nothing here changes a run; a screen that is slow,
//! closed or not there makes no difference to it. **Invariant:** words of models and servers cannot drive a terminal: what no reader sees is
//! shown as escapes there.

pub mod attempts;
pub mod bill;
pub mod board;
pub mod words;

pub mod progress;
pub mod question;
pub mod review;
mod status;
pub mod summary;

use std::{
    borrow::Cow,
    io::{IsTerminal as _, Write as _},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use plans::visible::visible;
pub use status::{limits_of_run, list_of_runs, status_json, status_of_run, what_became_of_it};

/// Where lines of talk go, and whether anybody can answer.
#[derive(Debug, Clone)]
pub struct Screen {
    bars: indicatif::MultiProgress,
    quiet: bool,
    /// Whether a person is being asked something: nothing is drawn meanwhile.
    asking: Arc<AtomicBool>,
    /// News that wait until a question is answered, so that it stays in sight.
    held: Arc<Mutex<Option<Vec<String>>>>,
    /// Whose turn it is to ask: one at a time.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Whether a person sits in front of it and can be asked.
    pub interactive: bool,
    /// Whether lines may be drawn over.
    pub live: bool,
}

impl Screen {
    /// The process's terminal, if it has one. With `quiet` only errors and questions are said.
    pub fn of_process(quiet: bool) -> Self {
        let (input, talk) = (std::io::stdin().is_terminal(), std::io::stderr().is_terminal());
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        let automatic = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
        let live = talk && !dumb && !quiet && !automatic;
        let target = if live { indicatif::ProgressDrawTarget::stderr() } else { indicatif::ProgressDrawTarget::hidden() };
        let asking = Arc::new(AtomicBool::new(false));
        Self {
            bars: indicatif::MultiProgress::with_draw_target(target),
            quiet,
            asking,
            held: Arc::default(),
            turn: Arc::default(),
            interactive: input && talk && !automatic,
            live,
        }
    }

    /// A line, or several, of talk, above whatever is live.
    pub fn say(&self, text: &str) {
        if self.quiet {
            return;
        }
        if let Some(held) = &mut *self.held.lock().unwrap_or_else(PoisonError::into_inner) {
            return held.push(text.to_owned());
        }
        self.insist(text);
    }

    /// Talk that is said even when it should be quiet.
    pub fn insist(&self, text: &str) {
        let write = || {
            // A closed terminal must not end a run.
            let _ = writeln!(std::io::stderr(), "{}", visible(text));
        };
        if self.is_asking() { write() } else { self.bars.suspend(write) }
    }

    /// Leaves the screen to a question, until it is answered.
    pub fn ask(&self, asking: bool) {
        self.asking.store(asking, Ordering::Relaxed);
        // A terminal that cannot be cleared shows old lines.
        let _ = self.bars.clear();
    }

    /// Whose turn it is to ask: whoever asks holds it until there is an answer.
    pub fn turn(&self) -> Arc<tokio::sync::Mutex<()>> {
        self.turn.clone()
    }

    /// Leaves the screen to one question: nothing is drawn, and news wait, until the room is given back.
    pub fn make_room(&self) -> Room {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
        self.ask(true);
        Room { screen: self.clone() }
    }

    /// Whether a person is being asked something.
    pub fn is_asking(&self) -> bool {
        self.asking.load(Ordering::Relaxed)
    }

    /// The live lines.
    pub fn bars(&self) -> &indicatif::MultiProgress {
        &self.bars
    }
}

/// The room for a question. When it goes, what was held back is said.
pub struct Room {
    screen: Screen,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.screen.ask(false);
        let held = self.screen.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        held.into_iter().flatten().for_each(|text| self.screen.say(&text));
    }
}

/// Columns of the terminal, for tables and graphs.
pub fn width() -> usize {
    rustix::termios::tcgetwinsize(std::io::stderr()).map_or(100, |size| usize::from(size.ws_col)).clamp(40, 160)
}

/// Data for standard output. A reader that has gone (`| head`) is no error.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let shown = if out.is_terminal() { Cow::Owned(visible(text)) } else { Cow::Borrowed(text) };
    let text = &*shown;
    let _ = out.write_all(text.as_bytes()).and_then(|()| if text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") });
    let _ = out.flush();
}

/// Words for people on standard output, wherever it leads: no text of a model or a command drives the terminal in which it is read later.
pub fn print_words(text: &str) {
    print(&visible(text));
}

/// Data that may be no text, to standard output as it is.
pub fn print_bytes(data: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(data)?;
    out.flush()
}
