//! What an item is called, language by language: by this the same item is found again in another version.
//!
//! **Invariant:** what has no name of its own is loose; loose neighbours are one item.

use tree_sitter::Node;

use crate::grammar::Language;

/// What an item is called among its neighbours.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    /// What it is.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Which of several with that name, from the second on.
    pub number: usize,
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.kind, self.name)?;
        if self.number > 1 { write!(f, "#{}", self.number) } else { Ok(()) }
    }
}

impl Key {
    fn new(kind: &'static str, name: impl Into<String>) -> Self {
        Self { kind, name: name.into(), number: 0 }
    }

    /// The same without its number.
    pub(crate) fn plain(&self) -> Self {
        Self { number: 0, ..self.clone() }
    }

    /// Of comments at the top of a file.
    pub(crate) fn preamble() -> Self {
        Self::new("preamble", "")
    }

    /// Of what has no name.
    pub(crate) fn loose() -> Self {
        Self::new("loose", "")
    }

    /// Of what has no name, behind something.
    pub(crate) fn after(before: &Key) -> Self {
        Self::new("loose", before.to_string())
    }

    /// Of comments and blank lines behind the last item.
    pub(crate) fn tail() -> Self {
        Self::new("tail", "")
    }
}

/// Whether a node belongs to the item behind it.
pub(crate) fn is_trivia(kind: &str) -> bool {
    matches!(
        kind,
        "comment" | "line_comment" | "block_comment" | "attribute_item" | "decorator" | "marker_annotation" | "annotation"
    )
}

/// The key of a node.
pub(crate) fn key_of(language: Language, node: Node<'_>, text: &str) -> Key {
    let kind = node.kind();
    let named = |class: &'static str| node.child_by_field_name("name").map(|name| Key::new(class, words(name, text)));
    let key = match kind {
        "function_item"
        | "function_signature_item"
        | "function_declaration"
        | "generator_function_declaration"
        | "function_definition"
        | "function_signature" => named("fn"),
        "method_definition"
        | "method_signature"
        | "abstract_method_signature"
        | "constructor_declaration"
        | "method_declaration" => member(node, text),
        "struct_item"
        | "enum_item"
        | "union_item"
        | "trait_item"
        | "type_item"
        | "class_definition"
        | "class_declaration"
        | "abstract_class_declaration"
        | "interface_declaration"
        | "type_alias_declaration"
        | "enum_declaration"
        | "record_declaration"
        | "annotation_type_declaration"
        | "internal_module"
        | "module" => named("type"),
        "mod_item" => named("mod"),
        "const_item" | "static_item" | "macro_definition" | "associated_type" | "extern_crate_declaration" => named("const"),
        "impl_item" => Some(Key::new("impl", head(node, text))),
        "decorated_definition" => node.child_by_field_name("definition").map(|inner| decorated(language, node, inner, text)),
        "export_statement" => Some(exported(language, node, text)),
        "lexical_declaration"
        | "variable_declaration"
        | "const_declaration"
        | "var_declaration"
        | "type_declaration"
        | "field_declaration"
        | "public_field_definition"
        | "property_signature"
        | "method_elem"
        | "type_elem"
        | "constant_declaration" => Some(Key::new("var", names_in(node, text))),
        "expression_statement" => expression(node, text),
        "macro_invocation" => node.child_by_field_name("macro").map(|name| Key::new("macro", words(name, text))),
        "package_clause" | "package_declaration" => Some(Key::new("package", "")),
        "import_spec" => Some(Key::new("import", words(node, text))),
        "if_statement" if language == Language::Python => {
            node.child_by_field_name("condition").map(|condition| Key::new("if", words(condition, text)))
        }
        _ if is_import(kind) => Some(Key::new("import", super::imports::key(language, node, text))),
        _ => None,
    };
    key.unwrap_or_else(Key::loose)
}

/// Whether a statement imports.
pub(crate) fn is_import(kind: &str) -> bool {
    matches!(
        kind,
        "use_declaration" | "import_statement" | "import_from_statement" | "import_declaration" | "future_import_statement"
    )
}

