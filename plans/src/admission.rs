//! Admission: the one door through which a plan comes into a run.
//!
//! A plan is submitted by a model, read from a file, edited by a person, made of the goal alone, or comes out of a re-plan's edits.
//! Whatever it comes from, it is completed and judged here, by the rules of the run.
//!
//! **Invariant:** what comes out is a plan in which the linter finds no error under the run's own rules, with all that it remarked.
//! **Invariant:** a gate that the person configured stands, whatever was written. A guessed one stands only where a model wrote none:
//! whoever writes a file says what proves it, or has said so in the configuration.
//! **Invariant:** no edit touches what has landed.
//!
//! Not here: who has to agree to a plan (the orchestrator), and what holds within any plan (`plan`).

use std::{collections::BTreeSet, sync::Arc};

use serde_json::Value;
use shared::{Glob, Limits, Network, Scope, TaskId};

use crate::{
    approval::PathRules,
    catalogue::Catalogue,
    edit::{self, PlanEdit, Progress, Revised},
    file::Reading,
    lint::{self, Checked, GateRule, HostRule, LintRules},
    plan::{Gate, Plan, PlanDraft},
    problem::{Place, Problem, Severity},
    survey::Survey,
    task::{Task, WorkerKind},
};

/// What a run holds its plans against, and what the harness knows better than whoever writes one.
#[derive(Debug, Clone, Default)]
pub struct PlanRules {
    /// The gate that the person configured: it stands, whatever a plan says.
    pub configured: Option<Gate>,
    /// The gate that the repository suggests, for a plan of a model that names none.
    pub guess: Gate,
    /// Whether the person wants no gate.
    pub no_gate: bool,
    /// What the whole run may spend.
    pub run_limits: Limits,
    /// Which files no task may change, and which the person wants to be asked about.
    pub paths: PathRules,
    /// Whether a model's plan takes effect without that a person has seen it.
    pub unreviewed: bool,
    /// Who knows the models that tasks may name.
    pub models: Option<Arc<dyn Catalogue>>,
}

/// A plan that may be proposed.
#[derive(Debug, Clone, PartialEq)]
pub struct Admitted {
    /// The plan.
    pub plan: Plan,
    /// What the linter remarked, for the review.
    pub warnings: Vec<String>,
}

/// A plan as a person sees it when they edit it, and what in it is no longer theirs to change.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What has landed, or is landing.
    pub settled: &'a BTreeSet<TaskId>,
}

impl PlanRules {
    /// A model's plan, as it called `submit_plan`. The goal is the person's, whatever the model writes.
    ///
    /// # Errors
    /// All that is wrong with it; likewise below.
    pub fn submitted(&self, goal: &str, document: &Value, survey: &Survey) -> Result<Admitted, Vec<Problem>> {
        // Some models put the plan into an object of its own.
        let document = document.get("plan").filter(|plan| plan.get("tasks").is_some()).unwrap_or(document);
        let mut reading = Reading::of_json(document);
        reading.fill(goal, self.own_gate());
        goal.clone_into(&mut reading.draft.goal);
        let host = if self.unreviewed { HostRule::Refused } else { HostRule::Remarked };
        self.judge(reading, survey, host)
    }

    /// The text of a plan file.
    pub fn of_file(&self, text: &str, survey: &Survey) -> Result<Admitted, Vec<Problem>> {
        self.judge(Reading::of_toml(text), survey, HostRule::Remarked)
    }

    /// The text of a plan that a person had in their editor.
    pub fn edited(&self, text: &str, before: Before<'_>, survey: &Survey) -> Result<Admitted, Vec<Problem>> {
        let admitted = self.of_file(text, survey)?;
        let changed = |id: &&TaskId| admitted.plan.get(id) != before.plan.get(id);
        let touched: Vec<Problem> = before.settled.iter().filter(changed).map(settled_task_changed).collect();
        if touched.is_empty() { Ok(admitted) } else { Err(touched) }
    }

