//! The binary `inspan`.

use std::process::ExitCode;

fn main() -> ExitCode {
    orchestrator::run()
}
