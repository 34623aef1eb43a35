//! The person's rules, and what they say to a command or to a change of a file.

use std::{collections::BTreeSet, time::Duration};

use plans::approval::{PathRules, Standing, Verdict};
use shared::{Glob, RepoPath};

use super::simple::{Simple, name, runs};

/// The rules of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Commands that are run, whatever the default says.
    pub allow: Vec<Prefix>,
    /// Commands that a person is asked about.
    pub ask: Vec<Prefix>,
    /// Commands that are not run.
    pub deny: Vec<Prefix>,
    /// What is said to a command that no rule names.
    pub default: Verdict,
    /// Rules about files.
    pub paths: PathRules,
    /// Whether what a person would be asked about is allowed where nobody is there.
    pub unattended: Verdict,
    /// How long a person may take.
    pub deadline: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            ask: Vec::new(),
            deny: Vec::new(),
            default: Verdict::Allow,
            paths: PathRules::default(),
            unattended: Verdict::Deny,
            deadline: Duration::from_secs(600),
        }
    }
}

/// The first words of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    words: Vec<String>,
}

/// What the rules say, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Which rules say so, for people and for the model.
    pub why: String,
    /// What a person can allow for the rest of the run, where they are asked.
    pub offer: Vec<Standing>,
}

impl Judgement {
    /// Nothing stands before it.
    pub fn allowed() -> Self {
        Self { verdict: Verdict::Allow, why: String::new(), offer: Vec::new() }
    }
}

impl Prefix {
    /// The words of a prefix as they stand in the configuration.
    ///
    /// # Errors
    /// Says what is wrong with a text that no simple command can begin with.
    pub fn new(text: &str) -> Result<Self, String> {
        let mut found = super::shell::cut(text, super::shell::As::Script).commands;
        match (found.pop(), found.is_empty()) {
            (Some(words), true) => Ok(Self { words }),
            _ => Err(format!("`{text}` is no beginning of one command; give words such as `git push`")),
        }
    }

    /// Whether a command begins with these words; a program may be named with its folder.
    fn begins(&self, words: &[String]) -> bool {
        let same =
            |(at, word): (usize, &String)| words.get(at).is_some_and(|other| word == other || (at == 0 && word == name(other)));
        self.words.iter().enumerate().all(same)
    }

    fn begins_any(&self, simple: &Simple) -> bool {
        simple.forms.iter().any(|form| self.begins(form))
    }

    /// The words as a person would type them.
    pub fn text(&self) -> String {
        self.words.join(" ")
    }
}

/// What concerns only the shell itself: no default says anything to it.
const OF_THE_SHELL: &[&str] = &[
    ":", "true", "false", "cd", "pwd", "echo", "printf", "test", "[", "[[", "export", "set", "unset", "local", "read", "shift",
    "return", "exit", "break", "continue", "wait", "trap", "umask",
];

impl Rules {
    /// Whether they say anything but "allow" to anything.
    pub fn are_silent(&self) -> bool {
        self.ask.is_empty() && self.deny.is_empty() && self.default == Verdict::Allow
    }

    /// What they say to commands, in one line; none where nothing stands before any.
    pub fn in_words(&self) -> Option<String> {
        let list = |verb: &str, rules: &[Prefix]| {
            let texts: Vec<String> = rules.iter().map(|rule| format!("`{}`", rule.text())).collect();
            (!texts.is_empty()).then(|| format!("{verb} {}", texts.join(", ")))
        };
        let rest = match self.default {
            Verdict::Allow => "all others run",
            Verdict::Ask => "all others are asked about",
            Verdict::Deny => "no others run",
        };
        let parts = [list("denied:", &self.deny), list("asked about:", &self.ask), list("run:", &self.allow)];
        let said: Vec<String> = parts.into_iter().flatten().chain([rest.to_owned()]).collect();
        (!self.are_silent()).then(|| format!("commands of agents: {}", said.join("; ")))
    }

