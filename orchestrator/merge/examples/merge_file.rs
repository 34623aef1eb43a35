//! A merge of one file from the shell, to try the engine on its own: `merge_file BASE OURS THEIRS PATH OUT`.

#![expect(clippy::print_stderr, reason = "it talks to whoever tries it")]

use std::process::ExitCode;

use merge::{Labels, Merge, Versions};

fn main() -> std::io::Result<ExitCode> {
    let args: Vec<String> = std::env::args().collect();
    let [_, base, ours, theirs, path, out] = &args[..] else { return Ok(ExitCode::from(255)) };
    let (base, ours, theirs) = (std::fs::read(base)?, std::fs::read(ours)?, std::fs::read(theirs)?);
    let labels = Labels { ours: "ours", base: "base", theirs: "theirs" };
    let (text, code) = match merge::merge(&Versions { path, base: &base, ours: &ours, theirs: &theirs }, &labels) {
        Merge::Clean(merged) => {
            eprintln!("merged by {}", merged.rung);
            (merged.text, 0)
        }
        Merge::Conflicted(conflicted) => {
            let why = conflicted.refused.map(|why| format!(": {why}")).unwrap_or_default();
            eprintln!("{} conflicts{why}", conflicted.conflicts.len());
            (conflicted.text, conflicted.conflicts.len().clamp(1, 127))
        }
    };
    std::fs::write(out, text)?;
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(127)))
}
