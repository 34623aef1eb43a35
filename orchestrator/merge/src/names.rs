//! The names of a parsed file: what it defines, where, and which words it uses as names.

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

use tree_sitter::Node;

use crate::grammar::{Language, Parsed, children};

/// What a file defines and uses.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// The place and the name of each definition, how often.
    pub defined: HashMap<(String, String), i64>,
    /// Names that are defined, imported or bound, wherever.
    pub named: HashSet<String>,
    /// Words that stand for something, how often; not those in comments and strings.
    pub used: HashMap<String, i64>,
}

/// Definitions whose name must be the only one of its kind in its place.
fn is_definition(language: Language, kind: &str) -> bool {
    let kinds: &[&str] = match language {
        Language::Rust => &[
            "function_item",
            "struct_item",
            "enum_item",
            "trait_item",
            "type_item",
            "const_item",
            "static_item",
            "mod_item",
            "union_item",
            "field_declaration",
            "enum_variant",
        ],
        Language::Python => &["function_definition", "class_definition"],
        Language::JavaScript | Language::TypeScript | Language::Tsx => &[
            "function_declaration",
            "class_declaration",
            "method_definition",
            "variable_declarator",
            "interface_declaration",
            "type_alias_declaration",
            "enum_declaration",
            "abstract_class_declaration",
            "generator_function_declaration",
            "property_signature",
        ],
        Language::Go => &["function_declaration", "method_declaration", "type_spec", "const_spec", "field_declaration"],
        Language::Java => &[
            "class_declaration",
            "interface_declaration",
            "enum_declaration",
            "method_declaration",
            "enum_constant",
            "record_declaration",
        ],
    };
    kinds.contains(&kind)
}

/// The names of a file.
pub(crate) fn names(parsed: &Parsed<'_>) -> Names {
    let Parsed { language, text, ref tree } = *parsed;
    let mut names = Names::default();
    let mut open: Vec<(Node<'_>, Rc<str>)> = vec![(tree.root_node(), Rc::from(""))];
    while let Some((node, place)) = open.pop() {
        let kind = node.kind();
        if kind.contains("comment") || kind.contains("string") && !kind.contains("template") && !kind.contains("interpol") {
            if kind == "string" && language == Language::Python {
                open.extend(
                    children(node)
                        .into_iter()
                        .filter(|child| child.kind() == "interpolation")
                        .map(|child| (child, place.clone())),
                );
            }
            continue;
        }
        let mut inner = None;
        if is_definition(language, kind)
            && let Some(name) = node.child_by_field_name("name").and_then(|name| name.utf8_text(text.as_bytes()).ok())
        {
            names.named.insert(name.to_owned());
            *names.defined.entry((placed(language, node, &place, text), name.to_owned())).or_insert(0) += 1;
            inner = Some(Rc::from(format!("{place}/{name}")));
        } else if kind == "impl_item" || kind == "block" || kind == "statement_block" || kind == "arrow_function" {
            inner = Some(Rc::from(format!("{place}/{}", head(node, text))));
        }
        if node.child_count() == 0 && kind.contains("identifier") {
            if let Ok(word) = node.utf8_text(text.as_bytes()) {
                *names.used.entry(word.to_owned()).or_insert(0) += 1;
                if is_bound(node) {
                    names.named.insert(word.to_owned());
                }
            }
            continue;
        }
        let place = inner.unwrap_or(place);
        open.extend(children(node).into_iter().map(|child| (child, place.clone())));
    }
    names
}

/// Where a definition must be the only one of its name. Overloads and variants by condition differ in what stands around the name.
fn placed(language: Language, node: Node<'_>, place: &str, text: &str) -> String {
    let space = if node.kind().contains("type") || node.kind().contains("class") || node.kind().contains("interface") {
        "type"
    } else {
        ""
    };
    let around = match language {
        // `#[cfg(..)]` chooses between two of a name.
        Language::Rust => node
            .prev_named_sibling()
            .filter(|before| before.kind() == "attribute_item")
            .map(|before| head(before, text))
            .filter(|before| before.contains("cfg")),
        Language::Java => node.child_by_field_name("parameters").map(|parameters| head(parameters, text)),
        Language::Go => node.child_by_field_name("receiver").map(|receiver| head(receiver, text)),
        // Getter and setter, property and its setter, overloads.
        Language::Python => {
            node.parent().filter(|parent| parent.kind() == "decorated_definition").map(|parent| head(parent, text))
        }
        Language::JavaScript | Language::TypeScript | Language::Tsx => (node.kind() == "method_definition")
            .then(|| head(node, text))
            .or_else(|| (node.kind() == "variable_declarator").then(|| scope(node))),
    };
    format!("{place}|{space}|{}", around.unwrap_or_default())
}

/// Variables of different blocks have nothing to do with each other.
fn scope(node: Node<'_>) -> String {
    let mut at = node.parent();
    while let Some(parent) = at {
        if matches!(parent.kind(), "statement_block" | "program" | "switch_case" | "for_statement" | "for_in_statement") {
            return parent.start_byte().to_string();
        }
        at = parent.parent();
    }
    String::new()
}

/// The first line of a node, without what is in braces behind it.
fn head(node: Node<'_>, text: &str) -> String {
    let all = text.get(node.byte_range()).unwrap_or_default();
    all.lines().next().unwrap_or_default().split('{').next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a name is made here: by an import, as a variable or as a parameter.
fn is_bound(node: Node<'_>) -> bool {
    let Some(parent) = node.parent() else { return false };
    let is_field =
        |names: &[&str]| names.iter().any(|name| parent.child_by_field_name(name).is_some_and(|child| child.id() == node.id()));
    match parent.kind() {
        "use_list" | "use_wildcard" | "use_declaration" | "import_clause" | "namespace_import" | "parameters"
        | "formal_parameters" | "typed_parameter" | "as_pattern_target" | "array_pattern" | "tuple_pattern"
        | "closure_parameters" | "pattern_list" => true,
        "dotted_name" => is_imported(parent),
        "scoped_identifier" => is_field(&["name"]) && is_imported(parent),
        "use_as_clause" | "aliased_import" => is_field(&["alias"]),
        "import_specifier" => parent.child_by_field_name("alias").is_none_or(|alias| alias.id() == node.id()),
        "assignment" | "short_var_declaration" | "for_statement" | "for_in_statement" => is_field(&["left"]),
        "let_declaration"
        | "parameter"
        | "tuple_struct_pattern"
        | "for_expression"
        | "let_condition"
        | "variable_declarator"
        | "required_parameter"
        | "optional_parameter"
        | "default_parameter"
        | "typed_default_parameter"
        | "formal_parameter"
        | "parameter_declaration" => is_field(&["name", "pattern"]),
        _ => false,
    }
}

fn is_imported(node: Node<'_>) -> bool {
    let mut at = node.parent();
    while let Some(parent) = at {
        match parent.kind() {
            "use_declaration" | "import_statement" | "import_from_statement" | "import_declaration" => return true,
            "scoped_identifier" | "scoped_use_list" | "use_list" | "dotted_name" | "aliased_import" | "use_as_clause" => {
                at = parent.parent();
            }
            _ => return false,
        }
    }
    false
}
