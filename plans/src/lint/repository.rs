//! What the repository says to a plan.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use shared::{Glob, RepoPath};

use super::{at_key, ownership::Ownership};
use crate::{
    overlap::fixed_folder,
    plan::Plan,
    problem::{Place, Problem, Severity},
    reach::Reach,
    survey::Survey,
    task::Task,
};

/// Languages whose imports and tests the survey understands. Of other files it cannot say that no test covers them.
const UNDERSTOOD: &[&str] = &["rust", "python", "typescript", "javascript", "tsx", "jsx", "go"];

pub(super) fn problems(plan: &Plan, survey: &Survey) -> Vec<Problem> {
    let ownership = Ownership::of(plan, survey);
    let mut problems = Vec::new();
    check_chain(plan, &mut problems);
    check_matches(plan, &ownership, &mut problems);
    check_submodules(plan, survey, &mut problems);
    let imports = Imports::of(survey);
    check_proofs(plan, survey, &ownership, &imports, &mut problems);
    check_imports(plan, survey, &ownership, &imports, &mut problems);
    problems
}

fn warning(task: &Task, key: &'static str, rule: &'static str, message: String) -> Problem {
    at_key(Severity::Warning, task, key, rule, message)
}

/// Import edges by the places of the files in the survey.
struct Imports {
    edges: Vec<(usize, usize)>,
    used_by: HashMap<usize, Vec<usize>>,
}

impl Imports {
    fn of(survey: &Survey) -> Self {
        let places: HashMap<&RepoPath, usize> = survey.files.iter().enumerate().map(|(at, file)| (&file.path, at)).collect();
        let place = |path| places.get(path).copied();
        let edges: Vec<_> = survey.imports.iter().filter_map(|(from, to)| place(from).zip(place(to))).collect();
        let mut used_by: HashMap<usize, Vec<usize>> = HashMap::new();
        for &(from, to) in &edges {
            used_by.entry(from).or_default().push(to);
        }
        Self { edges, used_by }
    }

    /// Files that hold tests, and all that these use, directly or not.
    fn covered(&self, survey: &Survey) -> Vec<bool> {
        let mut covered: Vec<bool> = survey.files.iter().map(|file| file.is_test).collect();
        let mut open: Vec<usize> = (0..covered.len()).filter(|&at| covered[at]).collect();
        while let Some(from) = open.pop() {
            for &to in self.used_by.get(&from).into_iter().flatten() {
                if !std::mem::replace(&mut covered[to], true) {
                    open.push(to);
                }
            }
        }
        covered
    }
}

fn check_chain(plan: &Plan, problems: &mut Vec<Problem>) {
    let count = plan.tasks().len();
    // In a chain each task directly depends on the one before it, in the only order there is.
    let is_chain = plan.topological().windows(2).all(|pair| plan.dependencies(pair[1]).any(|at| at == pair[0]));
    if count >= 3 && is_chain {
        let message = format!(
            "the {count} tasks form one chain, so at no time do two workers run and one worker would do; merge tasks, or remove from \
             `depends_on` what need not wait"
        );
        problems.push(Problem { severity: Severity::Warning, place: Place::Plan, rule: "chain", message });
    }
}

fn check_matches(plan: &Plan, ownership: &Ownership, problems: &mut Vec<Problem>) {
    for (task, _) in plan.tasks().iter().zip(&ownership.matches).filter(|(_, matches)| !**matches) {
        let created = plan.tasks().iter().flat_map(|other| &other.deliver).any(|path| task.scope.allows(path));
        if !created {
            let message = format!(
                "no file matches what `{}` may write ({}), and it delivers none; mend the patterns, or name new files in `deliver`",
                task.id,
                task.scope.in_words()
            );
            problems.push(warning(task, "write", "unmatched-scope", message));
        }
    }
}

fn check_submodules(plan: &Plan, survey: &Survey, problems: &mut Vec<Problem>) {
    let submodules: Vec<(&RepoPath, Glob)> =
        survey.submodules.iter().filter_map(|path| Some((path, Glob::new(path.as_str()).ok()?))).collect();
    for task in plan.tasks() {
        let leads_into = |inside: &Glob| task.scope.globs().any(|glob| !fixed_folder(glob).is_empty() && glob.overlaps(inside));
        for (path, _) in submodules.iter().filter(|(_, inside)| leads_into(inside)) {
            let message = format!(
                "`{}` may write in `{path}`, a submodule: that folder is empty in every worktree and its files cannot be changed by a \
                 run; leave it out of the scope",
                task.id
            );
            problems.push(warning(task, "write", "submodule", message));
        }
    }
}

/// What has a command of its own is proved; what has not is proved by others' tests, or at least by a file that it has to make.
fn check_proofs(plan: &Plan, survey: &Survey, ownership: &Ownership, imports: &Imports, problems: &mut Vec<Problem>) {
    let covered = imports.covered(survey);
    let is_code = |at: &&usize| survey.files[**at].language.as_deref().is_some_and(|name| UNDERSTOOD.contains(&name));
    for (task, owned) in plan.tasks().iter().zip(&ownership.owned).filter(|(task, _)| task.verify.is_empty()) {
        let code = || owned.iter().filter(is_code);
        let uncovered = code().next().filter(|_| !code().any(|&at| covered[at]));
        if let Some(&first) = uncovered {
            let message = format!(
                "no test uses the files of `{}` (such as `{}`) and it has no command of its own; add one to `verify`, and let the task \
                 write a test",
                task.id, survey.files[first].path
            );
            problems.push(warning(task, "verify", "untested", message));
        } else if task.deliver.is_empty() {
            let message = format!("nothing proves `{}`; give it a command in `verify`, or a file in `deliver`", task.id);
            problems.push(warning(task, "verify", "unproved", message));
        }
    }
}

/// One warning for each pair of tasks, at the one that uses the other's files.
fn check_imports(plan: &Plan, survey: &Survey, ownership: &Ownership, imports: &Imports, problems: &mut Vec<Problem>) {
    let reach = Reach::of(plan);
    let mut seen_owners: BTreeSet<(&[usize], &[usize])> = BTreeSet::new();
    let mut pairs: BTreeMap<(usize, usize), (usize, usize)> = BTreeMap::new();
    for &(from, to) in &imports.edges {
        let owners = |file| ownership.owners.get(file).map(Vec::as_slice);
        let Some((users, used)) = owners(&from).zip(owners(&to)) else { continue };
        // A plan of hundreds of tasks has few different sets of owners, and far fewer of them meet than files do.
        if !seen_owners.insert((users, used)) {
            continue;
        }
        for (&user, &owner) in users.iter().flat_map(|user| used.iter().map(move |owner| (user, owner))) {
            if user != owner && !reach.ordered(user, owner) {
                pairs.entry((user, owner)).or_insert((from, to));
            }
        }
    }
    for ((user, owner), (from, to)) in pairs {
        let (user, owner) = (&plan.tasks()[user], &plan.tasks()[owner]);
        let (from, to) = (&survey.files[from].path, &survey.files[to].path);
        let message = format!(
            "`{from}` of `{}` uses `{to}` of `{}`, and neither task waits for the other; unless the used part stays as it is, add `{}` to \
             `depends_on`",
            user.id, owner.id, owner.id
        );
        problems.push(warning(user, "depends_on", "unordered-import", message));
    }
}
