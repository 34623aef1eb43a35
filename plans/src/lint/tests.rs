//! A plan, a repository, and what the linter says.

#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them when it updates a snapshot")]

use std::{fmt::Write as _, sync::Arc};

use expect_test::{Expect, expect};
use shared::{Glob, Limits, Money, Network, Price, RepoPath};

use super::{GateRule, HostRule, LintRules, check, lint};
use crate::{
    approval::PathRules,
    catalogue::{Catalogue, ModelFacts},
    file::Reading,
    plan::Plan,
    problem::Problem,
    sample::plan,
    survey::{Survey, SurveyedFile},
    task::WorkerKind,
};

fn listed(problems: &[Problem]) -> String {
    problems.iter().fold(String::new(), |mut out, problem| {
        writeln!(out, "{problem}").unwrap();
        out
    })
}

/// One file a line: `src/a.rs uses src/b.rs src/c.rs`, with `test` before it if it holds tests; or `submodule PATH`.
fn survey(text: &str) -> Survey {
    let mut survey = Survey::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (file, uses) = line.split_once(" uses ").unwrap_or((line, ""));
        let (kind, path) = file.split_once(' ').unwrap_or(("", file));
        let path = RepoPath::new(path).unwrap();
        if kind == "submodule" {
            survey.submodules.push(path);
            continue;
        }
        survey.imports.extend(uses.split_whitespace().map(|to| (path.clone(), RepoPath::new(to).unwrap())));
        let language = path.as_str().rsplit_once('.').filter(|(_, ending)| *ending == "rs").map(|_| "rust".to_owned());
        survey.files.push(SurveyedFile { path, size: 1, language, is_test: kind == "test" });
    }
    survey
}

fn check_lint(plan_text: &str, survey_text: &str, expected: &Expect) {
    expected.assert_eq(&listed(&lint(&plan(plan_text), &survey(survey_text), &LintRules::default())));
}

#[test]
fn a_sound_plan_has_nothing_to_be_said_about_it() {
    check_lint(
        "
        base owns src/base.rs proved
        left owns src/left.rs after base proved
        right owns src/right.rs makes src/right.rs after base
        join owns src/join.rs after left right base proved
        docs owns docs makes docs/new.md
        ",
        "
        src/base.rs
        src/left.rs uses src/base.rs
        src/right.rs uses src/base.rs
        test src/join.rs uses src/left.rs src/right.rs
        docs/index.md
        ",
        &expect![""],
    );
}