    /// The goal as the only task, for a run without a planner.
    pub fn solo(&self, goal: &str, survey: &Survey) -> Result<Admitted, Vec<Problem>> {
        let mut gate = self.own_gate().clone();
        self.set_gate(&mut gate);
        let plan = Plan::new(PlanDraft { goal: goal.to_owned(), tasks: vec![only_task(goal, &gate)], gate })?;
        let found = lint::lint(&plan, survey, &self.lint_rules());
        if found.iter().any(Problem::is_error) { Err(found) } else { Ok(Admitted { plan, warnings: said(&found) }) }
    }

    /// A plan after a re-plan's edits. The gate stays what it was; of what has landed nothing is found fault with any more.
    pub fn mended(&self, plan: &Plan, edits: &[PlanEdit], progress: &Progress, survey: &Survey) -> Result<Revised, Vec<Problem>> {
        if edits.is_empty() {
            let message =
                "there is no edit; nothing would change. If nothing can be done, `drop` the tasks that cannot land".to_owned();
            return Err(vec![error(Place::Path("edits".to_owned()), "no-edits", message)]);
        }
        let revised = edit::apply(plan, edits, progress)?;
        let settled = progress.settled();
        let errors: Vec<Problem> = lint::lint(&revised.plan, survey, &self.lint_rules())
            .into_iter()
            .chain(self.strangers(plan, &revised.plan))
            .filter(|problem| problem.is_error() && !is_about(problem, &settled))
            .collect();
        if errors.is_empty() { Ok(revised) } else { Err(errors) }
    }

    /// Models that a re-plan brings in though neither the plan nor the configuration had them.
    fn strangers(&self, before: &Plan, after: &Plan) -> Vec<Problem> {
        let had = |name: &str| before.tasks().iter().any(|task| task.model.as_deref() == Some(name));
        let is_configured = |name: &str| match &self.models {
            // One that cannot be used is the linter's to name.
            Some(models) => models.look_up(name).map_or(true, |facts| facts.configured),
            None => true,
        };
        let stranger = |task: &Task| {
            let name = task.model.as_deref().filter(|name| !had(name) && !is_configured(name))?;
            let place = Place::Key { task: task.id.clone(), key: "model", item: None };
            Some(error(place, "stranger-model", lint::models::stranger(task, name)))
        };
        after.tasks().iter().filter_map(stranger).collect()
    }

    /// What the linter remarks of a plan that was admitted.
    pub fn remarks(&self, plan: &Plan, survey: &Survey) -> Vec<String> {
        let found = lint::lint(plan, survey, &self.lint_rules());
        said(&found.into_iter().filter(|problem| !problem.is_error()).collect::<Vec<_>>())
    }

    fn judge(&self, mut reading: Reading, survey: &Survey, host: HostRule) -> Result<Admitted, Vec<Problem>> {
        self.set_gate(&mut reading.draft.gate);
        let rules = LintRules { host, ..self.lint_rules() };
        let Checked { plan, problems } = lint::check(&reading, survey, &rules);
        match plan {
            Some(plan) => Ok(Admitted { plan, warnings: said(&problems) }),
            None => Err(problems),
        }
    }

    /// The gate of a plan whose writer knows none.
    fn own_gate(&self) -> &Gate {
        self.configured.as_ref().unwrap_or(&self.guess)
    }

    fn set_gate(&self, gate: &mut Gate) {
        if let Some(configured) = &self.configured {
            // Which network it gets is the plan's to say, where a person sees it.
            *gate = Gate { network: gate.network, ..configured.clone() };
        }
        if self.no_gate {
            gate.commands.clear();
        }
    }

    fn lint_rules(&self) -> LintRules {
        let gate = if self.no_gate { GateRule::NotWanted } else { GateRule::Required };
        let (paths, models) = (self.paths.clone(), self.models.clone());
        LintRules { gate, run_limits: self.run_limits, paths, host: HostRule::Remarked, models }
    }
}

fn only_task(goal: &str, gate: &Gate) -> Task {
    Task {
        id: TaskId::new("solo").expect("it is a task id"),
        title: goal.lines().next().unwrap_or_default().chars().take(72).collect(),
        instructions: goal.to_owned(),
        depends_on: Vec::new(),
        scope: Scope { write: vec![Glob::new("**").expect("it is a glob")], shared: Vec::new(), ..Scope::default() },
        network: Network::default(),
        deliver: Vec::new(),
        verify: gate.commands.clone(),
        hand_off: None,
        worker: WorkerKind::Agent,
        model: None,
        limits: Limits::default(),
    }
}

