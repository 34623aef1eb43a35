//! The packages of a repository by their `Cargo.toml`: where their crates begin, and by what names they are used.

use std::collections::{BTreeMap, HashMap};

use toml_edit::{Document, Item, TableLike};

use super::super::super::tree::{FileAt, Tree, ending, file_name, folder, join};

/// One package.
pub(super) struct Package {
    /// The root file of its library.
    pub(super) library: Option<FileAt>,
    /// The root files of all its crates, the library first.
    pub(super) roots: Vec<FileAt>,
    /// The name that code gives to a crate → the name of its package, for dependencies with another name.
    renamed: BTreeMap<String, String>,
}

/// All packages of the repository.
pub(super) struct Packages {
    pub(super) all: Vec<Package>,
    /// Library and package names, with `_` for `-`.
    by_name: HashMap<String, usize>,
    /// The root file of a crate → its package.
    by_root: HashMap<FileAt, usize>,
}

impl Packages {
    /// Reads every `Cargo.toml`. One that does not parse is skipped.
    pub(super) fn of(tree: &Tree) -> Self {
        let mut packages = Self { all: Vec::new(), by_name: HashMap::new(), by_root: HashMap::new() };
        let mut shared_names = BTreeMap::new();
        for at in tree.named("Cargo.toml") {
            let Some(manifest) = tree.text(at).and_then(|text| Document::parse(text).ok()) else { continue };
            if let Some(workspace) = table(manifest.as_item(), "workspace") {
                shared_names.extend(renamed(workspace));
            }
            packages.add(tree, folder(tree.path(at)), manifest.as_item());
        }
        for package in &mut packages.all {
            for (name, package_name) in &shared_names {
                package.renamed.entry(name.clone()).or_insert_with(|| package_name.clone());
            }
        }
        packages
    }

    fn add(&mut self, tree: &Tree, folder: &str, manifest: &Item) {
        let Some(name) = table(manifest, "package").and_then(|package| text(package, "name")) else { return };
        let library = table(manifest, "lib");
        let library_name = library.and_then(|library| text(library, "name"));
        let library = library.and_then(|library| text(library, "path")).unwrap_or_else(|| "src/lib.rs".to_owned());
        let library = join(folder, &library).and_then(|path| tree.find(&path));
        let mut roots: Vec<FileAt> = library.into_iter().chain(named_targets(tree, folder, manifest)).collect();
        roots.extend(usual_targets(tree, folder));
        let at = self.all.len();
        for root in &roots {
            self.by_root.entry(*root).or_insert(at);
        }
        for name in [Some(name), library_name].into_iter().flatten() {
            self.by_name.entry(name.replace('-', "_")).or_insert(at);
        }
        let renamed = manifest.as_table_like().map(renamed).unwrap_or_default();
        self.all.push(Package { library, roots, renamed });
    }

    /// The library that a crate with this root means by `name`.
    pub(super) fn library(&self, root: FileAt, name: &str) -> Option<FileAt> {
        let own = self.by_root.get(&root).map(|&at| &self.all[at]);
        let package_name = own.and_then(|package| package.renamed.get(name)).map_or(name, String::as_str);
        self.by_name.get(&package_name.replace('-', "_")).and_then(|&at| self.all[at].library)
    }
}

/// `[[bin]]` and its like, with a `path`.
fn named_targets(tree: &Tree, folder: &str, manifest: &Item) -> Vec<FileAt> {
    let tables = ["bin", "test", "bench", "example"].into_iter().filter_map(|kind| manifest.get(kind)?.as_array_of_tables());
    let paths = tables.flat_map(|tables| tables.iter()).filter_map(|target| text(target, "path"));
    paths.filter_map(|path| tree.find(&join(folder, &path)?)).collect()
}

/// Where cargo looks by itself.
fn usual_targets(tree: &Tree, folder: &str) -> Vec<FileAt> {
    let below = |path: &str| join(folder, path).unwrap_or_default();
    let mut roots: Vec<FileAt> = ["src/main.rs", "build.rs"].iter().filter_map(|path| tree.find(&below(path))).collect();
    for kind in ["src/bin", "tests", "benches", "examples"] {
        let prefix = below(kind);
        roots.extend(tree.in_folder(&prefix).iter().copied().filter(|&at| ending(tree.path(at)) == "rs"));
        let mains = tree.below(&prefix).filter(|&at| {
            let path = tree.path(at);
            file_name(path) == "main.rs" && self::folder(self::folder(path)) == prefix
        });
        roots.extend(mains);
    }
    roots
}

/// Dependencies whose name in the code is not that of their package.
fn renamed(holder: &dyn TableLike) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let Some(dependencies) = holder.get(kind).and_then(Item::as_table_like) else { continue };
        for (name, dependency) in dependencies.iter() {
            if let Some(package) = dependency.as_table_like().and_then(|dependency| text(dependency, "package")) {
                names.insert(name.replace('-', "_"), package);
            }
        }
    }
    names
}

fn table<'a>(holder: &'a Item, name: &str) -> Option<&'a dyn TableLike> {
    holder.get(name)?.as_table_like()
}

fn text(table: &dyn TableLike, name: &str) -> Option<String> {
    table.get(name)?.as_str().map(str::to_owned)
}
