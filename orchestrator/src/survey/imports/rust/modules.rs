//! Which file a Rust module is, and which module a path means.
//!
//! Each crate is walked from its root file along its `mod` declarations; a file can belong to several crates (`tests/common/mod.rs`).
//! A path leads to the file of its longest prefix that is a module, and, where that module has the next name from somewhere else
//! (`pub use plan::Plan`), to that file as well: a re-export is no place where the work is done.

use std::collections::{BTreeSet, HashMap};

use super::{
    super::{
        super::tree::{FileAt, Tree, file_name, folder, join},
        Facts, Import, imports,
    },
    packages::Packages,
};

/// How many re-exports are followed one after the other.
const MAX_HOPS: usize = 4;

/// A module of a crate: the crate's root file, and the path below `crate::`.
type Module = (FileAt, Vec<String>);

pub(in super::super) fn edges(tree: &Tree, facts: &[Option<Facts>]) -> BTreeSet<(FileAt, FileAt)> {
    let crates = Crates::walk(tree, facts);
    let mut edges = crates.declared.clone();
    for (from, import) in imports(facts) {
        let Import::RustPath { inside, path, .. } = import else { continue };
        for (root, here) in crates.modules_in.get(&from).into_iter().flatten() {
            let here = (*root, [here.as_slice(), inside].concat());
            for to in crates.targets(&here, path, MAX_HOPS) {
                edges.insert((from, to));
            }
        }
    }
    edges
}

struct Crates<'a> {
    facts: &'a [Option<Facts>],
    packages: Packages,
    files: HashMap<Module, FileAt>,
    modules_in: HashMap<FileAt, Vec<Module>>,
    /// From a file to those that its `mod` declarations name.
    declared: BTreeSet<(FileAt, FileAt)>,
}

impl<'a> Crates<'a> {
    fn walk(tree: &Tree, facts: &'a [Option<Facts>]) -> Self {
        let packages = Packages::of(tree);
        let mut crates = Self { facts, packages, files: HashMap::new(), modules_in: HashMap::new(), declared: BTreeSet::new() };
        let roots: BTreeSet<FileAt> = crates.packages.all.iter().flat_map(|package| package.roots.iter().copied()).collect();
        for &root in &roots {
            let mut open = vec![(root, Vec::new())];
            while let Some((file, module)) = open.pop() {
                let known = crates.modules_in.entry(file).or_default();
                if known.iter().any(|(other, _)| *other == root) {
                    continue;
                }
                known.push((root, module.clone()));
                crates.files.insert((root, module.clone()), file);
                for (name, child) in children(tree, facts, file, file == root) {
                    crates.declared.insert((file, child));
                    open.push((child, [module.as_slice(), &name].concat()));
                }
            }
        }
        crates
    }

    /// The files that a path means, written in this module.
    fn targets(&self, here: &Module, path: &[String], hops: usize) -> Vec<FileAt> {
        let Some((root, full)) = self.absolute(here, path) else { return Vec::new() };
        let Some((file, depth)) = self.longest_prefix(root, &full) else { return Vec::new() };
        let mut targets = vec![file];
        if let Some(name) = full.get(depth).filter(|_| hops > 0) {
            let module = (root, full[..depth].to_vec());
            for origin in self.re_exports(file, name).filter(|origin| *origin != path) {
                targets.extend(self.targets(&module, origin, hops - 1));
            }
        }
        targets
    }

    /// The paths by which a file has this name from elsewhere.
    fn re_exports(&self, file: FileAt, wanted: &str) -> impl Iterator<Item = &'a [String]> {
        let imports = self.facts[file].iter().flat_map(|facts| &facts.imports);
        imports.filter_map(move |import| match import {
            Import::RustPath { inside, path, name: Some(name) } if inside.is_empty() && name == wanted => Some(path.as_slice()),
            _ => None,
        })
    }

    /// The crate that a path leads into, and the path below its root.
    fn absolute(&self, here: &Module, path: &[String]) -> Option<Module> {
        let (root, here) = here;
        let (first, rest) = path.split_first()?;
        let mut base = here.clone();
        match first.as_str() {
            "crate" | "$crate" => return Some((*root, rest.to_vec())),
            "self" => base.extend_from_slice(rest),
            "super" => {
                let ups = path.iter().take_while(|part| *part == "super").count();
                base.truncate(base.len().checked_sub(ups)?);
                base.extend_from_slice(&path[ups..]);
            }
            name => {
                base.push(name.to_owned());
                if !self.files.contains_key(&(*root, base.clone())) {
                    return self.packages.library(*root, name).map(|library| (library, rest.to_vec()));
                }
                base.extend_from_slice(rest);
            }
        }
        Some((*root, base))
    }

    fn longest_prefix(&self, root: FileAt, path: &[String]) -> Option<(FileAt, usize)> {
        let at = |depth: usize| self.files.get(&(root, path[..depth].to_vec())).map(|&file| (file, depth));
        (0..=path.len()).rev().find_map(at)
    }
}

/// The modules that a file declares in files of their own: path below the module, file.
fn children(tree: &Tree, facts: &[Option<Facts>], file: FileAt, is_root: bool) -> Vec<(Vec<String>, FileAt)> {
    let path = tree.path(file);
    let beside = folder(path);
    let own = if is_root || file_name(path) == "mod.rs" { beside.to_owned() } else { path.trim_end_matches(".rs").to_owned() };
    let imports = facts[file].iter().flat_map(|facts| &facts.imports);
    let child = |import: &Import| {
        let Import::RustModule { inside, name, path } = import else { return None };
        let below = join(&own, &inside.join("/"))?;
        let places = match path {
            Some(path) if inside.is_empty() => vec![join(beside, path)?],
            Some(path) => vec![join(&below, path)?],
            None => vec![join(&below, &format!("{name}.rs"))?, join(&below, &format!("{name}/mod.rs"))?],
        };
        Some(([inside.as_slice(), std::slice::from_ref(name)].concat(), tree.first(&places)?))
    };
    imports.filter_map(child).collect()
}
