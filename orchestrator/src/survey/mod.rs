//! The survey: facts about one tree of a repository, without a model.
//!
//! Files, languages, manifests, which file imports which, the commands that probably verify it all, and what people wrote down for
//! agents. The planner cuts tasks along these facts, the linter checks a plan against them, and every worker begins with their
//! [`repository_brief`].
//!
//! **Invariant:** the same tree yields the same survey, and the same survey the same brief, byte for byte: it is part of the prompt
//! that all workers share.
//! **Invariant:** nothing in a repository makes the survey fail, as long as its root can be listed.
//!
//! This is work for the processor, without waiting: async callers run it on a thread for blocking work. Git is not asked; the
//! caller brings the blob ids.

mod brief;
mod cache;
mod facts;
mod grammar;
mod guidance;
mod imports;
mod json;
mod languages;
mod manifests;
mod map;
mod submodules;
mod symbols;
mod tree;
mod verification;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use plans::{Survey, survey::SurveyedFile};
use shared::{RepoPath, Secrecy};

pub use brief::{Room, repository_brief};
pub use map::{Focus, SymbolMap};

use cache::Cache;
use facts::Facts;
use grammar::Grammar;
use tree::{FileAt, Tree};

/// Git's name for the content of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(pub String);

/// What to look at.
#[derive(Debug, Clone, Default)]
pub struct SurveyRequest {
    /// A checked-out tree.
    pub root: PathBuf,
    /// Where parse results are kept between surveys: a file, or a folder that exists. `None` keeps nothing.
    pub cache: Option<PathBuf>,
    /// The tracked files (`git ls-tree -r`), which must be what lies on the disk. A file without a blob id is parsed every time.
    pub blobs: BTreeMap<RepoPath, BlobId>,
    /// What no model sees: such files are listed, and not read.
    pub secrecy: Arc<Secrecy>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// The facts that plans are made of and held against.
    pub survey: Survey,
    /// Who defines and who uses what.
    pub map: SymbolMap,
}

/// Why there is no survey.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The root is not there, is no folder, or may not be read.
    #[error("cannot list {}", path.display())]
    Root {
        /// The root.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Looks at a tree.
pub fn survey(request: &SurveyRequest) -> Result<Findings, SurveyError> {
    let tree = Tree::list(&request.root, &request.blobs)?;
    let facts = facts(&tree, request);
    let files: Vec<SurveyedFile> = tree.files().iter().zip(&facts).map(|(file, facts)| surveyed(file, facts.as_ref())).collect();
    let manifests = files.iter().map(|file| &file.path).filter(|path| manifests::is_manifest(path.as_str())).cloned().collect();
    let imports = imports::edges(&tree, &facts);
    let map = SymbolMap::new(&sources(&tree, &facts), &imports).masked(&request.secrecy);
    let survey = Survey {
        manifests,
        imports,
        verification: verification::commands(&tree, &facts),
        guidance: guidance::guidance(&tree),
        submodules: submodules::submodules(&tree),
        files,
    };
    Ok(Findings { survey, map })
}

/// The files that the map is made of.
fn sources<'a>(tree: &'a Tree, facts: &'a [Option<Facts>]) -> Vec<map::Source<'a>> {
    let source = |(at, facts): (FileAt, &'a Option<Facts>)| {
        let symbols = &facts.as_ref()?.symbols;
        let path = &tree.files()[at].path;
        let family = Grammar::of(path.as_str())?.family();
        Some(map::Source { path, family, is_test: languages::is_test_path(path.as_str()), symbols })
    };
    facts.iter().enumerate().filter_map(source).collect()
}

fn surveyed(file: &tree::File, facts: Option<&Facts>) -> SurveyedFile {
    let path = file.path.as_str();
    SurveyedFile {
        path: file.path.clone(),
        size: file.size,
        language: languages::language_of(path).map(str::to_owned),
        is_test: languages::is_test_path(path) || facts.is_some_and(|facts| facts.has_tests),
    }
}

/// What each file says, out of the cache where it is known; `None` for files in languages that are not read.
fn facts(tree: &Tree, request: &SurveyRequest) -> Vec<Option<Facts>> {
    let cache = Cache::open(request.cache.as_deref());
    let blob = |at: FileAt| request.blobs.get(&tree.files()[at].path);
    let mut facts = vec![None; tree.files().len()];
    let mut unknown = Vec::new();
    let source = |at: FileAt| {
        let is_open = !request.secrecy.denies(&tree.files()[at].path);
        is_open.then(|| Some((at, Grammar::of(tree.path(at))?))).flatten()
    };
    for (at, grammar) in (0..facts.len()).filter_map(source) {
        match cache.get(blob(at), grammar) {
            Some(known) => facts[at] = Some(known),
            None => unknown.push((at, grammar)),
        }
    }
    for ((at, _), parsed) in unknown.iter().zip(facts::read_all(tree, &unknown)) {
        facts[*at] = parsed;
    }
    let used = facts.iter().enumerate().filter_map(|(at, facts)| Some((blob(at)?, Grammar::of(tree.path(at))?, facts.as_ref()?)));
    cache.keep(used);
    facts
}
