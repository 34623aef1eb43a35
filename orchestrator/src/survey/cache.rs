//! What files say, kept by blob id, so that a file that did not change is not parsed again.
//!
//! The cache is JSON lines: a header with the parser's version, then one line a blob. It holds exactly what the last survey used, so
//! it never outgrows the repository. It is written beside itself and moved into place.
//!
//! **Invariant:** the cache can only save time. A torn, foreign, outdated or unwritable one is as good as none.

use std::{
    collections::HashMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    BlobId,
    facts::{Facts, PARSER_VERSION},
    grammar::Grammar,
};

/// Used where the caller names a folder.
const FILE_NAME: &str = "survey.jsonl";

#[derive(Serialize, Deserialize, PartialEq)]
struct Header {
    inspan_survey: u32,
}

#[derive(Serialize, Deserialize)]
struct Line {
    key: String,
    facts: Facts,
}

/// The cache of one repository.
#[derive(Default)]
pub(super) struct Cache {
    place: Option<PathBuf>,
    known: HashMap<String, Facts>,
}

impl Cache {
    /// Reads what is there. Without a place nothing is known, and nothing is kept.
    pub(super) fn open(place: Option<&Path>) -> Self {
        let place = place.map(|path| if path.is_dir() { path.join(FILE_NAME) } else { path.to_owned() });
        let text = place.as_ref().and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        Self { place, known: read(&text) }
    }

    /// What the blob says, where that is known.
    pub(super) fn get(&self, blob: Option<&BlobId>, grammar: Grammar) -> Option<Facts> {
        self.known.get(&key(blob?, grammar)).cloned()
    }

    /// Keeps these, and forgets everything else.
    pub(super) fn keep<'a>(self, used: impl Iterator<Item = (&'a BlobId, Grammar, &'a Facts)>) {
        let Some(place) = self.place else { return };
        let mut lines: Vec<(String, &Facts)> = used.map(|(blob, grammar, facts)| (key(blob, grammar), facts)).collect();
        lines.sort_by(|a, b| a.0.cmp(&b.0));
        lines.dedup_by(|a, b| a.0 == b.0);
        if lines.len() == self.known.len() && lines.iter().all(|(key, _)| self.known.contains_key(key)) {
            return;
        }
        if let Err(error) = write(&place, lines) {
            tracing::debug!(path = %place.display(), %error, "the survey's cache could not be written");
        }
    }
}

/// The same bytes say different things in different languages.
fn key(blob: &BlobId, grammar: Grammar) -> String {
    format!("{} {grammar:?}", blob.0)
}

fn read(text: &str) -> HashMap<String, Facts> {
    let mut lines = text.lines();
    let header = lines.next().and_then(|line| serde_json::from_str::<Header>(line).ok());
    if header.is_none_or(|header| header.inspan_survey != PARSER_VERSION) {
        return HashMap::new();
    }
    lines.filter_map(|line| serde_json::from_str::<Line>(line).ok()).map(|line| (line.key, line.facts)).collect()
}

fn write(place: &Path, lines: Vec<(String, &Facts)>) -> std::io::Result<()> {
    #[derive(Serialize)]
    struct Borrowed<'a> {
        key: String,
        facts: &'a Facts,
    }
    let mut text = serde_json::to_vec(&Header { inspan_survey: PARSER_VERSION })?;
    for (key, facts) in lines {
        text.push(b'\n');
        serde_json::to_writer(&mut text, &Borrowed { key, facts })?;
    }
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder)?;
    }
    let beside = place.with_extension(format!("{}.new", std::process::id()));
    let written = fs::File::create(&beside).and_then(|mut file| file.write_all(&text)).and_then(|()| fs::rename(&beside, place));
    if written.is_err() {
        drop(fs::remove_file(&beside));
    }
    written
}
