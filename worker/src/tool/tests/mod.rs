//! Conversations with the worker's tools: calls in, what the model reads out.

mod asking;
mod changing;
mod looking;
mod places;
mod secrets;

use std::{fmt::Write, fs, sync::Arc, time::Duration};

use expect_test::{Expect, expect};
use serde_json::json;
use shared::{Glob, RepoPath, Scope};
use tempfile::TempDir;

use super::*;
use crate::process::Shell;

/// Grants what lies in `free/`, refuses the rest.
struct Office(LiveScope);

impl ScopeOffice for Office {
    fn request(&self, paths: Vec<Glob>, reason: String) -> BoxFuture<'_, ScopeAnswer> {
        let mut scope = self.0.now();
        let is_free = paths.iter().all(|glob| glob.as_str().starts_with("free/"));
        scope.write.extend(paths);
        Box::pin(async move {
            match reason.as_str() {
                "wait" => std::future::pending().await,
                _ if is_free => ScopeAnswer::Granted(scope),
                _ => ScopeAnswer::Refused("another task owns it".to_owned()),
            }
        })
    }
}

/// Accepts once `src/done` is there.
struct Proof(std::path::PathBuf);

impl Acceptance for Proof {
    fn accept<'a>(&'a self, _: &'a CancellationToken) -> BoxFuture<'a, Verdict> {
        let is_done = self.0.join("src/done").exists();
        let why = "`src/done` is missing; write it".to_owned();
        Box::pin(async move { if is_done { Verdict::Accepted } else { Verdict::Refused(why) } })
    }
}

/// Finds what lies in `stray/`, and takes it away.
struct Guard(std::path::PathBuf);

impl ScopeGuard for Guard {
    fn after_command(&self) -> BoxFuture<'_, Strayed> {
        let folder = self.0.join("stray");
        let names = fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.file_name().into_string().unwrap());
        let mut paths: Vec<_> = names.map(|name| RepoPath::new(&format!("stray/{name}")).unwrap()).collect();
        paths.sort();
        let strayed = match fs::remove_dir_all(folder) {
            Ok(()) => Strayed::PutBack(paths),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Strayed::Nowhere,
            Err(error) => Strayed::Unknown(error.to_string()),
        };
        Box::pin(async move { strayed })
    }
}

/// Lets nothing pass that speaks of `forbidden`, waits forever for `endless`, and counts how often it was asked about files.
#[derive(Default)]
struct Rules(std::sync::atomic::AtomicUsize);

impl Clearance for Rules {
    fn clear<'a>(&'a self, wanted: Wanted<'a>) -> BoxFuture<'a, Cleared> {
        let about = match wanted {
            Wanted::Command(command) => command,
            Wanted::Write(path) => path.as_str(),
        };
        let times = match wanted {
            Wanted::Command(_) => 0,
            Wanted::Write(_) => 1 + self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
        };
        Box::pin(async move {
            match about {
                _ if about.contains("endless") => std::future::pending().await,
                _ if about.contains("forbidden") => Cleared::No(format!("not allowed, asked {times} times; do without")),
                _ => Cleared::Yes,
            }
        })
    }
}

struct Desk {
    dir: TempDir,
    tools: WorkerTools,
    cancel: CancellationToken,
}

impl Desk {
    /// A worktree with these files; the worker may write `src/**` and `Cargo.lock` (shared).
    fn new(files: &[(&str, &str)]) -> Self {
        Self::with_secrecy(files, Arc::default())
    }

    fn with_secrecy(files: &[(&str, &str)], secrecy: Arc<shared::Secrecy>) -> Self {
        Self::with(files, |place| place.secrecy = secrecy)
    }

    /// The worker's place is another in this.
    fn with(files: &[(&str, &str)], change: impl FnOnce(&mut WorkerPlace)) -> Self {
        let dir = TempDir::new().unwrap();
        let root = dir.path().join("tree");
        fs::create_dir(&root).unwrap();
        for (path, content) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let spill_dir = dir.path().join("spill");
        let env = vec![("PATH".into(), std::env::var_os("PATH").unwrap())];
        let scope = Scope {
            write: vec![Glob::new("src/**").unwrap()],
            shared: vec![Glob::new("Cargo.lock").unwrap()],
            ..Scope::default()
        };
        let scope = LiveScope::new(scope);
        let mut place = WorkerPlace {
            longest_result: usize::MAX,
            root: root.clone(),
            spill_dir: spill_dir.clone(),
            seen: dir.path().join("seen"),
            shell: Shell {
                cwd: root.clone(),
                env,
                spill_dir,
                enclosure: crate::sandbox::Enclosure::open(),
                permits: crate::process::Permits::default(),
            },
            scope: scope.clone(),
            secrecy: Arc::default(),
            guard: Arc::new(Guard(root.clone())),
            office: Arc::new(Office(scope)),
            acceptance: Arc::new(Proof(root)),
            clearance: Arc::new(Rules::default()),
        };
        change(&mut place);
        let tools = WorkerTools::new(place).unwrap();
        Self { dir, tools, cancel: CancellationToken::new() }
    }

