//! Lock files: what a tool has resolved, which both sides may only have added to.
//!
//! Two sets of additions that know nothing of each other are united, entry by entry. All else is a new question to the tool: a
//! conflict that says which command answers it.
//!
//! **Invariant:** a lock is merged only where both sides hold all that the base held, unchanged, and no package comes out in more
//! versions than a side has it.

use std::collections::BTreeMap;

use super::{
    Reader,
    data::Data,
    json, toml,
    tree::{Entry, Group, Shape, Value},
    yaml,
};

/// The tool that makes a lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regenerator {
    /// What it is told, where there is no network.
    pub offline: &'static str,
    /// What it is told where there is.
    pub online: &'static str,
    /// What it reads: files of these names beside the lock file or below it.
    pub manifests: &'static [&'static str],
}

/// One kind of lock file.
struct Kind {
    name: &'static str,
    tool: Regenerator,
    /// How it is read; nothing where it cannot be merged entry by entry.
    reader: Option<Reader>,
}

const JSON: Option<Reader> = Some(Reader { parse: json::parse, data: json::data });
const TOML: Option<Reader> = Some(Reader { parse: packages, data: toml::data });
const YAML: Option<Reader> = Some(Reader { parse: yaml::parse, data: yaml::data });
const STANZAS: Option<Reader> = Some(Reader { parse: stanzas, data: stanza_data });

const fn kind(
    name: &'static str,
    reader: Option<Reader>,
    [offline, online]: [&'static str; 2],
    manifests: &'static [&'static str],
) -> Kind {
    Kind { name, tool: Regenerator { offline, online, manifests }, reader }
}

const NPM: [&str; 2] = [
    "npm install --package-lock-only --ignore-scripts --no-audit --no-fund --offline",
    "npm install --package-lock-only --ignore-scripts --no-audit --no-fund",
];

const KINDS: &[Kind] = &[
    kind("Cargo.lock", TOML, ["cargo update --workspace --offline", "cargo update --workspace"], &["Cargo.toml"]),
    kind("package-lock.json", JSON, NPM, &["package.json"]),
    kind("npm-shrinkwrap.json", JSON, NPM, &["package.json"]),
    kind("yarn.lock", STANZAS, ["yarn install --offline --ignore-scripts", "yarn install --ignore-scripts"], &["package.json"]),
    kind(
        "pnpm-lock.yaml",
        YAML,
        ["pnpm install --lockfile-only --offline", "pnpm install --lockfile-only"],
        &["package.json", "pnpm-workspace.yaml"],
    ),
    kind("bun.lock", JSON, ["bun install --lockfile-only", "bun install --lockfile-only"], &["package.json"]),
    // The hash of the manifest in it is the tool's to make.
    kind("poetry.lock", None, ["poetry lock --no-update", "poetry lock --no-update"], &["pyproject.toml"]),
    kind("uv.lock", TOML, ["uv lock --offline", "uv lock"], &["pyproject.toml", "uv.toml"]),
    kind("Pipfile.lock", None, ["pipenv lock --keep-outdated", "pipenv lock --keep-outdated"], &["Pipfile"]),
    kind("go.sum", None, ["GOFLAGS=-mod=mod GOPROXY=off go mod tidy", "go mod tidy"], &["go.mod"]),
    kind("Gemfile.lock", None, ["bundle lock --local", "bundle lock"], &["Gemfile", "*.gemspec"]),
    kind(
        "composer.lock",
        None,
        ["composer update --lock --no-install", "composer update --lock --no-install"],
        &["composer.json"],
    ),
    kind("flake.lock", JSON, ["nix flake lock --offline", "nix flake lock"], &["flake.nix"]),
    kind("mix.lock", None, ["mix deps.get", "mix deps.get"], &["mix.exs"]),
    kind("Podfile.lock", None, ["pod install", "pod install"], &["Podfile"]),
    kind("pubspec.lock", YAML, ["dart pub get --offline", "dart pub get"], &["pubspec.yaml"]),
];

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn kind_of(path: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name_of(path))
}

/// The tool that makes this file anew, if it is a lock file.
#[must_use]
pub fn regenerator(path: &str) -> Option<Regenerator> {
    kind_of(path).map(|kind| kind.tool.clone())
}

/// Whose a lock file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Only ours changed a manifest: the lock file is as ours has it.
    Ours,
    /// Only theirs did.
    Theirs,
    /// Both did: the tool has to say.
    Both,
    /// Neither did: both resolved anew, each to its own.
    Nobody,
}

/// Which side a lock file is taken from, by the paths that each side changed.
#[must_use]
pub fn lock_owner(lock: &str, ours: &[&str], theirs: &[&str]) -> Option<Owner> {
    let manifests = kind_of(lock)?.tool.manifests;
    let folder = lock.strip_suffix(name_of(lock)).unwrap_or_default();
    let is_manifest = |path: &&str| {
        let is_named = |name: &&str| name.strip_prefix('*').map_or(*name_of(path) == **name, |end| path.ends_with(end));
        path.starts_with(folder) && manifests.iter().any(is_named)
    };
    Some(match (ours.iter().any(is_manifest), theirs.iter().any(is_manifest)) {
        (true, true) => Owner::Both,
        (true, false) => Owner::Ours,
        (false, true) => Owner::Theirs,
        (false, false) => Owner::Nobody,
    })
}

