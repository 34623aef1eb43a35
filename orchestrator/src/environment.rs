//! What the commands of workers and the gate see of the world: an environment that is made, not inherited.
//!
//! **Invariant:** a variable reaches a command only if it is on the list here, in the person's `[env] pass`, or made for the attempt.
//! A name that says that it is a secret is never on the list.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    net::{Ipv4Addr, TcpListener},
    path::Path,
};

use shared::{AttemptKey, RunId};

/// Variables that tools need to find themselves and their caches. A `*` at the end stands for any ending.
const PASSED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    "XDG_*",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "CARGO_HOME",
    "CARGO_NET_OFFLINE",
    "RUSTUP_*",
    "RUSTFLAGS",
    "CC",
    "CXX",
    "CFLAGS",
    "CXXFLAGS",
    "LDFLAGS",
    "PKG_CONFIG_PATH",
    "GOPATH",
    "GOROOT",
    "GOCACHE",
    "GOMODCACHE",
    "GOFLAGS",
    "GOPROXY",
    "JAVA_HOME",
    "MAVEN_OPTS",
    "GRADLE_USER_HOME",
    "NODE_PATH",
    "NODE_EXTRA_CA_CERTS",
    "NVM_DIR",
    "VOLTA_HOME",
    "PNPM_HOME",
    "PYENV_ROOT",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NIX_*",
    "HOMEBREW_PREFIX",
];

const SECRET: &[&str] = &["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL"];

/// Whether a variable's name says that it holds a secret.
pub fn says_secret(name: &str) -> bool {
    SECRET.iter().any(|word| name.to_ascii_uppercase().contains(word))
}

/// How many ports an attempt gets.
const PORTS: u16 = 10;

/// The variables that every command of a run sees.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    passed: BTreeMap<OsString, OsString>,
}

impl Environment {
    /// Takes what may be passed on from this process's environment. `allowed` is the person's `[env] pass`.
    pub fn from_process(allowed: impl Fn(&str) -> bool) -> Self {
        Self::choose(std::env::vars_os(), allowed)
    }

    fn choose(all: impl IntoIterator<Item = (OsString, OsString)>, allowed: impl Fn(&str) -> bool) -> Self {
        let listed = |name: &str| {
            PASSED.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => name == *pattern,
            })
        };
        let chosen = |name: &str| allowed(name) || (listed(name) && !says_secret(name));
        let passed = all.into_iter().filter(|(name, _)| name.to_str().is_some_and(chosen)).collect();
        Self { passed }
    }

    /// The environment of an attempt's commands. `mark` is how strays are found again.
    pub fn of_attempt(&self, run: &RunId, key: &AttemptKey, folder: &Path, mark: &str) -> Vec<(OsString, OsString)> {
        let mut all = self.of_folder(run, folder, mark);
        all.insert("INSPAN_TASK".into(), key.task.as_str().into());
        all.insert("INSPAN_ATTEMPT".into(), key.attempt.to_string().into());
        let first = free_ports(key);
        all.insert("INSPAN_PORT_FIRST".into(), first.to_string().into());
        all.insert("INSPAN_PORT_LAST".into(), (first + PORTS - 1).to_string().into());
        all.into_iter().collect()
    }

    /// The environment of the gate's commands.
    pub fn of_gate(&self, run: &RunId, folder: &Path, mark: &str) -> Vec<(OsString, OsString)> {
        self.of_folder(run, folder, mark).into_iter().collect()
    }

    fn of_folder(&self, run: &RunId, folder: &Path, mark: &str) -> BTreeMap<OsString, OsString> {
        let mut all = self.passed.clone();
        let mut set = |name: &str, value: OsString| all.insert(name.into(), value);
        set("INSPAN_RUN", run.as_str().into());
        set("INSPAN_MARK", mark.into());
        set("TMPDIR", folder.join("tmp").into());
        set("CARGO_TARGET_DIR", folder.join("target").into());
        set("GIT_CEILING_DIRECTORIES", folder.into());
        set("GIT_TERMINAL_PROMPT", "0".into());
        // They may not write in `.git`, not even to look faster.
        set("GIT_OPTIONAL_LOCKS", "0".into());
        set("NO_COLOR", "1".into());
        set("TERM", "dumb".into());
        all
    }
}

/// The first of a block of ports on which nobody listens now. Attempts begin to look at different places, so that two that start
/// together do not both find the same block.
fn free_ports(key: &AttemptKey) -> u16 {
    const FIRST: u16 = 20_000;
    const BLOCKS: u16 = 1_000;
    let spread =
        key.task.as_str().bytes().fold(u16::try_from(key.attempt.0 % 1000).unwrap_or(0), |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u16::from(byte))
        });
    let block = |at: u16| FIRST + (spread.wrapping_add(at) % BLOCKS) * PORTS;
    let is_free = |first: &u16| (*first..*first + PORTS).all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
    (0..BLOCKS).map(block).find(is_free).unwrap_or_else(|| block(0))
}

#[cfg(test)]
mod tests {
    use shared::{Attempt, TaskId};

    use super::*;

    fn chosen(names: &[&str], allowed: &[&str]) -> Vec<String> {
        let all = names.iter().map(|name| ((*name).into(), "x".into()));
        Environment::choose(all, |name| allowed.contains(&name))
            .passed
            .into_keys()
            .map(|name| name.into_string().unwrap())
            .collect()
    }

    #[test]
    fn only_listed_variables_pass_and_what_the_person_allows() {
        let names = ["PATH", "LC_ALL", "OPENAI_API_KEY", "XDG_TOKEN", "EDITOR", "DB_URL", "DB_PASSWORD", "MY_TOKEN"];
        assert_eq!(chosen(&names, &[]), ["LC_ALL", "PATH"]);
        assert_eq!(chosen(&names, &["DB_URL", "MY_TOKEN"]), ["DB_URL", "LC_ALL", "MY_TOKEN", "PATH"]);
    }

    #[test]
    fn an_attempt_has_scratch_space_and_ports_of_its_own() {
        let key = AttemptKey { task: TaskId::new("t").unwrap(), attempt: Attempt(2) };
        let run = RunId::new("abcdefgh").unwrap();
        let env: BTreeMap<_, _> = Environment::default().of_attempt(&run, &key, Path::new("/f"), "mark").into_iter().collect();
        assert_eq!(env[&OsString::from("TMPDIR")], "/f/tmp");
        assert_eq!(env[&OsString::from("CARGO_TARGET_DIR")], "/f/target");
        assert_eq!(env[&OsString::from("GIT_OPTIONAL_LOCKS")], "0");
        let port = |name: &str| env[&OsString::from(name)].to_str().unwrap().parse::<u16>().unwrap();
        assert_eq!(port("INSPAN_PORT_LAST") - port("INSPAN_PORT_FIRST"), 9);
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port("INSPAN_PORT_FIRST"))).is_ok());
    }
}
