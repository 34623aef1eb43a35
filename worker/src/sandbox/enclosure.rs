//! Where the commands of one holder (an attempt, the gate) run: its rights, and the session that holds them.
//!
//! **Invariant:** a command runs under the scope and in the folders as they are when it starts. Where they differ a new session is opened.
//! **Invariant:** a session is used by one command at a time, and only when the one before has ended with all its processes.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
};

use shared::{Glob, Network, Scope};
use tokio::sync::Mutex;

use super::{
    CommandLimits, Policy, etc, policy,
    policy::Writable,
    tier::{Entrance, Sandbox, Tier},
    toolchains,
};
use crate::tool::LiveScope;

/// A place on the disk, and what commands may do there.
#[derive(Clone)]
pub struct Ground {
    /// The files.
    pub tree: PathBuf,
    /// Folders outside of it that are the holder's own: build output, scratch space.
    pub own: Vec<PathBuf>,
    /// Folders of the tree that builds write into, though nobody owns them; relative.
    pub build: Vec<PathBuf>,
    /// What may be read besides: the repository's objects, what the configuration names.
    pub read: Vec<PathBuf>,
    /// The person's home directory, of which only toolchains are shown.
    pub home: Option<PathBuf>,
    /// What can be reached.
    pub network: Network,
    /// How much may be used.
    pub limits: CommandLimits,
}

impl Ground {
    /// No place, and no rights.
    pub(super) fn nowhere() -> Self {
        Self {
            tree: PathBuf::new(),
            own: Vec::new(),
            build: Vec::new(),
            read: Vec::new(),
            home: None,
            network: Network::None,
            limits: CommandLimits::default(),
        }
    }
}

/// What of the tree may be written.
#[derive(Clone)]
pub enum Writes {
    /// What a task owns, as it is now.
    Scope(LiveScope),
    /// All of it but the repository's own records. What a task does not own is put back by whoever lets its proof do this.
    Tree,
}

/// The sandbox of one holder. Clones are the same.
#[derive(Clone)]
pub struct Enclosure {
    sandbox: Arc<dyn Sandbox>,
    ground: Ground,
    writes: Writes,
    #[cfg(target_os = "linux")]
    session: Arc<Mutex<Option<Held>>>,
}

/// A session, and what it was opened for.
#[cfg(target_os = "linux")]
struct Held {
    rights: Rights,
    session: super::Session,
}

/// The folders of the tree that a session may write, as they lie on the disk: one that was removed and made again is another one.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Rights(Vec<(Writable, u64)>);

/// How a command gets in.
pub(crate) enum Way {
    /// Behind these words, in a process of its own.
    Behind(Vec<OsString>),
    /// Through a session, whose place is kept meanwhile.
    #[cfg(target_os = "linux")]
    Through(Box<super::Session>, Rights),
}

impl Enclosure {
    /// A sandbox for a place.
    pub fn new(sandbox: Arc<dyn Sandbox>, ground: Ground, writes: Writes) -> Self {
        Self {
            sandbox,
            ground,
            writes,
            #[cfg(target_os = "linux")]
            session: Arc::default(),
        }
    }

    /// No sandbox, for tests and for who insists.
    pub fn open() -> Self {
        Self::new(Arc::new(super::tier::Open), Ground::nowhere(), Writes::Tree)
    }

    /// The same place with other rights, in a session of its own.
    #[must_use]
    pub fn with(&self, writes: Writes) -> Self {
        Self::new(self.sandbox.clone(), self.ground.clone(), writes)
    }

    /// The same place and rights in another network, in a session of its own.
    #[must_use]
    pub fn in_network(&self, network: Network) -> Self {
        Self::new(self.sandbox.clone(), Ground { network, ..self.ground.clone() }, self.writes.clone())
    }

    /// Which kind it is.
    pub fn tier(&self) -> Tier {
        self.sandbox.tier()
    }

    /// The folders that commands may write, for people and models; empty where nothing is bounded.
    pub fn in_words(&self) -> String {
        if self.tier() == Tier::None {
            return String::new();
        }
        let root = self.ground.tree.canonicalize().unwrap_or_else(|_| self.ground.tree.clone());
        let folders = policy::writable(&self.ground.tree, &self.scope(), &self.ground.build).into_iter();
        let shown = folders.map(|Writable { path, .. }| match path.strip_prefix(&root) {
            Ok(inside) if inside.as_os_str().is_empty() => "the top folder".to_owned(),
            Ok(inside) => format!("{}/", inside.display()),
            Err(_) => path.display().to_string(),
        });
        shown.chain(["$TMPDIR".to_owned(), "$HOME".to_owned()]).collect::<Vec<_>>().join(", ")
    }

    /// What a command's output says of the sandbox, explained; none where it says nothing.
    pub fn explain(&self, output: &str) -> Option<String> {
        if self.tier() == Tier::None {
            return None;
        }
        super::explain::explain(output, &self.in_words(), self.ground.network)
    }

