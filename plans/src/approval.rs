//! What a person's rules say before something is done, and how the answers stand in the journal.
//!
//! Rules for commands need a shell's reading of them and are the orchestrator's; rules for paths hold for plans as well, so they are
//! here.
//!
//! **Invariant:** of several verdicts the strictest counts: deny before ask before allow.
//!
//! These rules are a courtesy in front of the sandbox, not the wall: a command can be written so that no rule knows it. Only
//! `deny` of a path is more, for what was written there is found when the harness looks at the tree, whoever wrote it.

use std::fmt;

use serde::{Deserialize, Serialize};
use shared::{AttemptKey, Glob, RepoPath};

/// What a rule says, from the mildest to the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is done.
    Allow,
    /// A person is asked first.
    Ask,
    /// It is not done.
    Deny,
}

/// Which files the person wants to be asked about, and which nobody may change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathRules {
    /// A file tool asks before it changes one of these.
    pub ask: Vec<Glob>,
    /// No task changes these, whatever its scope says.
    pub deny: Vec<Glob>,
}

impl PathRules {
    /// What the rules say to a change of this file, and the pattern that says it.
    pub fn of_path(&self, path: &RepoPath) -> (Verdict, Option<&Glob>) {
        let named = |globs: &'_ [Glob]| globs.iter().position(|glob| glob.matches(path));
        match (named(&self.deny), named(&self.ask)) {
            (Some(at), _) => (Verdict::Deny, self.deny.get(at)),
            (None, Some(at)) => (Verdict::Ask, self.ask.get(at)),
            (None, None) => (Verdict::Allow, None),
        }
    }

    /// What they say to owning a pattern. Denied is one that leads into denied files as such (`deploy/**` under `deploy`); one that
    /// merely holds some among others (`**` over `**/*.pem`) is not, for those stay denied one by one. To be asked about it is
    /// enough to hold one.
    pub fn of_pattern(&self, pattern: &Glob) -> (Verdict, Option<&Glob>) {
        let sample = sample(pattern);
        let is_within = |glob: &&Glob| *glob == pattern || sample.as_ref().is_some_and(|path| glob.matches(path));
        if let Some(glob) = self.deny.iter().find(is_within) {
            return (Verdict::Deny, Some(glob));
        }
        match self.ask.iter().find(|glob| glob.overlaps(pattern)) {
            Some(glob) => (Verdict::Ask, Some(glob)),
            None => (Verdict::Allow, None),
        }
    }
}

/// A file that a pattern names: itself, or one with a name that no rule spells out, right below its fixed folder.
fn sample(pattern: &Glob) -> Option<RepoPath> {
    let text = pattern.as_str();
    let Some(wild) = text.find(['*', '?', '[', '{', '\\']) else { return RepoPath::new(text).ok() };
    let folder = text[..wild].rfind('/').map_or("", |end| &text[..end]);
    RepoPath::new(format!("{folder}/\u{1a}").trim_start_matches('/')).ok()
}

/// What somebody wanted to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Run a command.
    Command(String),
    /// Change a file with a file tool.
    Write(RepoPath),
    /// Write more than the plan says.
    Scope(Vec<Glob>),
}

impl Subject {
    /// In one line, as what is wanted: `run …`, `change …`, `also write …`.
    pub fn in_words(&self) -> String {
        match self {
            Subject::Command(command) => format!("run `{}`", crate::visible::in_line(command)),
            Subject::Write(path) => format!("change {}", crate::visible::in_line(path.as_str())),
            Subject::Scope(globs) => {
                let globs: Vec<String> = globs.iter().map(|glob| crate::visible::in_line(glob.as_str())).collect();
                format!("also write {}", globs.join(", "))
            }
        }
    }
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// This once.
    Allowed,
    /// Whatever this covers, for the rest of the run and for every task.
    Always(Vec<Standing>),
    /// Not.
    Denied,
}

/// What a person has allowed for the rest of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Commands that begin with these words.
    Commands(String),
    /// Changes of the files that a pattern names.
    Files(Glob),
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Standing::Commands(prefix) => write!(f, "commands that begin with `{}`", crate::visible::in_line(prefix)),
            Standing::Files(glob) => write!(f, "changes of {}", crate::visible::in_line(glob.as_str())),
        }
    }
}

/// Who decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decider {
    /// A rule, or the plan itself.
    #[default]
    Rule,
    /// A person.
    Person,
    /// The policy for when nobody is there.
    Unattended,
    /// The same policy, because nobody answered in time.
    Deadline,
}

impl fmt::Display for Decider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Decider::Rule => "by rule",
            Decider::Person => "by a person",
            Decider::Unattended => "as nobody is there to ask",
            Decider::Deadline => "as nobody answered in time",
        })
    }
}

/// Something that was wanted beyond what the plan and the rules give, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who wanted it.
    pub key: AttemptKey,
    /// What.
    pub what: Subject,
    /// Why, in the worker's words or as the rule has it.
    pub reason: String,
    /// What was said; none as long as a person is being asked.
    pub answer: Option<Answer>,
}

/// What a request came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether it may.
    pub granted: bool,
    /// Who said so.
    pub by: Decider,
    /// Why not.
    pub why: String,
}

impl Request {
    /// In one line: `a#1 may run …`, `a#1 may not also write …: why`.
    pub fn in_words(&self) -> String {
        let (key, what) = (&self.key, self.what.in_words());
        match &self.answer {
            None => format!("{key} wants to {what}: {}", crate::visible::in_line(&self.reason)),
            Some(Answer { granted: true, by, .. }) => format!("{key} may {what} ({by})"),
            Some(Answer { granted: false, by, why }) => format!("{key} may not {what} ({by}): {}", crate::visible::in_line(why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(texts: &[&str]) -> Vec<Glob> {
        texts.iter().map(|text| Glob::new(text).unwrap()).collect()
    }

    #[test]
    fn of_the_rules_that_name_a_file_the_strictest_counts() {
        let rules = PathRules { ask: globs(&["deploy/**", "*.lock"]), deny: globs(&["deploy/keys", "**/*.pem"]) };
        for (path, verdict, by) in [
            ("src/a.rs", Verdict::Allow, None),
            ("deploy/a.yml", Verdict::Ask, Some("deploy/**")),
            ("Cargo.lock", Verdict::Ask, Some("*.lock")),
            ("deploy/keys/a", Verdict::Deny, Some("deploy/keys")),
            ("deploy/a.pem", Verdict::Deny, Some("**/*.pem")),
        ] {
            let (said, glob) = rules.of_path(&RepoPath::new(path).unwrap());
            assert_eq!((said, glob.map(Glob::as_str)), (verdict, by), "{path}");
        }
    }

    #[test]
    fn a_pattern_is_denied_when_it_leads_into_denied_files_as_such() {
        let rules = PathRules { ask: globs(&["ci/**"]), deny: globs(&["deploy", "**/*.pem"]) };
        for (pattern, verdict) in [
            ("deploy/**", Verdict::Deny),
            ("deploy/sub/*.yml", Verdict::Deny),
            ("deploy", Verdict::Deny),
            ("src/a.pem", Verdict::Deny),
            ("**/*.pem", Verdict::Deny),
            ("src/**", Verdict::Allow),
            ("**", Verdict::Ask),
            ("ci/a.yml", Verdict::Ask),
            ("ci", Verdict::Ask),
        ] {
            assert_eq!(rules.of_pattern(&Glob::new(pattern).unwrap()).0, verdict, "{pattern}");
        }
    }
}
