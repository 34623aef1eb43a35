//! Plans in few words: a line a task.
//!
//! ```text
//! goal | Two files            gate | sh gate.sh
//! a    | write a.txt | run echo a > a.txt
//! b    | after a | write b.txt | verify test -f b.txt
//! ```
//!
//! Parts stand between ` | `. A task without `run` is for an agent. `write`, `shared`, `deliver` and `after` take several words; `verify`
//! takes one command and may come several times; `network` is one of three words, `model` a model's name.

use serde_json::{Map, Value, json};

/// The plan as the planner would submit it.
pub fn plan_json(text: &str) -> Value {
    let mut plan = json!({ "version": 1, "goal": "Make the change", "gate": { "commands": ["true"] }, "tasks": [] });
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (head, rest) = line.split_once(" | ").unwrap_or((line, ""));
        match head.trim() {
            "goal" => plan["goal"] = json!(rest.trim()),
            "gate" => plan["gate"] = json!({ "commands": rest.split(" | ").map(str::trim).collect::<Vec<_>>() }),
            id => plan["tasks"].as_array_mut().expect("it is a list").push(task(id, rest)),
        }
    }
    plan
}

/// One task, as in a plan and in an edit of one.
fn task(id: &str, rest: &str) -> Value {
    let mut task = Map::new();
    for (key, value) in
        [("id", json!(id)), ("title", json!(format!("Do {id}"))), ("instructions", json!(format!("Do all of {id}.")))]
    {
        task.insert(key.to_owned(), value);
    }
    let mut verify = Vec::new();
    for part in rest.split(" | ").map(str::trim).filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once(' ').unwrap_or_else(|| panic!("`{part}` has no value"));
        let words = || json!(value.split_whitespace().collect::<Vec<_>>());
        let (key, value) = match key {
            "after" => ("depends_on", words()),
            "write" | "shared" | "deliver" => (key, words()),
            "network" | "model" => (key, json!(value)),
            "run" => ("worker", json!({ "command": value })),
            "turns" => ("limits", json!({ "turns": value.parse::<u32>().expect("a number") })),
            "verify" => {
                verify.push(json!(value));
                continue;
            }
            _ => panic!("`{key}` is no part of a task"),
        };
        task.insert(key.to_owned(), value);
    }
    task.insert("verify".to_owned(), json!(verify));
    Value::Object(task)
}

/// The same as a plan file.
#[track_caller]
pub fn plan_toml(text: &str) -> String {
    let plan = plans::file::parse_json(&plan_json(text));
    plans::file::write_toml(&plan.unwrap_or_else(|problems| panic!("the test's own plan is wrong: {problems:?}")))
}
