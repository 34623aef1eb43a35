//! Throw-away repositories, made by the real git.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A repository below a temporary folder, with an identity of its own and nothing of the machine's configuration.
#[derive(Debug, Clone)]
pub struct Repository {
    path: PathBuf,
}

impl Repository {
    /// Takes a folder that git knows.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Makes an empty one, on branch `main`.
    pub fn init(path: &Path) -> Self {
        fs::create_dir_all(path).expect("a folder can be made");
        let repository = Self::at(path);
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.identify();
        repository
    }

    /// Sets who commits, in the repository's own configuration.
    pub fn identify(&self) {
        self.git(&["config", "user.name", "Test Person"]);
        self.git(&["config", "user.email", "person@example.org"]);
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What git prints; fails where git does.
    #[track_caller]
    pub fn git(&self, args: &[&str]) -> String {
        let out = git(&self.path).args(args).output().expect("git starts");
        assert!(out.status.success(), "git {args:?} in {}: {}", self.path.display(), String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).trim_end().to_owned()
    }

    /// Whether git succeeds.
    pub fn git_can(&self, args: &[&str]) -> bool {
        git(&self.path).args(args).output().expect("git starts").status.success()
    }

    /// Writes a file and the folders above it.
    pub fn write(&self, path: &str, text: &str) -> &Self {
        let path = self.path.join(path);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder can be made");
        fs::write(path, text).expect("a file can be written");
        self
    }

    /// A file of the checkout.
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Writes the files of a text in which each `## path` begins one.
    pub fn write_all(&self, text: &str) -> &Self {
        for (path, content) in files_of(text) {
            self.write(&path, &content);
        }
        self
    }

    /// Commits all that is there.
    pub fn commit(&self, message: &str) -> &Self {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self
    }

    /// All files of a commit, as the text that [`Repository::write_all`] reads.
    #[track_caller]
    pub fn files_at(&self, commit: &str) -> String {
        let names = self.git(&["-c", "core.quotePath=false", "ls-tree", "-r", "--format=%(objecttype) %(path)", commit]);
        let content = |name: &str| self.git(&["show", &format!("{commit}:{name}")]);
        let file = |line: &str| match line.split_once(' ') {
            Some(("blob", name)) => ["## ", name, "\n", &content(name), "\n"].concat(),
            _ => format!("## {line}\n"),
        };
        names.lines().map(file).collect()
    }

    /// Full names of the refs below a prefix.
    pub fn refs(&self, prefix: &str) -> Vec<String> {
        self.git(&["for-each-ref", "--format=%(refname)", prefix]).lines().map(str::to_owned).collect()
    }
}

/// Git without the machine's configuration.
pub(crate) fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(name);
    }
    command
}

/// Splits a text at its `## path` lines.
fn files_of(text: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("## "), files.last_mut()) {
            (Some(path), _) => files.push((path.trim().to_owned(), String::new())),
            (None, Some((_, content))) => {
                content.push_str(line);
                content.push('\n');
            }
            (None, None) => assert!(line.trim().is_empty(), "`{line}` stands before the first `## path`"),
        }
    }
    files
}