fn said(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

fn settled_task_changed(id: &TaskId) -> Problem {
    error(Place::Task(id.clone()), "settled", format!("`{id}` has landed, or is landing; leave it in the plan as it was"))
}

fn is_about(problem: &Problem, tasks: &BTreeSet<TaskId>) -> bool {
    matches!(&problem.place, Place::Task(id) | Place::Key { task: id, .. } if tasks.contains(id))
}

fn error(place: Place, rule: &'static str, message: String) -> Problem {
    Problem { severity: Severity::Error, place, rule, message }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    const FILE: &str = "version = 1\ngoal = \"the file's goal\"\n[[task]]\nid = \"a\"\ntitle = \"A\"\ninstructions = \"do\"\nwrite = [\"a\"]\nverify = [\"true\"]\n";
    const GATE: &str = "[gate]\ncommands = [\"written\"]\n";

    /// Knows every model; none of them is configured.
    #[derive(Debug)]
    struct Any;

    impl Catalogue for Any {
        fn look_up(&self, _: &str) -> Result<crate::catalogue::ModelFacts, String> {
            Ok(crate::catalogue::ModelFacts::default())
        }
    }

    fn gate(command: &str) -> Gate {
        Gate { commands: vec![command.to_owned()], ..Gate::default() }
    }

    fn rules(configured: bool, no_gate: bool) -> PlanRules {
        let configured = configured.then(|| gate("configured"));
        PlanRules { configured, guess: gate("guessed"), no_gate, ..PlanRules::default() }
    }

    fn document(with_gate: bool) -> Value {
        let task = json!({ "id": "a", "title": "A", "instructions": "do", "write": ["a"], "verify": ["true"] });
        let mut document = json!({ "goal": "the model's goal", "tasks": [task] });
        if with_gate {
            document["gate"] = json!({ "commands": ["written"] });
        }
        document
    }

    /// Goal and gate that a run gets from each source.
    fn check(rules: &PlanRules, expected: &Expect) {
        let survey = Survey::default();
        let file = |gate: &str| FILE.replace("[[task]]", &format!("{gate}[[task]]"));
        let before = crate::file::parse_toml(&file(GATE)).unwrap();
        let nothing = BTreeSet::new();
        let before = Before { plan: &before, settled: &nothing };
        let all = [
            ("model", rules.submitted("the goal", &document(false), &survey)),
            ("model with a gate", rules.submitted("the goal", &document(true), &survey)),
            ("file", rules.of_file(&file(""), &survey)),
            ("file with a gate", rules.of_file(&file(GATE), &survey)),
            ("edit", rules.edited(&file(""), before, &survey)),
            ("edit with a gate", rules.edited(&file(GATE), before, &survey)),
            ("solo", rules.solo("the goal", &survey)),
        ];
        let line = |(source, result): (&str, Result<Admitted, Vec<Problem>>)| match result {
            Ok(Admitted { plan, .. }) => format!("{source}: {} | {:?}\n", plan.goal(), plan.gate().commands),
            Err(problems) => format!("{source}: {}\n", problems.iter().map(|p| p.rule).collect::<Vec<_>>().join(", ")),
        };
        expected.assert_eq(&all.map(line).concat());
    }

    #[test]
    fn a_configured_gate_stands_in_every_plan() {
        check(
            &rules(true, false),
            &expect![[r#"
                model: the goal | ["configured"]
                model with a gate: the goal | ["configured"]
                file: the file's goal | ["configured"]
                file with a gate: the file's goal | ["configured"]
                edit: the file's goal | ["configured"]
                edit with a gate: the file's goal | ["configured"]
                solo: the goal | ["configured"]
            "#]],
        );
    }

    #[test]
    fn without_one_a_model_gets_the_guess_and_a_person_has_to_say() {
        check(
            &rules(false, false),
            &expect![[r#"
                model: the goal | ["guessed"]
                model with a gate: the goal | ["written"]
                file: no-gate, unmatched-scope
                file with a gate: the file's goal | ["written"]
                edit: no-gate, unmatched-scope
                edit with a gate: the file's goal | ["written"]
                solo: the goal | ["guessed"]
            "#]],
        );
    }

    #[test]
    fn who_wants_no_gate_gets_none() {
        check(
            &rules(true, true),
            &expect![[r#"
                model: the goal | []
                model with a gate: the goal | []
                file: the file's goal | []
                file with a gate: the file's goal | []
                edit: the file's goal | []
                edit with a gate: the file's goal | []
                solo: the goal | []
            "#]],
        );
    }

    #[test]
    fn warnings_come_along_from_every_source() {
        let (rules, survey) = (rules(true, false), Survey::default());
        let admitted = [
            rules.submitted("the goal", &document(false), &survey).unwrap(),
            rules.of_file(FILE, &survey).unwrap(),
            rules.solo("the goal", &survey).unwrap(),
        ];
        for Admitted { plan, warnings } in &admitted {
            assert_eq!(warnings.len(), rules.remarks(plan, &survey).len(), "{warnings:?}");
        }
        expect![[r#"
            [
                [
                    "warning[unmatched-scope] tasks[0].write: no file matches what `a` may write (a), and it delivers none; mend the patterns, or name new files in `deliver`",
                ],
                [
                    "warning[unmatched-scope] line 7: no file matches what `a` may write (a), and it delivers none; mend the patterns, or name new files in `deliver`",
                ],
                [
                    "warning[unmatched-scope] task solo, write: no file matches what `solo` may write (**), and it delivers none; mend the patterns, or name new files in `deliver`",
                ],
            ]"#]].assert_eq(&format!("{:#?}", admitted.map(|admitted| admitted.warnings)));
    }

    #[test]
    fn a_person_cannot_edit_away_what_has_landed() {
        let (rules, survey) = (rules(true, false), Survey::default());
        let plan = rules.of_file(FILE, &survey).unwrap().plan;
        let settled = BTreeSet::from([TaskId::new("a").unwrap()]);
        let before = Before { plan: &plan, settled: &settled };
        assert!(rules.edited(FILE, before, &survey).is_ok());
        let problems = rules.edited(&FILE.replace("\"a\"", "\"b\""), before, &survey).unwrap_err();
        expect!["error[settled] task a: `a` has landed, or is landing; leave it in the plan as it was"]
            .assert_eq(&said(&problems).join("\n"));
    }

    #[test]
    fn a_re_plan_is_held_to_the_limits_of_the_run_except_for_what_has_landed() {
        let survey = Survey::default();
        let dear = FILE.replace("verify", "limits = { tokens = 900 }\nverify");
        let plan = rules(true, false).of_file(&dear, &survey).unwrap().plan;
        let tight = PlanRules { run_limits: Limits { tokens: Some(500), ..Limits::default() }, ..rules(true, false) };
        let new = json!({ "id": "b", "title": "B", "instructions": "do", "write": ["b"], "verify": ["true"] });
        let edits = edit::read_edits(&json!({ "edits": [{ "edit": "add", "new": new, "because": "needed" }] })).unwrap();
        let refused = tight.mended(&plan, &edits, &Progress::default(), &survey).unwrap_err();
        assert_eq!(refused.iter().map(|problem| problem.rule).collect::<Vec<_>>(), ["bad-limit"]);
        let settled = Progress::from(BTreeSet::from([TaskId::new("a").unwrap()]));
        let models: Option<Arc<dyn Catalogue>> = Some(Arc::new(Any));
        let strange = json!({ "edits": [{ "edit": "rewrite", "task": "a", "model": "p/m", "because": "b" }] });
        let strange = edit::read_edits(&strange).unwrap();
        let refused =
            PlanRules { models, ..rules(true, false) }.mended(&plan, &strange, &Progress::default(), &survey).unwrap_err();
        assert_eq!(refused.iter().map(|problem| problem.rule).collect::<Vec<_>>(), ["stranger-model"]);
        assert_eq!(tight.mended(&plan, &edits, &settled, &survey).unwrap().plan.tasks().len(), 2);
        assert_eq!(tight.mended(&plan, &[], &settled, &survey).unwrap_err()[0].rule, "no-edits");
    }
}
