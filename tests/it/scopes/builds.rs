//! Programs that others wrote and that a build runs: a build script, an install hook, a test's set-up, a rule of make. Each makes the same
//! attempts, with the rights that the tool around it has. So do those who run code that a worker wrote: its tool for commands, the proof of
//! its task, the gate.

use tests::{
    Scenario,
    hostile::{Assault, Attempt, By, Sign, Tier},
};

const ATTEMPTS: &[Attempt] = &[
    Attempt::allowed("builds-write-here", "open(f'{TREE}/mine/built', 'w').write('x'); keep('it works')"),
    Attempt::new("absolute", Sign::Victim, "open(VICTIM, 'w').write('harmed')"),
    Attempt::new("links", Sign::Victim, "
os.symlink(os.path.dirname(VICTIM), os.environ['TMPDIR'] + '/out'); open(os.environ['TMPDIR'] + '/out/' + NAME, 'w').write('harmed')"),
    Attempt::new("chmod", Sign::Victim, "os.chmod(VICTIM, 0o777)"),
    Attempt::new("secret", Sign::Looted("sesame"), "keep(open(HOME_DIR + '/.ssh/id_ed25519').read())"),
    Attempt::new("registry-token", Sign::Looted("sesame"), "keep(open(HOME_DIR + '/.cargo/credentials.toml').read())"),
    Attempt::new("plant-a-program", Sign::Appears("$HOME_DIR/.cargo/bin/cargo-harm"), "
os.makedirs(HOME_DIR + '/.cargo/bin', exist_ok=True); open(HOME_DIR + '/.cargo/bin/cargo-harm', 'w').close()"),
    Attempt::new("start-of-the-shell", Sign::Changes("$HOME_DIR/.bashrc"), "open(HOME_DIR + '/.bashrc', 'a').write('harmed')"),
    Attempt::new("hook", Sign::Appears("$CHECKOUT/.git/hooks/pre-commit"), "open(CHECKOUT + '/.git/hooks/pre-commit', 'w').close()"),
    Attempt::new("branch", Sign::Git("show-ref --verify --quiet refs/heads/harm"), "sh('git -C \"$CHECKOUT\" branch harm')"),
    Attempt::new("call-home", Sign::Heard, "socket.create_connection(('127.0.0.1', TCP)).sendall(WORD)"),
    Attempt::new("call-home-by-datagram", Sign::Heard, "
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(WORD, ('127.0.0.1', UDP))"),
    Attempt::new("call-the-agent", Sign::Heard, "
os.chdir(SOCKETS); client = socket.socket(socket.AF_UNIX); client.connect('stream.sock'); client.sendall(WORD)"),
    Attempt::new("kill", Sign::Bystander, "os.kill(PID, 9)"),
    Attempt::new("environment-of-the-harness", Sign::Looted("sesame"), "keep(open(f'/proc/{HARNESS}/environ').read())"),
];

/// A crate whose build script runs it.
fn cargo(scenario: &Scenario, call: &str) -> String {
    let script = format!(
        "fn main() {{ assert!(std::process::Command::new(\"sh\").args([\"-c\", \"cd ../.. && {call}\"]).status().unwrap().success()) }}"
    );
    let repository = scenario.repository();
    repository.write("mine/crate/Cargo.toml", "[package]\nname = \"crate\"\nversion = \"0.1.0\"\nedition = \"2021\"\n");
    repository.write("mine/crate/Cargo.lock", "version = 3\n\n[[package]]\nname = \"crate\"\nversion = \"0.1.0\"\n");
    repository.write("mine/crate/build.rs", &script).write("mine/crate/src/lib.rs", "");
    "cd mine/crate && cargo check --offline --locked --quiet".to_owned()
}

/// A package that another one depends on by its path, with an install hook that runs it.
fn npm(scenario: &Scenario, call: &str) -> String {
    let hook =
        format!(r#"{{ "name": "hostile", "version": "1.0.0", "scripts": {{ "postinstall": "cd \"$TREE\" && {call}" }} }}"#);
    let repository = scenario.repository();
    repository.write("mine/hostile/package.json", &hook);
    repository.write(
        "mine/app/package.json",
        r#"{ "name": "app", "version": "1.0.0", "dependencies": { "hostile": "file:../hostile" } }"#,
    );
    repository.write(".gitignore", "node_modules\n");
    "export TREE=\"$PWD\"; cd mine/app && npm install --offline --no-audit --no-fund --foreground-scripts --cache \"$TMPDIR/npm\""
        .to_owned()
}

/// A test whose set-up runs it.
fn pytest(scenario: &Scenario, call: &str) -> String {
    let set_up = format!("import subprocess\nsubprocess.run({call:?}, shell=True, check=True)\n");
    scenario.repository().write("conftest.py", &set_up).write("mine/test_it.py", "def test_it():\n    pass\n");
    scenario.repository().write(".gitignore", "__pycache__\n.pytest_cache\n");
    "PYTHONDONTWRITEBYTECODE=1 pytest -q -p no:cacheprovider mine/test_it.py".to_owned()
}

/// A rule that runs it.
fn make(scenario: &Scenario, call: &str) -> String {
    scenario.repository().write("Makefile", &format!("all:\n\t{call}\n"));
    "make".to_owned()
}

/// Tests of one tool: in either tier, and without a sandbox.
macro_rules! tool {
    ($tool:ident, $missing:ident) => {
        mod $tool {
            use super::*;

            #[test]
            #[cfg_attr(any(without_bwrap, without_python3, $missing), ignore = "needs bubblewrap, python3 and the tool itself")]
            fn does_no_harm_in_bubblewrap() {
                Assault::new(Tier::Bubblewrap, ATTEMPTS).through(super::$tool).run();
            }

            #[test]
            #[cfg_attr(any(without_landlock, without_python3, $missing), ignore = "needs Landlock, python3 and the tool itself")]
            fn does_no_harm_behind_the_helper_alone() {
                Assault::new(Tier::Helper, ATTEMPTS).through(super::$tool).run();
            }

            #[test]
            #[cfg_attr(any(without_python3, $missing), ignore = "needs python3 and the tool itself")]
            fn does_all_of_it_where_nothing_holds_it_off() {
                Assault::new(Tier::Bare, ATTEMPTS).through(super::$tool).run();
            }
        }
    };
}

/// Tests of whoever runs what a worker wrote, without a tool around it.
macro_rules! runner {
    ($name:ident, $by:expr) => {
        mod $name {
            use super::*;

            #[test]
            #[cfg_attr(any(without_bwrap, without_python3), ignore = "needs bubblewrap and python3")]
            fn does_no_harm_in_bubblewrap() {
                Assault::new(Tier::Bubblewrap, ATTEMPTS).by($by).run();
            }

            #[test]
            #[cfg_attr(any(without_landlock, without_python3), ignore = "needs Landlock and python3")]
            fn does_no_harm_behind_the_helper_alone() {
                Assault::new(Tier::Helper, ATTEMPTS).by($by).run();
            }

            #[test]
            #[cfg_attr(without_python3, ignore = "needs python3")]
            fn does_all_of_it_where_nothing_holds_it_off() {
                Assault::new(Tier::Bare, ATTEMPTS).by($by).run();
            }
        }
    };
}

runner!(agent, By::Agent);
runner!(proof, By::Proof);
runner!(gate, By::Gate);
tool!(cargo, without_cargo);
tool!(npm, without_npm);
tool!(pytest, without_pytest);
tool!(make, without_make);
