//! Go: an import names a folder, and a package is all the files in it.
//!
//! Why not an edge to each file of the package? Two tasks that share a package would look tied to everything that imports it. So an
//! import leads to the files that declare the exported names which the importing file uses; where none is known (a blank or dot
//! import) to one file that stands for the package.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    super::tree::{FileAt, Tree, ending, file_name, folder},
    Facts, Found, Import, imports, unquoted,
};

pub(super) const QUERY: &str = r"
(import_spec) @import
(selector_expression operand: (identifier) field: (field_identifier)) @use
(qualified_type) @use
(function_declaration name: (identifier) @declared)
(type_spec name: (type_identifier) @declared)
(type_alias name: (type_identifier) @declared)
(source_file (const_declaration (const_spec name: (identifier) @declared)))
(source_file (var_declaration (var_spec name: (identifier) @declared)))
(source_file (var_declaration (var_spec_list (var_spec name: (identifier) @declared))))
";

pub(super) fn facts(found: &[Found]) -> Facts {
    let mut used: HashMap<&str, BTreeSet<String>> = HashMap::new();
    let mut facts = Facts::default();
    for found in found {
        match found.what {
            "use" => {
                if let Some((package, name)) = found.text().split_once('.').filter(|(_, name)| is_exported(name)) {
                    used.entry(package.trim()).or_default().insert(name.trim().to_owned());
                }
            }
            "declared" if is_exported(found.text()) => drop(facts.declares.insert(found.text().to_owned())),
            _ => {}
        }
    }
    for found in found.iter().filter(|found| found.what == "import") {
        let field = |name| found.node.child_by_field_name(name).map(|node| found.text_of(node));
        let Some(path) = field("path").and_then(unquoted) else { continue };
        let called = field("name").map_or_else(|| likely_names(path), |alias| vec![alias.to_owned()]);
        let names = called.iter().filter_map(|name| used.get(name.as_str())).flatten().cloned().collect();
        facts.imports.insert(Import::Go { path: path.to_owned(), names });
    }
    facts
}

fn is_exported(name: &str) -> bool {
    name.trim_start().starts_with(char::is_uppercase)
}

/// What a package is probably called where its import does not say: `x/go-yaml/v3` is `yaml`, `x/gopkg.v2` is `gopkg`.
fn likely_names(path: &str) -> Vec<String> {
    let is_version = |part: &&str| part.strip_prefix('v').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    let Some(last) = path.rsplit('/').find(|part| !is_version(part)) else { return Vec::new() };
    let bare = last.split_once('.').map_or(last, |(name, _)| name);
    let trimmed = bare.trim_start_matches("go-").trim_end_matches("-go");
    let mut names: Vec<String> = [last, bare, trimmed].map(str::to_owned).into();
    names.push(bare.replace('-', "_"));
    names.push(bare.replace('-', ""));
    names.dedup();
    names
}

pub(super) fn edges(tree: &Tree, facts: &[Option<Facts>]) -> BTreeSet<(FileAt, FileAt)> {
    let modules = modules(tree);
    let mut edges = BTreeSet::new();
    for (from, import) in imports(facts) {
        let Import::Go { path, names } = import else { continue };
        let Some(package) = package_of(&modules, path).map(|folder| files_of(tree, &folder)) else { continue };
        let declares = |at: &FileAt| facts[*at].as_ref().is_some_and(|facts| !facts.declares.is_disjoint(names));
        let declaring: Vec<FileAt> = package.iter().copied().filter(declares).collect();
        let targets = if declaring.is_empty() { representative(tree, &package).into_iter().collect() } else { declaring };
        edges.extend(targets.into_iter().map(|to| (from, to)));
    }
    edges
}

/// Module path to folder, out of every `go.mod`.
fn modules(tree: &Tree) -> BTreeMap<String, String> {
    let read = |at: FileAt| {
        let text = tree.text(at)?;
        let name = text.lines().find_map(|line| line.trim().strip_prefix("module "))?;
        Some((name.trim().trim_matches('"').to_owned(), folder(tree.path(at)).to_owned()))
    };
    tree.named("go.mod").into_iter().rev().filter_map(read).collect()
}

/// The folder of an import path, by the longest module path that it begins with.
fn package_of(modules: &BTreeMap<String, String>, path: &str) -> Option<String> {
    let prefixes = std::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(prefix, _)| prefix));
    let (module, root) = { prefixes }.find_map(|prefix| modules.get_key_value(prefix))?;
    let below = path[module.len()..].trim_start_matches('/');
    Some([root.as_str(), below].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("/"))
}

fn files_of(tree: &Tree, folder: &str) -> Vec<FileAt> {
    let is_source = |at: &FileAt| ending(tree.path(*at)) == "go" && !tree.path(*at).ends_with("_test.go");
    tree.in_folder(folder).iter().copied().filter(is_source).collect()
}

/// `doc.go`, or the file named like its folder, or the first.
fn representative(tree: &Tree, package: &[FileAt]) -> Option<FileAt> {
    let name_of = |at: FileAt| file_name(tree.path(at)).trim_end_matches(".go");
    let folder_name = |at: FileAt| file_name(folder(tree.path(at)));
    let doc = package.iter().copied().find(|&at| name_of(at) == "doc");
    doc.or_else(|| package.iter().copied().find(|&at| name_of(at) == folder_name(at))).or_else(|| package.first().copied())
}
