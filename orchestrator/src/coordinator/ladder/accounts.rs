//! Accounting for what git merged by itself: nothing of one side is dropped, also where nobody saw a conflict.
//!
//! Only files that both changed are read. One that only one side changed is git's to take from that side; nobody looks whether it has.

use std::collections::HashMap;

use super::{
    Sides, Texts,
    objects::{Blob, Objects},
};
use crate::{
    git::{Change, Git, GitError},
    tree_path::TreePath,
};

/// How a file of the result came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Git merged it.
    Git,
    /// A rung of the crate `merge`.
    Rung(merge::Rung),
    /// A mechanical candidate.
    Proposal,
    /// The tool that makes the file made it anew.
    Tool,
    /// Another version of this program, or a person.
    Unknown,
}

/// A file that both sides changed, with what became of every hunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileAccount {
    /// Where it is in the result.
    pub path: TreePath,
    /// How it was merged.
    pub way: Way,
    /// Every hunk.
    pub account: merge::Account,
}

/// Accounts for all files that git merged, but for those that were `taken` care of otherwise.
pub(super) async fn of_git_merges(
    objects: &Objects<'_>,
    sides: &Sides<'_>,
    tree: &str,
    taken: &[&TreePath],
) -> Result<Vec<(FileAccount, Texts)>, GitError> {
    let git = objects.git;
    let (theirs, result) = tokio::try_join!(git.changes(&sides.base.0, &sides.theirs.0), git.changes(&sides.ours.0, tree))?;
    if theirs == result {
        // The task's change is on the tip as it was made: the same files, from the same to the same.
        return Ok(Vec::new());
    }
    let met: Vec<File> = met(git, sides, tree).await?.into_iter().filter(|file| !taken.contains(&&file.path)).collect();
    let mut reading = Objects::new(git);
    reading.read(met.iter().flat_map(|file| file.ids.iter().flatten())).await?;
    Ok(met.into_iter().filter_map(|file| account_of(&reading, file)).collect())
}

/// None for what is no text: git takes such a file whole, or leaves a conflict.
fn account_of(objects: &Objects<'_>, file: File) -> Option<(FileAccount, Texts)> {
    let mut read = Vec::new();
    for id in &file.ids {
        read.push(match id.as_ref().map(|id| objects.get(id)) {
            None => &[][..],
            Some(Blob::Text(text)) => text,
            Some(_) => return None,
        });
    }
    let [base, ours, theirs, merged] = read[..] else { return None };
    let texts = Texts { mode: file.mode, base: base.to_vec(), ours: ours.to_vec(), theirs: theirs.to_vec() };
    let account = merge::account(&texts.versions(file.path.shown().as_str()), merged);
    Some((FileAccount { path: file.path, way: Way::Git, account }, texts))
}

/// A file that both sides changed.
struct File {
    /// In the result.
    path: TreePath,
    mode: String,
    /// The base's, ours, theirs, the result's.
    ids: [Option<String>; 4],
}

/// What a side did with a file of the base, or a file that it added.
#[derive(Clone)]
struct Done {
    /// Where it is now; none where it was deleted.
    path: Vec<u8>,
    id: String,
    before: String,
}

/// Files that both sides changed, each its own way.
async fn met(git: &Git, sides: &Sides<'_>, tree: &str) -> Result<Vec<File>, GitError> {
    let (ours, theirs, result) = tokio::try_join!(
        done(git, &sides.base.0, &sides.ours.0),
        done(git, &sides.base.0, &sides.theirs.0),
        git.changes(&sides.base.0, tree)
    )?;
    let result: HashMap<&[u8], &Change> = result.iter().map(|change| (change.path.bytes(), change)).collect();
    let mut met = Vec::new();
    for (origin, of_theirs) in &theirs {
        let Some(of_ours) = ours.get(origin) else { continue };
        if of_ours.id == of_theirs.id || of_ours.id == of_ours.before || of_theirs.id == of_theirs.before {
            continue;
        }
        // Whoever moved the file decides where it is.
        let place = if of_ours.path == *origin { &of_theirs.path } else { &of_ours.path };
        if is_nothing(&of_ours.id) || is_nothing(&of_theirs.id) {
            continue;
        }
        let base = Some(of_theirs.before.clone()).filter(|id| !is_nothing(id));
        let (mode, now) = match result.get(place.as_slice()) {
            Some(change) if is_text(&change.mode) => (change.mode.clone(), Some(change.id.clone())),
            // It is as it was, or gone: neither side's edit is there.
            None => ("100644".to_owned(), base.clone()),
            Some(change) if change.kind == 'D' => ("100644".to_owned(), None),
            Some(_) => continue,
        };
        met.push(File {
            path: TreePath::new(place),
            mode,
            ids: [base, Some(of_ours.id.clone()), Some(of_theirs.id.clone()), now],
        });
    }
    met.sort_by(|one, other| one.path.bytes().cmp(other.path.bytes()));
    Ok(met)
}

fn is_text(mode: &str) -> bool {
    mode.starts_with("100")
}

fn is_nothing(id: &str) -> bool {
    id.bytes().all(|byte| byte == b'0')
}

/// What a side did, by where each file was in the base (an added file by where it is), renames followed as git's merge does.
async fn done(git: &Git, base: &str, side: &str) -> Result<HashMap<Vec<u8>, Done>, GitError> {
    let args = ["diff-tree", "-r", "-z", "-M", "--raw", "--no-ext-diff", base, side];
    let out = git.call().args(args).bytes().await?;
    let mut fields = out.split(|byte| *byte == 0);
    let mut all = HashMap::new();
    while let (Some(meta), Some(path)) = (fields.next(), fields.next()) {
        let meta = String::from_utf8_lossy(meta);
        let [_, mode, before, id, kind] = meta.trim_start_matches(':').split(' ').collect::<Vec<_>>()[..] else {
            return Err(GitError::Odd { call: "diff-tree -M --raw".to_owned(), said: meta.into_owned() });
        };
        let now = if kind.starts_with(['R', 'C']) { fields.next().unwrap_or_default() } else { path };
        if kind.starts_with('D') || !is_text(mode) {
            continue;
        }
        let done = Done { path: now.to_vec(), id: id.to_owned(), before: before.to_owned() };
        all.insert(path.to_vec(), done);
    }
    Ok(all)
}
