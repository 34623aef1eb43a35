//! What one file defines, and which names it uses.
//!
//! Definitions are what others can name: types, functions, methods, constants; the queries are in `*.scm`. Uses are identifiers, counted,
//! without asking what they mean: whose they are is decided where all files are known (`map`).
//!
//! **Invariant:** no text between quotes is kept: a signature shows that there is a string, never which.
//! **Invariant:** what is kept of a file is bounded, however long it is.
//!
//! Why not the grammars' own tags queries? They agree on neither names nor reach: some leave out constants, some types, some methods, and
//! none tells a test module from the code it tests.

mod signature;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tree_sitter::Node;

use super::{
    facts::Found,
    grammar::{Family, Grammar},
};

/// Definitions of one file past this are left out: such a file is made by a program.
const MAX_DEFINITIONS: usize = 1_000;
/// Different names that one file uses, past which further ones are left out.
const MAX_NAMES: usize = 4_000;
/// Shorter names say nothing.
const MIN_NAME: usize = 3;
/// Longer ones nobody writes.
const MAX_NAME: usize = 80;

/// What one file defines and uses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Symbols {
    /// In the order of the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) defines: Vec<Definition>,
    /// Identifiers, and how often each stands there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) uses: BTreeMap<String, u32>,
}

/// One definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// What it is called.
    #[serde(rename = "n")]
    pub name: String,
    /// What it is.
    #[serde(rename = "k")]
    pub kind: Kind,
    /// The line of its name, from one.
    #[serde(rename = "l")]
    pub line: u32,
    /// What it looks like from outside, in one line.
    #[serde(rename = "s")]
    pub signature: String,
    /// The type that it is a method of, where the signature does not tell.
    #[serde(rename = "o", default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// Whether it is meant for its own file only.
    #[serde(rename = "p", default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
}

/// What a definition defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A class, struct, enum, trait, interface or alias.
    Type,
    /// A function of its own.
    Function,
    /// A function of a type.
    Method,
    /// A constant, or a variable of a module.
    Constant,
    /// A macro.
    Macro,
}

impl Symbols {
    pub(super) fn is_empty(&self) -> bool {
        self.defines.is_empty() && self.uses.is_empty()
    }
}

/// How definitions are found.
pub(super) fn query(grammar: Grammar) -> String {
    let (script, typed) = (include_str!("javascript.scm"), include_str!("typescript.scm"));
    match grammar {
        Grammar::Rust => include_str!("rust.scm").to_owned(),
        Grammar::Python => include_str!("python.scm").to_owned(),
        Grammar::JavaScript => script.to_owned(),
        Grammar::TypeScript | Grammar::Tsx => format!("{script}{typed}"),
        Grammar::Go => include_str!("go.scm").to_owned(),
        Grammar::Java => include_str!("java.scm").to_owned(),
    }
}

/// What the captures of that query define, and what the tree uses.
pub(super) fn symbols(grammar: Grammar, found: &[Found], root: Node, source: &str) -> Symbols {
    Symbols { defines: definitions(grammar, found), uses: uses(root, source) }
}

/// What the definitions that follow lie in.
enum Around {
    /// A type, with its name.
    Type(String),
    /// Something whose content is its own affair.
    Closed,
}

/// Captures come in the order of the text, the outer before the inner.
fn definitions(grammar: Grammar, found: &[Found]) -> Vec<Definition> {
    let mut definitions: Vec<Definition> = Vec::new();
    let mut around: Vec<(usize, Around)> = Vec::new();
    let mut last = None;
    for found in found.iter().filter(|found| !found.what.starts_with('_')) {
        let node = found.node;
        around.retain(|(end, _)| node.start_byte() < *end);
        if around.iter().any(|(_, around)| matches!(around, Around::Closed)) || last.replace(node.id()) == Some(node.id()) {
            continue;
        }
        let owner = around.last().and_then(|(_, around)| if let Around::Type(name) = around { Some(name.clone()) } else { None });
        let definition = definition(grammar, found, owner.unwrap_or_default());
        around.push((node.end_byte(), within(found, definition.as_ref())));
        definitions.extend(definition);
        if definitions.len() == MAX_DEFINITIONS {
            break;
        }
    }
    definitions
}

