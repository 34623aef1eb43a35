//! The terminal: what a person sees and says.
//!
//! **Invariant:** standard output is data, standard error is talk. **Invariant:** nothing here changes a run; a screen that is slow,
//! closed or not there makes no difference to it.

pub mod board;
pub mod words;

pub mod progress;
pub mod review;
mod status;

use std::io::{IsTerminal as _, Write as _};

pub use status::{list_of_runs, status_json, status_of_run};

/// Where lines of talk go, and whether anybody can answer.
#[derive(Debug, Clone)]
pub struct Screen {
    bars: indicatif::MultiProgress,
    quiet: bool,
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
        Self { bars: indicatif::MultiProgress::with_draw_target(target), quiet, interactive: input && talk && !automatic, live }
    }

    /// A line, or several, of talk, above whatever is live.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            self.insist(text);
        }
    }

    /// Talk that is said even when it should be quiet.
    pub fn insist(&self, text: &str) {
        self.bars.suspend(|| {
            // A closed terminal must not end a run.
            let _ = writeln!(std::io::stderr(), "{text}");
        });
    }

    /// The live lines.
    pub fn bars(&self) -> &indicatif::MultiProgress {
        &self.bars
    }
}

/// Columns of the terminal, for tables and graphs.
pub fn width() -> usize {
    rustix::termios::tcgetwinsize(std::io::stderr()).map_or(100, |size| usize::from(size.ws_col)).clamp(40, 160)
}

/// Data for standard output. A reader that has gone (`| head`) is no error.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| if text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") });
    let _ = out.flush();
}
