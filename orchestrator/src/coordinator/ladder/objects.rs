//! Blobs and trees: read together, written one by one, and never through a work tree.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{
    git::{Git, GitError},
    tree_path::TreePath,
};

/// The largest file that is merged here.
pub(super) const LARGEST: u64 = 6 << 20;

/// A file of a tree that is to be another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: TreePath,
    pub(super) mode: String,
    pub(super) text: Vec<u8>,
}

/// What was read of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blob<'a> {
    Text(&'a [u8]),
    Binary,
    Large,
    Missing,
}

/// The object store, with what was read of it.
pub(super) struct Objects<'a> {
    pub(super) git: &'a Git,
    known: HashMap<String, Option<Vec<u8>>>,
}

impl<'a> Objects<'a> {
    pub(super) fn new(git: &'a Git) -> Self {
        Self { git, known: HashMap::new() }
    }

    /// Reads all of them at once; what is too large stays unread.
    pub(super) async fn read(&mut self, ids: impl IntoIterator<Item = &String>) -> Result<(), GitError> {
        let mut wanted: Vec<&String> = ids.into_iter().filter(|id| !self.known.contains_key(*id)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.is_empty() {
            return Ok(());
        }
        let list = |ids: &[&String]| ids.iter().flat_map(|id| [id.as_str(), "\n"]).collect::<String>().into_bytes();
        let sizes = self.git.call().args(["cat-file", "--batch-check"]).input(list(&wanted)).text().await?;
        let size_of = |line: &str| line.rsplit(' ').next().and_then(|size| size.parse::<u64>().ok());
        let mut small = Vec::new();
        for (id, line) in wanted.into_iter().zip(sizes.lines()) {
            match size_of(line) {
                Some(size) if size <= LARGEST => small.push(id),
                Some(_) => drop(self.known.insert(id.clone(), None)),
                None => {}
            }
        }
        if small.is_empty() {
            return Ok(());
        }
        let all = self.git.call().args(["cat-file", "--batch"]).input(list(&small)).bytes().await?;
        let read =
            split(&all).ok_or_else(|| GitError::Odd { call: "cat-file --batch".to_owned(), said: "too little".to_owned() })?;
        self.known.extend(read.into_iter().map(|(id, text)| (id, Some(text))));
        Ok(())
    }

    /// One of those that were read.
    pub(super) fn get(&self, id: &str) -> Blob<'_> {
        match self.known.get(id) {
            None => Blob::Missing,
            Some(None) => Blob::Large,
            Some(Some(text)) if is_binary(text) => Blob::Binary,
            Some(Some(text)) => Blob::Text(text),
        }
    }

    async fn write(&self, text: &[u8]) -> Result<String, GitError> {
        self.git.call().args(["hash-object", "-w", "--stdin"]).input(text.to_vec()).text().await
    }

    /// A tree with some files exchanged, made in an index of its own.
    pub(super) async fn tree_with(&self, tree: &str, entries: &[Entry]) -> Result<String, GitError> {
        if entries.is_empty() {
            return Ok(tree.to_owned());
        }
        let mut ids = Vec::new();
        for Entry { path, mode, text } in entries {
            ids.push((path.clone(), mode.clone(), self.write(text).await?));
        }
        self.tree_of(tree, ids).await
    }

    /// A tree with other blobs at some paths: path, mode, blob.
    pub(super) async fn tree_of(&self, tree: &str, entries: Vec<(TreePath, String, String)>) -> Result<String, GitError> {
        let mut lines = Vec::new();
        for (path, mode, id) in entries {
            lines.extend(format!("{mode} {id}\t").into_bytes());
            lines.extend(path.bytes());
            lines.push(0);
        }
        let index = Index::new(self.git);
        let call = || self.git.call().env("GIT_INDEX_FILE", &index.0);
        call().args(["read-tree", tree]).bytes().await?;
        call().args(["update-index", "-z", "--index-info"]).input(lines).bytes().await?;
        call().args(["write-tree"]).text().await
    }
}

/// An index that goes when it is no longer needed.
struct Index(PathBuf);

impl Index {
    fn new(git: &Git) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(git.dir().join(format!("inspan-ladder-{}-{number}.index", std::process::id())))
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        // It is a copy; what matters is in the object store by now.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What `cat-file --batch` says: a line with id, type and size, the text, a line end.
fn split(mut all: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let mut read = Vec::new();
    while !all.is_empty() {
        let end = all.iter().position(|byte| *byte == b'\n')?;
        let head = std::str::from_utf8(&all[..end]).ok()?;
        let mut words = head.split(' ');
        let (id, size) = (words.next()?, words.next_back()?.parse::<usize>().ok()?);
        let text = all.get(end + 1..)?.get(..size)?;
        read.push((id.to_owned(), text.to_vec()));
        all = all.get(end + 1 + size + 1..)?;
    }
    Some(read)
}

/// As git tells: a NUL near the beginning.
fn is_binary(text: &[u8]) -> bool {
    text[..text.len().min(8000)].contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_split_by_its_sizes_whatever_the_texts_hold() {
        let read = split(b"aa blob 4\na\nb\n\nbb blob 0\n\n").unwrap();
        assert_eq!(read, [("aa".to_owned(), b"a\nb\n".to_vec()), ("bb".to_owned(), Vec::new())]);
        assert_eq!(split(b"aa blob 9\nabc"), None);
    }
}
