//! Secrets that a change would bring into the repository.
//!
//! **Invariant:** only what a change adds counts. A value that the files which it touches held before, wherever it stands now, is not its fault.
//! **Invariant:** a [`Leak`] tells where and of what sort, never the value.
//!
//! What is a secret is in `shared::secret`; when a change is looked at is in `crate::acceptance` and `crate::salvage`.

use std::{collections::HashMap, fmt, sync::Arc};

use plans::event::CommitId;
use shared::{
    RepoPath, Secrecy,
    secret::{Finding, Kind, count_markers},
};

use crate::{
    error::Error,
    git::{Change, Git, GitError},
    tree_path::TreePath,
};

/// One secret, where it would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    path: RepoPath,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// The file is one, by its name.
    Name,
    /// A line holds one.
    Line(usize, Kind),
    /// The marker of a mask stands where one stood.
    Marker,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match self.what {
            What::Name => write!(f, "{path} (a file that holds secrets, by its name)"),
            What::Line(line, kind) => write!(f, "{path}:{line} ({kind})"),
            What::Marker => write!(f, "{path} (the marker `[masked: …]` was written over a secret)"),
        }
    }
}

/// All of them in one line, as far as a reader wants to know.
pub fn in_words(leaks: &[Leak]) -> String {
    const SHOWN: usize = 20;
    let mut list: Vec<String> = leaks.iter().take(SHOWN).map(ToString::to_string).collect();
    if leaks.len() > SHOWN {
        list.push(format!("and {} more", leaks.len() - SHOWN));
    }
    list.join(", ")
}

/// Files and contents that are larger are data, and are not looked into.
const LARGEST: u64 = 64 << 20;
/// So much is held in memory at once, or one file.
const AT_ONCE: u64 = 32 << 20;

/// What a tree holds that its base did not.
pub async fn leaks(git: &Git, base: &CommitId, tree: &str, secrecy: &Arc<Secrecy>) -> Result<Vec<Leak>, Error> {
    let changes = git.changes(&base.0, tree).await?;
    let is_allowed = |path: &TreePath| matches!(path, TreePath::Plain(path) if secrecy.allows(path));
    let is_file = |change: &&Change| change.mode.starts_with("100") || change.mode == "120000";
    let new: Vec<&Change> = changes.iter().filter(is_file).filter(|change| !is_allowed(&change.path)).collect();
    let by_name = new.iter().filter(|change| change.kind == 'A' && secrecy.denies(change.path.shown()));
    let mut leaks: Vec<Leak> = by_name.map(|change| Leak { path: change.path.shown().clone(), what: What::Name }).collect();
    let marked = scan(git, secrecy, new.iter().map(|change| change.id.as_str())).await?;
    if !marked.is_empty() {
        let old = changes.iter().filter_map(|change| change.before.split_once(' ')).filter(|(mode, _)| mode.starts_with("10"));
        let before = scan(git, secrecy, old.map(|(_, id)| id)).await?;
        leaks.extend(new.iter().flat_map(|change| compare(change, &marked, &before)));
    }
    Ok(leaks)
}

/// What a scan keeps of a file: no more than its secrets.
#[derive(Default)]
struct Marked {
    /// Line, sort and value of each.
    secrets: Vec<(usize, Kind, Vec<u8>)>,
    markers: usize,
}

type ById = HashMap<String, Marked>;

fn compare(change: &Change, now: &ById, before: &ById) -> Vec<Leak> {
    let Some(new) = now.get(&change.id) else { return Vec::new() };
    let path = change.path.shown();
    let held = |value: &[u8]| before.values().any(|old| old.secrets.iter().any(|(_, _, known)| known == value));
    let added = new.secrets.iter().filter(|(_, _, value)| !held(value));
    let mut lines: Vec<What> = added.map(|(line, kind, _)| What::Line(*line, *kind)).collect();
    // A private key has many lines; where it begins is enough.
    lines
        .dedup_by(|next, last| matches!((next, last), (What::Line(_, a), What::Line(_, b)) if a == b && *a == Kind::PRIVATE_KEY));
    let old = change.before.split_once(' ').and_then(|(_, id)| before.get(id));
    let is_overwritten = old.is_some_and(|old| new.markers > old.markers && new.secrets.len() < old.secrets.len());
    lines.extend(is_overwritten.then_some(What::Marker));
    lines.into_iter().map(|what| Leak { path: path.clone(), what }).collect()
}

/// What these blobs hold, of those that hold anything.
async fn scan<'a>(git: &Git, secrecy: &Arc<Secrecy>, ids: impl Iterator<Item = &'a str>) -> Result<ById, Error> {
    let mut found = ById::new();
    for batch in batches(git, ids).await? {
        let input = batch.iter().flat_map(|id| [id.as_str(), "\n"]).collect::<String>();
        let out = git.call().args(["cat-file", "--batch"]).input(input.into_bytes()).bytes().await?;
        let secrecy = Arc::clone(secrecy);
        let work = tokio::task::spawn_blocking(move || look_into(&out, &secrecy));
        found.extend(work.await.map_err(|panic| Error::Defect(panic.to_string()))??);
    }
    Ok(found)
}

