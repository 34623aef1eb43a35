//! A file as its items: functions, types, members, imports, and what stands between them.
//!
//! **Invariant:** the items of a text, one after the other, are the text: each has the blank lines, comments and attributes before it and
//! ends with its line.
//! **Invariant:** none where items share a line: such a text is merged by its lines.

use std::{collections::HashMap, ops::Range};

use tree_sitter::Node;

use super::{
    imports::Import,
    keys::{Key, body_of, is_trivia, key_of},
};
use crate::grammar::{Language, children};

/// One item of a file or of another item.
#[derive(Debug, Clone)]
pub(crate) struct Item<'a> {
    /// What it is called among its neighbours; no two of them are called the same.
    pub key: Key,
    /// The blank lines before it.
    pub blank: &'a str,
    /// The rest, with the end of its last line.
    pub text: &'a str,
    /// What is in it, if it holds items itself.
    pub body: Option<Body<'a>>,
    /// What it imports, if it does.
    pub import: Option<Import>,
    /// Whether its layout is all that tells which block a line is in.
    pub is_laid_out: bool,
}

/// The inside of an item.
#[derive(Debug, Clone)]
pub(crate) struct Body<'a> {
    /// From its first word to the line of its opening brace.
    pub head: &'a str,
    /// The items.
    pub items: Vec<Item<'a>>,
    /// The line of its closing brace.
    pub foot: &'a str,
}

/// What the items of a text are read from.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub language: Language,
    pub text: &'a str,
    /// How many items may still lie in each other.
    pub depth: usize,
}

