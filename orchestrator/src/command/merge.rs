//! `inspan merge`: three versions of one file in, one out. The ladder's rungs that need neither a model nor a proof, as a merge driver
//! that git, or anybody, can call.
//!
//! **Invariant:** what `git merge-file` merges cleanly is written byte for byte as git merged it; where something is left, git's own
//! text with its markers is written.
//! **Invariant:** the exit code is a merge driver's: 0 clean, 1 to 127 the number of conflicts, 128 and above an error.
//! **Invariant:** no configuration, no repository and no runtime is needed: it starts as fast as git does.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use merge::{Labels, Merge, Versions};

use crate::{cli::MergeArgs, coordinator::ladder::STACK, ui};

/// The exit code of an error, as git's own.
pub(crate) const FAILED: u8 = 128;
/// For one file.
const PATIENCE: Duration = Duration::from_secs(8);

/// Three versions of a file, read.
#[derive(Clone)]
struct Texts {
    path: String,
    base: Vec<u8>,
    ours: Vec<u8>,
    theirs: Vec<u8>,
}

/// What git says of them.
enum Gits {
    Clean(Vec<u8>),
    Conflicted {
        text: Vec<u8>,
        conflicts: u8,
    },
    /// They are not text.
    Binary,
    /// There is no git, or it failed.
    Nothing,
}

/// What is to be written, and the exit code.
struct Answer {
    text: Vec<u8>,
    code: u8,
}

/// Carries it out. What goes wrong is said in words.
pub(crate) fn merge_file(args: &MergeArgs, directory: Option<&Path>) -> Result<u8, String> {
    let place = |path: &Path| directory.map_or_else(|| path.to_owned(), |directory| directory.join(path));
    let read = |path: &Path| read_file(&place(path)).map_err(|error| format!("{} cannot be read: {error}", path.display()));
    let base = if place(&args.base).exists() { read(&args.base)? } else { Vec::new() };
    let path = args.path.clone().unwrap_or_else(|| args.ours.display().to_string());
    let texts = Texts { path, base, ours: read(&args.ours)?, theirs: read(&args.theirs)? };
    let answer = merge(&texts, args, directory);
    if args.output == Path::new("-") {
        ui::print_bytes(&answer.text).map_err(|error| format!("standard output: {error}"))?;
    } else {
        write_whole(&place(&args.output), &answer.text)
            .map_err(|error| format!("{} cannot be written: {error}", args.output.display()))?;
    }
    Ok(answer.code)
}

/// A file that git can read once more: what a pipe has given is gone.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    use std::os::unix::fs::FileTypeExt as _;

    let kind = fs::metadata(path)?.file_type();
    if kind.is_fifo() || kind.is_socket() {
        return Err(io::Error::other("it is a pipe, which can be read only once; give a file"));
    }
    fs::read(path)
}

/// Writes a file as a whole or not at all: it is often one of the three.
fn write_whole(path: &Path, text: &[u8]) -> io::Result<()> {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let there = fs::metadata(&target).ok();
    if there.as_ref().is_some_and(|data| !data.is_file()) {
        return fs::write(&target, text);
    }
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".inspan-{}", std::process::id()));
    let beside = target.with_file_name(name);
    let done = fs::write(&beside, text)
        .and_then(|()| there.map_or(Ok(()), |data| fs::set_permissions(&beside, data.permissions())))
        .and_then(|()| fs::rename(&beside, &target));
    if done.is_err() {
        // What could be written of it is of no use.
        let _ = fs::remove_file(&beside);
    }
    done
}

fn merge(texts: &Texts, args: &MergeArgs, directory: Option<&Path>) -> Answer {
    let Texts { base, ours, theirs, .. } = texts;
    let clean = |text: &[u8]| Answer { text: text.to_vec(), code: 0 };
    if ours == theirs || base == theirs {
        return clean(ours);
    }
    if base == ours {
        return clean(theirs);
    }
    let gits = ask_git(args, directory);
    match gits {
        Gits::Clean(text) => return Answer { text, code: 0 },
        Gits::Binary => return Answer { text: ours.clone(), code: 1 },
        Gits::Conflicted { .. } | Gits::Nothing => {}
    }
    match (engine(texts, args), gits) {
        (Some(Merge::Clean(merged)), _) => Answer { text: merged.text, code: 0 },
        (_, Gits::Conflicted { text, conflicts }) => Answer { text, code: conflicts },
        (Some(Merge::Conflicted(left)), _) => {
            let conflicts = left.conflicts.len().clamp(1, 127);
            Answer { text: left.text, code: u8::try_from(conflicts).unwrap_or(127) }
        }
        (None, _) => Answer { text: ours.clone(), code: 1 },
    }
}

/// Git's own merge of the three files.
fn ask_git(args: &MergeArgs, directory: Option<&Path>) -> Gits {
    let mut git = Command::new("git");
    git.args(["merge-file", "-p", "-q", &format!("--marker-size={}", args.marker_size)]);
    for label in [&args.ours_label, &args.base_label, &args.theirs_label] {
        git.arg("-L").arg(label);
    }
    let nothing = PathBuf::from("/dev/null");
    let there = directory.map_or_else(|| args.base.clone(), |directory| directory.join(&args.base)).exists();
    git.arg("--").arg(&args.ours).arg(if there { &args.base } else { &nothing }).arg(&args.theirs);
    if let Some(directory) = directory {
        git.current_dir(directory);
    }
    let Ok(out) = git.env("LC_ALL", "C").stdin(Stdio::null()).output() else { return Gits::Nothing };
    match out.status.code() {
        Some(0) => Gits::Clean(out.stdout),
        Some(conflicts @ 1..=127) => Gits::Conflicted { text: out.stdout, conflicts: u8::try_from(conflicts).unwrap_or(127) },
        _ if String::from_utf8_lossy(&out.stderr).contains("binary") => Gits::Binary,
        _ => Gits::Nothing,
    }
}

/// The rungs above, on a thread that may fail or take too long: then there is none.
fn engine(texts: &Texts, args: &MergeArgs) -> Option<Merge> {
    // A defect of the engine leaves git's conflict, and nothing to be read about it.
    std::panic::set_hook(Box::new(|_| {}));
    let (tell, told) = mpsc::channel();
    let (texts, labels) = (texts.clone(), [&args.ours_label, &args.base_label, &args.theirs_label].map(String::clone));
    let work = move || {
        let Texts { path, base, ours, theirs } = &texts;
        let versions = Versions { path, base, ours, theirs };
        let labels = Labels { ours: &labels[0], base: &labels[1], theirs: &labels[2] };
        let merged = merge::merge(&versions, &labels);
        let is_whole = match &merged {
            Merge::Clean(merged) => merge::account(&versions, &merged.text).is_whole(),
            Merge::Conflicted(_) => true,
        };
        // Nobody listens any more once the time is up.
        let _ = tell.send(is_whole.then_some(merged));
    };
    std::thread::Builder::new().stack_size(STACK).spawn(work).ok()?;
    told.recv_timeout(PATIENCE).ok().flatten()
}
