//! A scenario: a repository, surroundings of its own, and the real binary in them.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use plans::{
    event::{Entry, Event},
    run_state::RunState,
};
use tempfile::TempDir;

use crate::{
    Alive, Fingerprint, History, Outcome, Repository, Terminal, eventually, inspan, model::ModelServer, outcome::Names,
    plan_toml, read_journal,
};

/// One person's machine with one repository. The folder has spaces and letters beyond ASCII in its path, for every test.
pub struct Scenario {
    root: TempDir,
    repository: Repository,
    directory: PathBuf,
    env: Vec<(OsString, OsString)>,
    before: Option<String>,
    runs: OnceLock<PathBuf>,
}

impl Scenario {
    /// A repository with these files (`## path` begins one), committed.
    pub fn new(files: &str) -> Self {
        let scenario = Self::empty();
        scenario.repository.write_all(files).commit("Start");
        scenario
    }

    /// The same in memory, where the machine has such a place: for tests that make very many of them, and bound no command.
    pub fn in_memory(files: &str) -> Self {
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let scenario = Self::empty_in(&place);
        scenario.repository.write_all(files).commit("Start");
        scenario
    }

    /// A repository without a commit.
    pub fn empty() -> Self {
        Self::empty_in(&std::env::temp_dir())
    }

    fn empty_in(place: &Path) -> Self {
        let root = tempfile::Builder::new().prefix("inspan tést 試 ").tempdir_in(place).expect("a temporary folder can be made");
        let path = root.path().canonicalize().expect("it is there");
        let repository = Repository::init(&path.join("mein Projekt"));
        for folder in ["home", "cache"] {
            fs::create_dir_all(path.join(folder)).expect("a folder can be made");
        }
        fs::write(path.join("config.toml"), "").expect("a file can be written");
        let directory = repository.path().to_owned();
        Self { root, repository, directory, env: Vec::new(), before: None, runs: OnceLock::new() }
    }

    /// A variable of the person's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The person's configuration file gets these lines in addition.
    #[must_use]
    pub fn config(self, lines: &str) -> Self {
        let path = self.root().join("config.toml");
        let before = fs::read_to_string(&path).expect("it was made with the scenario");
        fs::write(path, format!("{before}{lines}\n")).expect("a file can be written");
        self
    }

    /// Planner and workers ask this server, and no failed request is sent twice.
    #[must_use]
    pub fn model(self, server: &ModelServer) -> Self {
        let url = server.url();
        self.config(&format!(
            "[providers.scripted-http]\nbase_url = \"{url}\"\napi_key_env = \"ENDPOINT_KEY\"\nretries = 0\nidle_timeout = \"30s\""
        ))
        .env("ENDPOINT_KEY", crate::model::KEY)
        .env("INSPAN_MODEL", "scripted-http/test-model")
    }

    /// The shell that `inspan` is typed into does this first. It then becomes `inspan`, with the same process id.
    #[must_use]
    pub fn after(self, shell: &str) -> Self {
        Self { before: Some(shell.to_owned()), ..self }
    }

    /// The machine's own toolchains are found where its user has them, though the home directory is another one.
    #[must_use]
    pub fn toolchains(self) -> Self {
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let places = [("RUSTUP_HOME", ".rustup"), ("PYENV_ROOT", ".pyenv"), ("NVM_DIR", ".nvm")];
        let place = |(name, folder)| (name, std::env::var_os(name).map_or_else(|| home.join(folder), PathBuf::from));
        let there = places.into_iter().map(place).filter(|(_, path)| path.is_dir());
        there.fold(self, |scenario, (name, path)| scenario.env(name, path))
    }

    /// A folder that commands of workers may write though it is outside: tests and commands meet there.
    #[must_use]
    pub fn with_meeting_place(self) -> Self {
        let place = self.meeting_place();
        std::fs::create_dir(&place).expect("it is new");
        self.env("INSPAN_SANDBOX_WRITE", place)
    }

    /// Where that folder is.
    pub fn meeting_place(&self) -> PathBuf {
        self.root().join("meeting place")
    }

    /// Commands are typed here instead of in the repository.
    #[must_use]
    pub fn from(mut self, directory: &Path) -> Self {
        directory.clone_into(&mut self.directory);
        self
    }

    /// The person moves the repository to another folder, and types there from now on.
    #[must_use]
    pub fn moved(mut self, to: &Path) -> Self {
        fs::rename(self.repository.path(), to).expect("it is ours");
        (self.repository, self.directory, self.runs) = (Repository::at(to), to.to_owned(), OnceLock::new());
        self
    }

    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The temporary folder that holds everything.
    pub fn root(&self) -> PathBuf {
        self.root.path().canonicalize().expect("it is there")
    }

    /// Writes a plan in the short form of [`plan_toml`] beside the repository; returns its path.
    #[track_caller]
    pub fn plan(&self, text: &str) -> String {
        self.plan_file(&plan_toml(text))
    }

