//! Who may have to do with a red: tasks whose changes it leads to.
//!
//! The files of failing tests and of stack traces are held against the files that each task has changed. The fewest tasks that explain all
//! of the files that anybody has changed are the suspects; what nobody has changed explains nothing.
//!
//! **Invariant:** where several answers are equally small, one with the landing task wins, and then the one whose tasks landed last: what has
//! changed last is the likelier cause.
//!
//! Not here: proof. A suspect is where to look first; who is to blame for a red the coordinator finds by running it.

use std::collections::BTreeSet;

use shared::{RepoPath, TaskId};

use crate::event::Suspect;

/// What a task has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The task.
    pub task: TaskId,
    /// Its files.
    pub paths: Vec<RepoPath>,
}

/// Up to this many tasks every set is tried; of more, whoever explains most is taken again and again.
const FEW: usize = 14;

/// The suspects, the likeliest first. `landed` is in landing order; `landing` is the task that is red.
pub fn suspects(files: &[RepoPath], landed: &[Changed], landing: &Changed) -> Vec<Suspect> {
    // The likeliest first: the one that lands, and before it what landed last.
    let candidates: Vec<&Changed> = std::iter::once(landing).chain(landed.iter().rev()).collect();
    let all = candidates.iter().flat_map(|changed| changed.paths.iter());
    let known: BTreeSet<&RepoPath> = all.collect();
    let meant: Vec<&RepoPath> = files.iter().filter_map(|file| meant(file, &known)).collect();
    let explains: Vec<(&Changed, BTreeSet<usize>)> = candidates
        .into_iter()
        .map(|changed| (changed, (0..meant.len()).filter(|at| changed.paths.contains(meant[*at])).collect::<BTreeSet<_>>()))
        .filter(|(_, files)| !files.is_empty())
        .collect();
    let everything: BTreeSet<usize> = (0..meant.len()).collect();
    let sets: Vec<&BTreeSet<usize>> = explains.iter().map(|(_, files)| files).collect();
    let chosen = smallest(&sets, &everything);
    chosen.into_iter().map(|at| suspect(explains[at].0, &explains[at].1, &meant)).collect()
}

fn suspect(changed: &Changed, files: &BTreeSet<usize>, meant: &[&RepoPath]) -> Suspect {
    let paths: BTreeSet<RepoPath> = files.iter().map(|at| meant[*at].clone()).collect();
    Suspect { task: changed.task.clone(), paths: paths.into_iter().collect() }
}

/// The changed file that a runner means. Many name a file from below the folder they run in, or by its last part alone.
fn meant<'p>(file: &RepoPath, known: &BTreeSet<&'p RepoPath>) -> Option<&'p RepoPath> {
    let ends = |path: &&&RepoPath| path.as_str().strip_suffix(file.as_str()).is_some_and(|before| before.ends_with('/'));
    known.get(file).copied().or_else(|| known.iter().find(ends).copied())
}

/// The places of the fewest sets that hold everything.
fn smallest(sets: &[&BTreeSet<usize>], everything: &BTreeSet<usize>) -> Vec<usize> {
    if sets.is_empty() || everything.is_empty() {
        return Vec::new();
    }
    if sets.len() > FEW {
        return greedy(sets, everything);
    }
    let holds = |chosen: &u32| {
        let held: BTreeSet<usize> = places(*chosen).flat_map(|at| sets[at].iter().copied()).collect();
        held == *everything
    };
    // Of sets of one size the one with the likelier members is the smaller number.
    let best = (1..1_u32 << sets.len()).filter(holds).min_by_key(|chosen| (chosen.count_ones(), *chosen));
    best.map(|chosen| places(chosen).collect()).unwrap_or_default()
}

fn places(chosen: u32) -> impl Iterator<Item = usize> {
    (0..u32::BITS as usize).filter(move |at| chosen >> at & 1 == 1)
}

