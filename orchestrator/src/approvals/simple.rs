//! What a simple command runs in the end: `sudo -u x env A=1 /usr/bin/git push` runs `git push`.
//!
//! Programs that run another one are looked through, and a script that is given as a word (`sh -c "…"`, `eval …`) is cut as well.
//!
//! **Invariant:** what is looked through is kept, too: a rule about `sudo` and one about `git push` both find their command.
//! **Invariant:** work has a limit; what lies beyond it is said to be unreadable rather than left out.
//!
//! Only what is written can be read. `$X push`, a script in a file and a program that runs another by itself are beyond this, and
//! beyond every rule: the sandbox is what bounds them.

use super::shell::{As, cut};

/// Scripts within scripts, and programs that run programs.
const DEEPEST: usize = 24;
/// Characters that are read altogether, where scripts hold scripts.
const MOST: usize = 1 << 20;

/// What a text runs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Runs {
    pub(super) commands: Vec<Simple>,
    /// Whether there may be more in it than was found.
    pub(super) unreadable: bool,
}

/// A simple command as it is written, and what it comes down to: the last form is the command itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Simple {
    pub(super) forms: Vec<Vec<String>>,
}

/// Everything that a text runs, as far as it can be read.
pub(super) fn runs(text: &str) -> Runs {
    let mut found = Runs::default();
    let (mut open, mut read) = (vec![(text.to_owned(), As::Script, 0)], 0);
    while let Some((text, how, depth)) = open.pop() {
        read += text.len();
        if depth > DEEPEST || read > MOST {
            found.unreadable = true;
            continue;
        }
        let cut = cut(&text, how);
        found.unreadable |= cut.unreadable;
        let mut feeds_a_shell = false;
        for words in cut.commands {
            let looked = look_through(words);
            found.unreadable |= looked.unreadable;
            feeds_a_shell |= looked.forms.iter().any(|form| is_shell(name(&form[0])));
            open.extend(looked.scripts.into_iter().map(|script| (script, As::Script, depth + 1)));
            if !looked.forms.is_empty() {
                found.commands.push(Simple { forms: looked.forms });
            }
        }
        for document in cut.documents {
            if document.expands {
                open.push((document.text.clone(), As::Quoted, depth + 1));
            }
            if feeds_a_shell {
                open.push((document.text, As::Script, depth + 1));
            }
        }
    }
    found
}

/// The name of a program without its folder.
pub(super) fn name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

fn is_shell(name: &str) -> bool {
    matches!(name, "sh" | "bash" | "dash" | "zsh" | "ksh" | "ash")
}

#[derive(Default)]
struct Looked {
    forms: Vec<Vec<String>>,
    scripts: Vec<String>,
    unreadable: bool,
}

fn look_through(words: Vec<String>) -> Looked {
    let mut looked = Looked::default();
    let mut rest = words;
    while let Some(command) = without_preamble(&rest) {
        if looked.forms.len() >= DEEPEST {
            looked.unreadable = true;
            break;
        }
        looked.forms.push(command.to_vec());
        let next = inner(command, &mut looked.scripts);
        match next {
            Some(inner) if !inner.is_empty() => rest = inner.to_vec(),
            _ => break,
        }
    }
    looked
}

/// The command after reserved words and assignments; none where the words are only syntax.
fn without_preamble(words: &[String]) -> Option<&[String]> {
    const BEFORE: &[&str] = &["if", "then", "else", "elif", "while", "until", "do", "!", "{", "coproc"];
    const SYNTAX: &[&str] = &["for", "case", "select", "in", "fi", "done", "esac", "}", "$()"];
    let start = words.iter().position(|word| !BEFORE.contains(&word.as_str()) && !is_assignment(word))?;
    let command = &words[start..];
    if command[0] == "function" {
        let body = command.iter().position(|word| word == "{")?;
        return without_preamble(&command[body..]);
    }
    let is_syntax = SYNTAX.contains(&command[0].as_str()) && (command[0] != "$()" || command.len() == 1);
    (!is_syntax).then_some(command)
}

fn is_assignment(word: &str) -> bool {
    let Some((variable, _)) = word.split_once('=') else { return false };
    let variable = variable.strip_suffix('+').unwrap_or(variable);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !variable.is_empty() && !variable.starts_with(|c: char| c.is_ascii_digit()) && variable.chars().all(is_name)
}

/// A program that runs what comes after its own words.
struct Wrapper {
    name: &'static str,
    /// Options whose value is the next word.
    valued: &'static [&'static str],
    /// Words of its own before the command.
    own: usize,
}

