//! Import statements: a list of names from one place. Their order means nothing, so what both sides add stands side by side.
//!
//! **Invariant:** a name that a side removed is not there, one that a side added is.

use tree_sitter::Node;

use super::keys::words;
use crate::grammar::{Language, children};

/// A statement that imports several names from one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Import {
    /// Everything before the first name, with what stands before the statement.
    before: String,
    /// The names, each with what it is renamed to.
    names: Vec<String>,
    /// Everything behind the last.
    after: String,
    /// How it is laid out.
    layout: Layout,
    /// Whether its names can go over several lines as they stand.
    bracketed: bool,
}

/// How the names of a statement are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Layout {
    /// All on one line.
    Wide,
    /// Several on a line, and several lines, up to so many columns.
    Filled(usize),
    /// Each on a line of its own.
    Tall,
}

impl Layout {
    fn of(statement: &str) -> Self {
        const LEAST: usize = 80;
        if !statement.contains('\n') {
            return Self::Wide;
        }
        let inner = statement.lines().skip(1).any(|line| line.trim_end().trim_end_matches(',').contains(','));
        let longest = statement.lines().map(|line| line.chars().count()).max().unwrap_or(0);
        if inner { Self::Filled(longest.max(LEAST)) } else { Self::Tall }
    }
}

/// The place that a statement imports from, or all its words where it names none.
pub(super) fn key(language: Language, node: Node<'_>, text: &str) -> String {
    match list_of(language, node) {
        Some(list) => {
            let all = text.get(node.start_byte()..list.start).unwrap_or_default();
            let behind = text.get(list.end..node.end_byte()).unwrap_or_default();
            // `from x import (a)` and `from x import a` are of one place.
            format!("{all}{behind}").replace(['(', ')', '{', '}', ';', ','], " ").split_whitespace().collect::<Vec<_>>().join(" ")
        }
        None if language == Language::Go => "group".to_owned(),
        None => words(node, text),
    }
}

/// The names of a statement.
struct List<'t> {
    names: Vec<Node<'t>>,
    start: usize,
    end: usize,
}

fn list_of(language: Language, node: Node<'_>) -> Option<List<'_>> {
    let names: Vec<Node<'_>> = match language {
        Language::Rust => {
            let argument = node.child_by_field_name("argument")?;
            let list = if argument.kind() == "use_list" { argument } else { argument.child_by_field_name("list")? };
            return Some(List { names: named(list), start: list.start_byte() + 1, end: list.end_byte() - 1 });
        }
        Language::Python if node.kind() == "import_from_statement" => {
            let module = node.child_by_field_name("module_name")?;
            named(node).into_iter().filter(|child| child.id() != module.id() && !child.kind().contains("comment")).collect()
        }
        Language::JavaScript | Language::TypeScript | Language::Tsx => {
            let clause = named(node).into_iter().find(|child| child.kind() == "import_clause")?;
            let list = named(clause).into_iter().find(|child| child.kind() == "named_imports")?;
            return Some(List { names: named(list), start: list.start_byte() + 1, end: list.end_byte() - 1 });
        }
        _ => return None,
    };
    let (first, last) = (names.first()?, names.last()?);
    if first.kind() == "wildcard_import" {
        return None;
    }
    let (start, end) = (first.start_byte(), last.end_byte());
    Some(List { names, start, end })
}

