//! What a process came to, and how that reads in a snapshot.

use std::{fmt::Write as _, fs, path::PathBuf};

/// What a process said, and how it ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What was typed.
    pub typed: String,
    /// The exit code; 128 and the signal's number where a signal ended it.
    pub code: i32,
    /// Standard output: data.
    pub stdout: String,
    /// Standard error: talk.
    pub stderr: String,
    /// Names that differ from run to run.
    pub(crate) names: Names,
}

/// Where the names lie that differ from run to run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// The temporary folder.
    pub(crate) root: PathBuf,
    /// The folder of all runs.
    pub(crate) runs: PathBuf,
}

impl Names {
    /// The names of all runs that there are by now.
    pub(crate) fn runs(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.runs) else { return Vec::new() };
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
    }

    fn replace(&self, text: &str) -> String {
        let text = text.replace(&self.root.display().to_string(), "ROOT");
        // A run that came to nothing is gone, but it was spoken of.
        let spoken = |line: &str| Some(line.strip_prefix("Run ")?.split_once(' ')?.0.to_owned());
        let spoken: Vec<String> = text.lines().filter_map(spoken).collect();
        self.runs().iter().chain(&spoken).fold(text, |text, run| text.replace(run, "RUN"))
    }
}

impl Outcome {
    /// Fails, with all that was said, unless it ended with this code.
    #[track_caller]
    pub fn code(self, expected: i32) -> Self {
        assert_eq!(self.code, expected, "{}", self.all());
        self
    }

    /// Fails, with all that was said, unless standard error has this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "`{text}` was not said:\n{}", self.all());
        self
    }

    /// Fails unless standard output has this text.
    #[track_caller]
    pub fn prints(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "`{text}` was not printed:\n{}", self.all());
        self
    }

    /// Standard output with placeholders.
    pub fn out(&self) -> String {
        self.placed(&self.stdout)
    }

    /// Standard error with placeholders.
    pub fn talk(&self) -> String {
        self.placed(&self.stderr)
    }

    /// The exit code and all that was said, as it was.
    pub fn all(&self) -> String {
        let mut text = String::new();
        writeln!(text, "inspan {} ended with {}", self.typed, self.code).expect("a string takes all");
        write!(text, "--- stdout\n{}--- stderr\n{}", self.stdout, self.stderr).expect("a string takes all");
        text
    }

    /// The exit code and standard error with placeholders: what most snapshots show.
    pub fn shown(&self) -> String {
        format!("exit {}\n{}", self.code, self.talk())
    }

    fn placed(&self, text: &str) -> String {
        let text = self.names.replace(text);
        text.lines().map(|line| place_words(line).trim_end().to_owned() + "\n").collect()
    }
}

/// Puts `COMMIT` for names of commits, `TIME` for times of day and `N.N` for seconds.
fn place_words(line: &str) -> String {
    // Which one there is depends on the machine.
    if line.starts_with("Sandbox: ") {
        return "Sandbox: TIER.".to_owned();
    }
    let mut placed = String::new();
    let mut word = String::new();
    for letter in line.chars().chain(['\n']) {
        if letter.is_ascii_alphanumeric() || matches!(letter, ':' | '.') {
            word.push(letter);
            continue;
        }
        placed.push_str(&place(&word));
        word.clear();
        placed.push(letter);
    }
    placed.pop();
    placed
}

fn place(word: &str) -> String {
    let core = word.trim_end_matches([':', '.']);
    let tail = &word[core.len()..];
    let is_hex = core.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_made_of = |sign| core.contains(sign) && core.bytes().all(|byte| byte.is_ascii_digit() || byte == sign as u8);
    let placeholder = match core.len() {
        7 | 12 | 40 if is_hex => "COMMIT",
        4..=8 if is_made_of(':') => "TIME",
        3..=6 if is_made_of('.') && core.matches('.').count() == 1 => "N.N",
        _ => return word.to_owned(),
    };
    format!("{placeholder}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_replaced_and_nothing_else() {
        let cases = [
            ("at 0123456789ab: ok", "at COMMIT: ok"),
            ("12:30:59  a #1 starts", "TIME  a #1 starts"),
            ("   0:00  exit 101 after 0.0 s", "   TIME  exit 101 after N.N s"),
            ("a.txt:3: feed the cat", "a.txt:3: feed the cat"),
        ];
        for (line, expected) in cases {
            assert_eq!(place_words(line), expected);
        }
    }
}
