//! What was found so far, with its bounds.
//!
//! **Invariant:** a name is listed once, however often it is said; what is said of it later completes what was said before.

use std::collections::{HashMap, HashSet};

use shared::RepoPath;

use super::{FailingTest, Failures, Kind, Place, lines::cut};

pub(super) const MOST_FAILING: usize = 100;
pub(super) const MOST_PLACES: usize = 200;
const LONGEST_NAME: usize = 240;
const LONGEST_MESSAGE: usize = 300;

/// Folders in which nothing is anybody's own work.
const FOREIGN: &[&str] =
    &["node_modules", "site-packages", "dist-packages", ".venv", "venv", ".cargo", ".rustup", "target", "vendor"];

/// The list of failures, as it grows.
pub(super) struct Found<'r> {
    roots: &'r [&'r str],
    failing: Vec<FailingTest>,
    by_name: HashMap<(Kind, String), usize>,
    places: Vec<Place>,
    seen: HashSet<Place>,
}

impl<'r> Found<'r> {
    pub(super) fn new(roots: &'r [&'r str]) -> Self {
        Self { roots, failing: Vec::new(), by_name: HashMap::new(), places: Vec::new(), seen: HashSet::new() }
    }

    pub(super) fn roots(&self) -> &'r [&'r str] {
        self.roots
    }

    pub(super) fn finish(self) -> Failures {
        Failures { failing: self.failing, places: self.places }
    }

    /// A path as the repository knows it, if it is one of its own files.
    pub(super) fn inside(&self, path: &str) -> Option<RepoPath> {
        let path = path.strip_prefix("file://").unwrap_or(path);
        let below = |root: &&str| path.strip_prefix(root.trim_end_matches('/'))?.strip_prefix('/');
        let path = RepoPath::new(self.roots.iter().find_map(below).unwrap_or(path)).ok()?;
        let is_foreign = path.as_str().split('/').any(|part| FOREIGN.contains(&part));
        let is_odd = path.as_str().len() > LONGEST_NAME || path.as_str().contains(['\\', '<', '>', '"', ':', '\t']);
        (!is_foreign && !is_odd).then_some(path)
    }

    /// A test of that name fails. None once there are too many.
    pub(super) fn fails(&mut self, name: &str) -> Option<usize> {
        self.note(Kind::Test, name.trim())
    }

    /// Something cannot be built.
    pub(super) fn build(&mut self, what: &str, place: Option<Place>, message: &str) {
        let name = place.as_ref().map_or_else(|| what.to_owned(), |place| format!("{what} in {}", place.path));
        if let Some(at) = self.note(Kind::Build, &name) {
            self.tell(at, place, message);
        }
    }

    fn note(&mut self, kind: Kind, name: &str) -> Option<usize> {
        let name = cut(name, LONGEST_NAME);
        if name.is_empty() {
            return None;
        }
        let key = (kind, name.to_owned());
        if let Some(at) = self.by_name.get(&key) {
            return Some(*at);
        }
        if self.failing.len() >= MOST_FAILING {
            return None;
        }
        let at = self.failing.len();
        self.failing.push(FailingTest { name: name.to_owned(), kind, path: None, line: None, message: None });
        self.by_name.insert(key, at);
        Some(at)
    }

    /// What is known of a failure, where nothing was known before.
    pub(super) fn tell(&mut self, at: usize, place: Option<Place>, message: &str) {
        let Some(failing) = self.failing.get_mut(at) else { return };
        if let Some(Place { path, line }) = place
            && failing.line.is_none()
        {
            (failing.path, failing.line) = (Some(path), Some(line).filter(|line| *line > 0));
        }
        let message = cut(message.trim(), LONGEST_MESSAGE);
        if failing.message.is_none() && !message.is_empty() {
            failing.message = Some(message.to_owned());
        }
    }

    /// The file of a failure, where no line is known.
    pub(super) fn tell_file(&mut self, at: usize, path: &str) {
        let path = self.inside(path);
        if let Some(failing) = self.failing.get_mut(at).filter(|failing| failing.path.is_none()) {
            failing.path = path;
        }
    }

    /// A line that was named.
    pub(super) fn place(&mut self, path: &str, line: u32) -> Option<Place> {
        let place = Place { path: self.inside(path)?, line };
        if self.places.len() < MOST_PLACES && line > 0 && self.seen.insert(place.clone()) {
            self.places.push(place.clone());
        }
        Some(place)
    }

    /// The tests whose names satisfy something.
    pub(super) fn tests_where(&self, is_meant: impl Fn(&str) -> bool) -> Vec<usize> {
        let meant = |(_, failing): &(usize, &FailingTest)| failing.kind == Kind::Test && is_meant(&failing.name);
        self.failing.iter().enumerate().filter(meant).map(|(at, _)| at).collect()
    }

    /// Another name for a failure, from a line that says more.
    pub(super) fn rename(&mut self, at: usize, name: &str) {
        let name = cut(name, LONGEST_NAME);
        let Some(failing) = self.failing.get_mut(at) else { return };
        let key = (failing.kind, name.to_owned());
        if !name.is_empty() && !self.by_name.contains_key(&key) {
            self.by_name.remove(&(failing.kind, failing.name.clone()));
            name.clone_into(&mut failing.name);
            self.by_name.insert(key, at);
        }
    }

    /// Takes out failures that only repeat others.
    pub(super) fn forget(&mut self, is_needless: impl Fn(&FailingTest) -> bool) {
        self.failing.retain(|failing| !is_needless(failing));
        let names = self.failing.iter().enumerate().map(|(at, failing)| ((failing.kind, failing.name.clone()), at));
        self.by_name = names.collect();
    }
}

/// Whether two names mean one test: a report may name it with its class or package in front, and other signs between the parts.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.replace("::", ".").replace(['/', '>', ' '], ".").replace(".py.", ".").replace("..", ".");
    let (one, other) = (plain(one), plain(other));
    let (long, short) = if one.len() >= other.len() { (one, other) } else { (other, one) };
    long.strip_suffix(&short).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// Fills in what is missing.
pub(super) fn complete(known: &mut FailingTest, more: FailingTest) {
    if known.line.is_none() && more.path.is_some() {
        (known.path, known.line) = (more.path, more.line);
    }
    known.message = known.message.take().or(more.message);
}