/// The words of a node, with single blanks between.
pub(crate) fn words(node: Node<'_>, text: &str) -> String {
    text.get(node.byte_range()).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The words before its body.
fn head(node: Node<'_>, text: &str) -> String {
    let end = node.child_by_field_name("body").map_or(node.end_byte(), |body| body.start_byte());
    text.get(node.start_byte()..end).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Getters, setters and overloads of one name differ in what stands around it.
fn member(node: Node<'_>, text: &str) -> Option<Key> {
    let name = words(node.child_by_field_name("name")?, text);
    let receiver = node.child_by_field_name("receiver").map(|receiver| words(receiver, text)).unwrap_or_default();
    let receiver = receiver.trim_matches(['(', ')']).rsplit([' ', '*']).next().unwrap_or_default().to_owned();
    let before = text.get(node.start_byte()..node.child_by_field_name("name")?.start_byte()).unwrap_or_default();
    let accessor =
        ["get", "set"].into_iter().find(|word| before.split_whitespace().any(|there| there == *word)).unwrap_or_default();
    Some(Key::new(
        "fn",
        [receiver.as_str(), accessor, &name].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "),
    ))
}

/// A property and its setter have one name and different decorators.
fn decorated(language: Language, node: Node<'_>, inner: Node<'_>, text: &str) -> Key {
    let key = key_of(language, inner, text);
    let decorators = text.get(node.start_byte()..inner.start_byte()).unwrap_or_default();
    let own = decorators
        .lines()
        .map(str::trim)
        .find(|line| line.ends_with(".setter") || line.ends_with(".deleter") || line.contains("overload"));
    Key { name: format!("{}{}", key.name, own.map(|line| format!(" {line}")).unwrap_or_default()), ..key }
}

fn exported(language: Language, node: Node<'_>, text: &str) -> Key {
    if let Some(inner) = node.child_by_field_name("declaration") {
        return key_of(language, inner, text);
    }
    match node.child_by_field_name("source") {
        Some(source) => Key::new("export", words(source, text)),
        None if words(node, text).starts_with("export default") => Key::new("export", "default"),
        None => Key::new("export", ""),
    }
}

/// The names that a declaration makes.
fn names_in(node: Node<'_>, text: &str) -> String {
    let mut names = Vec::new();
    let mut open: Vec<Node<'_>> = vec![node];
    while let Some(node) = open.pop() {
        if let Some(name) = node.child_by_field_name("name") {
            names.push(words(name, text));
            continue;
        }
        let inner = (0..u32::try_from(node.named_child_count()).unwrap_or(0)).filter_map(|at| node.named_child(at));
        let declares = |child: &Node<'_>| {
            let kind = child.kind();
            kind.ends_with("declarator")
                || kind.ends_with("_spec")
                || kind.ends_with("_spec_list")
                || kind.ends_with("identifier") && names.is_empty()
        };
        let inner: Vec<Node<'_>> = inner.filter(declares).collect();
        if inner.is_empty() && names.is_empty() {
            names.push(words(node, text).split(['=', ':', '{']).next().unwrap_or_default().trim().to_owned());
        }
        open.extend(inner.into_iter().rev());
    }
    names.join(", ")
}

/// Assignments by what they assign to, calls by what is called with which text: `describe("x", …)`.
fn expression(node: Node<'_>, text: &str) -> Option<Key> {
    let inner = node.named_child(0)?;
    match inner.kind() {
        "assignment" | "assignment_expression" => Some(Key::new("var", words(inner.child_by_field_name("left")?, text))),
        "call_expression" => {
            let callee = words(inner.child_by_field_name("function")?, text);
            let first = inner.child_by_field_name("arguments")?.named_child(0)?;
            first.kind().contains("string").then(|| Key::new("call", format!("{callee} {}", words(first, text))))
        }
        "macro_invocation" => inner.child_by_field_name("macro").map(|name| Key::new("macro", words(name, text))),
        _ => None,
    }
}

/// The node whose children are the items in an item.
pub(crate) fn body_of(language: Language, node: Node<'_>) -> Option<Node<'_>> {
    let body = || node.child_by_field_name("body");
    match node.kind() {
        "impl_item"
        | "trait_item"
        | "mod_item"
        | "foreign_mod_item"
        | "class_definition"
        | "class_declaration"
        | "abstract_class_declaration"
        | "interface_declaration"
        | "internal_module"
        | "module" => body(),
        "decorated_definition" => body_of(language, node.child_by_field_name("definition")?),
        "export_statement" => body_of(language, node.child_by_field_name("declaration")?),
        "expression_statement" => callback(node.named_child(0)?),
        "import_declaration" if language == Language::Go => node.named_child(0).filter(|list| list.kind() == "import_spec_list"),
        "type_declaration" if language == Language::Go => {
            let spec = node.named_child(0).filter(|_| node.named_child_count() == 1)?;
            let of = spec.child_by_field_name("type")?;
            match of.kind() {
                "struct_type" => of.named_child(0),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The function that a call is given last: `describe("x", () => { … })`.
fn callback(call: Node<'_>) -> Option<Node<'_>> {
    let arguments = call.child_by_field_name("arguments")?;
    let last = arguments.named_child(u32::try_from(arguments.named_child_count().checked_sub(1)?).ok()?)?;
    matches!(last.kind(), "arrow_function" | "function_expression")
        .then(|| last.child_by_field_name("body"))?
        .filter(|body| body.kind() == "statement_block")
}
