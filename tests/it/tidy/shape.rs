//! How long files and functions are, and what they are called.

use syn::{FnArg, ImplItemFn, ItemFn, Signature, TraitItemFn, spanned::Spanned as _, visit::Visit};

use super::{assert_none, files, root};

const LONGEST_FILE: usize = 500;
const LONGEST_FUNCTION: usize = 70;
const MOST_FUNCTIONS: usize = 40;
const MOST_PARAMETERS: usize = 5;
const EMPTY_WORDS: &[&str] = &["util", "utils", "helper", "helpers", "manager", "common"];

/// A function: where it is, its lines without documentation, its parameters beside `self`.
struct Function {
    place: String,
    lines: usize,
    parameters: usize,
}

struct Functions<'a> {
    file: &'a str,
    found: Vec<Function>,
}

impl Functions<'_> {
    fn note(&mut self, signature: &Signature, end: proc_macro2::LineColumn) {
        let start = signature.span().start().line;
        let parameters = signature.inputs.iter().filter(|input| matches!(input, FnArg::Typed(_))).count();
        let place = format!("{}:{start} {}", self.file, signature.ident);
        self.found.push(Function { place, lines: end.line + 1 - start, parameters });
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, node: &'ast ItemFn) {
        self.note(&node.sig, node.block.span().end());
        syn::visit::visit_item_fn(self, node);
    }

    fn visit_impl_item_fn(&mut self, node: &'ast ImplItemFn) {
        self.note(&node.sig, node.block.span().end());
        syn::visit::visit_impl_item_fn(self, node);
    }

    fn visit_trait_item_fn(&mut self, node: &'ast TraitItemFn) {
        let end = node.default.as_ref().map_or_else(|| node.sig.span().end(), |block| block.span().end());
        self.note(&node.sig, end);
        syn::visit::visit_trait_item_fn(self, node);
    }
}

fn functions() -> Vec<Function> {
    let mut all = Vec::new();
    for (name, text) in files(&["rs"]) {
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut functions = Functions { file: &name, found: Vec::new() };
        functions.visit_file(&file);
        all.extend(functions.found);
    }
    all
}

#[test]
fn no_file_is_longer_than_500_lines() {
    let long = |(name, text): &(String, String)| {
        let lines = text.lines().count();
        (lines > LONGEST_FILE).then(|| format!("{name} has {lines} lines"))
    };
    assert_none(&files(&["rs", "md", "toml"]).iter().filter_map(long).collect::<Vec<_>>());
}

#[test]
fn no_function_is_longer_than_70_lines_and_of_a_hundred_95_have_at_most_40() {
    let mut all = functions();
    all.sort_by_key(|function| std::cmp::Reverse(function.lines));
    let longest = all.iter().filter(|function| function.lines > LONGEST_FUNCTION);
    let mut violations: Vec<String> =
        longest.map(|function| format!("{} has {} lines", function.place, function.lines)).collect();
    let at_95 = &all[all.len() / 20];
    if at_95.lines > MOST_FUNCTIONS {
        violations.push(format!("one function in twenty has {} lines or more: {}", at_95.lines, at_95.place));
    }
    assert_none(&violations);
}

#[test]
fn no_function_takes_more_than_5_parameters() {
    let many = |function: &Function| {
        (function.parameters > MOST_PARAMETERS).then(|| format!("{} takes {} parameters", function.place, function.parameters))
    };
    assert_none(&functions().iter().filter_map(many).collect::<Vec<_>>());
}

#[test]
fn no_file_or_folder_has_a_name_that_says_nothing() {
    let empty = |(name, _): &(String, String)| {
        let says_nothing = |part: &str| EMPTY_WORDS.contains(&part.trim_end_matches(".rs"));
        name.split('/').any(says_nothing).then(|| name.clone())
    };
    let mut violations: Vec<String> = files(&["rs"]).iter().filter_map(empty).collect();
    for (name, text) in files(&["rs"]) {
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for item in &file.items {
            if let syn::Item::Mod(module) = item
                && EMPTY_WORDS.contains(&module.ident.to_string().as_str())
            {
                violations.push(format!("{name}: mod {}", module.ident));
            }
        }
    }
    assert_none(&violations);
}

#[test]
fn every_file_opens_with_why_it_exists() {
    let silent = |(name, text): &(String, String)| (!text.starts_with("//! ")).then(|| name.clone());
    assert_none(&files(&["rs"]).iter().filter_map(silent).collect::<Vec<_>>());
}

#[test]
fn the_top_level_has_what_it_is_to_have_and_the_readme_is_short() {
    let known = ["Cargo.toml", "Cargo.lock", "orchestrator", "worker", "shared", "plans", "tests", "README.md", "target"];
    let entries = std::fs::read_dir(root()).expect("it can be read");
    let names = entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned());
    let foreign = |name: &String| !(known.contains(&name.as_str()) || name.starts_with('.') || name.starts_with("LICENSE"));
    let mut violations: Vec<String> = names.filter(foreign).collect();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap_or_default();
    if readme.lines().count() > 150 {
        violations.push(format!("README.md has {} lines", readme.lines().count()));
    }
    assert_none(&violations);
}
