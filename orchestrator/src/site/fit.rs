//! Whether a task's conversation fits into its model's window before anything was said in it.
//!
//! A worker begins with its standing orders, its tools, the text about the repository and its brief. Whatever of that is too long cannot
//! be made shorter later, so it is said at review. What other tasks will hand over is not known then, and not counted.

use std::{fmt, sync::Arc};

use plans::{Plan, Task, WorkerKind};
use shared::TaskId;
use worker::{
    context::room::{LEAST_ANSWER, Room},
    model::{Model, estimate_tokens},
};

/// What a brief holds beside the words of its task.
const BRIEF_BYTES: usize = 1_500;

/// A task that begins too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Which.
    pub task: TaskId,
    /// How many tokens its conversation begins with, about.
    pub opening: u64,
    /// Its model's window.
    pub window: u64,
    /// Whether not even the shortest answer fits behind that.
    pub hopeless: bool,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Misfit { task, opening, window, hopeless } = self;
        let what = if *hopeless { "nothing else fits" } else { "little else fits" };
        write!(
            f,
            "{task}: it would not fit: its conversation begins with about {opening} tokens of a window of {window}, and {what}"
        )
    }
}

/// Those of a plan's tasks that begin too long. `shared` is how many tokens every conversation begins with.
pub(super) fn misfits(plan: &Plan, shared: u64, model_of: impl Fn(&Task) -> Option<Arc<dyn Model>>) -> Vec<Misfit> {
    let agents = plan.tasks().iter().filter(|task| task.worker == WorkerKind::Agent);
    let misfit = |task: &Task| {
        let model = model_of(task)?;
        let (window, longest) = (model.context_window(), model.max_output());
        let room = Room::of(window, longest, model.context_budget());
        let opening = shared + estimate_tokens((words(task) + plan.goal().len() + BRIEF_BYTES) as u64);
        let hopeless = opening + LEAST_ANSWER.min(longest) > window;
        (hopeless || opening > room.high).then(|| Misfit { task: task.id.clone(), opening, window, hopeless })
    };
    agents.filter_map(misfit).collect()
}

/// How many bytes of a brief are the task's own.
fn words(task: &Task) -> usize {
    let globs = task.scope.write.iter().chain(&task.scope.shared).map(|glob| glob.as_str().len() + 4);
    let lines = task.verify.iter().map(|command| command.len() + 4);
    task.title.len() + task.instructions.len() + globs.sum::<usize>() + lines.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use worker::model::{Dialect, ModelSettings, connect};

    use super::*;

    #[test]
    fn what_begins_too_long_is_said_and_what_cannot_work_at_all_is_told_apart() {
        let text = |id: &str, bytes: usize, worker: &str| {
            format!(
                "[[task]]\nid = \"{id}\"\ntitle = \"T\"\ninstructions = \"{}\"\nwrite = [\"{id}\"]\nworker = {worker}\n",
                "x".repeat(bytes)
            )
        };
        let tasks = [
            text("short", 100, "\"agent\""),
            text("long", 12_000, "\"agent\""),
            text("endless", 30_000, "\"agent\""),
            text("program", 30_000, "{ command = \"true\" }"),
        ];
        let plan =
            plans::file::parse_toml(&format!("version = 1\ngoal = \"g\"\n[gate]\ncommands = [\"true\"]\n{}", tasks.concat()));
        let mut settings = ModelSettings::new("p/m", Dialect::OpenAiChat, "http://localhost/v1");
        settings.context_window = 8_192;
        let model = connect(settings).unwrap();
        let found = misfits(&plan.unwrap(), 2_000, |_| Some(model.clone()));
        let told: Vec<String> = found.iter().map(|misfit| format!("{misfit} ({})", misfit.hopeless)).collect();
        expect![[r#"
            long: it would not fit: its conversation begins with about 6359 tokens of a window of 8192, and little else fits (false)
            endless: it would not fit: its conversation begins with about 12166 tokens of a window of 8192, and nothing else fits (true)"#]].assert_eq(&told.join("\n"));
    }
}
