//! What the nodes of a document mean: a plan's keys, their types and their defaults.
//!
//! **Invariant:** a mistake is noted and the walk goes on, with what is left of the value. Nothing is noted twice.

use shared::{Glob, Limits, Money, Network, RepoPath, Scope, TaskId};

use super::node::{Data, Entry, Node, Syntax, key_path};
use crate::{
    plan::Gate,
    problem::{Problem, Severity},
    spelling,
    task::{Task, WorkerKind},
};

/// The keys of a task, in the order in which they are written.
pub(crate) const TASK_KEYS: &[&str] = &[
    "id",
    "title",
    "instructions",
    "depends_on",
    "write",
    "shared",
    "network",
    "deliver",
    "verify",
    "hand_off",
    "worker",
    "model",
    "limits",
];
const LIMIT_KEYS: &[&str] = &["turns", "tokens", "cost_usd", "minutes"];

/// A walk through one document.
pub(crate) struct Reader {
    pub(crate) syntax: Syntax,
    pub(crate) problems: Vec<Problem>,
    /// Paths of the values that were not understood, so that no later check blames what is missing on their account.
    pub(crate) faults: Vec<String>,
    /// Names of tasks that are no task ids. Who depends on one is not blamed for it.
    bad_ids: Vec<String>,
}

/// The keys of one table. A key without a value (`null`) counts as missing.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'n> {
    pub(crate) node: &'n Node,
    entries: &'n [Entry],
    known: &'static [&'static str],
}

impl<'n> Fields<'n> {
    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&'n Node> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        (entry.value.data != Data::Null).then_some(&entry.value)
    }

    /// Whether a key is there that is none and was probably meant as this one.
    fn has_misspelled(&self, key: &str) -> bool {
        let strangers = self.entries.iter().map(|entry| entry.key.as_str()).filter(|key| !self.known.contains(key));
        strangers.into_iter().any(|stranger| spelling::nearest(stranger, self.known.iter().copied()) == Some(key))
    }
}

impl Reader {
    pub(crate) fn new(syntax: Syntax) -> Self {
        Self { syntax, problems: Vec::new(), faults: Vec::new(), bad_ids: Vec::new() }
    }

    /// Notes a mistake.
    pub(crate) fn fault(&mut self, node: &Node, rule: &'static str, message: String) {
        self.faults.push(node.path.clone());
        self.problems.push(Problem { severity: Severity::Error, place: node.place.clone(), rule, message });
    }

    /// Notes that a value is of another type than its key wants.
    pub(crate) fn wrong_type(&mut self, node: &Node, wanted: &str) {
        self.fault(node, "wrong-type", format!("{} is {}, but must be {wanted}", node.name(), node.kind(self.syntax)));
    }

