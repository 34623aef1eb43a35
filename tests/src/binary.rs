//! The binary under test.
//!
//! Cargo builds a package's binary only for that package's own tests; these tests are a package of their own, so `CARGO_BIN_EXE_inspan`
//! does not exist here. The binary is therefore built by cargo once a process, into the same target directory and with the same
//! profile as the test that runs, for the whole workspace: only so are the features the same, and nothing is compiled twice. Where
//! it is there already this takes a fraction of a second. `INSPAN_BIN` names a binary that is to be tested instead.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The path of the binary `inspan`, built if need be.
pub fn inspan() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| env::var_os("INSPAN_BIN").map_or_else(build, PathBuf::from))
}

/// Where a test executable lies: `TARGET[/TRIPLE]/PROFILE/deps/it-0123`.
struct Place {
    target: PathBuf,
    triple: Option<String>,
    profile: String,
}

impl Place {
    fn of(executable: &Path) -> Self {
        let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let profile = executable.parent().and_then(Path::parent).expect("tests lie in PROFILE/deps");
        let above = profile.parent().expect("a profile lies in the target directory");
        let (target, triple) = if above.join("CACHEDIR.TAG").exists() {
            (above, None)
        } else {
            (above.parent().expect("a triple lies in the target directory"), Some(name(above)))
        };
        Self { target: target.to_owned(), triple, profile: name(profile) }
    }

    fn binary(&self) -> PathBuf {
        let mut path = self.target.clone();
        path.extend(&self.triple);
        path.join(&self.profile).join(format!("inspan{}", env::consts::EXE_SUFFIX))
    }
}

fn build() -> PathBuf {
    let place = Place::of(&env::current_exe().expect("the test has a path"));
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let profile = if place.profile == "debug" { "dev" } else { &place.profile };
    let mut command = Command::new(cargo);
    command.args(["build", "--offline", "--locked", "--workspace", "--bins", "--profile", profile]);
    command.arg("--target-dir").arg(&place.target);
    if let Some(triple) = &place.triple {
        command.args(["--target", triple]);
    }
    // What cargo told this test about its own package is no business of another build: scripts that look at it would run again.
    let about_us = |name: &str| {
        name == "OUT_DIR" || ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|start| name.starts_with(start))
    };
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(about_us)) {
        command.env_remove(name);
    }
    let built = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo starts");
    assert!(built.status.success(), "the binary cannot be built:\n{}", String::from_utf8_lossy(&built.stderr));
    place.binary()
}
