//! Values in brackets, as JSON, TOML and YAML write them: a text to the pieces of a tree.
//!
//! **Invariant:** what is not understood is refused, never guessed: nothing comes out.

use super::tree::{Entry, Group, Shape, Value};

/// How deep values may be nested: deeper ones are nobody's work, and would exhaust the stack.
const DEEPEST: usize = 96;

/// In whose brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// With comments and commas at ends, as many tools allow.
    Json,
    Toml,
    Yaml,
}

/// A place in a text.
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    pub(super) dialect: Dialect,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str, dialect: Dialect) -> Self {
        Self { text, at: 0, dialect }
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// What is taken by a reading that may refuse.
    pub(super) fn taken(&mut self, read: impl FnOnce(&mut Self) -> Option<()>) -> Option<&'a str> {
        let from = self.at;
        read(self)?;
        Some(&self.text[from..self.at])
    }

    fn while_(&mut self, of: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !of(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Spaces on the same line.
    pub(super) fn spaces(&mut self) {
        self.while_(|c| c == ' ' || c == '\t');
    }

    /// What is left of the line, with its end, if it is only spaces and a comment.
    pub(super) fn rest_of_line(&mut self) -> Option<&'a str> {
        self.taken(|cursor| {
            cursor.spaces();
            cursor.comment()?;
            let rest = cursor.rest();
            let length = ["\n", "\r\n"].iter().find(|end| rest.starts_with(**end))?.len();
            cursor.at += length;
            Some(())
        })
    }

    /// Spaces, ends of lines and comments.
    pub(super) fn trivia(&mut self) -> Option<&'a str> {
        self.taken(|cursor| {
            loop {
                cursor.while_(char::is_whitespace);
                if !cursor.comment()? {
                    return Some(());
                }
            }
        })
    }

    /// Spaces and comments up to the end of the line, if there is a comment.
    pub(super) fn comment_behind(&mut self) -> Option<&'a str> {
        let from = self.at;
        let mut end = from;
        loop {
            self.while_(|c| c == ' ' || c == '\t');
            if !self.comment()? || self.text[from..self.at].contains('\n') {
                break;
            }
            end = self.at;
        }
        self.at = end;
        Some(&self.text[from..end])
    }

    /// Takes a comment, without the end of its line. Nothing where it has no end.
    fn comment(&mut self) -> Option<bool> {
        let rest = self.rest();
        let length = match self.dialect {
            Dialect::Json if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            Dialect::Json if rest.starts_with("/*") => rest[2..].find("*/")? + 4,
            Dialect::Toml if rest.starts_with('#') => rest.find('\n').unwrap_or(rest.len()),
            Dialect::Yaml if rest.starts_with('#') && self.text[..self.at].ends_with(char::is_whitespace) => {
                rest.find('\n').unwrap_or(rest.len())
            }
            _ => return Some(false),
        };
        let is_carriage = rest[..length].ends_with('\r');
        self.at += length - usize::from(is_carriage);
        Some(true)
    }

    /// A value.
    pub(super) fn value(&mut self, depth: usize) -> Option<Value> {
        match self.peek()? {
            _ if depth > DEEPEST => None,
            '{' => self.group(Shape::Map, '}', depth).map(Value::Group),
            '[' => self.group(Shape::List, ']', depth).map(Value::Group),
            _ => self.scalar().map(|text| Value::Leaf(text.to_owned())),
        }
    }

    fn group(&mut self, shape: Shape, close: char, depth: usize) -> Option<Group> {
        let open = self.peek()?;
        self.at += 1;
        let mut group = Group {
            open: open.to_string(),
            separator: ",",
            close: close.to_string(),
            ..Group::block(shape, Vec::new(), String::new())
        };
        loop {
            let lead = self.trivia()?.to_owned();
            if self.peek()? == close {
                self.at += 1;
                group.ends_separated = !group.entries.is_empty();
                group.tail = lead;
                return Self::unique(group);
            }
            let (key, head) = if shape == Shape::Map { self.head()? } else { (String::new(), String::new()) };
            let value = self.value(depth + 1)?;
            let behind = self.at;
            let trail = self.trivia()?;
            if self.peek()? == ',' {
                self.at += 1;
                let (trail, after) = (trail.to_owned(), self.comment_behind()?.to_owned());
                group.entries.push(Entry { key, lead, head, value, trail, after });
            } else {
                self.at = behind;
                let after = self.comment_behind()?.to_owned();
                group.entries.push(Entry { key, lead, head, value, trail: String::new(), after });
                self.trivia()?.clone_into(&mut group.tail);
                (self.peek()? == close).then_some(())?;
                self.at += 1;
                return Self::unique(group);
            }
        }
    }

    /// A map that has a key twice says nothing.
    fn unique(group: Group) -> Option<Group> {
        let mut seen = std::collections::HashSet::new();
        let is_unique = group.shape == Shape::List || group.entries.iter().all(|entry| seen.insert(&entry.key));
        is_unique.then_some(group)
    }

    fn head(&mut self) -> Option<(String, String)> {
        let from = self.at;
        let key = key_of(self.key()?, self.dialect)?;
        self.trivia()?;
        let sign = if self.dialect == Dialect::Toml { '=' } else { ':' };
        (self.peek()? == sign).then_some(())?;
        self.at += 1;
        self.trivia()?;
        Some((key, self.text[from..self.at].to_owned()))
    }

    /// A key as it is written: in TOML with its dots.
    pub(super) fn key(&mut self) -> Option<&'a str> {
        match (self.dialect, self.peek()?) {
            (Dialect::Json | Dialect::Yaml, '"') => self.quoted('"', true),
            (Dialect::Json, _) => None,
            (Dialect::Yaml, '\'') => self.quoted('\'', false),
            (Dialect::Yaml, _) => Some(self.while_(|c| c.is_alphanumeric() || "_-./$".contains(c))).filter(|key| !key.is_empty()),
            (Dialect::Toml, _) => self.taken(Self::dotted),
        }
    }

    fn dotted(&mut self) -> Option<()> {
        loop {
            match self.peek()? {
                '"' => drop(self.quoted('"', true)?),
                '\'' => drop(self.quoted('\'', false)?),
                _ if self.while_(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-').is_empty() => return None,
                _ => {}
            }
            let behind = self.at;
            self.spaces();
            if self.peek() != Some('.') {
                self.at = behind;
                return Some(());
            }
            self.at += 1;
            self.while_(|c| c == ' ' || c == '\t');
        }
    }

    /// A text in quotes, on one line unless it is YAML.
    pub(super) fn quoted(&mut self, quote: char, escapes: bool) -> Option<&'a str> {
        let multiline = self.dialect == Dialect::Yaml;
        self.taken(|cursor| {
            cursor.at += quote.len_utf8();
            let mut chars = cursor.rest().char_indices();
            while let Some((at, c)) = chars.next() {
                match c {
                    '\\' if escapes => drop(chars.next()?),
                    '\n' if !multiline => return None,
                    _ if c == quote => {
                        cursor.at += at + 1;
                        return Some(());
                    }
                    _ => {}
                }
            }
            None
        })
    }

    fn scalar(&mut self) -> Option<&'a str> {
        match (self.dialect, self.peek()?) {
            (Dialect::Toml, '"') if self.rest().starts_with("\"\"\"") => self.fenced("\"\"\""),
            (Dialect::Toml, '\'') if self.rest().starts_with("'''") => self.fenced("'''"),
            (_, '"') => self.quoted('"', true),
            (Dialect::Toml | Dialect::Yaml, '\'') => self.quoted('\'', false),
            (Dialect::Yaml, _) => self.plain(),
            _ => {
                let word = self.while_(|c| c.is_ascii_alphanumeric() || "+-._:".contains(c));
                Some(word).filter(|word| !word.is_empty())
            }
        }
    }

    /// A text of many lines between three quotes.
    fn fenced(&mut self, fence: &str) -> Option<&'a str> {
        let escapes = fence.starts_with('"');
        self.taken(|cursor| {
            cursor.at += fence.len();
            loop {
                let rest = cursor.rest();
                let end = rest.find(fence)?;
                let slashes = rest[..end].chars().rev().take_while(|c| *c == '\\').count();
                if escapes && slashes % 2 == 1 {
                    cursor.at += end + 1;
                    continue;
                }
                cursor.at += end + fence.len();
                // Up to two quotes of the text stand before the fence.
                cursor.while_(|c| fence.starts_with(c));
                return Some(());
            }
        })
    }

    /// A word of YAML within brackets. One that could mean something else is refused.
    fn plain(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let end = rest.find(|c| ",[]{}\n\r#".contains(c)).unwrap_or(rest.len());
        let word = rest[..end].trim_end();
        let is_odd = word.is_empty()
            || word.starts_with(['&', '*', '!', '|', '>', '%', '@', '`', '?'])
            || word.contains(": ")
            || word.ends_with(':');
        self.at += word.len();
        (!is_odd).then_some(word)
    }
}

/// What a key is, however it is written.
pub(super) fn key_of(written: &str, dialect: Dialect) -> Option<String> {
    match dialect {
        Dialect::Json => serde_json::from_str(written).ok(),
        Dialect::Yaml => {
            let bare = written.strip_prefix(['"', '\'']).and_then(|rest| rest.strip_suffix(['"', '\'']));
            (!written.contains('\\')).then(|| bare.unwrap_or(written).to_owned())
        }
        Dialect::Toml => {
            let keys = toml_edit::Key::parse(written).ok()?;
            let is_bare = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            let part = |key: &str| if is_bare(key) { key.to_owned() } else { format!("{key:?}") };
            Some(keys.iter().map(|key| part(key.get())).collect::<Vec<_>>().join("."))
        }
    }
}