    /// What they say to a command: the strictest of what they say to each simple command in it.
    pub fn of_command(&self, command: &str, standing: &[Standing]) -> Judgement {
        if self.are_silent() {
            return Judgement::allowed();
        }
        let runs = runs(command);
        let standing: Vec<Prefix> = standing.iter().filter_map(prefix_of).collect();
        let mut said: Vec<Judgement> = runs.commands.iter().map(|simple| self.of_simple(simple, &standing)).collect();
        if runs.unreadable {
            let why = "it cannot be read to its end (a quote, a parenthesis or a here-document is not closed, or it is nested too deeply)";
            let verdict = self.default.max(Verdict::Ask);
            said.push(Judgement { verdict, why: why.to_owned(), offer: Vec::new() });
        }
        strictest(said)
    }

    fn of_simple(&self, simple: &Simple, standing: &[Prefix]) -> Judgement {
        let named = |rules: &[Prefix]| rules.iter().find(|rule| rule.begins_any(simple)).map(Prefix::text);
        let by_rule = |verdict, list: &str, rule: String| {
            let offer = if verdict == Verdict::Ask { vec![Standing::Commands(rule.clone())] } else { Vec::new() };
            Judgement { verdict, why: format!("`{rule}` is in approvals.{list}"), offer }
        };
        if let Some(rule) = named(&self.deny) {
            return by_rule(Verdict::Deny, "deny", rule);
        }
        if standing.iter().any(|rule| rule.begins_any(simple)) {
            return Judgement::allowed();
        }
        if let Some(rule) = named(&self.ask) {
            return by_rule(Verdict::Ask, "ask", rule);
        }
        let is_of_the_shell = simple.forms.last().is_some_and(|form| OF_THE_SHELL.contains(&form[0].as_str()));
        if is_of_the_shell || self.default == Verdict::Allow || named(&self.allow).is_some() {
            return Judgement::allowed();
        }
        let words = simple.forms.last().map(|form| form.join(" ")).unwrap_or_default();
        let why = format!("no rule names `{words}`, and approvals.default says {}", in_words(self.default));
        Judgement { verdict: self.default, why, offer: vec![Standing::Commands(words)] }
    }

    /// What they say to a change of a file.
    pub fn of_path(&self, path: &RepoPath, standing: &[Standing]) -> Judgement {
        let (verdict, rule) = self.paths.of_path(path);
        let stands = |one: &Standing| matches!(one, Standing::Files(glob) if glob.matches(path));
        if verdict == Verdict::Ask && standing.iter().any(stands) {
            return Judgement::allowed();
        }
        of_rule(verdict, rule)
    }
}

/// What a rule about files says.
pub(super) fn of_rule(verdict: Verdict, rule: Option<&Glob>) -> Judgement {
    let Some(rule) = rule else { return Judgement::allowed() };
    let list = if verdict == Verdict::Deny { "deny_paths" } else { "ask_paths" };
    let offer = if verdict == Verdict::Ask { vec![Standing::Files(rule.clone())] } else { Vec::new() };
    Judgement { verdict, why: format!("{rule} is in approvals.{list}"), offer }
}

fn prefix_of(standing: &Standing) -> Option<Prefix> {
    match standing {
        Standing::Commands(words) => Some(Prefix { words: words.split_whitespace().map(str::to_owned).collect() }),
        Standing::Files(_) => None,
    }
}

/// The strictest of several, with the reasons and offers of all that are as strict.
fn strictest(said: Vec<Judgement>) -> Judgement {
    let verdict = said.iter().map(|one| one.verdict).max().unwrap_or(Verdict::Allow);
    let (mut why, mut offer) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for one in said.into_iter().filter(|one| one.verdict == verdict && verdict != Verdict::Allow) {
        if seen.insert(one.why.clone()) {
            why.push(one.why);
            offer.extend(one.offer);
        }
    }
    Judgement { verdict, why: why.join("; "), offer }
}