fn greedy(sets: &[&BTreeSet<usize>], everything: &BTreeSet<usize>) -> Vec<usize> {
    let (mut left, mut chosen) = (everything.clone(), Vec::new());
    while !left.is_empty() {
        let gain = |at: &usize| (sets[*at].intersection(&left).count(), usize::MAX - at);
        let Some(best) = (0..sets.len()).max_by_key(gain).filter(|at| gain(at).0 > 0) else { break };
        left.retain(|file| !sets[best].contains(file));
        chosen.push(best);
    }
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn changed(text: &str) -> Changed {
        let (task, paths) = text.split_once(':').unwrap();
        let paths = paths.split_whitespace().map(|path| RepoPath::new(path).unwrap()).collect();
        Changed { task: TaskId::new(task.trim()).unwrap(), paths }
    }

    /// Tasks in landing order, the last one landing; files; who is suspected of what.
    #[track_caller]
    fn check(tasks: &str, files: &str, expected: &str) {
        let mut tasks: Vec<Changed> = tasks.split(';').map(changed).collect();
        let landing = tasks.pop().unwrap();
        let files: Vec<RepoPath> = files.split_whitespace().map(|path| RepoPath::new(path).unwrap()).collect();
        let found = suspects(&files, &tasks, &landing);
        let join = |paths: &[RepoPath]| paths.iter().map(RepoPath::as_str).collect::<Vec<_>>().join(" ");
        let said: Vec<String> = found.iter().map(|suspect| format!("{}: {}", suspect.task, join(&suspect.paths))).collect();
        assert_eq!(said.join("; "), expected);
    }

    #[test]
    fn the_fewest_tasks_that_explain_what_was_changed_are_suspected() {
        check("a: x y; b: z", "x", "a: x");
        check("a: x; b: y; c: x y", "x y", "c: x y");
        check("a: x y; b: z; c: z", "x y z", "c: z; a: x y");
        check("a: x; b: x; c: q", "x", "b: x");
        check("a: x; b: x", "x", "b: x");
        check("a: x; b: y", "nobody/changed/this", "");
        check("a: x; b: y", "", "");
    }

    #[test]
    fn a_file_that_is_named_by_its_end_is_found() {
        check("a: money/sum_test.go; b: cart/cart.go", "sum_test.go", "a: money/sum_test.go");
        check("a: money/src/lib.rs; b: src/lib.rs", "src/lib.rs", "b: src/lib.rs");
        check("a: money/oversum.go; b: x", "sum.go", "");
    }

    proptest! {
        #[test]
        fn what_anybody_changed_is_explained_and_nobody_is_suspected_in_vain(
            landed in proptest::collection::vec(proptest::collection::vec(0..9_u8, 0..5), 0..20),
            files in proptest::collection::vec(0..12_u8, 0..9),
        ) {
            let path = |file: &u8| RepoPath::new(&format!("f{file}")).unwrap();
            let task = |(at, files): (usize, &Vec<u8>)| Changed { task: TaskId::new(&format!("t{at}")).unwrap(), paths: files.iter().map(path).collect() };
            let mut tasks: Vec<Changed> = landed.iter().enumerate().map(task).collect();
            let landing = tasks.pop().unwrap_or_else(|| changed("t0:"));
            let files: Vec<RepoPath> = files.iter().map(path).collect();
            let found = suspects(&files, &tasks, &landing);
            let explained: BTreeSet<&RepoPath> = found.iter().flat_map(|suspect| &suspect.paths).collect();
            let anybody = |file: &RepoPath| landing.paths.contains(file) || tasks.iter().any(|task| task.paths.contains(file));
            let expected: BTreeSet<&RepoPath> = files.iter().filter(|file| anybody(file)).collect();
            prop_assert_eq!(&explained, &expected);
            for without in 0..found.len() {
                let rest = found.iter().enumerate().filter(|(at, _)| *at != without).flat_map(|(_, suspect)| &suspect.paths);
                prop_assert!(rest.collect::<BTreeSet<_>>().len() < expected.len(), "{found:?}");
            }
        }
    }
}
