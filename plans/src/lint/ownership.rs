//! Which of the repository's files each task may write.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use shared::{Glob, RepoPath};

use crate::{overlap::fixed_folder, plan::Plan, survey::Survey};

/// Files and tasks, by their places in the survey and in the plan.
pub(super) struct Ownership {
    /// For each task, the files that match its owned patterns.
    pub(super) owned: Vec<BTreeSet<usize>>,
    /// For each task, whether any of its patterns, owned or shared, matches a file.
    pub(super) matches: Vec<bool>,
    /// For each file that is owned, its owners.
    pub(super) owners: HashMap<usize, Vec<usize>>,
}

impl Ownership {
    pub(super) fn of(plan: &Plan, survey: &Survey) -> Self {
        let mut finder = Finder::of(survey);
        let mut ownership = Self { owned: Vec::new(), matches: Vec::new(), owners: HashMap::new() };
        for (at, task) in plan.tasks().iter().enumerate() {
            let owned: BTreeSet<usize> = task.scope.write.iter().flat_map(|glob| finder.matching(glob)).collect();
            let touches = !owned.is_empty() || task.scope.shared.iter().any(|glob| !finder.matching(glob).is_empty());
            for &file in &owned {
                ownership.owners.entry(file).or_default().push(at);
            }
            ownership.owned.push(owned);
            ownership.matches.push(touches);
        }
        ownership
    }
}

/// The files in order of their paths, so that those below a folder stand together; each pattern is asked once.
struct Finder<'s> {
    files: BTreeMap<&'s str, (usize, &'s RepoPath)>,
    known: HashMap<String, Vec<usize>>,
}

impl<'s> Finder<'s> {
    fn of(survey: &'s Survey) -> Self {
        let files = survey.files.iter().enumerate().map(|(at, file)| (file.path.as_str(), (at, &file.path)));
        Self { files: files.collect(), known: HashMap::new() }
    }

    fn matching(&mut self, glob: &Glob) -> Vec<usize> {
        if let Some(found) = self.known.get(glob.as_str()) {
            return found.clone();
        }
        let folder = fixed_folder(glob);
        let below = self.files.range(folder..).take_while(|(path, _)| path.starts_with(folder));
        let found: Vec<usize> = below.filter(|(_, (_, path))| glob.matches(path)).map(|(_, &(at, _))| at).collect();
        self.known.insert(glob.as_str().to_owned(), found.clone());
        found
    }
}
