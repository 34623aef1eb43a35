//! YAML: block mappings and sequences by their indentation, with what stands in brackets.
//!
//! **Invariant:** what this reader does not understand (anchors, aliases, merge keys, complex keys, tabs, several documents, keys that are
//! there twice) is refused: such a file is left as its lines leave it.

use super::{
    data::Data,
    flow::{Cursor, Dialect, key_of},
    tree::{Entry, Group, Shape, Value},
};

const DEEPEST: usize = 96;

/// The pieces of a document.
pub(super) fn parse(text: &str) -> Option<Group> {
    let text = if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
    let mut reader = Reader { cursor: Cursor::new(&text, Dialect::Yaml) };
    let open = reader.opening()?;
    let column = reader.next_column()?.1;
    let mut group = reader.block(column, 0)?;
    let tail = reader.cursor.trivia()?;
    reader.cursor.rest().is_empty().then_some(())?;
    group.open = open;
    tail.clone_into(&mut group.tail);
    Some(group)
}

struct Reader<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Reader<'a> {
    /// What stands before the one document: comments and a line `---`.
    fn opening(&mut self) -> Option<String> {
        let mut rest = self.cursor.text;
        let mut end = 0;
        while let Some(line) = rest.split_inclusive('\n').next() {
            rest = &rest[line.len()..];
            end += line.len();
            match line.trim_end() {
                "---" => {
                    self.cursor.at = end;
                    return Some(self.cursor.text[..end].to_owned());
                }
                bare if bare.is_empty() || bare.starts_with('#') => {}
                bare => return (!bare.starts_with('%')).then(String::new),
            }
        }
        Some(String::new())
    }

    /// Where the next content begins: its place, and how far it is indented.
    fn next_column(&self) -> Option<(usize, usize)> {
        let mut at = self.cursor.at;
        for line in self.cursor.rest().split_inclusive('\n') {
            let bare = line.trim_start_matches(' ');
            let column = line.len() - bare.len();
            if !bare.trim().is_empty() && !bare.starts_with('#') {
                let is_odd = bare.starts_with('\t') || is_marker(line);
                return (!is_odd).then_some((at + column, column));
            }
            at += line.len();
        }
        None
    }

    /// Whether all that is left is spaces and comments.
    fn is_at_end(&self) -> bool {
        self.cursor.rest().lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
    }

    /// The entries from here that are indented so far. The cursor stands at the start of a line, or at the first entry itself.
    fn block(&mut self, column: usize, depth: usize) -> Option<Group> {
        (depth < DEEPEST).then_some(())?;
        let (mut entries, mut shape) = (Vec::new(), None);
        loop {
            let inside = !self.cursor.text[..self.cursor.at].ends_with('\n') && self.cursor.at > 0;
            let mut lead = String::new();
            if !(inside && entries.is_empty()) {
                if self.is_at_end() {
                    break;
                }
                let (at, found) = self.next_column()?;
                if found < column || (found == column && shape == Some(Shape::List) && !is_item(&self.cursor.text[at..])) {
                    break;
                }
                (found == column).then_some(())?;
                self.cursor.text[self.cursor.at..at].clone_into(&mut lead);
                self.cursor.at = at;
            }
            let is_list = is_item(self.cursor.rest());
            let this = if is_list { Shape::List } else { Shape::Map };
            (*shape.get_or_insert(this) == this).then_some(())?;
            entries.push(if is_list { self.item(lead, column, depth)? } else { self.pair(lead, column, depth)? });
        }
        let mut seen = std::collections::HashSet::new();
        let is_unique = shape == Some(Shape::List) || entries.iter().all(|entry| seen.insert(entry.key.clone()));
        (is_unique && !entries.is_empty()).then(|| Group::block(shape.unwrap_or(Shape::Map), entries, String::new()))
    }

    fn item(&mut self, lead: String, column: usize, depth: usize) -> Option<Entry> {
        let from = self.cursor.at;
        self.cursor.at += 1;
        self.cursor.spaces();
        let head = self.cursor.text[from..self.cursor.at].to_owned();
        let inner = column + head.len();
        let (head, (value, after)) = if is_item(self.cursor.rest()) || self.is_pair() {
            (head, (Value::Group(self.block(inner, depth + 1)?), String::new()))
        } else {
            self.held(head, column, depth)?
        };
        Some(Entry { key: String::new(), lead, head, value, trail: String::new(), after })
    }

    /// Whether a key and a colon come next.
    fn is_pair(&self) -> bool {
        let mut ahead = Cursor { text: self.cursor.text, at: self.cursor.at, dialect: Dialect::Yaml };
        block_key(&mut ahead).is_some()
    }

    fn pair(&mut self, lead: String, column: usize, depth: usize) -> Option<Entry> {
        let from = self.cursor.at;
        let key = key_of(block_key(&mut self.cursor)?, Dialect::Yaml)?;
        (key != "<<").then_some(())?;
        self.cursor.spaces();
        let head = self.cursor.text[from..self.cursor.at].to_owned();
        let (head, (value, after)) = self.held(head, column, depth)?;
        Some(Entry { key, lead, head, value, trail: String::new(), after })
    }

    /// The value after a head, and the rest of its line.
    fn held(&mut self, head: String, column: usize, depth: usize) -> Option<(String, (Value, String))> {
        let leaf = |text: &str| Value::Leaf(text.to_owned());
        match self.cursor.peek()? {
            '\n' | '\r' | '#' => self.below(head, column, depth),
            '|' | '>' => Some((head, (leaf(self.literal(column)?), String::new()))),
            '[' | '{' => {
                let value = self.cursor.value(depth)?;
                Some((head, (value, self.cursor.rest_of_line()?.to_owned())))
            }
            '"' => Some((head, (leaf(self.cursor.quoted('"', true)?), self.cursor.rest_of_line()?.to_owned()))),
            '\'' => Some((head, (leaf(self.single_quoted()?), self.cursor.rest_of_line()?.to_owned()))),
            '&' | '*' | '%' | '@' | '`' | '?' | ',' | ']' | '}' => None,
            _ => {
                let text = self.plain(column)?;
                Some((head, (leaf(text), self.cursor.rest_of_line()?.to_owned())))
            }
        }
    }

    /// A value that begins on a line below, or none at all.
    fn below(&mut self, mut head: String, column: usize, depth: usize) -> Option<(String, (Value, String))> {
        let line = self.cursor.rest_of_line()?.to_owned();
        let next = if self.is_at_end() { None } else { Some(self.next_column()?) };
        // A sequence may stand as far left as the key that holds it.
        let is_below = |(at, found): (usize, usize)| {
            found > column || (found == column && !head.starts_with('-') && is_item(&self.cursor.text[at..]))
        };
        let Some((at, found)) = next.filter(|next| is_below(*next)) else {
            return Some((head, (Value::Leaf(String::new()), line)));
        };
        head.push_str(&line);
        let mut ahead = Cursor { text: self.cursor.text, at, dialect: Dialect::Yaml };
        let holds_entries = is_item(&self.cursor.text[at..]) || block_key(&mut ahead).is_some();
        if !holds_entries {
            return None;
        }
        Some((head, (Value::Group(self.block(found, depth + 1)?), String::new())))
    }

    /// A text of many lines: all that is indented further.
    fn literal(&mut self, column: usize) -> Option<&'a str> {
        self.cursor.taken(|cursor| {
            let mut end = 0;
            let rest = cursor.rest();
            let mut at = rest.find('\n')? + 1;
            end = end.max(at);
            for line in rest[at..].split_inclusive('\n') {
                let is_blank = line.trim().is_empty();
                if !is_blank && line.len() - line.trim_start_matches(' ').len() <= column {
                    break;
                }
                at += line.len();
                end = if is_blank { end } else { at };
            }
            cursor.at += end;
            Some(())
        })
    }

    fn single_quoted(&mut self) -> Option<&'a str> {
        self.cursor.taken(|cursor| {
            loop {
                cursor.quoted('\'', false)?;
                if cursor.peek() != Some('\'') {
                    return Some(());
                }
            }
        })
    }

    /// A text without quotes, up to a comment or the end of its line. One that goes on below is refused.
    fn plain(&mut self, column: usize) -> Option<&'a str> {
        let rest = self.cursor.rest();
        let line = rest.split('\n').next().unwrap_or(rest);
        let text = line.split(" #").next().unwrap_or(line).trim_end();
        let is_tagged = text.starts_with('!') && !text.contains(' ');
        self.cursor.at += text.len();
        let mut behind =
            Cursor { text: self.cursor.text, at: self.cursor.at + line.len() - text.len() + 1, dialect: Dialect::Yaml };
        behind.at = behind.at.min(behind.text.len());
        let below = Reader { cursor: behind };
        let goes_on = !below.is_at_end() && below.next_column().is_none_or(|(_, found)| found > column);
        (!goes_on && !is_tagged && !text.contains(": ") && !text.ends_with(':')).then_some(text)
    }
}

