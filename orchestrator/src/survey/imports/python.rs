//! Python: a dotted name is looked for in each folder that Python itself would look in.
//!
//! Those are the folder that holds the importing file's outermost package, the folders above it, and the `src` of each. Within a
//! package the neighbours are *not* reachable by a bare name, so packages themselves are left out.

use std::collections::{BTreeSet, HashSet};

use super::{
    super::tree::{FileAt, Tree, ending, folder, join, upward},
    Facts, Found, Import, imports,
};

pub(super) const QUERY: &str = r"
(import_statement name: (dotted_name) @import)
(import_statement name: (aliased_import name: (dotted_name) @import))
(import_from_statement) @from
";

pub(super) fn facts(found: &[Found]) -> Facts {
    let imports = found.iter().filter_map(|found| match found.what {
        "import" => Some(Import::Python { level: 0, module: compact(found.text()), names: Vec::new() }),
        _ => from_import(found),
    });
    Facts { imports: imports.collect(), ..Facts::default() }
}

fn from_import(found: &Found) -> Option<Import> {
    let written = compact(found.text_of(found.node.child_by_field_name("module_name")?));
    let module = written.trim_start_matches('.');
    let mut cursor = found.node.walk();
    let names = found.node.children_by_field_name("name", &mut cursor);
    let names = names.map(|name| compact(found.text_of(name.child_by_field_name("name").unwrap_or(name)))).collect();
    Some(Import::Python { level: written.len() - module.len(), module: module.to_owned(), names })
}

/// `a . b` is `a.b`.
fn compact(name: &str) -> String {
    name.split_whitespace().collect()
}

pub(super) fn edges(tree: &Tree, facts: &[Option<Facts>]) -> BTreeSet<(FileAt, FileAt)> {
    let modules = Modules::of(tree);
    let mut edges = BTreeSet::new();
    for (from, import) in imports(facts) {
        let Import::Python { level, module, names } = import else { continue };
        let Some(base) = modules.base(folder(tree.path(from)), *level, module) else { continue };
        edges.extend(modules.targets(&base, module, names).into_iter().map(|to| (from, to)));
    }
    edges
}

struct Modules<'a> {
    tree: &'a Tree,
    /// Folders with Python below them, packages with and without an `__init__.py` alike.
    folders: HashSet<&'a str>,
}

impl<'a> Modules<'a> {
    fn of(tree: &'a Tree) -> Self {
        let sources = tree.files().iter().map(|file| file.path.as_str()).filter(|path| matches!(ending(path), "py" | "pyi"));
        Self { tree, folders: sources.flat_map(|path| upward(folder(path))).collect() }
    }

    /// The folder in which the first component of `module` is to be looked up.
    fn base(&self, here: &str, level: usize, module: &str) -> Option<String> {
        if level > 0 {
            return upward(here).nth(level - 1).map(str::to_owned);
        }
        let first = module.split('.').next()?;
        let is_package = |path: &str| self.file(&join_plain(path, "__init__")).is_some();
        let roots = upward(here).filter(|path| !is_package(path));
        let mut places = roots.flat_map(|root| [root.to_owned(), join_plain(root, "src")]);
        places.find(|place| self.is_module(&join_plain(place, first)))
    }

    /// The files that `from module import names` uses, seen from `base`: a submodule for each name that is one, else the module.
    fn targets(&self, base: &str, module: &str, names: &[String]) -> BTreeSet<FileAt> {
        let mut path = base.to_owned();
        let mut last = None;
        for part in module.split('.').filter(|part| !part.is_empty()) {
            let below = join_plain(&path, part);
            if !self.is_module(&below) {
                return last.into_iter().collect();
            }
            last = self.file(&below).or(last);
            path = below;
        }
        if module.is_empty() {
            last = self.file(&path);
        }
        let submodule = |name: &String| self.file(&join_plain(&path, name));
        let mut targets: BTreeSet<FileAt> = names.iter().filter_map(submodule).collect();
        if names.is_empty() || names.iter().any(|name| submodule(name).is_none()) {
            targets.extend(last);
        }
        targets
    }

    fn is_module(&self, path: &str) -> bool {
        self.folders.contains(path) || self.file(path).is_some()
    }

    /// The file of the module at this path (without an ending).
    fn file(&self, path: &str) -> Option<FileAt> {
        let spellings = ["/__init__.py", ".py", "/__init__.pyi", ".pyi"].map(|ending| format!("{path}{ending}"));
        self.tree.first(&spellings)
    }
}

fn join_plain(folder: &str, name: &str) -> String {
    join(folder, name).unwrap_or_default()
}
