//! Heavy permits: how many builds and test suites of one run go on at once.
//!
//! Sixteen workers may think at the same time; sixteen compilers on two cores only make each other slow, and together take the memory of
//! the machine. A command that does little needs none and never waits.
//!
//! **Invariant:** whoever waits has nothing running, so that a permit is always given back in the end.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Programs that take the whole machine if they may.
const HEAVY: &[&str] = &[
    "cargo",
    "rustc",
    "make",
    "gmake",
    "ninja",
    "cmake",
    "ctest",
    "meson",
    "bazel",
    "buck2",
    "gcc",
    "g++",
    "clang",
    "clang++",
    "cc",
    "c++",
    "go",
    "npm",
    "npx",
    "pnpm",
    "yarn",
    "bun",
    "deno",
    "node",
    "tsc",
    "jest",
    "vitest",
    "webpack",
    "vite",
    "pytest",
    "tox",
    "nox",
    "python",
    "python3",
    "uv",
    "poetry",
    "mvn",
    "mvnw",
    "gradle",
    "gradlew",
    "sbt",
    "javac",
    "dotnet",
    "mix",
    "rebar3",
    "cabal",
    "stack",
    "ghc",
    "swift",
    "xcodebuild",
    "flutter",
    "dart",
    "bundle",
    "rake",
    "rspec",
    "composer",
    "phpunit",
    "docker",
    "just",
    "zig",
];

/// The permits of a run. Clones share them.
#[derive(Debug, Clone)]
pub struct Permits(Arc<Semaphore>);

impl Permits {
    /// So many heavy commands at once; at least one.
    pub fn new(heavy: usize) -> Self {
        Self(Arc::new(Semaphore::new(heavy.clamp(1, Semaphore::MAX_PERMITS))))
    }

    /// Waits for one, where the command needs it. None when it was cancelled meanwhile.
    pub(super) async fn take(&self, command: &str, cancel: &CancellationToken) -> Option<Option<OwnedSemaphorePermit>> {
        if !is_heavy(command) {
            return Some(None);
        }
        tokio::select! {
            biased;
            permit = Arc::clone(&self.0).acquire_owned() => Some(permit.ok()),
            () = cancel.cancelled() => None,
        }
    }
}

impl Default for Permits {
    /// One for each core.
    fn default() -> Self {
        Self::new(std::thread::available_parallelism().map_or(1, usize::from))
    }
}

/// Whether a heavy program is named anywhere in a command, or a script is run of which nobody knows what it does.
fn is_heavy(command: &str) -> bool {
    let separators = |c: char| c.is_whitespace() || ";|&()<>'\"`".contains(c);
    command.split(separators).any(|word| {
        let name = word.rsplit('/').next().unwrap_or(word);
        HEAVY.contains(&name) || word.starts_with("./") || word.rsplit('.').next() == Some("sh")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_and_scripts_are_heavy_and_a_look_around_is_not() {
        for heavy in ["cargo test", "cd app && npm ci", "/usr/bin/make -j8", "FOO=1 ./check", "sh ci.sh", "(go build ./...)"] {
            assert!(is_heavy(heavy), "{heavy}");
        }
        for light in ["ls -la", "grep -rn cargoes src", "git diff", "echo done", "cat Makefile"] {
            assert!(!is_heavy(light), "{light}");
        }
    }

    #[tokio::test]
    async fn a_heavy_command_waits_for_a_permit_and_a_light_one_does_not() {
        let (permits, cancel) = (Permits::new(1), CancellationToken::new());
        let first = permits.take("cargo build", &cancel).await;
        assert!(permits.take("ls", &cancel).await.is_some());
        let mut second = std::pin::pin!(permits.take("cargo test", &cancel));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        assert!(second.await.is_some());
        let _all = permits.take("make", &cancel).await;
        cancel.cancel();
        assert!(permits.take("make", &cancel).await.is_none());
    }
}
