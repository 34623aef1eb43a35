//! Rust: what a file says about modules and paths. Which files those are is decided in [`modules`].

mod modules;
mod packages;

pub(super) use modules::edges;

use tree_sitter::Node;

use super::{Facts, Found, Import, unquoted};

pub(super) const QUERY: &str = r"
(mod_item body: (_)) @inline
(mod_item !body name: (identifier)) @module
(attribute_item (attribute) @attribute)
(use_declaration argument: (_) @use)
(extern_crate_declaration name: (identifier) @extern)
(scoped_identifier) @path
(scoped_type_identifier) @path
";

/// How deep braces within a `use` are followed; deeper ones are nobody's code.
const MAX_NESTING: usize = 32;

/// Captures come in the order of the text, the outer before the inner: what begins before `taken` is part of something seen already.
pub(super) fn facts(found: &[Found]) -> Facts {
    let mut facts = Facts::default();
    let mut inline: Vec<(usize, String)> = Vec::new();
    let mut path_attribute = None;
    let mut taken = 0;
    for found in found {
        let start = found.node.start_byte();
        inline.retain(|(end, _)| start < *end);
        let inside = || inline.iter().map(|(_, name)| name.clone()).collect::<Vec<_>>();
        match found.what {
            "inline" => {
                let name = found.node.child_by_field_name("name").map(|name| found.text_of(name).to_owned());
                inline.push((found.node.end_byte(), name.unwrap_or_default()));
            }
            "attribute" => {
                path_attribute = path_of_attribute(found.text()).map(str::to_owned);
                facts.has_tests |= is_test_attribute(found.text());
                taken = found.node.end_byte();
            }
            "module" => {
                let name = found.node.child_by_field_name("name").map(|name| found.text_of(name).to_owned());
                let import = Import::RustModule { inside: inside(), name: name.unwrap_or_default(), path: path_attribute.take() };
                facts.imports.insert(import);
            }
            _ if start < taken => {}
            "use" => {
                taken = found.node.end_byte();
                let mut uses = Uses { found, inside: inside(), imports: &mut facts.imports };
                uses.expand(found.node, &[], 0);
            }
            _ => {
                taken = found.node.end_byte();
                facts.imports.extend(plain_path(found.text()).map(|path| Import::RustPath {
                    inside: inside(),
                    path,
                    name: None,
                }));
            }
        }
    }
    facts
}

/// `path = "x.rs"`
fn path_of_attribute(text: &str) -> Option<&str> {
    unquoted(text.strip_prefix("path")?.trim_start().strip_prefix('=')?.trim())
}

/// `test`, `tokio::test`, `rstest` and their like; not `cfg(test)`, which may only declare a module.
fn is_test_attribute(text: &str) -> bool {
    let name = text.split(['(', ' ']).next().unwrap_or_default();
    matches!(name.rsplit("::").next(), Some("test" | "rstest" | "test_case" | "quickcheck"))
}

/// A path in an expression or a type that may lead into another file: at least two components, the first a module or a crate.
fn plain_path(text: &str) -> Option<Vec<String>> {
    let text = text.split('<').next()?.trim_start_matches("::");
    let path: Vec<String> = text.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect();
    let first = path.first()?;
    let leads_on =
        first.starts_with(|c: char| c.is_lowercase() || c == '_') && !matches!(first.as_str(), "std" | "core" | "alloc");
    (path.len() > 1 && leads_on).then_some(path)
}

/// Takes a `use` with braces apart.
struct Uses<'a, 'f> {
    found: &'f Found<'a>,
    inside: Vec<String>,
    imports: &'f mut std::collections::BTreeSet<Import>,
}

impl Uses<'_, '_> {
    fn expand(&mut self, node: Node, prefix: &[String], depth: usize) {
        if depth > MAX_NESTING {
            return;
        }
        match node.kind() {
            "scoped_use_list" => {
                let path = node.child_by_field_name("path").map_or_else(|| prefix.to_vec(), |path| self.extend(prefix, path));
                if let Some(list) = node.child_by_field_name("list") {
                    self.expand(list, &path, depth + 1);
                }
            }
            "use_list" => {
                let mut cursor = node.walk();
                for child in node.named_children(&mut cursor) {
                    self.expand(child, prefix, depth + 1);
                }
            }
            "use_as_clause" => {
                let path = node.child_by_field_name("path").map_or_else(|| prefix.to_vec(), |path| self.extend(prefix, path));
                let alias = node.child_by_field_name("alias").map(|alias| self.found.text_of(alias).to_owned());
                self.push(path, alias);
            }
            "use_wildcard" => {
                let mut path = node.named_child(0).map_or_else(|| prefix.to_vec(), |path| self.extend(prefix, path));
                path.push("*".to_owned());
                self.push(path, None);
            }
            _ => {
                let mut path = self.extend(prefix, node);
                if !prefix.is_empty() && path.last().is_some_and(|last| last == "self") {
                    path.pop();
                }
                let name = path.last().cloned();
                self.push(path, name);
            }
        }
    }

    fn extend(&self, prefix: &[String], node: Node) -> Vec<String> {
        let parts = self.found.text_of(node).split("::").map(|part| part.trim().to_owned());
        prefix.iter().cloned().chain(parts.filter(|part| !part.is_empty())).collect()
    }

    fn push(&mut self, path: Vec<String>, name: Option<String>) {
        let is_ours = !matches!(path.first().map(String::as_str), None | Some("std" | "core" | "alloc"));
        if is_ours {
            self.imports.insert(Import::RustPath { inside: self.inside.clone(), path, name });
        }
    }
}