    fn scope(&self) -> Scope {
        match &self.writes {
            Writes::Scope(scope) => scope.now(),
            Writes::Tree => Scope { write: vec![Glob::new("**").expect("it is a pattern")], ..Scope::default() },
        }
    }

    #[cfg(target_os = "linux")]
    fn rights(&self, scope: &Scope) -> Rights {
        use std::os::unix::fs::MetadataExt as _;

        let folders = policy::writable(&self.ground.tree, scope, &self.ground.build).into_iter();
        let numbered = folders.map(|folder| {
            let number = std::fs::metadata(&folder.path).map_or(0, |data| data.ino());
            (folder, number)
        });
        Rights(numbered.collect())
    }

    fn policy(&self, scope: &Scope, env: &[(OsString, OsString)]) -> Policy {
        let Ground { tree, own, build, read, home, network, limits } = &self.ground;
        let mut write = policy::writable(tree, scope, build);
        write.extend(own.iter().filter_map(|path| Some(Writable { path: path.canonicalize().ok()?, deep: true })));
        let (toolchains, keys) = toolchains::readable(home.as_deref(), env);
        let more = read.iter().filter_map(|path| path.canonicalize().ok());
        Policy {
            tree: tree.canonicalize().unwrap_or_else(|_| tree.clone()),
            write,
            read: etc::readable(*network == Network::Host).chain(toolchains).chain(more).collect(),
            hidden: etc::hidden().chain(keys).collect(),
            network: *network,
            limits: *limits,
        }
    }

    /// The environment of a command: a home directory of its own, in which tools find what the person has installed.
    pub(crate) fn environment(&self, env: &[(OsString, OsString)]) -> Vec<(OsString, OsString)> {
        let Some(own) = self.own_home().filter(|_| self.tier() != Tier::None) else { return env.to_vec() };
        let of_desktop = |name: &OsString| name.to_str().is_some_and(|name| name.starts_with("XDG_"));
        let mut all: Vec<_> = env.iter().filter(|(name, _)| name != "HOME" && !of_desktop(name)).cloned().collect();
        let known = self.ground.home.as_deref().map(toolchains::variables).unwrap_or_default();
        let cache = |name: &str| own.join(".cache").join(name).into_os_string();
        // Beside what other compilers make: a home is made anew for each proof of a landing, and this is dear.
        let built = own.with_file_name("target").join("go-build").into_os_string();
        let more = known.into_iter().chain([
            ("GOCACHE".into(), built),
            ("PYTHONPYCACHEPREFIX".into(), cache("pycache")),
            ("GIT_OPTIONAL_LOCKS".into(), "0".into()),
            ("HOME".into(), own.clone().into_os_string()),
        ]);
        for (name, value) in more {
            if !all.iter().any(|(other, _)| *other == name) {
                all.push((name, value));
            }
        }
        all
    }

    fn own_home(&self) -> Option<PathBuf> {
        let home = self.ground.tree.parent()?.join("home");
        self.ground.own.contains(&home).then_some(home)
    }

    /// The way in for the next command.
    pub(crate) async fn way_in(&self, env: &[(OsString, OsString)]) -> Result<Way, String> {
        let scope = self.scope();
        policy::make_build_folders(&self.ground.tree, &self.ground.build);
        #[cfg(target_os = "linux")]
        let rights = self.rights(&scope);
        #[cfg(target_os = "linux")]
        if let Some(held) = self.session.lock().await.take().filter(|held| held.rights == rights) {
            return Ok(Way::Through(Box::new(held.session), rights));
        }
        let policy = self.policy(&scope, env);
        match self.sandbox.entrance(&policy) {
            Entrance::Prefix(words) => Ok(Way::Behind(words)),
            #[cfg(target_os = "linux")]
            Entrance::Helper(words) => {
                let entered = super::Session::enter(&words, self.tier(), policy).await;
                let session = entered.map_err(|why| format!("the sandbox ({}) cannot be entered: {why}", self.tier()))?;
                Ok(Way::Through(Box::new(session), rights))
            }
            #[cfg(not(target_os = "linux"))]
            Entrance::Helper(_) => Err("this sandbox needs Linux".to_owned()),
        }
    }

    /// Gives a session back.
    #[cfg(target_os = "linux")]
    pub(crate) async fn give_back(&self, session: super::Session, rights: Rights) {
        *self.session.lock().await = Some(Held { rights, session });
    }

    /// Tries it: whether a command can be run, and on what it all rests.
    pub(super) async fn try_it(&self) -> Result<String, String> {
        #[cfg(target_os = "linux")]
        if let Way::Through(session, _) = self.way_in(&[]).await? {
            let about = session.about.clone();
            let output = std::fs::File::options().write(true).open("/dev/null").map_err(|error| error.to_string())?;
            let mut running = session.run("true", Path::new("/"), &[], output.into()).await?;
            return match running.over().await {
                super::session::CommandOver::Code(0) => Ok(about),
                other => Err(format!("`true` does not run in it: {other:?}")),
            };
        }
        Ok(String::new())
    }
}
