//! Files that somebody would run later, outside of any sandbox: the person, their shell, their tools, the harness itself.

use tests::hostile::{Attempt, Sign};

/// Appends to a file of the person's home.
macro_rules! at_home {
    ($name:literal, $file:literal) => {
        Attempt::new(
            $name,
            Sign::Changes(concat!("$HOME_DIR/", $file)),
            concat!("open(HOME_DIR + '/", $file, "', 'a').write('harmed')"),
        )
    };
}

pub(super) const ATTEMPTS: &[Attempt] = &[
    at_home!("start-of-the-shell", ".bashrc"),
    at_home!("start-of-the-session", ".profile"),
    at_home!("configuration-of-git", ".gitconfig"),
    at_home!("configuration-of-cargo", ".cargo/config.toml"),
    at_home!("program-of-the-path", ".local/bin/tool"),
    at_home!("keys-that-may-come-in", ".ssh/id_ed25519"),
    Attempt::new(
        "start-with-the-desktop",
        Sign::Appears("$HOME_DIR/.config/autostart/harm.desktop"),
        "
os.makedirs(HOME_DIR + '/.config/autostart'); open(HOME_DIR + '/.config/autostart/harm.desktop', 'w').close()",
    ),
    Attempt::new(
        "first-in-the-path",
        Sign::Appears("$HOME_DIR/.local/bin/git"),
        "
path = HOME_DIR + '/.local/bin/git'; open(path, 'w').write('#!/bin/sh\\n'); os.chmod(path, 0o755)",
    ),
    Attempt::new("home-in-the-shell", Sign::Appears("$HOME_DIR/planted"), "sh('echo harmed > ~/planted')"),
    Attempt::new(
        "programs-of-the-toolchain",
        Sign::Appears("$HOME_DIR/.cargo/bin/cargo-harm"),
        "
os.makedirs(HOME_DIR + '/.cargo/bin', exist_ok=True); open(HOME_DIR + '/.cargo/bin/cargo-harm', 'w').close()",
    ),
    Attempt::new(
        "hook-of-the-person",
        Sign::Appears("$CHECKOUT/.git/hooks/pre-commit"),
        "
open(CHECKOUT + '/.git/hooks/pre-commit', 'w').close()",
    ),
    Attempt::new(
        "settings-in-the-checkout",
        Sign::Appears("$CHECKOUT/.cargo/config.toml"),
        "
os.mkdir(CHECKOUT + '/.cargo'); open(CHECKOUT + '/.cargo/config.toml', 'w').close()",
    ),
    Attempt::new(
        "settings-of-the-editor",
        Sign::Appears("$CHECKOUT/.vscode/tasks.json"),
        "
os.mkdir(CHECKOUT + '/.vscode'); open(CHECKOUT + '/.vscode/tasks.json', 'w').close()",
    ),
    Attempt::new(
        "settings-above-the-checkout",
        Sign::Appears("$ROOT/.cargo/config.toml"),
        "
os.mkdir(ROOT + '/.cargo'); open(ROOT + '/.cargo/config.toml', 'w').close()",
    ),
    Attempt::new(
        "settings-above-all-worktrees",
        Sign::Appears("$ROOT/cache/.cargo/config.toml"),
        "
os.mkdir(ROOT + '/cache/.cargo'); open(ROOT + '/cache/.cargo/config.toml', 'w').close()",
    ),
    Attempt::new(
        "settings-above-the-worktree",
        Sign::Looted("made"),
        "
os.mkdir('../.cargo'); open('../.cargo/config.toml', 'w').close(); keep('made' if is_on_disk('../.cargo') else 'in memory')",
    ),
    Attempt::new(
        "package-above-the-worktree",
        Sign::Looted("made"),
        "
os.mkdir('../node_modules'); open('../package.json', 'w').close(); keep('made' if is_on_disk('../package.json') else 'in memory')",
    ),
    Attempt::new("plan-of-the-run", Sign::Looted("opened"), "open(ROOT + '/plan.toml', 'r+'); keep('opened')"),
    Attempt::new("configuration-of-the-harness", Sign::Looted("opened"), "open(ROOT + '/config.toml', 'r+'); keep('opened')"),
    Attempt::new("output-of-other-commands", Sign::Looted("made"), "open('../spill/harm', 'w').close(); keep('made' if is_on_disk('../spill/harm') else 'in memory')"),
    Attempt::new(
        "program-of-the-machine",
        Sign::Looted("made"),
        "
path = '/usr/local/bin/inspan-test-harm'; open(path, 'x').close(); os.unlink(path); keep('made')",
    )
    .as_root(),
    Attempt::new(
        "setting-of-the-machine",
        Sign::Looted("made"),
        "
path = '/etc/inspan-test-harm'; open(path, 'x').close(); os.unlink(path); keep('made')",
    )
    .as_root(),
    Attempt::new(
        "state-of-the-machine",
        Sign::Looted("made"),
        "
path = '/var/lib/inspan-test-harm'; open(path, 'x').close(); os.unlink(path); keep('made')",
    )
    .as_root(),
    Attempt::new(
        "libraries-of-the-machine",
        Sign::Looted("opened"),
        "
open('/etc/ld.so.preload' if os.path.exists('/etc/ld.so.preload') else '/etc/ld.so.conf', 'r+'); keep('opened')",
    )
    .as_root(),
];

super::in_every_tier!(ATTEMPTS);
