//! Rungs 2 and 3: the files that git left in conflict, one at a time, through the crate `merge`.

use std::time::Duration;

use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use super::{
    Conflict, FileAccount, Kind, STACK, Sides, Texts, Unmerged, Way,
    kind::{before_reading, merged_mode},
    objects::{Blob, Entry, Objects},
};
use crate::{git::GitError, tree_path::TreePath};

/// For one file.
const PATIENCE: Duration = Duration::from_secs(10);
/// For all files of a join.
const ALL_PATIENCE: Duration = Duration::from_secs(60);

/// What became of them.
#[derive(Default)]
pub(super) struct Outcome {
    /// Files that the tree is to have instead of git's.
    pub(super) changed: Vec<Entry>,
    /// Files that need a decision.
    pub(super) conflicts: Vec<Conflict>,
    /// Of those that could be merged.
    pub(super) accounts: Vec<FileAccount>,
    /// Those that took more than lines, in all versions.
    pub(super) merged: Vec<(TreePath, Texts)>,
}

/// Merges all that are text.
pub(super) async fn merge_all(
    objects: &mut Objects<'_>,
    sides: &Sides<'_>,
    unmerged: Vec<Unmerged>,
) -> Result<Outcome, GitError> {
    objects.read(unmerged.iter().flat_map(|one| one.stages.iter().flatten()).map(|stage| &stage.id)).await?;
    let mut outcome = Outcome::default();
    let end = Instant::now() + ALL_PATIENCE;
    for one in unmerged {
        let texts = match before_reading(&one.stages, &one.said) {
            Some(kind) => Err(kind),
            None => texts(objects, &one),
        };
        match texts {
            Err(kind) => outcome.conflicts.push(Conflict { path: one.path, kind, versions: None }),
            Ok(texts) => outcome.take(one.path, texts, sides, end).await,
        }
    }
    Ok(outcome)
}

/// All versions of a text, or why it is none.
fn texts(objects: &Objects<'_>, one: &Unmerged) -> Result<Texts, Kind> {
    let mut read = Vec::new();
    for stage in &one.stages {
        read.push(match stage.as_ref().map(|stage| objects.get(&stage.id)) {
            None => Vec::new(),
            Some(Blob::Text(text)) => text.to_vec(),
            Some(Blob::Binary) => return Err(Kind::Binary),
            Some(Blob::Large) => return Err(Kind::Large),
            Some(Blob::Missing) => return Err(Kind::GaveUp("a version of it cannot be read".to_owned())),
        });
    }
    let mode = merged_mode(&one.stages).ok_or(Kind::Mode)?;
    let mut read = read.into_iter();
    let mut next = || read.next().unwrap_or_default();
    Ok(Texts { mode, base: next(), ours: next(), theirs: next() })
}

impl Outcome {
    async fn take(&mut self, path: TreePath, texts: Texts, sides: &Sides<'_>, end: Instant) {
        let limit = end.min(Instant::now() + PATIENCE);
        match merge_one(&path, &texts, sides, limit).await {
            Ok((merge::Merge::Clean(merged), account)) => match account.complaint() {
                None => {
                    self.changed.push(Entry { path: path.clone(), mode: texts.mode.clone(), text: merged.text });
                    self.merged.push((path.clone(), texts));
                    self.accounts.push(FileAccount { path, way: Way::Rung(merged.rung), account });
                }
                Some(why) => self.conflicts.push(Conflict { path, kind: Kind::Unaccounted(why), versions: Some(texts) }),
            },
            Ok((merge::Merge::Conflicted(left), _)) => {
                let kind = match left.refused {
                    Some(why) => Kind::Refused(why),
                    None => Kind::Text(left.conflicts.len()),
                };
                self.changed.push(Entry { path: path.clone(), mode: texts.mode.clone(), text: left.text });
                self.conflicts.push(Conflict { path, kind, versions: Some(texts) });
            }
            Err(why) => self.conflicts.push(Conflict { path, kind: Kind::GaveUp(why), versions: None }),
        }
    }
}

/// Works on a thread with room for deep nesting; what is heard is an error where it panics.
pub(super) fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
    let (tell, told) = oneshot::channel();
    // A machine that has no thread left drops the sender, which is heard as well.
    let _ = std::thread::Builder::new().name("merge".to_owned()).stack_size(STACK).spawn(move || drop(tell.send(work())));
    told
}

/// The engine on a thread of its own: it may panic, and it may take too long. A thread that is given up ends when its work does.
async fn merge_one(
    path: &TreePath,
    texts: &Texts,
    sides: &Sides<'_>,
    limit: Instant,
) -> Result<(merge::Merge, merge::Account), String> {
    let (path, texts, task) = (path.shown().as_str().to_owned(), texts.clone(), sides.task.to_owned());
    let work = aside(move || {
        let versions = texts.versions(&path);
        let labels = merge::Labels { ours: "landed", base: "before", theirs: &task };
        let merged = merge::merge(&versions, &labels);
        let account = match &merged {
            merge::Merge::Clean(merged) => merge::account(&versions, &merged.text),
            merge::Merge::Conflicted(_) => merge::Account::default(),
        };
        (merged, account)
    });
    match timeout_at(limit, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) => Err("the merge of it failed within Inspan itself".to_owned()),
        Err(_) => Err(format!("the merge of it took more than {} s", PATIENCE.as_secs())),
    }
}
