//! What the rules say to a request for more scope, and when it is so broad that a person should see it.
//!
//! A request names files that a plan did not foresee. A few more files are the daily bread of a refactor; half the repository is
//! another plan.

use plans::{approval::Verdict, survey::SurveyedFile};
use shared::{Glob, RepoPath, Scope};

use super::rules::{Judgement, Rules, of_rule};

/// A folder with fewer files than this is not broad, however little the task owns.
const FEW: usize = 12;
/// How many times as many files as its own a task may ask for at once.
const MUCH: usize = 3;

/// What the rules say to owning these patterns too. `files` are those of the base commit.
pub fn of_request(rules: &Rules, globs: &[Glob], own: &Scope, files: &[SurveyedFile]) -> Judgement {
    let by_rule = globs.iter().map(|glob| rules.paths.of_pattern(glob));
    let strictest = by_rule.max_by_key(|(verdict, _)| *verdict);
    if let Some((verdict @ (Verdict::Deny | Verdict::Ask), rule)) = strictest {
        return Judgement { offer: Vec::new(), ..of_rule(verdict, rule) };
    }
    match globs.iter().find(|glob| is_broad(glob, own, files)) {
        Some(glob) => {
            let why = format!("{glob} is much wider than what the task owns");
            Judgement { verdict: Verdict::Ask, why, offer: Vec::new() }
        }
        None => Judgement::allowed(),
    }
}

/// Whether a pattern crosses the whole repository, or is a top-level folder with many more files than the task owns.
fn is_broad(glob: &Glob, own: &Scope, files: &[SurveyedFile]) -> bool {
    let parts: Vec<&str> = glob.as_str().split('/').collect();
    let is_wild = |part: &&str| part.contains(['*', '?', '[', '{']);
    let fixed = parts.iter().take_while(|part| !is_wild(part)).count();
    if fixed == 0 {
        return parts[0].contains("**") || parts.len() > 1 || parts[0] == "*";
    }
    if fixed > 1 {
        return false;
    }
    let count = |is_it: &dyn Fn(&RepoPath) -> bool| files.iter().filter(|file| is_it(&file.path)).count();
    let asked = count(&|path| glob.matches(path));
    asked > FEW && asked > MUCH * count(&|path| own.covers(path))
}

#[cfg(test)]
mod tests {
    use plans::approval::PathRules;

    use super::*;

    fn globs(texts: &[&str]) -> Vec<Glob> {
        texts.iter().map(|text| Glob::new(text).unwrap()).collect()
    }

    #[test]
    fn a_broad_request_is_for_a_person_and_a_denied_one_for_nobody() {
        let names =
            (0..20).flat_map(|n| [format!("src/f{n}"), format!("src/deep/g{n}")]).chain((0..5).map(|n| format!("docs/{n}")));
        let file = |name: String| SurveyedFile { path: RepoPath::new(&name).unwrap(), size: 1, language: None, is_test: false };
        let files: Vec<SurveyedFile> = names.map(file).collect();
        let rules = Rules { paths: PathRules { ask: globs(&["ci"]), deny: globs(&["keys/**"]) }, ..Rules::default() };
        for (own, asked, verdict) in [
            ("docs/**", "src/f1", Verdict::Allow),
            ("docs/**", "src/deep/**", Verdict::Allow),
            ("docs/**", "new/**", Verdict::Allow),
            ("docs/**", "src/**", Verdict::Ask),
            ("docs/**", "src", Verdict::Ask),
            ("src/deep/**", "src/**", Verdict::Allow),
            ("src/f1", "docs/**", Verdict::Allow),
            ("src/f1", "**", Verdict::Ask),
            ("src/f1", "*", Verdict::Ask),
            ("src/f1", "**/*.rs", Verdict::Ask),
            ("src/f1", "*.md", Verdict::Allow),
            ("src/f1", "*/mod.rs", Verdict::Ask),
            ("src/f1", "ci/x.yml", Verdict::Ask),
            ("src/f1", "keys/a", Verdict::Deny),
        ] {
            let own = Scope { write: globs(&[own]), ..Scope::default() };
            assert_eq!(of_request(&rules, &globs(&[asked]), &own, &files).verdict, verdict, "{asked}");
        }
        let both = of_request(&rules, &globs(&["ci/x", "keys/a"]), &Scope::default(), &files);
        assert_eq!(both.why, "keys/** is in approvals.deny_paths");
    }
}