/// The ids in parts that fit into memory.
async fn batches<'a>(git: &Git, ids: impl Iterator<Item = &'a str>) -> Result<Vec<Vec<String>>, Error> {
    let input: String = ids.flat_map(|id| [id, "\n"]).collect();
    if input.is_empty() {
        return Ok(Vec::new());
    }
    let out = git.call().args(["cat-file", "--batch-check=%(objectname) %(objectsize)"]).input(input.into_bytes()).text().await?;
    let (mut batches, mut room) = (Vec::<Vec<String>>::new(), 0);
    for line in out.lines() {
        // A blob that is missing has no size; the commit that needs it fails by itself.
        let Some((id, size)) = line.split_once(' ').and_then(|(id, size)| Some((id, size.parse::<u64>().ok()?))) else {
            continue;
        };
        if size > LARGEST {
            tracing::warn!(id, size, "a file is too large to be looked into for secrets");
            continue;
        }
        if size > room || batches.is_empty() {
            batches.push(Vec::new());
            room = AT_ONCE.max(size);
        }
        room -= size;
        batches.last_mut().expect("one was pushed").push(id.to_owned());
    }
    Ok(batches)
}

/// Reads `<id> blob <size>`, the content and a line end, again and again.
fn look_into(mut out: &[u8], secrecy: &Secrecy) -> Result<ById, GitError> {
    let odd =
        |said: &[u8]| GitError::Odd { call: "cat-file --batch".to_owned(), said: String::from_utf8_lossy(said).into_owned() };
    let mut found = ById::new();
    while let Some(end) = out.iter().position(|byte| *byte == b'\n') {
        let head = String::from_utf8_lossy(&out[..end]).into_owned();
        let size = head.rsplit_once(' ').and_then(|(_, size)| size.parse::<usize>().ok());
        let content = size.and_then(|size| out.get(end + 1..end + 1 + size)).ok_or_else(|| odd(head.as_bytes()))?;
        let id = head.split(' ').next().unwrap_or_default().to_owned();
        let marked = marked(content, secrecy);
        if marked.markers > 0 || !marked.secrets.is_empty() {
            found.insert(id, marked);
        }
        out = out.get(end + 2 + content.len()..).unwrap_or_default();
    }
    Ok(found)
}

fn marked(content: &[u8], secrecy: &Secrecy) -> Marked {
    let (mut line, mut at) = (1, 0);
    let mut place = |finding: &Finding| {
        line += content[at..finding.start].split(|byte| *byte == b'\n').count() - 1;
        at = finding.start;
        (line, finding.kind, content[finding.start..finding.end].to_vec())
    };
    let secrets = secrecy.find(content).iter().map(&mut place).collect();
    Marked { secrets, markers: std::str::from_utf8(content).map_or(0, count_markers) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::testing::{Ground, sh};

    fn key() -> String {
        ["gh", "p_"].concat() + &"a1B2".repeat(9)
    }

    /// The leaks of a change that a script makes, on a base that another made; `$KEY` is a key.
    async fn check(base: &str, change: &str, allow: &str) -> String {
        let ground = Ground::new().await;
        let base = ground.commit("before", &base.replace("$KEY", &key())).await;
        let root = &ground.site.repository.root;
        let script = format!("cd ../before; {}\ngit add -Af; git write-tree", change.replace("$KEY", &key()));
        let tree = sh(root, &script);
        let allow = if allow.is_empty() { vec![] } else { Secrecy::pattern(allow).unwrap() };
        let secrecy = Arc::new(Secrecy::new(vec![], allow, []));
        in_words(&leaks(&ground.site.repository.git, &base, &tree, &secrecy).await.unwrap())
    }

    #[tokio::test]
    async fn what_a_change_adds_is_found_with_file_line_and_sort() {
        let change = "printf '1\\n2\\nkey=$KEY\\n' > src/new; printf 'a\\n$KEY\\n' >> src/a; printf '\\000\\n$KEY' > bin; echo A=1 > .env; ln -s $KEY link";
        let found = check("echo x > x", change, "").await;
        let expected = ".env (a file that holds secrets, by its name), bin:2 (GitHub token), link:1 (GitHub token), src/a:3 (GitHub token), src/new:3 (GitHub token)";
        assert_eq!(found, expected);
    }

    #[tokio::test]
    async fn what_the_base_held_is_not_the_changes_fault_wherever_it_goes() {
        let base = "echo key=$KEY > src/config; echo A=1 > .env; git add -f .env";
        assert_eq!(check(base, "echo more >> src/config; echo B=2 >> .env", "").await, "");
        assert_eq!(check(base, "mv src/config src/moved", "").await, "");
        assert_eq!(check(base, "rm src/config", "").await, "");
        let other = "echo key=$(echo $KEY | tr a1 c3) >> src/config";
        assert_eq!(check(base, other, "").await, "src/config:2 (GitHub token)");
    }

    #[tokio::test]
    async fn an_excepted_file_may_hold_anything() {
        let change = "mkdir -p tests/data; echo $KEY > tests/data/a; echo A=1 > tests/data/.env; echo $KEY > tests/b";
        assert_eq!(check("echo x > x", change, "tests/data/").await, "tests/b:1 (GitHub token)");
    }

    #[tokio::test]
    async fn a_marker_over_a_secret_is_found_and_one_that_is_only_text_is_not() {
        let base = "echo key=$KEY > src/config; echo text > src/text";
        let found = check(base, "echo 'key=[masked: GitHub token]' > src/config", "").await;
        assert_eq!(found, "src/config (the marker `[masked: …]` was written over a secret)");
        assert_eq!(check(base, "echo 'let m = \"[masked: GitHub token]\";' > src/text", "").await, "");
    }
}