fn named(node: Node<'_>) -> Vec<Node<'_>> {
    children(node).into_iter().filter(|child| child.is_named() && !child.kind().contains("comment")).collect()
}

impl Import {
    /// Reads a statement that has a list of names. None where a comment stands in it: it would be lost.
    pub(crate) fn of(language: Language, node: Node<'_>, text: &str, before: &str) -> Option<Self> {
        super::keys::is_import(node.kind()).then_some(())?;
        let list = list_of(language, node)?;
        let inside = text.get(list.start..list.end)?;
        if inside.contains("//") || inside.contains("/*") || inside.contains('#') {
            return None;
        }
        let names = list.names.iter().flat_map(|name| flat(&words(*name, text))).collect();
        let head = text.get(node.start_byte()..list.start)?;
        let bracketed = head.trim_end().ends_with(['{', '(']);
        let line_end = text.get(node.end_byte()..)?.find('\n').map_or(text.len(), |end| node.end_byte() + end + 1);
        Some(Self {
            before: format!("{before}{}", head.trim_end()),
            names,
            after: text.get(list.end..line_end)?.trim_start_matches([',', ' ', '\n', '\t']).to_owned(),
            layout: Layout::of(text.get(node.byte_range())?),
            bracketed,
        })
    }

    /// One statement with what both sides import, written as ours where ours and it import the same.
    pub(crate) fn merge(base: Option<&Self>, ours: &Self, theirs: &Self) -> Option<Self> {
        let none = Vec::new();
        let was = base.map_or(&none, |base| &base.names);
        let mut names: Vec<String> =
            ours.names.iter().filter(|name| theirs.names.contains(name) || !was.contains(name)).cloned().collect();
        let new: Vec<&String> = theirs.names.iter().filter(|name| !was.contains(name) && !names.contains(name)).collect();
        names.extend(new.into_iter().cloned());
        let same = |a: &str, b: &str| a.split_whitespace().eq(b.split_whitespace());
        let pick = |base: Option<&str>, ours: &Self, theirs: &Self, of: fn(&Self) -> &str| match base {
            _ if same(of(ours), of(theirs)) => Some(of(ours).to_owned()),
            Some(base) if same(base, of(ours)) => Some(of(theirs).to_owned()),
            Some(base) if same(base, of(theirs)) => Some(of(ours).to_owned()),
            _ => None,
        };
        let frame = if ours.bracketed == theirs.bracketed {
            let before = pick(base.map(|base| base.before.as_str()), ours, theirs, |side| &side.before)?;
            let after = pick(base.map(|base| base.after.as_str()), ours, theirs, |side| &side.after)?;
            Self { before, after, ..ours.clone() }
        } else {
            let one = if ours.bracketed { ours } else { theirs };
            Self { names: Vec::new(), ..one.clone() }
        };
        let layout = if frame.bracketed { ours.layout.max(theirs.layout) } else { Layout::Wide };
        Some(Self { names, layout, ..frame })
    }

    /// The same place, and nothing from it.
    pub(crate) fn without_names(self) -> Self {
        Self { names: Vec::new(), ..self }
    }

    /// Whether nothing is left to import.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether both import the same.
    pub(crate) fn says(&self, other: &Self) -> bool {
        let sorted = |import: &Self| {
            let mut names = import.names.clone();
            names.sort();
            names
        };
        sorted(self) == sorted(other) && self.before == other.before && self.after == other.after
    }

    /// The statement as text, with the end of its line.
    pub(crate) fn write(&self) -> String {
        const WIDE: usize = 100;
        let Self { before, names, after, .. } = self;
        let last = before.lines().last().unwrap_or_default();
        let indent = &last[..last.len() - last.trim_start().len()];
        let blank = if before.ends_with('(') { "" } else { " " };
        let end = if !self.bracketed || after.starts_with(')') { "" } else { blank };
        let pad = if before.ends_with("::{") { ("", "") } else { (blank, end) };
        let wide = format!("{before}{}{}{}{after}", pad.0, names.join(", "), pad.1);
        let columns = |line: &str| line.chars().count();
        let is_short = columns(wide.lines().last().unwrap_or_default()) <= WIDE;
        let step = if before.starts_with("import") || before.contains("\nimport") { "  " } else { "    " };
        let lines: Vec<String> = match self.layout {
            _ if !self.bracketed => return wide,
            Layout::Wide if is_short => return wide,
            Layout::Wide | Layout::Tall => names.iter().map(|name| format!("{indent}{step}{name},")).collect(),
            Layout::Filled(most) => names.iter().fold(Vec::new(), |mut lines: Vec<String>, name| {
                match lines.last_mut().filter(|line| columns(line) + columns(name) + 2 <= most) {
                    Some(line) => line.extend([" ", name.as_str(), ","]),
                    None => lines.push(format!("{indent}{step}{name},")),
                }
                lines
            }),
        };
        format!("{before}\n{}\n{indent}{after}", lines.join("\n"))
    }
}

/// The names of a nested list: `b::{c, d}` is `b::c` and `b::d`.
fn flat(name: &str) -> Vec<String> {
    let Some((path, list)) = name.split_once('{') else { return vec![name.to_owned()] };
    let Some(list) = list.strip_suffix('}') else { return vec![name.to_owned()] };
    let (mut names, mut depth, mut start) = (Vec::new(), 0_i32, 0);
    for (at, c) in list.char_indices().chain([(list.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let one = list[start..at].trim();
                names.extend(flat(one).into_iter().filter(|name| !name.is_empty()).map(|name| format!("{path}{name}")));
                start = at + 1;
            }
            _ => {}
        }
    }
    names
}