/// How a lock file is read, and what to do where it cannot be merged. Sums of modules are a list.
pub(super) fn reader(path: &str) -> Option<(Option<Reader>, String)> {
    let kind = kind_of(path).filter(|kind| kind.name != "go.sum")?;
    Some((kind.reader, format!("it is to be made anew: `{}`", kind.tool.online)))
}

/// Whether both sides only added, and each package comes out in no more versions than a side has it.
pub(super) fn is_only_more(base: Option<&Data>, ours: &Data, theirs: &Data, merged: &Data) -> bool {
    let kept = base.is_none_or(|base| is_within(base, ours) && is_within(base, theirs));
    let (ours, theirs) = (versions(ours), versions(theirs));
    let most = |name: &String| ours.get(name).copied().max(theirs.get(name).copied()).unwrap_or_default();
    kept && versions(merged).iter().all(|(name, count)| *count <= most(name))
}

/// Whether all that is said in one is said in the other.
fn is_within(small: &Data, large: &Data) -> bool {
    match (small, large) {
        (Data::Map(small), Data::Map(large)) => {
            small.iter().all(|(key, value)| large.get(key).is_some_and(|other| is_within(value, other)))
        }
        (Data::List(small), Data::List(large)) => {
            let there: std::collections::BTreeSet<&Data> = large.iter().collect();
            small.iter().all(|value| there.contains(value) || large.iter().any(|other| is_within(value, other)))
        }
        _ => small == large,
    }
}

/// In how many versions each package is there.
fn versions(data: &Data) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    if let Data::Map(map) = data
        && let Some(Data::List(packages)) = map.get("package")
    {
        for package in packages {
            if let Data::Map(package) = package
                && let Some(Data::Leaf(name)) = package.get("name")
            {
                *counts.entry(name.clone()).or_default() += 1;
            }
        }
    }
    counts
}

/// A lock file of tables, whose packages go by name and version.
fn packages(text: &str) -> Option<Group> {
    let mut document = toml::parse(text)?;
    for entry in &mut document.entries {
        if let Value::Group(list) = &mut entry.value
            && list.shape == Shape::List
        {
            list.entries.iter_mut().for_each(|package| {
                let of = |key| package.field(key).map(Value::text).unwrap_or_default();
                package.key = format!("{} {}", of("name"), of("version"));
            });
        }
    }
    Some(document)
}

/// A lock file of stanzas between empty lines, each with what it is about on its first line.
fn stanzas(text: &str) -> Option<Group> {
    let text = super::list::with_end(text);
    let (mut entries, mut lead) = (Vec::<Entry>::new(), String::new());
    let mut is_open = false;
    for line in text.split_inclusive('\n') {
        if line.trim().is_empty() || line.starts_with('#') {
            lead.push_str(line);
            is_open = false;
        } else if line.starts_with([' ', '\t']) && is_open {
            let Some(Entry { value: Value::Leaf(body), .. }) = entries.last_mut() else { return None };
            body.push_str(line);
        } else {
            is_open = !line.starts_with([' ', '\t']);
            is_open.then_some(())?;
            let none = String::new;
            let (key, head) = (line.trim_end().to_owned(), line.to_owned());
            let lead = std::mem::take(&mut lead);
            entries.push(Entry { key, lead, head, value: Value::Leaf(none()), trail: none(), after: none() });
        }
    }
    let mut seen = std::collections::HashSet::new();
    let is_unique = entries.iter().all(|entry| seen.insert(entry.key.clone()));
    is_unique.then(|| Group::block(Shape::Map, entries, lead))
}

fn stanza_data(text: &str) -> Option<Data> {
    let group = stanzas(text)?;
    Some(Data::Map(group.entries.iter().map(|entry| (entry.key.clone(), Data::Leaf(entry.value.text()))).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_belongs_to_the_side_that_changed_a_manifest() {
        let owner = |lock, ours: &[&str], theirs: &[&str]| lock_owner(lock, ours, theirs);
        assert_eq!(owner("Cargo.lock", &["crates/a/Cargo.toml"], &["src/lib.rs"]), Some(Owner::Ours));
        assert_eq!(owner("Cargo.lock", &["a.rs"], &["Cargo.toml"]), Some(Owner::Theirs));
        assert_eq!(owner("Cargo.lock", &["Cargo.toml"], &["crates/a/Cargo.toml"]), Some(Owner::Both));
        assert_eq!(owner("web/package-lock.json", &["package.json"], &["web/app/package.json"]), Some(Owner::Theirs));
        assert_eq!(owner("Gemfile.lock", &["shop.gemspec"], &[]), Some(Owner::Ours));
        assert_eq!(owner("Cargo.lock", &[], &["MyCargo.toml"]), Some(Owner::Nobody));
        assert_eq!(owner("src/lib.rs", &["Cargo.toml"], &[]), None);
    }

    #[test]
    fn every_lock_has_a_tool_that_reads_a_manifest() {
        for kind in KINDS {
            let tool = regenerator(&format!("a/{}", kind.name)).unwrap();
            assert!(!tool.offline.is_empty() && !tool.online.is_empty() && !tool.manifests.is_empty(), "{}", kind.name);
        }
        assert_eq!(regenerator("Cargo.toml"), None);
    }
}