/// A verdict as it stands in the configuration.
pub(super) fn in_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "allow",
        Verdict::Ask => "ask",
        Verdict::Deny => "deny",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixes(texts: &[&str]) -> Vec<Prefix> {
        texts.iter().map(|text| Prefix::new(text).unwrap()).collect()
    }

    fn rules(default: Verdict) -> Rules {
        Rules {
            allow: prefixes(&["cargo", "npm test"]),
            ask: prefixes(&["git push", "cargo publish", "./deploy.sh"]),
            deny: prefixes(&["sudo", "curl"]),
            default,
            ..Rules::default()
        }
    }

    #[test]
    fn the_strictest_rule_of_all_that_a_command_runs_counts() {
        use Verdict::{Allow, Ask, Deny};
        for (command, by_default) in [
            ("git status", [Allow, Ask, Deny]),
            ("git push origin", [Ask, Ask, Ask]),
            ("git pushy", [Allow, Ask, Deny]),
            ("git", [Allow, Ask, Deny]),
            ("/usr/bin/git push", [Ask, Ask, Ask]),
            ("./deploy.sh now", [Ask, Ask, Ask]),
            ("/opt/deploy.sh", [Allow, Ask, Deny]),
            ("cargo test", [Allow, Allow, Allow]),
            ("cargo publish", [Ask, Ask, Ask]),
            ("cargo test && git push", [Ask, Ask, Ask]),
            ("git push; curl x", [Deny, Deny, Deny]),
            ("cargo test || /usr/bin/curl x", [Deny, Deny, Deny]),
            ("echo $(curl x)", [Deny, Deny, Deny]),
            ("sudo cargo test", [Deny, Deny, Deny]),
            ("env A=1 cargo test", [Allow, Allow, Allow]),
            ("cd sub && X=1 npm test", [Allow, Allow, Allow]),
            ("npm install", [Allow, Ask, Deny]),
            ("if test -f x; then cargo test; fi", [Allow, Allow, Allow]),
            ("for x in a b; do cargo test $x; done", [Allow, Allow, Allow]),
            ("echo 'git push' > x", [Allow, Allow, Allow]),
            ("$CMD push", [Allow, Ask, Deny]),
            ("", [Allow, Allow, Allow]),
            ("cargo test 'x", [Ask, Ask, Deny]),
            ("cat <<E\ncargo test", [Ask, Ask, Deny]),
            ("echo $((1<<2))\ncurl x", [Deny, Deny, Deny]),
        ] {
            let said = [Allow, Ask, Deny].map(|default| rules(default).of_command(command, &[]).verdict);
            assert_eq!(said, by_default, "{command}");
        }
    }

    #[test]
    fn what_was_allowed_for_the_run_is_not_asked_about_again_but_stays_denied_where_it_is() {
        let rules = rules(Verdict::Ask);
        let asked = rules.of_command("git push a; make x", &[]);
        assert_eq!(asked.why, "`git push` is in approvals.ask; no rule names `make x`, and approvals.default says ask");
        assert_eq!(asked.offer.len(), 2);
        for (command, verdict) in [
            ("git push b", Verdict::Allow),
            ("make x y", Verdict::Allow),
            ("make z", Verdict::Ask),
            ("sudo git push", Verdict::Deny),
        ] {
            assert_eq!(rules.of_command(command, &asked.offer).verdict, verdict, "{command}");
        }
    }

    #[test]
    fn a_file_is_asked_about_until_its_rule_is_allowed() {
        let globs = |text: &str| vec![Glob::new(text).unwrap()];
        let paths = PathRules { ask: globs("ci/**"), deny: globs("**/*.pem") };
        let rules = Rules { paths, ..Rules::default() };
        let of = |path: &str, standing: &[Standing]| rules.of_path(&RepoPath::new(path).unwrap(), standing);
        let asked = of("ci/a.yml", &[]);
        assert_eq!((asked.verdict, asked.why.as_str()), (Verdict::Ask, "ci/** is in approvals.ask_paths"));
        assert_eq!(of("ci/b.yml", &asked.offer).verdict, Verdict::Allow);
        assert_eq!(of("ci/a.pem", &asked.offer).verdict, Verdict::Deny);
        assert_eq!(of("src/a.rs", &[]), Judgement::allowed());
    }

    #[test]
    fn a_text_that_no_command_begins_with_is_no_prefix() {
        for text in ["", " ", "a && b", "# a", "> x"] {
            assert!(Prefix::new(text).is_err(), "{text}");
        }
        assert_eq!(Prefix::new("git  'push'").unwrap().text(), "git push");
    }
}