fn within(found: &Found, definition: Option<&Definition>) -> Around {
    let implemented = || found.node.child_by_field_name("type").map(|name| found.text_of(name));
    match (found.what, definition) {
        ("owner", _) => Around::Type(implemented().map(bare).unwrap_or_default().to_owned()),
        ("type", Some(definition)) => Around::Type(definition.name.clone()),
        _ => Around::Closed,
    }
}

/// `Vec<T>` is `Vec`, `a::B` is `B`.
fn bare(name: &str) -> &str {
    let end = name.find('<').unwrap_or(name.len());
    let last = name[..end].rsplit("::").next().unwrap_or_default().trim();
    if last.len() <= MAX_NAME { last } else { "" }
}

fn definition(grammar: Grammar, found: &Found, owner: String) -> Option<Definition> {
    let kind = match found.what {
        "type" => Kind::Type,
        "function" if owner.is_empty() => Kind::Function,
        "function" => Kind::Method,
        "constant" => Kind::Constant,
        "macro" => Kind::Macro,
        _ => return None,
    };
    let node = name_of(found.node)?;
    let name = found.text_of(node);
    // An associated type is part of a trait, a constructor goes by the name of its class.
    let is_part = (kind == Kind::Type && grammar == Grammar::Rust && !owner.is_empty()) || name == "constructor";
    if !(MIN_NAME..=MAX_NAME).contains(&name.len()) || is_part || is_require(found) {
        return None;
    }
    let signature = signature::signature(found, kind, name);
    let private = is_private(grammar.family(), kind, name, &signature);
    let line = u32::try_from(node.start_position().row).unwrap_or(u32::MAX).saturating_add(1);
    Some(Definition { name: name.to_owned(), kind, line, signature, owner, private })
}

fn name_of(node: Node) -> Option<Node> {
    let field = |name| node.child_by_field_name(name);
    if let Some(name) = field("name") {
        return Some(name);
    }
    if let Some(declarator) = field("declarator") {
        return declarator.child_by_field_name("name");
    }
    let left = field("left")?;
    Some(left.child_by_field_name("property").unwrap_or(left))
}

/// `const x = require("x")` names what another file defines.
fn is_require(found: &Found) -> bool {
    found.node.child_by_field_name("value").is_some_and(|value| found.text_of(value).starts_with("require("))
}

fn is_private(family: Family, kind: Kind, name: &str, signature: &str) -> bool {
    let said = match family {
        Family::Rust => !matches!(kind, Kind::Method | Kind::Macro) && !signature.starts_with("pub"),
        Family::Go => !name.starts_with(char::is_uppercase),
        Family::Java | Family::Script => signature.starts_with("private ") || name.starts_with('#'),
        Family::Python => false,
    };
    said || name.starts_with('_')
}

/// Every identifier is a leaf, whatever its grammar calls the kinds of them.
fn uses(root: Node, source: &str) -> BTreeMap<String, u32> {
    let mut uses: BTreeMap<String, u32> = BTreeMap::new();
    let language = root.language();
    let kinds = u16::try_from(language.node_kind_count()).unwrap_or(u16::MAX);
    let is_name: Vec<bool> =
        (0..kinds).map(|id| language.node_kind_for_id(id).is_some_and(|k| k.contains("identifier"))).collect();
    let mut cursor = root.walk();
    loop {
        let node = cursor.node();
        if node.child_count() == 0 {
            let text = &source[node.byte_range()];
            if is_name.get(usize::from(node.kind_id())) == Some(&true) && (MIN_NAME..=MAX_NAME).contains(&text.len()) {
                count(&mut uses, text);
            }
        } else if cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return uses;
            }
        }
    }
}

fn count(uses: &mut BTreeMap<String, u32>, name: &str) {
    if let Some(times) = uses.get_mut(name) {
        *times = times.saturating_add(1);
    } else if uses.len() < MAX_NAMES {
        uses.insert(name.to_owned(), 1);
    }
}
