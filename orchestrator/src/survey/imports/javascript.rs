//! JavaScript and TypeScript: a specifier is a relative path with its ending left out, a path alias of `tsconfig.json`, or a package
//! of the same repository.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    super::{
        json::read_json,
        tree::{FileAt, Tree, folder, join, upward},
    },
    Facts, Found, Import, imports, unquoted,
};

pub(super) const QUERY: &str = r#"
(import_statement source: (string) @source)
(export_statement source: (string) @source)
(call_expression function: (import) arguments: (arguments . (string) @source))
(call_expression function: (identifier) @function arguments: (arguments . (string) @source) (#eq? @function "require"))
"#;

pub(super) const TYPED_QUERY: &str = r#"
(import_statement source: (string) @source)
(import_require_clause source: (string) @source)
(export_statement source: (string) @source)
(call_expression function: (import) arguments: (arguments . (string) @source))
(call_expression function: (identifier) @function arguments: (arguments . (string) @source) (#eq? @function "require"))
"#;

/// What may be left out at the end of a specifier, in the order in which bundlers try.
const ENDINGS: &[&str] = &[".ts", ".tsx", ".d.ts", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".json", ".vue", ".svelte"];

/// TypeScript names the file that will be emitted; this is the one that is written.
const WRITTEN_AS: &[(&str, &[&str])] =
    &[(".js", &[".ts", ".tsx", ".d.ts"]), (".jsx", &[".tsx"]), (".mjs", &[".mts"]), (".cjs", &[".cts"])];

pub(super) fn facts(found: &[Found]) -> Facts {
    let sources = found.iter().filter(|found| found.what == "source").filter_map(|found| unquoted(found.text()));
    Facts { imports: sources.map(|source| Import::Script { source: source.to_owned() }).collect(), ..Facts::default() }
}

pub(super) fn edges(tree: &Tree, facts: &[Option<Facts>]) -> BTreeSet<(FileAt, FileAt)> {
    let specifiers = Specifiers { tree, packages: packages(tree), aliases: aliases(tree) };
    let mut edges = BTreeSet::new();
    for (from, import) in imports(facts) {
        let Import::Script { source } = import else { continue };
        edges.extend(specifiers.resolve(tree.path(from), source).map(|to| (from, to)));
    }
    edges
}

struct Specifiers<'a> {
    tree: &'a Tree,
    /// Name → folder and manifest.
    packages: BTreeMap<String, (String, Value)>,
    /// Folder of the `tsconfig.json` → its aliases.
    aliases: BTreeMap<String, Aliases>,
}

/// `baseUrl` and `paths` of one `tsconfig.json`.
struct Aliases {
    base: String,
    has_base_url: bool,
    /// What stands before and after the `*`, and the places to look in.
    paths: Vec<(String, Option<String>, Vec<String>)>,
}

impl Specifiers<'_> {
    fn resolve(&self, from: &str, source: &str) -> Option<FileAt> {
        let source = source.split(['?', '#']).next().filter(|bare| !bare.is_empty())?;
        if source.starts_with('.') {
            return self.file(&join(folder(from), source)?);
        }
        if source.starts_with('/') {
            return None;
        }
        let aliases = upward(folder(from)).find_map(|path| self.aliases.get(path));
        aliases.and_then(|aliases| self.aliased(aliases, source)).or_else(|| self.in_package(source))
    }

    fn aliased(&self, aliases: &Aliases, source: &str) -> Option<FileAt> {
        for (before, after, places) in &aliases.paths {
            let middle = match after {
                Some(after) => source.strip_prefix(before.as_str()).and_then(|rest| rest.strip_suffix(after.as_str())),
                None => (source == before).then_some(""),
            };
            let Some(middle) = middle else { continue };
            let mut files = places.iter().filter_map(|place| self.file(&join(&aliases.base, &place.replace('*', middle))?));
            if let Some(file) = files.next() {
                return Some(file);
            }
        }
        aliases.has_base_url.then(|| self.file(&join(&aliases.base, source)?)).flatten()
    }

    fn in_package(&self, source: &str) -> Option<FileAt> {
        let components = if source.starts_with('@') { 2 } else { 1 };
        let end = source.match_indices('/').nth(components - 1).map_or(source.len(), |(at, _)| at);
        let (root, manifest) = self.packages.get(&source[..end])?;
        let inside = source[end..].trim_start_matches('/');
        let named = exported(manifest, inside).into_iter();
        let guesses: Vec<String> = if inside.is_empty() {
            named.chain(entries(manifest)).collect()
        } else {
            named.chain([inside, &format!("src/{inside}")].map(str::to_owned)).collect()
        };
        guesses.iter().find_map(|guess| self.file(&join(root, guess)?))
    }

    /// The file that a path without its ending means: itself, with an ending, under its written name, or a folder's index.
    fn file(&self, path: &str) -> Option<FileAt> {
        if let Some(at) = self.tree.find(path) {
            return Some(at);
        }
        let written = WRITTEN_AS.iter().filter_map(|(emitted, written)| Some((path.strip_suffix(emitted)?, written)));
        let written = written.flat_map(|(stem, endings)| endings.iter().map(move |ending| format!("{stem}{ending}")));
        let longer = ENDINGS.iter().map(|ending| format!("{path}{ending}"));
        let index = ENDINGS.iter().filter_map(|ending| join(path, &format!("index{ending}")));
        written.chain(longer).chain(index).find_map(|path| self.tree.find(&path))
    }
}

/// The packages of the repository by name; the one nearest to the root wins.
fn packages(tree: &Tree) -> BTreeMap<String, (String, Value)> {
    let read = |at: FileAt| {
        let manifest = read_json(&tree.text(at)?)?;
        Some((manifest.get("name")?.as_str()?.to_owned(), (folder(tree.path(at)).to_owned(), manifest)))
    };
    tree.named("package.json").into_iter().rev().filter_map(read).collect()
}

/// What `exports` says of a subpath: the first text in its nested conditions.
fn exported(manifest: &Value, inside: &str) -> Option<String> {
    let exports = manifest.get("exports")?;
    let key = if inside.is_empty() { ".".to_owned() } else { format!("./{inside}") };
    let entry = exports.get(&key).or_else(|| (inside.is_empty() && exports.get(".").is_none()).then_some(exports))?;
    first_text(entry, 0)
}

fn first_text(value: &Value, depth: usize) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(conditions) if depth < 8 => conditions.values().find_map(|value| first_text(value, depth + 1)),
        _ => None,
    }
}

