//! Rights that a plan asks for: the host's network, and files that the person denies.

use shared::{Glob, Network, RepoPath};

use super::{HostRule, LintRules, at_key, place};
use crate::{
    approval::Verdict,
    plan::PlanDraft,
    problem::{Place, Problem, Severity},
    task::Task,
};

pub(super) fn problems(draft: &PlanDraft, rules: &LintRules) -> Vec<Problem> {
    let mut problems = Vec::new();
    if draft.gate.network == Network::Host {
        let (severity, message) = of_host(rules.host, "the gate");
        problems.push(Problem { severity, place: Place::Path("gate.network".to_owned()), rule: "host-network", message });
    }
    for task in &draft.tasks {
        if task.network == Network::Host {
            let (severity, message) = of_host(rules.host, &format!("`{}`", task.id));
            problems.push(at_key(severity, task, "network", "host-network", message));
        }
        check_denied(task, rules, &mut problems);
    }
    problems
}

fn of_host(rule: HostRule, who: &str) -> (Severity, String) {
    match rule {
        HostRule::Remarked => {
            let message = format!("{who} asks for the host's network: its commands reach the internet and all that listens here");
            (Severity::Warning, message)
        }
        HostRule::Refused => {
            let message = format!(
                "{who} asks for the host's network, and no person reviews this plan; leave `network` out, and do with what the repository \
                 and the machine hold"
            );
            (Severity::Error, message)
        }
    }
}

fn check_denied(task: &Task, rules: &LintRules, problems: &mut Vec<Problem>) {
    let mut check = |key: &'static str, item: usize, verdict: (Verdict, Option<&Glob>), what: &str| {
        if let (Verdict::Deny, Some(rule)) = verdict {
            let message = format!(
                "`{}` wants `{what}`, and the person denies every task `{rule}` (approvals.deny_paths); leave it out",
                task.id
            );
            problems.push(Problem {
                severity: Severity::Error,
                place: place(task, key, Some(item)),
                rule: "denied-path",
                message,
            });
        }
    };
    for (key, globs) in [("write", &task.scope.write), ("shared", &task.scope.shared)] {
        for (item, glob) in globs.iter().enumerate() {
            check(key, item, rules.paths.of_pattern(glob), glob.as_str());
        }
    }
    for (item, path) in task.deliver.iter().enumerate() {
        check("deliver", item, rules.paths.of_path(path), RepoPath::as_str(path));
    }
}
