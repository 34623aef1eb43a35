//! A definition as it looks from outside, in one line.
//!
//! It is put together from the tokens of the tree up to the body, so that comments, line breaks and the texts of strings stay out.

use tree_sitter::Node;

use super::{super::facts::Found, Kind};

/// Longer ones are cut.
const MAX_BYTES: usize = 140;
/// Tokens and nodes that are looked at: past comments without end nobody looks for the next parameter.
const MAX_STEPS: usize = 2_000;

pub(super) fn signature(found: &Found, kind: Kind, name: &str) -> String {
    if kind == Kind::Macro {
        return format!("macro_rules! {name}");
    }
    let mut line = Line::default();
    let mut cursor = outermost(found.node).walk();
    for _ in 0..MAX_STEPS {
        let node = cursor.node();
        let what = look_of(node);
        let is_over = match what {
            Look::Body => true,
            Look::Text => line.push("\"…\"", node.byte_range(), found.source),
            Look::Token => {
                line.ends_with(found.text_of(node), kind) || line.push(found.text_of(node), node.byte_range(), found.source)
            }
            Look::Nothing | Look::Parts => false,
        };
        if is_over || !advance(&mut cursor, what) {
            break;
        }
    }
    line.finish()
}

/// With the `export const` or `type` before it, where it stands on the same line and is all that these words declare.
fn outermost(node: Node) -> Node {
    const WORDS: &[&str] = &[
        "lexical_declaration",
        "variable_declaration",
        "export_statement",
        "type_declaration",
        "const_declaration",
        "var_declaration",
    ];
    let mut outermost = node;
    while let Some(parent) = outermost.parent()
        && WORDS.contains(&parent.kind())
        && parent.start_position().row == node.start_position().row
        && parent.named_child(0) == Some(outermost)
    {
        outermost = parent;
    }
    outermost
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Nothing,
    Body,
    Text,
    Token,
    Parts,
}

fn look_of(node: Node) -> Look {
    match node.kind() {
        "comment" | "line_comment" | "block_comment" | "decorator" | "annotation" | "marker_annotation" | "attribute_item" => {
            Look::Nothing
        }
        "block" | "statement_block" | "declaration_list" | "field_declaration_list" | "enum_variant_list" | "class_body" => {
            Look::Body
        }
        kind if kind.contains("string") && node.is_named()
            || matches!(kind, "char_literal" | "rune_literal" | "character_literal") =>
        {
            Look::Text
        }
        _ if node.child_count() == 0 => Look::Token,
        _ => Look::Parts,
    }
}

/// To what comes next in the text: into a node that has parts, past any other.
fn advance(cursor: &mut tree_sitter::TreeCursor, look: Look) -> bool {
    if look == Look::Parts && cursor.goto_first_child() {
        return true;
    }
    while !cursor.goto_next_sibling() {
        if !cursor.goto_parent() {
            return false;
        }
    }
    true
}

#[derive(Default)]
struct Line {
    text: String,
    depth: usize,
    /// Where the last token ended.
    end: Option<usize>,
}

impl Line {
    /// Whether the body, or the value of a constant, begins with this token.
    fn ends_with(&self, token: &str, kind: Kind) -> bool {
        self.depth == 0 && (matches!(token, "{" | ";" | "=>") || (token == "=" && kind == Kind::Constant))
    }

    /// Adds a token; whether the line is full.
    fn push(&mut self, token: &str, at: std::ops::Range<usize>, source: &str) -> bool {
        match token {
            "(" | "[" => self.depth += 1,
            ")" | "]" => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        let closes = matches!(token, ")" | "]");
        if closes && self.text.ends_with(',') {
            self.text.pop();
        }
        let apart = self.end.is_some_and(|end| source.get(end..at.start).is_some_and(|gap| gap.contains(char::is_whitespace)));
        if apart && !closes && !matches!(token, "," | ";") && !self.text.ends_with(['(', '[']) {
            self.text.push(' ');
        }
        // A token can be a line of its own: a macro's, or what the parser could not read.
        let words = token.split_whitespace().collect::<Vec<_>>().join(" ");
        self.text.push_str(&words);
        self.end = Some(at.end);
        self.text.len() > MAX_BYTES
    }

    fn finish(mut self) -> String {
        if self.text.len() > MAX_BYTES {
            let end = (0..=MAX_BYTES - '…'.len_utf8()).rev().find(|&at| self.text.is_char_boundary(at)).unwrap_or(0);
            self.text.truncate(end);
            self.text.push('…');
        }
        let end = self.text.trim_end_matches([' ', ':', '=', ',']).len();
        self.text.truncate(end);
        self.text
    }
}