/// Where a package begins: as its manifest says, or, since that is often a build product, where sources usually begin.
fn entries(manifest: &Value) -> Vec<String> {
    let keys = ["source", "module", "main", "types"];
    let named = keys.iter().filter_map(|key| manifest.get(key)?.as_str().map(str::to_owned));
    named.chain(["src/index", "index", "lib/index"].map(str::to_owned)).collect()
}

fn aliases(tree: &Tree) -> BTreeMap<String, Aliases> {
    let configs = ["jsconfig.json", "tsconfig.base.json", "tsconfig.json"].into_iter().flat_map(|name| tree.named(name));
    configs.filter_map(|at| Some((folder(tree.path(at)).to_owned(), read_aliases(tree, at)?))).collect()
}

/// `None` where the configuration has no aliases of its own, so that one further up counts.
fn read_aliases(tree: &Tree, at: FileAt) -> Option<Aliases> {
    let config = read_json(&tree.text(at)?)?;
    let options = config.get("compilerOptions")?;
    let base_url = options.get("baseUrl").and_then(Value::as_str);
    let base = join(folder(tree.path(at)), base_url.unwrap_or("."))?;
    let read = |(pattern, places): (&String, &Value)| {
        let places = places.as_array()?.iter().filter_map(|place| place.as_str().map(str::to_owned)).collect();
        let (before, after) = pattern.split_once('*').map_or((pattern.as_str(), None), |(before, after)| (before, Some(after)));
        Some((before.to_owned(), after.map(str::to_owned), places))
    };
    let paths: Vec<_> = options.get("paths").and_then(Value::as_object).into_iter().flatten().filter_map(read).collect();
    (base_url.is_some() || !paths.is_empty()).then_some(Aliases { base, has_base_url: base_url.is_some(), paths })
}