    fn root(&self) -> std::path::PathBuf {
        self.dir.path().join("tree")
    }

    fn file(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap()
    }

    async fn call(&self, name: &str, arguments: Value) -> ToolOutcome {
        self.tools.call(name, &arguments, &self.cancel).await
    }

    /// Plays lines such as `read_file {path: a}`, where `$` runs a command behind the tools' back, and `$DIR` is the folder around
    /// the worktree.
    async fn play(&self, script: &str) -> String {
        let mut shown = String::new();
        let dir = self.dir.path().display().to_string();
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (name, arguments) = line.split_once(' ').unwrap();
            if name == "$" {
                let status = std::process::Command::new("sh").arg("-c").arg(arguments).current_dir(self.root()).status();
                assert!(status.unwrap().success(), "{line}");
                continue;
            }
            let arguments =
                serde_json::from_str(&arguments.replace("$DIR", &dir)).unwrap_or_else(|error| panic!("{line}: {error}"));
            let outcome = match self.call(name, arguments).await {
                ToolOutcome::Ok(text) => format!("ok: {text}"),
                ToolOutcome::Failed(text) => format!("failed: {text}"),
                ToolOutcome::Ended(value) => format!("ended: {value}"),
            };
            let _ = writeln!(shown, "> {line}\n{}", outcome.replace(&dir, "$DIR").trim_end());
        }
        shown
    }
}

async fn check(files: &[(&str, &str)], script: &str, expected: Expect) {
    expected.assert_eq(&Desk::new(files).play(script).await);
}

#[test]
fn the_schemas_fit_their_share_of_the_first_request() {
    let specs = Desk::new(&[]).tools.specs();
    let names: Vec<&str> = specs.iter().map(|spec| spec.name).collect();
    assert_eq!(
        names.join(" "),
        "list_files search read_file edit_file write_file move_file delete_file run_command request_scope finish"
    );
    let function = |spec: &ToolSpec| json!({ "name": spec.name, "description": spec.description, "parameters": spec.parameters });
    let wire: Vec<Value> = specs.iter().map(|spec| json!({ "type": "function", "function": function(spec) })).collect();
    let bytes = serde_json::to_vec(&wire).unwrap().len();
    assert!(bytes <= 3800, "{bytes} bytes of tool schemas");
}

#[test]
fn schemas_are_strict() {
    for spec in Desk::new(&[]).tools.specs() {
        let mut required: Vec<&str> = spec.parameters["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        required.sort_unstable();
        let mut properties: Vec<&String> = spec.parameters["properties"].as_object().unwrap().keys().collect();
        properties.sort_unstable();
        assert_eq!((required.len(), &spec.parameters["additionalProperties"]), (properties.len(), &json!(false)));
        assert!(required.iter().zip(properties).all(|(a, b)| a == b), "{}", spec.name);
    }
}

#[test]
fn only_calls_that_change_nothing_may_run_at_once() {
    let tools = Desk::new(&[]).tools;
    let read_only: Vec<&str> = tools.specs().iter().map(|spec| spec.name).filter(|name| tools.is_read_only(name)).collect();
    assert_eq!(read_only, ["list_files", "search", "read_file"]);
}

#[tokio::test]
async fn calls_that_make_no_sense_are_explained() {
    check(
        &[("src/a.rs", "a\n")],
        r#"
        open_file {"path": "a"}
        read_file {"file": "src/a.rs", "start_line": "x"}
        read_file []
        edit_file {"path": "src/a.rs"}
        run_command {"command": " ", "timeout_s": null}
        "#,
        expect![[r#"
            > open_file {"path": "a"}
            failed: there is no tool `open_file`; the tools are: list_files, search, read_file, edit_file, write_file, move_file, delete_file, run_command, request_scope, finish
            > read_file {"file": "src/a.rs", "start_line": "x"}
            failed: read_file: `file` is unknown; `path` is missing; `start_line` must be a whole number from 0 on, not "x"; its arguments are: end_line, path, start_line
            > read_file []
            failed: read_file: the arguments must be a JSON object
            > edit_file {"path": "src/a.rs"}
            failed: edit_file: `new_text` is missing; `old_text` is missing; its arguments are: new_text, old_text, path, replace_all
            > run_command {"command": " ", "timeout_s": null}
            failed: `command` is empty; give a shell command
        "#]],
    )
    .await;
}