    /// Writes a plan file, right or wrong; returns its path.
    pub fn plan_file(&self, text: &str) -> String {
        let path = self.root().join("plan.toml");
        fs::write(&path, text).expect("a file can be written");
        path.to_str().expect("the path is text").to_owned()
    }

    /// `inspan run --plan PLAN --yes`, with more words.
    #[track_caller]
    pub fn run_plan(&self, plan: &str, more: &[&str]) -> Outcome {
        self.start_plan(plan, more).wait()
    }

    /// The same, and does not wait for its end.
    #[track_caller]
    pub fn start_plan(&self, plan: &str, more: &[&str]) -> Alive {
        let path = self.plan(plan);
        let mut args = vec!["run", "--plan", &path, "--yes"];
        args.extend(more);
        self.start(&args)
    }

    /// Types `inspan` with these words and waits for its end.
    #[track_caller]
    pub fn inspan(&self, args: &[&str]) -> Outcome {
        self.start(args).wait()
    }

    /// Types `inspan` with these words.
    pub fn start(&self, args: &[&str]) -> Alive {
        Alive::start(self.command(args), args.join(" "), self.names())
    }

    /// The same with more variables, for this process alone.
    pub fn start_with(&self, args: &[&str], env: &[(&str, &str)]) -> Alive {
        let mut command = self.command(args);
        command.envs(env.iter().copied());
        Alive::start(command, args.join(" "), self.names())
    }

    /// Types `inspan` with these words in a terminal.
    pub fn terminal(&self, args: &[&str]) -> Terminal {
        Terminal::start(self.command(args))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = match &self.before {
            Some(shell) => {
                let mut command = Command::new("/bin/sh");
                command.arg("-c").arg(format!("{shell}; exec \"$0\" \"$@\"")).arg(inspan());
                command
            }
            None => Command::new(inspan()),
        };
        command.args(args).current_dir(&self.directory).env_clear();
        let root = self.root();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LANG", "C.UTF-8");
        command.env("HOME", root.join("home")).env("XDG_CACHE_HOME", root.join("cache"));
        command.env("INSPAN_CONFIG", root.join("config.toml"));
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    fn names(&self) -> Names {
        Names { root: self.root(), runs: self.runs_folder() }
    }

    /// Asked of git once: tests that wait for something look there all the time.
    fn runs_folder(&self) -> PathBuf {
        let ask = || {
            let common = self.repository.git(&["rev-parse", "--path-format=absolute", "--git-common-dir"]);
            Path::new(&common).join("inspan").join("runs")
        };
        self.runs.get_or_init(ask).clone()
    }

    /// The names of all runs.
    pub fn runs(&self) -> Vec<String> {
        self.names().runs()
    }

    /// The name of the only run.
    #[track_caller]
    pub fn run_id(&self) -> String {
        let mut runs = self.runs();
        assert_eq!(runs.len(), 1, "there is one run: {runs:?}");
        runs.remove(0)
    }

    /// The folder of the only run.
    pub fn run_folder(&self) -> PathBuf {
        self.runs_folder().join(self.run_id())
    }

    /// What has happened in the only run so far.
    #[track_caller]
    pub fn history(&self) -> History {
        History(read_journal(&self.run_folder()))
    }

    /// What that folds to.
    #[track_caller]
    pub fn state(&self) -> RunState {
        self.history().state()
    }

    /// Waits until the only run's journal has such an event; fails with the journal past the deadline, or when the process ends first.
    #[track_caller]
    pub fn wait_until(&self, wanted: impl Fn(&Event) -> bool) -> Entry {
        let look = || {
            let run = self.runs().into_iter().next()?;
            read_journal(&self.runs_folder().join(run)).into_iter().find(|entry| wanted(&entry.event))
        };
        eventually(look).unwrap_or_else(|| panic!("it did not happen:\n{}", self.history().outline()))
    }

    /// Waits until the only run's journal has so many events.
    pub fn wait_until_seq(&self, seq: u64) {
        let look = || {
            let run = self.runs().into_iter().next()?;
            (read_journal(&self.runs_folder().join(run)).len() as u64 >= seq).then_some(())
        };
        eventually(look).unwrap_or_else(|| panic!("there are fewer events:\n{}", self.history().outline()));
    }

    /// All files at the tip of the only run's branch.
    #[track_caller]
    pub fn result(&self) -> String {
        self.repository.files_at(&format!("refs/heads/inspan/{}", self.run_id()))
    }

    /// Refs of attempts at the only run, without the run's name: `a/1`.
    pub fn attempts(&self) -> Vec<String> {
        let prefix = format!("refs/inspan/{}/", self.run_id());
        let refs = self.repository.refs(&prefix);
        refs.iter().filter_map(|name| name.strip_prefix(&prefix)).filter(|name| name.contains('/')).map(str::to_owned).collect()
    }

    /// The fingerprint of the person's checkout.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.repository)
    }
}