#[test]
fn a_scope_that_matches_nothing_and_creates_nothing_is_a_slip() {
    check_lint(
        "
        typo owns scr/** shares Crago.lock proved
        new owns fresh/** makes fresh/a.rs proved
        later owns fresh/a.rs after new proved
        shared-only shares Cargo.lock proved
        ",
        "
        src/a.rs
        Cargo.lock
        ",
        &expect![[r#"
            warning[unmatched-scope] task typo, write: no file matches what `typo` may write (scr/**, Crago.lock (shared)), and it delivers none; mend the patterns, or name new files in `deliver`
        "#]],
    );
}

#[test]
fn work_that_nothing_proves_is_told_and_why() {
    check_lint(
        "
        covered owns src/deep.rs makes src/deep.rs
        uncovered owns src/alone.rs makes src/alone.rs
        prose owns docs
        proved owns src/other.rs proved
        ",
        "
        test tests/t.rs uses src/top.rs
        src/top.rs uses src/deep.rs
        src/deep.rs
        src/alone.rs
        src/other.rs
        docs/a.md
        ",
        &expect![[r#"
            warning[untested] task uncovered, verify: no test uses the files of `uncovered` (such as `src/alone.rs`) and it has no command of its own; add one to `verify`, and let the task write a test
            warning[unproved] task prose, verify: nothing proves `prose`; give it a command in `verify`, or a file in `deliver`
        "#]],
    );
}

#[test]
fn a_task_that_uses_anothers_files_should_wait_for_it() {
    check_lint(
        "
        money owns money/** proved
        api owns api/** proved
        ui owns ui/** after api proved
        docs owns docs proved
        ",
        "
        money/a.rs
        money/b.rs
        api/a.rs uses money/a.rs money/b.rs
        api/b.rs uses money/b.rs
        ui/a.rs uses api/a.rs ui/b.rs
        ui/b.rs uses docs/x.rs not/there.rs
        docs/x.rs
        ",
        &expect![[r#"
            warning[unordered-import] task api, depends_on: `api/a.rs` of `api` uses `money/a.rs` of `money`, and neither task waits for the other; unless the used part stays as it is, add `money` to `depends_on`
            warning[unordered-import] task ui, depends_on: `ui/b.rs` of `ui` uses `docs/x.rs` of `docs`, and neither task waits for the other; unless the used part stays as it is, add `docs` to `depends_on`
        "#]],
    );
}

#[test]
fn three_tasks_in_a_chain_need_one_worker_and_two_are_let_be() {
    let files = "a.rs\nb.rs\nc.rs\n";
    check_lint(
        "a owns a.rs proved\nb owns b.rs after a proved\nc owns c.rs after b a proved",
        files,
        &expect![[r#"
        warning[chain] plan: the 3 tasks form one chain, so at no time do two workers run and one worker would do; merge tasks, or remove from `depends_on` what need not wait
    "#]],
    );
    check_lint("a owns a.rs proved\nb owns b.rs after a proved", files, &expect![[""]]);
}

#[test]
fn a_scope_of_everything_or_of_a_submodule_is_odd() {
    check_lint(
        "
        all owns ** proved
        lib owns vendor/** after all proved
        deep owns vendor/lib/src/x.rs after lib proved
        rust owns **/*.rs after deep proved
        other owns src after rust proved
        aside owns src/a.rs after rust other proved
        ",
        "
        submodule vendor/lib
        vendor/readme.md
        src/a.rs
        ",
        &expect![[r#"
            warning[chain] plan: the 6 tasks form one chain, so at no time do two workers run and one worker would do; merge tasks, or remove from `depends_on` what need not wait
            warning[owns-everything] task all, write: `all` owns the whole repository (`**`), so no other task can run beside it; name its folders
            warning[submodule] task lib, write: `lib` may write in `vendor/lib`, a submodule: that folder is empty in every worktree and its files cannot be changed by a run; leave it out of the scope
            warning[unmatched-scope] task deep, write: no file matches what `deep` may write (vendor/lib/src/x.rs), and it delivers none; mend the patterns, or name new files in `deliver`
            warning[submodule] task deep, write: `deep` may write in `vendor/lib`, a submodule: that folder is empty in every worktree and its files cannot be changed by a run; leave it out of the scope
        "#]],
    );
}

#[test]
fn a_limit_of_an_attempt_stays_within_the_runs() {
    let mut draft = plan("a owns a.rs proved\nb owns b.rs proved").draft().clone();
    let usd = |usd| Money::from_usd(usd);
    draft.tasks[0].limits = Limits { turns: Some(81), tokens: Some(600), cost: usd(2.5), minutes: Some(0) };
    draft.tasks[1].limits = Limits { turns: Some(80), tokens: None, cost: usd(1.0), minutes: None };
    let run_limits = Limits { turns: Some(80), tokens: None, cost: usd(2.0), minutes: Some(60) };
    let rules = LintRules { gate: GateRule::Required, run_limits, ..LintRules::default() };
    let problems = lint(&Plan::new(draft).unwrap(), &survey("a.rs\nb.rs"), &rules);
    expect![[r#"
        error[bad-limit] task a, limits: an attempt at `a` is allowed 81 turns, more than the 80 of the whole run; lower it or raise the run's limit
        error[bad-limit] task a, limits: `a` is allowed 0 minutes, so it cannot begin; raise the limit or leave it out
        error[bad-limit] task a, limits: an attempt at `a` is allowed $2.50 of money, more than the $2.00 of the whole run; lower it or raise the run's limit
    "#]].assert_eq(&listed(&problems));
}

#[test]
fn rights_beyond_the_usual_are_remarked_and_those_that_nobody_can_give_are_refused() {
    let mut draft = plan("a owns src/** deploy/** makes deploy/a proved\nb owns b.rs shares keys/x proved").draft().clone();
    draft.tasks[1].network = Network::Host;
    draft.gate.network = Network::Host;
    let deny = ["deploy", "keys/**", "**/*.pem"].iter().map(|text| Glob::new(text).unwrap()).collect();
    let rules = LintRules { paths: PathRules { deny, ask: Vec::new() }, ..LintRules::default() };
    let plan = Plan::new(draft).unwrap();
    let files = survey("src/a.rs\nsrc/x.pem\nb.rs");
    expect![[r#"
        warning[host-network] gate.network: the gate asks for the host's network: its commands reach the internet and all that listens here
        error[denied-path] task a, write: `a` wants `deploy/**`, and the person denies every task `deploy` (approvals.deny_paths); leave it out
        error[denied-path] task a, deliver: `a` wants `deploy/a`, and the person denies every task `deploy` (approvals.deny_paths); leave it out
        warning[host-network] task b, network: `b` asks for the host's network: its commands reach the internet and all that listens here
        error[denied-path] task b, shared: `b` wants `keys/x`, and the person denies every task `keys/**` (approvals.deny_paths); leave it out
    "#]].assert_eq(&listed(&lint(&plan, &files, &rules)));
    let refused = lint(&plan, &files, &LintRules { host: HostRule::Refused, ..LintRules::default() });
    expect![[r#"
        error[host-network] gate.network: the gate asks for the host's network, and no person reviews this plan; leave `network` out, and do with what the repository and the machine hold
        error[host-network] task b, network: `b` asks for the host's network, and no person reviews this plan; leave `network` out, and do with what the repository and the machine hold
    "#]].assert_eq(&listed(&refused.into_iter().filter(Problem::is_error).collect::<Vec<_>>()));
}

/// Knows `p/known`, `p/dear` without a price and `p/strange` that no role has.
#[derive(Debug)]
struct Shelf;

impl Catalogue for Shelf {
    fn look_up(&self, name: &str) -> Result<ModelFacts, String> {
        let price = Price { hit: Money::default(), miss: Money::default(), write: None, output: Money::default() };
        match name {
            "p/known" => Ok(ModelFacts { price: Some(price), configured: true }),
            "p/dear" => Ok(ModelFacts { price: None, configured: true }),
            "p/strange" => Ok(ModelFacts { price: Some(price), configured: false }),
            _ => Err("there is no provider like that".to_owned()),
        }
    }

    fn unpriced(&self) -> Option<String> {
        Some("p/usual".to_owned())
    }
}

#[test]
fn a_model_that_a_task_names_must_be_usable_priced_and_a_persons_choice() {
    let names = ["p/known", "p/dear", "p/strange", "q/\u{1b}x", "p/known"];
    let tasks = [0, 1, 2, 3, 4].map(|at| format!("t{at} owns {at}.rs proved\n")).concat();
    let mut draft = plan(&tasks).draft().clone();
    for (task, name) in draft.tasks.iter_mut().zip(names) {
        task.model = Some(name.to_owned());
    }
    draft.tasks[4].worker = WorkerKind::Command("true".to_owned());
    let (plan, files) = (Plan::new(draft).unwrap(), survey("0.rs\n1.rs\n2.rs\n3.rs\n4.rs"));
    let found = |rules: LintRules| listed(&lint(&plan, &files, &LintRules { models: Some(Arc::new(Shelf)), ..rules }));
    expect![[r#"
        error[unknown-model] task t3, model: `t3` names the model `q/\u{1b}x`: there is no provider like that
        error[model-of-command] task t4, model: `t4` is done by a command, which uses no model; take `model` out
    "#]]
    .assert_eq(&found(LintRules::default()));
    let limited = Limits { cost: Money::from_usd(2.0), ..Limits::default() };
    let strict = LintRules { host: HostRule::Refused, run_limits: limited, ..LintRules::default() };
    expect![[r#"
        error[unknown-price] task t1, model: `t1` names the model `p/dear`, whose price nobody knows, so no limit in money can be kept; set its price under [providers], or leave the limit out
        error[stranger-model] task t2, model: `t2` names the model `p/strange`, which the configuration gives to no role, and no person reviews this; leave `model` out
        error[unknown-model] task t3, model: `t3` names the model `q/\u{1b}x`: there is no provider like that
        error[model-of-command] task t4, model: `t4` is done by a command, which uses no model; take `model` out
    "#]].assert_eq(&found(strict));
}

#[test]
fn a_limit_in_money_on_a_model_without_a_price_is_refused() {
    let mut draft = plan("a owns a.rs proved\nb owns b.rs proved\nc owns c.rs proved\n").draft().clone();
    draft.tasks[0].limits.cost = Money::from_usd(1.0);
    draft.tasks[1].limits.tokens = Some(9_000);
    draft.tasks[2].limits.cost = Money::from_usd(1.0);
    draft.tasks[2].model = Some("p/known".to_owned());
    let (plan, files) = (Plan::new(draft).unwrap(), survey("a.rs\nb.rs\nc.rs"));
    let rules = LintRules { models: Some(Arc::new(Shelf)), ..LintRules::default() };
    expect![[r#"
        error[unknown-price] task a, limits: `a` has a limit in money, and `p/usual`, whose price nobody knows, may carry it out; set its price under [providers], or limit the tokens instead
    "#]]
    .assert_eq(&listed(&lint(&plan, &files, &rules)));
}

#[test]
fn a_plan_without_a_gate_is_refused_unless_none_is_wanted() {
    let text =
        "goal = \"g\"\n[[task]]\nid = \"a\"\ntitle = \"t\"\ninstructions = \"i\"\nwrite = [\"a.rs\"]\nverify = [\"true\"]\n";
    let reading = Reading::of_toml(text);
    let wanted = |gate| LintRules { gate, ..LintRules::default() };
    let refused = check(&reading, &survey("a.rs"), &wanted(GateRule::Required));
    assert!(refused.plan.is_none());
    expect![[r#"
        error[no-gate] line 1: the plan has no gate, so nothing would tell green from red; name the commands that test the whole repository
    "#]].assert_eq(&listed(&refused.problems));
    let passed = check(&reading, &survey("a.rs"), &wanted(GateRule::NotWanted));
    assert!(passed.plan.is_some() && passed.problems.is_empty());
}

#[test]
fn a_plan_with_ten_mistakes_is_told_all_ten_at_once() {
    let text = r#"version = 1
goal = "Give every money value a currency"

[gate]
commands = ["cargo test", " "]

[[task]]
id = "money type"
title = "Money carries a Currency"
instructions = "..."
write = ["crates/money/**"]

[[task]]
id = "api"
title = ""
instructions = "..."
depends_on = ["moneytype", "ui"]
write = ["crates/api/**"]
deliver = ["docs/api.md"]
verfiy = ["cargo test -p api"]
limits = { turns = 500 }

[[task]]
id = "ui"
title = "Show it"
instructions = "..."
depends_on = ["api"]
write = ["/crates/ui"]
limits = { minutes = "20" }

[[task]]
id = "docs"
title = "Say so"
instructions = "..."
write = ["crates/api/README.md"]
"#;
    let rules = LintRules { run_limits: Limits { turns: Some(200), ..Limits::default() }, ..LintRules::default() };
    let checked = check(&Reading::of_toml(text), &survey("crates/api/README.md"), &rules);
    assert!(checked.plan.is_none());
    expect![[r#"
        error[blank] line 5: a command of the gate is blank; write it out or remove it
        error[bad-id] line 8: `money type` is not a task id: use 1 to 40 of a-z, 0-9 and -, with no - at either end
        error[blank] line 15: the title of `api` is blank; write it out
        error[unknown-dependency] line 17: `api` depends on `moneytype`, which is not in the plan; add that task, or take it out of `depends_on`
        error[cycle] line 17: these tasks wait for each other: `api`, `ui`; remove one of their `depends_on`
        error[deliver-outside-scope] line 19: `api` must deliver `docs/api.md`, which its scope does not let it write; add it to `write`
        error[unknown-key] line 20: `verfiy` is not a key of a task; did you mean `verify`?
        error[bad-limit] line 21: an attempt at `api` is allowed 500 turns, more than the 200 of the whole run; lower it or raise the run's limit
        error[bad-glob] line 28: `/crates/ui` is absolute; give it relative to the root of the repository
        error[wrong-type] line 29: `minutes` is a text, but must be a whole number
        error[overlap] line 35: `api` owns `crates/api/**` and `docs` owns `crates/api/README.md`, and neither waits for the other; order them with `depends_on`, narrow one, or move the file to `shared` in both
    "#]].assert_eq(&listed(&checked.problems));
}

#[test]
fn warnings_stand_at_their_lines_and_do_not_refuse_the_plan() {
    let text = "goal = \"g\"\n\n[gate]\ncommands = [\"true\"]\n\n[[task]]\nid = \"a\"\ntitle = \"t\"\ninstructions = \"i\"\nwrite = [\n\"a.rs\"]\n";
    let checked = check(&Reading::of_toml(text), &survey("b.rs"), &LintRules::default());
    assert!(checked.plan.is_some());
    expect![[r#"
        warning[unproved] line 6: nothing proves `a`; give it a command in `verify`, or a file in `deliver`
        warning[unmatched-scope] line 10: no file matches what `a` may write (a.rs), and it delivers none; mend the patterns, or name new files in `deliver`
    "#]].assert_eq(&listed(&checked.problems));
}

#[test]
fn five_hundred_tasks_on_twenty_thousand_files_are_linted_whole() {
    let file = |i| format!("d{}/f{i}.rs uses d{}/f{}.rs\n", i % 500, (i + 1) % 500, (i + 1) % 20_000);
    let files = (0..20_000).map(file).collect::<Vec<_>>().concat();
    let tasks = (0..500).map(|i| format!("t{i} owns d{i}/**\n")).collect::<Vec<_>>().concat();
    let problems = lint(&plan(&tasks), &survey(&files), &LintRules::default());
    let count = |rule| problems.iter().filter(|problem| problem.rule == rule).count();
    assert_eq!((count("untested"), count("unordered-import")), (500, 500));
}
