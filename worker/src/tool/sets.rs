//! The sets of tools: what a worker has, and what whoever may only look has.
//!
//! **Invariant:** the list of a set and its order never change. It is part of the prefix that all requests of a run share.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;
use shared::Secrecy;
use tokio_util::sync::CancellationToken;

use super::{
    Acceptance, Clearance, LiveScope, ScopeGuard, ScopeOffice, ToolOutcome, ToolSpec, Toolbox, Wanted, check,
    clearance::{self, ClearedFiles},
    command, edit, finish, list, read, scope_request, search,
    secrecy::Watch,
    tree::Tree,
    unknown,
    versions::Versions,
    write,
};
use crate::{
    model::ToolCall,
    process::{Shell, cut_middle},
};

/// What the tools that look at files share.
pub(super) struct Files {
    pub(super) tree: Tree,
    pub(super) versions: Versions,
    pub(super) secrecy: Arc<Secrecy>,
    /// How many bytes a result may have; each tool has a limit of its own besides.
    pub(super) longest: usize,
}

/// What the tools that change files have besides.
pub(super) struct Workspace {
    pub(super) files: Arc<Files>,
    pub(super) scope: LiveScope,
}

type OnDisk<Place, Arguments> = fn(&Place, &Arguments, &CancellationToken) -> Result<String, String>;

/// One call on its way to its tool.
struct Call<'a> {
    spec: &'a ToolSpec,
    arguments: &'a Value,
    cancel: &'a CancellationToken,
}

impl Call<'_> {
    /// Runs a tool that works on the disk where it may block.
    async fn on_disk<P, A>(&self, place: &Arc<P>, tool: OnDisk<P, A>) -> ToolOutcome
    where
        P: Send + Sync + 'static,
        A: DeserializeOwned + Send + 'static,
    {
        let arguments: A = match check(self.spec, self.arguments) {
            Ok(arguments) => arguments,
            Err(why) => return ToolOutcome::Failed(why),
        };
        let (place, cancel) = (Arc::clone(place), self.cancel.clone());
        let work = tokio::task::spawn_blocking(move || tool(&place, &arguments, &cancel));
        let broke = |_| Err(format!("{} broke on these arguments; try another way", self.spec.name));
        work.await.unwrap_or_else(broke).into()
    }
}

fn find<'a>(specs: &'a [ToolSpec], name: &str) -> Option<&'a ToolSpec> {
    specs.iter().find(|spec| spec.name == name)
}

/// `list_files`, `search` and `read_file`. A planner puts its own tools beside them and delegates the rest.
pub struct ReadTools {
    files: Arc<Files>,
    specs: Vec<ToolSpec>,
}

impl ReadTools {
    /// Looks at the tree below `root`, and at saved output in `spill_dir`. Secrets are shown to nobody.
    ///
    /// # Errors
    /// When `root` is not there.
    pub fn new(root: PathBuf, spill_dir: PathBuf, secrecy: Arc<Secrecy>) -> io::Result<Self> {
        let tree = Tree::new(root, spill_dir)?;
        let files = Arc::new(Files { tree, versions: Versions::default(), secrecy, longest: usize::MAX });
        Ok(Self { files, specs: read_specs() })
    }

    /// The same with results of at most so many bytes. To be said before anything is called.
    #[must_use]
    pub fn showing(mut self, longest: usize) -> Self {
        if let Some(files) = Arc::get_mut(&mut self.files) {
            files.longest = longest;
        }
        self
    }

    /// The same with what was seen before an interruption. To be said before anything is called.
    fn remembering(mut self, seen: &Path) -> Self {
        if let Some(files) = Arc::get_mut(&mut self.files) {
            files.versions = Versions::kept(seen);
        }
        self
    }

    fn admits(&self, tool: &str, arguments: &Value) -> Result<(), String> {
        Watch { secrecy: &self.files.secrecy, tree: &self.files.tree }.admits(tool, arguments)
    }
}

impl Toolbox for ReadTools {
    fn specs(&self) -> Vec<ToolSpec> {
        self.specs.clone()
    }

    fn is_read_only(&self, name: &str) -> bool {
        find(&self.specs, name).is_some()
    }

    fn call<'a>(&'a self, name: &'a str, arguments: &'a Value, cancel: &'a CancellationToken) -> BoxFuture<'a, ToolOutcome> {
        Box::pin(async move {
            let Some(spec) = find(&self.specs, name) else { return unknown(name, &self.specs) };
            if let Err(why) = self.admits(name, arguments) {
                return ToolOutcome::Failed(why);
            }
            let call = Call { spec, arguments, cancel };
            match name {
                "list_files" => call.on_disk(&self.files, list::run).await,
                "search" => call.on_disk(&self.files, search::run).await,
                _ => call.on_disk(&self.files, read::run).await,
            }
        })
    }
}

fn read_specs() -> Vec<ToolSpec> {
    vec![list::spec(), search::spec(), read::spec()]
}

/// The tools of a worker as a model sees them, in their order.
pub fn worker_specs() -> Vec<ToolSpec> {
    let own = [
        edit::spec(),
        write::write_spec(),
        write::move_spec(),
        write::delete_spec(),
        command::spec(),
        scope_request::spec(),
        finish::spec(),
    ];
    read_specs().into_iter().chain(own).collect()
}