/// A key and its colon.
fn block_key<'a>(cursor: &mut Cursor<'a>) -> Option<&'a str> {
    let from = cursor.at;
    match cursor.peek()? {
        '"' | '\'' => drop(cursor.key()?),
        c if "[]{}&*!|>%@`,?#".contains(c) => return None,
        _ => {
            let line = cursor.rest().split('\n').next()?.trim_end();
            let length = line.find(": ").or_else(|| line.ends_with(':').then(|| line.len() - 1))?;
            // A hash after a space, or a quote, makes it something else.
            (!line[..length].contains(" #") && !line[..length].contains(['"', '{', '['])).then_some(())?;
            cursor.at += length;
        }
    }
    let key = cursor.text[from..cursor.at].trim_end();
    cursor.spaces();
    (cursor.peek()? == ':').then_some(())?;
    cursor.at += 1;
    cursor.peek().is_none_or(char::is_whitespace).then_some(key)
}

fn is_item(rest: &str) -> bool {
    rest.strip_prefix('-').is_some_and(|rest| rest.starts_with([' ', '\n', '\r']) || rest.is_empty())
}

/// A line that ends a document, or begins another.
fn is_marker(line: &str) -> bool {
    matches!(line.trim_end(), "---" | "...") || line.starts_with("--- ")
}

/// What a document says.
pub(super) fn data(text: &str) -> Option<Data> {
    parse(text).map(|group| of_group(&group))
}

fn of_group(group: &Group) -> Data {
    let value = |value: &Value| match value {
        Value::Leaf(text) => Data::Leaf(text.clone()),
        Value::Group(group) => of_group(group),
    };
    match group.shape {
        Shape::Map => Data::Map(group.entries.iter().map(|entry| (entry.key.clone(), value(&entry.value))).collect()),
        Shape::List => Data::List(group.entries.iter().map(|entry| value(&entry.value)).collect()),
    }
}
