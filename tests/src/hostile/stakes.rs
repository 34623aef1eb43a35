//! What is at stake: everything around a run that a hostile command would like to read, change, reach or end.
//!
//! All of it is thrown away with the scenario. Nothing here belongs to the machine's user.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use rustix::fs::{getxattr, ioctl_getflags};
use serde_json::json;
use tempfile::TempDir;

use super::{Attempt, Bystander, Sign, servers::Servers};
use crate::{Repository, Scenario};

/// Files with secrets in the person's home.
const SECRETS: &[&str] = &[
    ".ssh/id_ed25519",
    ".aws/credentials",
    ".netrc",
    ".config/gh/hosts.yml",
    ".cargo/credentials.toml",
    ".git-credentials",
    ".npmrc",
    ".docker/config.json",
    ".gnupg/secring.gpg",
    ".bash_history",
    ".mozilla/cookies.sqlite",
    "Documents/letter.txt",
];

/// Files at home that run something later.
const STARTED: &[&str] = &[".bashrc", ".profile", ".gitconfig", ".local/bin/tool", ".cargo/config.toml"];

/// The victims of some attempts.
pub struct Stakes {
    root: PathBuf,
    checkout: PathBuf,
    /// Of each attempt, as its victim was before.
    prints: BTreeMap<&'static str, String>,
    bystanders: BTreeMap<&'static str, Bystander>,
    /// In the memory that programs of a machine share.
    shared: TempDir,
    servers: Servers,
}

impl Stakes {
    /// Lays everything out around this scenario.
    pub fn lay_out(scenario: &Scenario, attempts: &[Attempt]) -> Self {
        let (root, checkout) = (scenario.root(), scenario.repository().path().to_owned());
        furnish_home(&root.join("home"));
        furnish_neighbours(&root);
        let checkout_secret = "TOKEN=sesame-of-the-checkout\n";
        scenario.repository().write(".env", checkout_secret).write(".git/info/exclude", ".env\n");
        fs::create_dir_all(root.join("sockets")).expect("a folder can be made");
        let servers = Servers::start(&root.join("sockets"));
        let has_bystander = |attempt: &&Attempt| attempt.script.contains("PID");
        let bystanders = attempts.iter().filter(has_bystander).map(|attempt| (attempt.name, Bystander::start())).collect();
        let shared = Path::new("/dev/shm");
        let shared = if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() };
        let shared = shared.expect("a temporary folder can be made");
        let mut stakes = Self { root, checkout, prints: BTreeMap::new(), bystanders, shared, servers };
        for attempt in attempts {
            write(&stakes.victim(attempt.name), "intact\n");
            stakes.prints.insert(attempt.name, stakes.print(attempt));
        }
        stakes
    }

    /// Where everything is, for the scripts.
    pub fn places(&self) -> String {
        let pids: BTreeMap<_, _> = self.bystanders.iter().map(|(name, bystander)| (*name, bystander.pid())).collect();
        let servers = &self.servers;
        let mut places =
            json!({ "TCP": servers.tcp_port, "UDP": servers.udp_port, "ABSTRACT": servers.abstract_name, "PIDS": pids });
        for (name, path) in self.folders() {
            places[name] = json!(path);
        }
        places.to_string()
    }

    fn folders(&self) -> [(&'static str, PathBuf); 8] {
        [
            ("ROOT", self.root.clone()),
            ("CHECKOUT", self.checkout.clone()),
            ("HOME_DIR", self.root.join("home")),
            ("NEIGHBOUR", neighbour(&self.root)),
            ("OTHER_RUN", other_run(&self.root)),
            ("SOCKETS", self.root.join("sockets")),
            ("LOOT", self.root.join("meeting place")),
            ("SHARED", self.shared.path().to_owned()),
        ]
    }

    /// The folder of all victims: what a link in the repository leads to.
    pub fn victims(&self) -> PathBuf {
        self.root.join("victims")
    }

    fn victim(&self, name: &str) -> PathBuf {
        self.victims().join(name)
    }

    /// Whether the attempt's sign is seen. `loot` is what it kept; `is_expected` says that one may wait for the sign.
    pub fn shows(&self, attempt: &Attempt, loot: &str, is_expected: bool) -> bool {
        match attempt.sign {
            Sign::Victim | Sign::Changes(_) => self.prints.get(attempt.name) != Some(&self.print(attempt)),
            Sign::Appears(path) => fs::symlink_metadata(self.place(attempt, path)).is_ok(),
            Sign::Looted(text) => loot.contains(text),
            Sign::Heard => self.servers.heard(&format!("<{}>", attempt.name), is_expected),
            Sign::Bystander => self.bystanders.get(attempt.name).is_some_and(|bystander| !bystander.is_well()),
            Sign::Git(question) => {
                let question = question.replace("$NAME", attempt.name);
                Repository::at(&self.checkout).git_can(&question.split_whitespace().collect::<Vec<_>>())
            }
        }
    }

    fn print(&self, attempt: &Attempt) -> String {
        let path = if let Sign::Changes(path) = attempt.sign { path } else { "$VICTIM" };
        print_of(&self.place(attempt, path))
    }

    fn place(&self, attempt: &Attempt, path: &str) -> PathBuf {
        let victim = ("VICTIM", self.victim(attempt.name));
        let places = self.folders().into_iter().chain([victim, ("NAME", attempt.name.into())]);
        let put = |path: String, (name, place): (&str, PathBuf)| {
            path.replace(&format!("${name}"), place.to_str().expect("the path is text"))
        };
        places.fold(path.to_owned(), put).into()
    }
}

fn neighbour(root: &Path) -> PathBuf {
    root.join("other project")
}

/// Where the worktree of an attempt at another run would be.
fn other_run(root: &Path) -> PathBuf {
    root.join("cache/inspan/worktrees/otherrun/task/1/tree")
}

fn furnish_home(home: &Path) {
    for name in SECRETS {
        write(&home.join(name), &format!("sesame at {name}\n"));
    }
    for name in STARTED {
        write(&home.join(name), "# nothing yet\n");
    }
}

fn furnish_neighbours(root: &Path) {
    Repository::init(&neighbour(root)).write("plans.txt", "sesame of the neighbour\n").commit("Start");
    write(&other_run(root).join("work.txt"), "sesame of another run\n");
    for file in ["owner.json", "index"] {
        write(&other_run(root).with_file_name(file), "sesame of another run\n");
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder can be made");
    fs::write(path, text).expect("a file can be written");
}

/// Everything about a file that somebody could change, but for the time of the change itself.
fn print_of(path: &Path) -> String {
    let Ok(meta) = fs::symlink_metadata(path) else { return "gone".to_owned() };
    let mut print = format!("{:o} {}:{} {} links", meta.permissions().mode(), meta.uid(), meta.gid(), meta.nlink());
    let mut value = [0; 64];
    let marked = getxattr(path, "user.hostile", &mut value).is_ok();
    let flags = fs::File::open(path).ok().and_then(|file| ioctl_getflags(&file).ok());
    let content = fs::read(path).unwrap_or_default();
    let text = content.escape_ascii();
    write!(print, " {}.{} {marked} {flags:?} {text}", meta.mtime(), meta.mtime_nsec()).expect("a string takes all");
    print
}

/// A link that was committed before anybody worked: in the scope, and leading out of it.
pub(super) fn commit_a_link_out(scenario: &Scenario, victims: &Path) {
    let link = scenario.repository().path().join("mine/before");
    fs::create_dir_all(link.parent().expect("it is in a folder")).expect("a folder can be made");
    symlink(victims, link).expect("a link can be made");
}