const fn wrapper(name: &'static str, valued: &'static [&'static str], own: usize) -> Wrapper {
    Wrapper { name, valued, own }
}

const WRAPPERS: &[Wrapper] = &[
    wrapper("env", &["-u", "--unset", "-C", "--chdir"], 0),
    wrapper("exec", &["-a"], 0),
    wrapper("time", &["-f", "-o", "--format", "--output"], 0),
    wrapper("nohup", &[], 0),
    wrapper("sudo", &["-u", "-g", "-h", "-p", "-C", "-r", "-t", "-T", "-U", "-D", "-R", "--user", "--group"], 0),
    wrapper("doas", &["-u", "-C"], 0),
    wrapper("command", &[], 0),
    wrapper("builtin", &[], 0),
    wrapper("setsid", &[], 0),
    wrapper("nice", &["-n", "--adjustment"], 0),
    wrapper("ionice", &["-c", "-n", "--class", "--classdata"], 0),
    wrapper("stdbuf", &["-i", "-o", "-e"], 0),
    wrapper("timeout", &["-s", "-k", "--signal", "--kill-after"], 1),
    wrapper("xargs", &["-I", "-n", "-P", "-L", "-d", "-s", "-E", "-a"], 0),
];

/// The command that a command runs, if it is a program that runs another one; scripts that it is given are set aside.
fn inner<'w>(command: &'w [String], scripts: &mut Vec<String>) -> Option<&'w [String]> {
    let (program, arguments) = command.split_first()?;
    let program = name(program);
    if program == "eval" {
        scripts.push(arguments.join(" "));
        return None;
    }
    if is_shell(program) {
        scripts.extend(script_of(arguments).cloned());
        return None;
    }
    if program == "find" {
        let start = arguments.iter().position(|word| matches!(word.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir"))?;
        return Some(&arguments[start + 1..]);
    }
    if program == "env" {
        let split = |(at, word): (usize, &String)| {
            let value = word.strip_prefix("--split-string=").map(str::to_owned);
            value.or_else(|| matches!(word.as_str(), "-S" | "--split-string").then(|| arguments[at + 1..].join(" ")))
        };
        scripts.extend(arguments.iter().enumerate().find_map(split));
    }
    let wrapper = WRAPPERS.iter().find(|wrapper| wrapper.name == program)?;
    Some(after_options(arguments, wrapper))
}

/// The word after `-c`, be it in one with other options.
fn script_of(arguments: &[String]) -> Option<&String> {
    let is_flag = |word: &&String| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c');
    let at = arguments.iter().position(|word| is_flag(&word))?;
    arguments[at + 1..].iter().find(|word| !word.starts_with('-'))
}

fn after_options<'w>(arguments: &'w [String], wrapper: &Wrapper) -> &'w [String] {
    let mut at = 0;
    while let Some(word) = arguments.get(at).filter(|word| word.starts_with('-') && word.len() > 1) {
        at += 1;
        if word == "--" {
            break;
        }
        at += usize::from(wrapper.valued.contains(&word.as_str()));
    }
    arguments.get(at + wrapper.own..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each command by its last form.
    fn commands(text: &str) -> Vec<String> {
        let mut found: Vec<String> = runs(text).commands.iter().map(|simple| simple.forms.last().unwrap().join(" ")).collect();
        found.sort();
        found
    }

    #[test]
    fn programs_that_run_another_are_looked_through() {
        for text in [
            "git push",
            "A=1 B+=2 git push",
            "env -i -u X A=1 git push",
            "sudo -n -u root -- git push",
            "nohup time -p nice -n 5 git push",
            "exec -a x git push",
            "timeout -k 5 10m git push",
            "command git push",
            "ls | xargs -n 1 git push",
            "find . -name x -exec git push {} ;",
            "if true; then git push; fi",
            "while ! git push; do :; done",
            "for x in a b; do git push; done",
            "{ git push; }",
            "f() { git push; }; f",
            "f () (git push)",
            "function f { git push; }",
            "bash -lc 'git push'",
            "sh -e -c \"cd x && git push\" name",
            "eval git push",
            "eval 'A=1 git' push",
            "env -S 'git push'",
            "sh <<E\ngit push\nE",
            "cat <<E\n$(git push)\nE",
            "sudo sh -c \"env X=1 bash -c 'git push'\"",
        ] {
            assert!(commands(text).iter().any(|one| one.starts_with("git push")), "{text}: {:?}", commands(text));
        }
        for text in ["echo git push", "X='git push'", "# git push", "cat <<'E'\n$(git push)\nE", "for x in git push; do :; done"]
        {
            assert!(!commands(text).iter().any(|one| one.starts_with("git push")), "{text}: {:?}", commands(text));
        }
    }

    #[test]
    fn what_is_looked_through_is_kept() {
        let found = runs("sudo -u x env A=1 git push");
        let forms: Vec<String> = found.commands[0].forms.iter().map(|form| form.join(" ")).collect();
        assert_eq!(forms, ["sudo -u x env A=1 git push", "env A=1 git push", "git push"]);
    }

    #[test]
    fn what_is_too_deep_is_said_to_be_unreadable() {
        assert!(!runs(&"env ".repeat(20)).unreadable);
        assert!(runs(&"env ".repeat(30_000)).unreadable);
        assert!(runs(&"eval ".repeat(30_000)).unreadable);
        assert!(!runs("sh -c 'sh -c \"sh -c x\"'").unreadable);
    }
}