    /// A table with none but the known keys.
    pub(crate) fn fields<'n>(&mut self, node: &'n Node, what: &str, known: &'static [&'static str]) -> Option<Fields<'n>> {
        let Data::Table(entries) = &node.data else {
            self.wrong_type(node, &format!("{} with the keys {}", self.syntax.table(), known.join(", ")));
            return None;
        };
        for Entry { key, place, value } in entries {
            if known.contains(&key.as_str()) || value.data == Data::Null {
                continue;
            }
            let advice = match spelling::nearest(key, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if known.len() == 1 => format!("its only key is {}", known[0]),
                None => format!("the keys are {}", known.join(", ")),
            };
            let message = format!("`{}` is not a key of {what}; {advice}", key.escape_debug());
            self.problems.push(Problem { severity: Severity::Error, place: place.clone(), rule: "unknown-key", message });
        }
        Some(Fields { node, entries, known })
    }

    /// The value of a key that must be there.
    pub(crate) fn required<'n>(&mut self, fields: Fields<'n>, key: &str, what: &str) -> Option<&'n Node> {
        let found = fields.get(key);
        if found.is_none() && fields.has_misspelled(key) {
            self.faults.push(key_path(&fields.node.path, key));
        } else if found.is_none() {
            self.fault(fields.node, "missing", format!("{what} has no `{key}`; add it"));
        }
        found
    }

    pub(crate) fn text(&mut self, node: &Node) -> Option<String> {
        let Data::Text(text) = &node.data else {
            self.wrong_type(node, "a text");
            return None;
        };
        Some(text.clone())
    }

    /// A list whose items are read one by one; a missing one is empty.
    pub(crate) fn list<T>(&mut self, node: Option<&Node>, mut item: impl FnMut(&mut Self, &Node) -> Option<T>) -> Vec<T> {
        let Some(node) = node else { return Vec::new() };
        match &node.data {
            Data::List(items) => items.iter().filter_map(|node| item(self, node)).collect(),
            Data::Text(_) | Data::Table(_) if self.syntax == Syntax::Json => item(self, node).into_iter().collect(),
            _ => {
                self.wrong_type(node, "a list");
                Vec::new()
            }
        }
    }

    pub(crate) fn texts(&mut self, node: Option<&Node>) -> Vec<String> {
        self.list(node, Self::text)
    }

    /// A text that has to be of a certain form.
    fn formed<T, E: ToString>(&mut self, node: &Node, rule: &'static str, form: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        let text = self.text(node)?;
        form(&text).map_err(|error| self.fault(node, rule, error.to_string())).ok()
    }

    pub(crate) fn id(&mut self, node: &Node) -> Option<TaskId> {
        if matches!(&node.data, Data::Text(text) if self.bad_ids.contains(text)) {
            self.faults.push(node.path.clone());
            return None;
        }
        self.formed(node, "bad-id", TaskId::new)
    }

    pub(crate) fn ids(&mut self, node: Option<&Node>) -> Vec<TaskId> {
        self.list(node, Self::id)
    }

    pub(crate) fn globs(&mut self, node: Option<&Node>) -> Vec<Glob> {
        self.list(node, |reader, node| reader.formed(node, "bad-glob", Glob::new))
    }

    pub(crate) fn paths(&mut self, node: Option<&Node>) -> Vec<RepoPath> {
        self.list(node, |reader, node| reader.formed(node, "bad-path", RepoPath::new))
    }

    /// A number of things, not above `most`.
    fn count(&mut self, node: &Node, most: u64) -> Option<u64> {
        let whole = match node.data {
            Data::Whole(whole) => Some(whole),
            #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^63 fits")]
            Data::Number(number) if number.fract() == 0.0 && number.abs() < 9.2e18 => Some(number as i128),
            Data::Number(_) => None,
            _ => {
                self.wrong_type(node, "a whole number");
                return None;
            }
        };
        let count = whole.and_then(|whole| u64::try_from(whole).ok()).filter(|&count| count <= most);
        if count.is_none() {
            self.fault(node, "bad-number", format!("{} must be a whole number from 0 to {most}", node.name()));
        }
        count
    }

    fn small_count(&mut self, node: &Node) -> Option<u32> {
        self.count(node, u32::MAX.into()).and_then(|count| u32::try_from(count).ok())
    }

    fn money(&mut self, node: &Node) -> Option<Money> {
        let usd = match node.data {
            #[expect(clippy::cast_precision_loss, reason = "what is too large to be exact is refused below")]
            Data::Whole(whole) => whole as f64,
            Data::Number(number) => number,
            _ => {
                self.wrong_type(node, "a number of dollars");
                return None;
            }
        };
        let money = Money::from_usd(usd);
        if money.is_none() {
            self.fault(node, "bad-number", format!("{} must be a number of dollars from 0 to 10,000,000", node.name()));
        }
        money
    }

    pub(crate) fn limits(&mut self, node: &Node) -> Limits {
        let Some(fields) = self.fields(node, "`limits`", LIMIT_KEYS) else { return Limits::default() };
        Limits {
            turns: fields.get("turns").and_then(|node| self.small_count(node)),
            tokens: fields.get("tokens").and_then(|node| self.count(node, u64::MAX)),
            cost: fields.get("cost_usd").and_then(|node| self.money(node)),
            minutes: fields.get("minutes").and_then(|node| self.small_count(node)),
        }
    }

    fn worker(&mut self, node: &Node) -> Option<WorkerKind> {
        let command = match (&node.data, self.syntax) {
            (Data::Text(name), _) if name == "agent" => return Some(WorkerKind::Agent),
            (Data::Table(_), _) => self.fields(node, "`worker`", &["command"])?,
            (_, Syntax::Toml) => {
                self.fault(node, "bad-worker", "`worker` must be \"agent\" or { command = \"...\" }".to_owned());
                return None;
            }
            (_, Syntax::Json) => {
                self.fault(node, "bad-worker", "`worker` must be \"agent\" or {\"command\": \"...\"}".to_owned());
                return None;
            }
        };
        let command = self.required(command, "command", "`worker`")?;
        self.text(command).map(WorkerKind::Command)
    }

    pub(crate) fn gate(&mut self, node: &Node) -> Gate {
        if matches!(node.data, Data::List(_) | Data::Text(_)) {
            let form = match self.syntax {
                Syntax::Toml => "a table [gate] with `commands = [...]` and `timeout = \"20m\"`",
                Syntax::Json => "an object {\"commands\": [...], \"timeout\": \"20m\"}",
            };
            self.wrong_type(node, form);
            return Gate::default();
        }
        let Some(fields) = self.fields(node, "`gate`", &["commands", "timeout", "network"]) else { return Gate::default() };
        let commands = self.texts(fields.get("commands"));
        let timeout = fields.get("timeout").and_then(|node| self.duration(node));
        let network = fields.get("network").and_then(|node| self.network(node)).unwrap_or_default();
        Gate { commands, timeout: timeout.unwrap_or(Gate::default().timeout), network }
    }

    pub(crate) fn network(&mut self, node: &Node) -> Option<Network> {
        let text = self.text(node)?;
        let network = Network::named(&text);
        if network.is_none() {
            let names = Network::ALL.map(Network::as_str).join("`, `");
            let message = format!("`network` cannot be `{}`; it is one of `{names}`", text.escape_debug());
            self.fault(node, "bad-network", message);
        }
        network
    }

    fn duration(&mut self, node: &Node) -> Option<std::time::Duration> {
        if matches!(node.data, Data::Whole(_) | Data::Number(_)) {
            self.wrong_type(node, "a text with a unit, such as \"20m\" or \"90s\"");
            return None;
        }
        self.formed(node, "bad-duration", |text| {
            humantime::parse_duration(text).map_err(|error| {
                format!("`{}` is not a duration ({error}); write it like \"20m\" or \"1h 30m\"", text.escape_debug())
            })
        })
    }

    /// Remembers which of these tasks have names that are none.
    pub(crate) fn note_bad_ids(&mut self, tasks: &[Node]) {
        for task in tasks {
            let Data::Table(entries) = &task.data else { continue };
            let id = entries.iter().find(|entry| entry.key == "id").map(|entry| &entry.value.data);
            if let Some(Data::Text(text)) = id
                && TaskId::new(text).is_err()
            {
                self.bad_ids.push(text.clone());
            }
        }
    }

    /// A task. One whose id is no id goes by `unnamed`, so that all else about it can still be looked at.
    pub(crate) fn task(&mut self, node: &Node, unnamed: &TaskId) -> Option<Task> {
        let fields = self.fields(node, "a task", TASK_KEYS)?;
        let id = self.required(fields, "id", "this task").and_then(|node| self.formed(node, "bad-id", TaskId::new));
        let what = id.as_ref().map_or_else(|| "this task".to_owned(), |id| format!("`{id}`"));
        let title = self.required(fields, "title", &what).and_then(|node| self.text(node));
        let worker = fields.get("worker").map_or(Some(WorkerKind::Agent), |node| self.worker(node));
        let instructions = match worker {
            Some(WorkerKind::Agent) => self.required(fields, "instructions", &what),
            _ => fields.get("instructions"),
        };
        Some(Task {
            instructions: instructions.and_then(|node| self.text(node)).unwrap_or_default(),
            depends_on: self.ids(fields.get("depends_on")),
            scope: Scope { write: self.globs(fields.get("write")), shared: self.globs(fields.get("shared")), ..Scope::default() },
            network: fields.get("network").and_then(|node| self.network(node)).unwrap_or_default(),
            deliver: self.paths(fields.get("deliver")),
            verify: self.texts(fields.get("verify")),
            hand_off: fields.get("hand_off").and_then(|node| self.text(node)),
            model: fields.get("model").and_then(|node| self.text(node)),
            limits: fields.get("limits").map(|node| self.limits(node)).unwrap_or_default(),
            id: id.unwrap_or_else(|| unnamed.clone()),
            title: title.unwrap_or_default(),
            worker: worker.unwrap_or(WorkerKind::Agent),
        })
    }
}