impl<'a> Source<'a> {
    /// The items of a part of the text: of a file, or of the inside of an item.
    pub(crate) fn items(self, nodes: &[Node<'_>], range: Range<usize>) -> Option<Vec<Item<'a>>> {
        let mut found: Vec<(Key, Range<usize>, Option<Node<'_>>)> = Vec::new();
        let mut start = range.start;
        for (at, node) in nodes.iter().enumerate() {
            if is_trivia(node.kind()) {
                // Behind something on its line it belongs to that.
                if let Some((_, before, _)) = found.last_mut().filter(|(_, before, _)| node.start_byte() < before.end) {
                    before.end = self.line_end(node.end_byte()).max(before.end);
                    start = before.end;
                }
                continue;
            }
            let end = self.line_end(node.end_byte());
            if end > range.end {
                return None;
            }
            if let Some((key, before, whole)) = found.last_mut().filter(|(_, before, _)| node.start_byte() < before.end) {
                (*key, before.end, *whole) = (Key::loose(), end.max(before.end), None);
                start = before.end;
                continue;
            }
            let key = key_of(self.language, *node, self.text);
            let follows_loose = key == Key::loose() && found.last().is_some_and(|(before, ..)| *before == Key::loose());
            if follows_loose && at > 0 {
                let (_, before, whole) = found.last_mut()?;
                (before.end, *whole) = (end, None);
            } else {
                found.push((key, start..end, Some(*node)));
            }
            start = end;
        }
        let mut items: Vec<Item<'a>> =
            found.into_iter().map(|(key, range, node)| self.item(key, range, node)).collect::<Option<_>>()?;
        if start < range.end {
            items.push(self.item(Key::tail(), start..range.end, None)?);
        }
        Some(told_apart(split_preamble(items)))
    }

    fn item(self, key: Key, range: Range<usize>, node: Option<Node<'_>>) -> Option<Item<'a>> {
        let whole = self.text.get(range.clone())?;
        let code = whole.find(|c: char| !c.is_whitespace()).unwrap_or(whole.len());
        let blank = whole[..code].rfind('\n').map_or(0, |end| end + 1);
        let text = &whole[blank..];
        let body = node.and_then(|node| self.body(node, range.start + blank..range.end));
        let import = match node {
            // A node can begin in what only looks like space; nothing is told of such a text.
            Some(node) => Import::of(self.language, node, self.text, self.text.get(range.start + blank..node.start_byte())?),
            None => None,
        };
        let is_laid_out = self.language == Language::Python;
        Some(Item { key, blank: &whole[..blank], text, body, import, is_laid_out })
    }

    fn body(self, node: Node<'_>, range: Range<usize>) -> Option<Body<'a>> {
        let inner = body_of(self.language, node).filter(|_| self.depth > 0)?;
        let (start, end) = if self.language == Language::Python {
            (self.line_end(inner.prev_sibling()?.end_byte()), range.end)
        } else {
            (self.line_end(inner.start_byte()), self.line_start(inner.end_byte().checked_sub(1)?))
        };
        (start <= end && start > range.start && end <= range.end).then_some(())?;
        let nodes: Vec<Node<'_>> = children(inner).into_iter().filter(tree_sitter::Node::is_named).collect();
        // Comments before the first statement of a class stand beside its block.
        nodes.first().is_none_or(|first| first.start_byte() >= start).then_some(())?;
        let items = Source { depth: self.depth - 1, ..self }.items(&nodes, start..end)?;
        Some(Body { head: self.text.get(range.start..start)?, items, foot: self.text.get(end..range.end)? })
    }

    /// Behind the end of the line.
    fn line_end(self, at: usize) -> usize {
        let is_behind = at > 0 && self.text.as_bytes().get(at - 1) == Some(&b'\n');
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        if is_behind { at } else { rest.iter().position(|byte| *byte == b'\n').map_or(self.text.len(), |end| at + end + 1) }
    }

    fn line_start(self, at: usize) -> usize {
        // In bytes: what a brace that is missing stands for may begin in the middle of a letter.
        self.text.as_bytes()[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
    }
}

/// Comments at the top that a blank line parts from the first item are an item of their own.
fn split_preamble(mut items: Vec<Item<'_>>) -> Vec<Item<'_>> {
    let Some(first) = items.first_mut() else { return items };
    let is_comment = |line: &str| ["//", "/*", "*", "#", "\"\"\""].iter().any(|mark| line.trim_start().starts_with(mark));
    let mut end = 0;
    let mut at = 0;
    for line in first.text.split_inclusive('\n') {
        if line.trim().is_empty() {
            end = at;
        } else if !is_comment(line) {
            break;
        }
        at += line.len();
    }
    if end == 0 || at >= first.text.len() {
        return items;
    }
    let (top, rest) = first.text.split_at(end);
    let blank = rest.len() - rest.trim_start_matches(['\n', ' ', '\t']).len();
    let blank = rest[..blank].rfind('\n').map_or(0, |end| end + 1);
    let preamble =
        Item { key: Key::preamble(), blank: first.blank, text: top, body: None, import: None, is_laid_out: first.is_laid_out };
    if let Some(body) = &mut first.body {
        body.head = &body.head[end + blank..];
    }
    (first.blank, first.text) = rest.split_at(blank);
    items.insert(0, preamble);
    items
}

/// Items of one name are counted; what has no name is known by what stands before it. Which of several is which in another version, by
/// their texts, is for `twins` to say.
fn told_apart(mut items: Vec<Item<'_>>) -> Vec<Item<'_>> {
    let mut seen: HashMap<Key, usize> = HashMap::new();
    let mut before = Key::preamble();
    for item in &mut items {
        if item.key == Key::loose() {
            item.key = Key::after(&before);
        }
        let times = seen.entry(item.key.clone()).or_insert(0);
        *times += 1;
        if *times > 1 {
            item.key.number = *times;
        }
        before = item.key.clone();
    }
    items
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::{Expect, expect};

    use super::*;

    fn check(language: Language, text: &str, expected: &Expect) {
        let tree = language.parse(text).unwrap();
        let nodes: Vec<Node<'_>> = children(tree.root_node()).into_iter().filter(tree_sitter::Node::is_named).collect();
        let items = Source { language, text, depth: 9 }.items(&nodes, 0..text.len()).unwrap();
        let joined: String = items.iter().flat_map(|item| [item.blank, item.text]).collect();
        assert_eq!(joined, text);
        expected.assert_eq(&shown(&items, ""));
    }

    fn shown(items: &[Item<'_>], indent: &str) -> String {
        let mut out = String::new();
        for item in items {
            writeln!(out, "{indent}{} {}+{}", item.key, item.blank.len(), item.text.lines().count()).unwrap();
            if let Some(body) = &item.body {
                assert_eq!(
                    format!(
                        "{}{}{}",
                        body.head,
                        body.items.iter().flat_map(|item| [item.blank, item.text]).collect::<String>(),
                        body.foot
                    ),
                    item.text
                );
                out.push_str(&shown(&body.items, &format!("{indent}  ")));
            }
        }
        out
    }

    #[test]
    fn a_rust_file_is_its_items() {
        check(
            Language::Rust,
            "//! Why.\n\n#![deny(x)]\n\nuse a::b;\nuse a::{c, d};\n\n/// Doc.\n#[derive(A)]\nstruct S {\n    a: u8,\n}\n\nimpl S {\n    // One.\n    fn f(&self) {} // so\n\n    fn g() {\n    }\n}\nthread_local! { static A: u8 = 1; }\n#[cfg(test)]\nmod tests {\n    fn a() {}\n}\n// end\n",
            &expect![[r#"
                loose:preamble: 0+3
                import:use a::b; 1+1
                import:use a:: 0+1
                type:S 1+5
                impl:impl S 1+7
                  fn:f 0+2
                  fn:g 1+2
                macro:thread_local 0+1
                mod:tests 0+4
                  fn:a 0+1
                tail: 0+1
            "#]],
        );
    }

    #[test]
    fn a_python_file_is_its_items() {
        check(
            Language::Python,
            "#!/usr/bin/env python\n# Copyright\n\n\"\"\"Doc.\"\"\"\nimport os\nfrom a import (\n    b,\n    c,\n)\n\nX = 1\nprint(X)\nprint(2)\n\n\n@dec\nclass A(B):\n    # note\n    x = 1\n\n    def f(self):\n        return 1\n\n    @property\n    def g(self):\n        return 2\n\n\nif __name__ == '__main__':\n    main()\n",
            &expect![[r#"
                loose:preamble: 0+4
                import:import os 0+1
                import:from a import 0+4
                var:X 1+1
                loose:var:X 0+2
                type:A 2+11
                  var:x 0+1
                  fn:f 1+2
                  fn:g 1+3
                if:__name__ == '__main__' 2+2
            "#]],
        );
    }

    #[test]
    fn a_script_is_its_items() {
        check(
            Language::TypeScript,
            "import { a } from 'x';\nimport b, * as c from \"y\";\n\nexport interface I {\n  a: string;\n  b(): void;\n}\n\nexport class C extends D {\n  private x = 1;\n\n  get y() { return 1; }\n}\n\nmodule.exports = { a };\n\ndescribe('it', () => {\n  beforeEach(() => {});\n\n  it('works', () => {\n    f();\n  });\n});\n",
            &expect![[r#"
                import:import from 'x' 0+1
                import:import b, * as c from "y"; 0+1
                type:I 1+4
                  var:a 0+1
                  fn:b 0+1
                type:C 1+5
                  var:x 0+1
                  fn:get y 1+1
                var:module.exports 1+1
                call:describe 'it' 1+7
                  loose:preamble: 0+1
                  call:it 'works' 1+3
                    loose:preamble: 0+1
            "#]],
        );
    }

    #[test]
    fn a_go_file_is_its_items() {
        check(
            Language::Go,
            "package a\n\nimport (\n\t\"fmt\"\n\n\tx \"y/z\"\n)\n\ntype T struct {\n\tA int\n\tB string\n}\n\nfunc (t *T) F() {\n}\n\nvar E = 1\n",
            &expect![[r#"
                package: 0+1
                import:group 1+5
                  import:"fmt" 0+1
                  import:x "y/z" 1+1
                var:T 1+4
                  var:A 0+1
                  var:B 0+1
                fn:T F 1+2
                var:E 1+1
            "#]],
        );
    }
}