/// Where a worker works, and whom it asks.
pub struct WorkerPlace {
    /// The worktree.
    pub root: PathBuf,
    /// Where output goes that is too long to show.
    pub spill_dir: PathBuf,
    /// Where is kept which files it has seen, so that it still knows them after an interruption.
    pub seen: PathBuf,
    /// How many bytes a result may have: less than usual where the model's window is small.
    pub longest_result: usize,
    /// Runs commands; its directory is the worktree.
    pub shell: Shell,
    /// What may be written.
    pub scope: LiveScope,
    /// What is shown to no model.
    pub secrecy: Arc<Secrecy>,
    /// Looks at the tree after each command.
    pub guard: Arc<dyn ScopeGuard>,
    /// Answers `request_scope`.
    pub office: Arc<dyn ScopeOffice>,
    /// Answers `finish`.
    pub acceptance: Arc<dyn Acceptance>,
    /// Is asked before a command runs and before a file changes.
    pub clearance: Arc<dyn Clearance>,
}

/// The ten tools of a worker.
pub struct WorkerTools {
    read: ReadTools,
    workspace: Arc<Workspace>,
    shell: Shell,
    guard: Arc<dyn ScopeGuard>,
    office: Arc<dyn ScopeOffice>,
    acceptance: Arc<dyn Acceptance>,
    clearance: Arc<dyn Clearance>,
    cleared: ClearedFiles,
    specs: Vec<ToolSpec>,
}

impl WorkerTools {
    /// Works in that place.
    ///
    /// # Errors
    /// When its root is not there.
    pub fn new(place: WorkerPlace) -> io::Result<Self> {
        let read =
            ReadTools::new(place.root, place.spill_dir, place.secrecy)?.showing(place.longest_result).remembering(&place.seen);
        let workspace = Arc::new(Workspace { files: Arc::clone(&read.files), scope: place.scope });
        let specs = worker_specs();
        let WorkerPlace { shell, guard, office, acceptance, clearance, .. } = place;
        let cleared = ClearedFiles::default();
        Ok(Self { read, workspace, shell, guard, office, acceptance, clearance, cleared, specs })
    }

    async fn run_command(&self, call: &Call<'_>) -> ToolOutcome {
        let arguments: command::Arguments = match check(call.spec, call.arguments) {
            Ok(arguments) => arguments,
            Err(why) => return ToolOutcome::Failed(why),
        };
        match clearance::ask(self.clearance.as_ref(), Wanted::Command(arguments.command()), call.cancel).await {
            Ok(()) => {
                let longest = self.workspace.files.longest;
                command::run(command::Place { shell: &self.shell, guard: self.guard.as_ref(), longest }, arguments, call.cancel)
                    .await
            }
            Err(why) => ToolOutcome::Failed(why),
        }
    }

    /// A tool that changes files. Those outside of the scope are refused by the tool itself, and nobody is asked about them.
    async fn change<A>(&self, call: &Call<'_>, tool: OnDisk<Workspace, A>) -> ToolOutcome
    where
        A: DeserializeOwned + Send + 'static,
    {
        let (tree, scope) = (&self.workspace.files.tree, self.workspace.scope.now());
        let named = clearance::named(call.arguments).filter_map(|text| tree.repo_path(text).ok().flatten());
        let paths = named.filter(|path| scope.covers(path)).collect();
        match self.cleared.ask(self.clearance.as_ref(), paths, call.cancel).await {
            Ok(()) => call.on_disk(&self.workspace, tool).await,
            Err(why) => ToolOutcome::Failed(why),
        }
    }

    /// What a proof says may be longer than what a small model can hear.
    fn fitting(&self, outcome: ToolOutcome) -> ToolOutcome {
        let files = &self.workspace.files;
        match outcome {
            ToolOutcome::Failed(text) => ToolOutcome::Failed(cut_middle(text, files.longest, files.tree.spill_dir())),
            other => other,
        }
    }

    async fn request_scope(&self, call: &Call<'_>) -> ToolOutcome {
        match check(call.spec, call.arguments) {
            Ok(arguments) => scope_request::run(&self.workspace.scope, self.office.as_ref(), arguments, call.cancel).await,
            Err(why) => ToolOutcome::Failed(why),
        }
    }
}

impl Toolbox for WorkerTools {
    fn specs(&self) -> Vec<ToolSpec> {
        self.specs.clone()
    }

    fn is_read_only(&self, name: &str) -> bool {
        self.read.is_read_only(name)
    }

    fn interrupted(&self, call: &ToolCall) {
        let (files, arguments) = (&self.workspace.files, serde_json::from_str(&call.arguments).unwrap_or(Value::Null));
        let paths = clearance::named(&arguments).filter_map(|text| files.tree.repo_path(text).ok().flatten());
        paths.for_each(|path| files.versions.forget(&path));
    }

    fn call<'a>(&'a self, name: &'a str, arguments: &'a Value, cancel: &'a CancellationToken) -> BoxFuture<'a, ToolOutcome> {
        Box::pin(async move {
            let Some(spec) = find(&self.specs, name) else { return unknown(name, &self.specs) };
            if let Err(why) = self.read.admits(name, arguments) {
                return ToolOutcome::Failed(why);
            }
            let call = Call { spec, arguments, cancel };
            match name {
                "edit_file" => self.change(&call, edit::run).await,
                "write_file" => self.change(&call, write::write).await,
                "move_file" => self.change(&call, write::rename).await,
                "delete_file" => self.change(&call, write::delete).await,
                "run_command" => self.run_command(&call).await,
                "request_scope" => self.request_scope(&call).await,
                "finish" => self.fitting(finish::run(self.acceptance.as_ref(), spec, arguments, cancel).await),
                _ => self.read.call(name, arguments, cancel).await,
            }
        })
    }
}
