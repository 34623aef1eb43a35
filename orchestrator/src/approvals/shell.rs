//! A shell's text cut into simple commands: what it would run, wherever it stands.
//!
//! This reads as much of the shell's language as it takes to find the commands in it: separators, quotes, subshells, substitutions,
//! redirections, here-documents. It expands nothing: a word that only the shell could know stays as it is written.
//!
//! **Invariant:** no text makes it panic, and its time and memory are linear in the text: it goes through it once, with a stack of
//! its own.
//!
//! **Invariant:** what cannot be told for sure is said to be unreadable, never taken for "nothing here".
//!
//! Not here: what a simple command runs in the end (`simple`: `env X=1 sh -c "…"`), and what rules say to it (`rules`).

/// What was found in a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cut {
    /// The words of each simple command, without quotes and redirections.
    pub(super) commands: Vec<Vec<String>>,
    /// The bodies of here-documents.
    pub(super) documents: Vec<Document>,
    /// Whether something in it is not closed, or means one thing to one shell and another to the next: there may be more in it.
    pub(super) unreadable: bool,
}

/// The body of a here-document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) text: String,
    /// Whether the shell expands what stands in it.
    pub(super) expands: bool,
}

/// How a text is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum As {
    /// Commands.
    Script,
    /// Text in which only substitutions are commands, as between double quotes.
    Quoted,
}

/// Finds the commands of a text.
pub(super) fn cut(text: &str, how: As) -> Cut {
    let mut first = Level::new(Close::Never);
    if how == As::Quoted {
        first.marks.push(Mark::Document);
    }
    let mut reader = Reader { text, at: 0, levels: vec![first], pending: Vec::new(), cut: Cut::default() };
    while let Some(c) = reader.next() {
        match reader.level().marks.last() {
            None => reader.plain(c),
            Some(&mark) => reader.marked(mark, c),
        }
    }
    let is_open = |level: &Level| !matches!(level.marks.as_slice(), [] | [Mark::Document]);
    reader.cut.unreadable |= reader.levels.len() > 1 || reader.levels.iter().any(is_open) || !reader.pending.is_empty();
    while !reader.levels.is_empty() {
        reader.end_command();
        reader.levels.pop();
    }
    reader.cut
}

/// What ends a level of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Close {
    Never,
    Parenthesis,
    Backtick,
}

/// Within what a character stands, on its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// `"…"`
    Quote,
    /// `${…}`, and whether it stands in quotes itself.
    Brace { quoted: bool },
    /// A here-document: as in quotes, but nothing ends it.
    Document,
}

/// What the words of a level are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Commands,
    /// The values of an array.
    Values,
    /// `((…))`
    Arithmetic,
    /// The outer of the two levels of arithmetic: nothing but the inner one stands in it.
    Around,
}

/// One level of commands: the text itself, a subshell, a substitution.
struct Level {
    close: Close,
    holds: Holds,
    marks: Vec<Mark>,
    words: Vec<String>,
    word: String,
    /// Whether a word has begun, be it empty.
    begun: bool,
    /// Whether the next word is where a redirection leads.
    redirected: bool,
}

impl Level {
    fn new(close: Close) -> Self {
        let (holds, begun, redirected) = (Holds::Commands, false, false);
        Self { close, holds, marks: Vec::new(), words: Vec::new(), word: String::new(), begun, redirected }
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    levels: Vec<Level>,
    /// Here-documents whose bodies begin after the next line break: their last line, and whether they expand.
    pending: Vec<(String, bool)>,
    cut: Cut,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Takes the text if it comes next.
    fn take(&mut self, wanted: &str) -> bool {
        let found = self.text[self.at..].starts_with(wanted);
        self.at += if found { wanted.len() } else { 0 };
        found
    }

    fn level(&mut self) -> &mut Level {
        self.levels.last_mut().expect("the first level is there to the end")
    }

    fn push(&mut self, c: char) {
        let level = self.level();
        level.word.push(c);
        level.begun = true;
    }

    fn plain(&mut self, c: char) {
        match c {
            ' ' | '\t' | '\r' => self.end_word(),
            '\n' => {
                self.end_command();
                self.read_documents();
            }
            '&' if self.peek() == Some('>') => self.redirect(),
            ';' | '|' | '&' => self.end_command(),
            '<' | '>' => self.redirection(c),
            '(' => self.parenthesis(),
            ')' => self.close_parenthesis(),
            '\'' => self.single_quotes(),
            '"' => {
                self.level().begun = true;
                self.level().marks.push(Mark::Quote);
            }
            '#' if !self.level().begun && self.level().holds != Holds::Arithmetic => {
                let rest = &self.text[self.at..];
                self.at += rest.find('\n').unwrap_or(rest.len());
            }
            '\\' => match self.escaped() {
                Some('\n') | None => {}
                Some(escaped) => self.push(escaped),
            },
            _ => self.expanding(c),
        }
    }

    /// Between double quotes, in braces, in a here-document.
    fn marked(&mut self, mark: Mark, c: char) {
        match (mark, c) {
            (Mark::Quote, '"') | (Mark::Brace { .. }, '}') => drop(self.level().marks.pop()),
            (Mark::Brace { .. }, '"') => self.level().marks.push(Mark::Quote),
            (Mark::Brace { quoted: false }, '\'') => self.single_quotes(),
            (Mark::Brace { quoted: true }, '\'') => {
                // A quote after `#` or `%`, a character after `:-`; and not the same in every shell.
                self.cut.unreadable = true;
                self.push(c);
            }
            (_, '\\') => match self.escaped() {
                Some('\n') | None => {}
                Some(escaped) => {
                    if !matches!(escaped, '$' | '`' | '"' | '\\') {
                        self.push('\\');
                    }
                    self.push(escaped);
                }
            },
            _ => self.expanding(c),
        }
    }

    /// What comes after a backslash. A backtick between backticks begins commands that are not read.
    fn escaped(&mut self) -> Option<char> {
        let escaped = self.next();
        self.cut.unreadable |= escaped == Some('`') && self.level().close == Close::Backtick;
        escaped
    }

    /// What means the same in and outside of quotes.
    fn expanding(&mut self, c: char) {
        match c {
            '$' if self.take("((") => self.open_arithmetic(),
            '$' if self.take("(") => self.levels.push(Level::new(Close::Parenthesis)),
            '$' if self.take("{") => {
                let level = self.level();
                level.begun = true;
                let quoted = !matches!(level.marks.last(), None | Some(Mark::Brace { quoted: false }));
                level.marks.push(Mark::Brace { quoted });
            }
            '$' if self.peek() == Some('\'')
                && matches!(self.level().marks.last(), None | Some(Mark::Brace { quoted: false })) =>
            {
                self.next();
                self.single_quotes();
                // `$'\''` goes on in one shell and ends in another.
                let is_escaped = self.text[..self.at].ends_with("\\'");
                self.cut.unreadable |= is_escaped;
            }
            '`' if self.level().close == Close::Backtick => self.close_level(),
            '`' => self.levels.push(Level::new(Close::Backtick)),
            other => self.push(other),
        }
    }

    /// Two levels, for two parentheses close them.
    fn open_arithmetic(&mut self) {
        for holds in [Holds::Around, Holds::Arithmetic] {
            self.levels.push(Level { holds, ..Level::new(Close::Parenthesis) });
        }
    }

    fn parenthesis(&mut self) {
        let level = self.level();
        if level.holds == Holds::Arithmetic {
            return self.levels.push(Level { holds: Holds::Arithmetic, ..Level::new(Close::Parenthesis) });
        }
        let is_array = level.begun && level.word.ends_with('=');
        let is_beginning = !level.begun && level.words.is_empty();
        if is_beginning && self.take("(") {
            return self.open_arithmetic();
        }
        if !is_beginning && !is_array && self.take(")") {
            // `f() {`: what comes is a command again.
            return self.forget_words();
        }
        let holds = if is_array { Holds::Values } else { Holds::Commands };
        self.levels.push(Level { holds, ..Level::new(Close::Parenthesis) });
    }

    fn close_parenthesis(&mut self) {
        if self.level().close == Close::Parenthesis {
            self.look_at_the_end_of_arithmetic();
            return self.close_level();
        }
        // The end of a pattern in `case`: its words are no command. Several words are no pattern.
        self.end_word();
        let words = &self.level().words;
        let is_pattern = words.len() < 2 || words[0] == "case" || words[0] == "in";
        self.cut.unreadable |= !is_pattern;
        self.forget_words();
    }

    /// `((a) && b)` looks like arithmetic until it ends: the outer of its two levels holds nothing but the inner one.
    fn look_at_the_end_of_arithmetic(&mut self) {
        let depth = self.levels.len();
        let is_inner = |level: &Level| level.holds == Holds::Around;
        if self.levels.get(depth.wrapping_sub(2)).is_some_and(is_inner) && self.peek() != Some(')') {
            self.cut.unreadable = true;
        }
    }

    fn forget_words(&mut self) {
        let level = self.level();
        level.words.clear();
        level.word.clear();
        level.begun = false;
    }

    fn close_level(&mut self) {
        self.end_command();
        let closed = self.levels.pop();
        self.cut.unreadable |= closed.is_some_and(|level| !level.marks.is_empty());
        // What a substitution gives is not known; that there is something in its place is.
        self.level().word.push_str("$()");
        self.level().begun = true;
    }

    fn single_quotes(&mut self) {
        let rest = &self.text[self.at..];
        let end = rest.find('\'').unwrap_or(rest.len());
        self.cut.unreadable |= end == rest.len();
        let quoted = &rest[..end];
        self.at += (end + 1).min(rest.len());
        self.level().word.push_str(quoted);
        self.level().begun = true;
    }

    fn redirection(&mut self, c: char) {
        let level = self.level();
        if level.begun && level.word.chars().all(|digit| digit.is_ascii_digit()) {
            level.word.clear();
            level.begun = false;
        }
        self.end_word();
        if self.take("(") {
            self.levels.push(Level::new(Close::Parenthesis));
        } else if self.level().holds == Holds::Arithmetic {
            // It compares or shifts, and leads nowhere.
            self.push(c);
        } else if c == '<' && !self.text[self.at..].starts_with("<<") && self.take("<") {
            self.document();
        } else {
            self.redirect();
        }
    }

    /// The word that comes is a file, a descriptor or a text, and no word of the command.
    fn redirect(&mut self) {
        self.end_word();
        while self.peek().is_some_and(|c| matches!(c, '<' | '>' | '&' | '|')) {
            self.next();
        }
        self.level().redirected = true;
    }

    /// The name after `<<`, which ends the document.
    fn document(&mut self) {
        self.take("-");
        while self.take(" ") || self.take("\t") {}
        let (mut name, mut expands, mut quotes) = (String::new(), true, 0);
        while let Some(c) = self.peek().filter(|c| !c.is_whitespace() && !matches!(c, ';' | '|' | '&' | '<' | '>' | '(' | ')')) {
            self.next();
            quotes += usize::from(matches!(c, '\'' | '"'));
            match c {
                '\'' | '"' | '\\' => expands = false,
                other => name.push(other),
            }
        }
        // A name with a space in it is not read to its end.
        self.cut.unreadable |= quotes % 2 == 1;
        self.pending.push((name, expands));
    }

    fn read_documents(&mut self) {
        for (name, expands) in std::mem::take(&mut self.pending) {
            let (mut text, mut ended) = (String::new(), false);
            while self.at < self.text.len() {
                let rest = &self.text[self.at..];
                let line = rest.split_inclusive('\n').next().unwrap_or(rest);
                self.at += line.len();
                if line.trim_end_matches(['\n', '\r']).trim_start_matches('\t') == name {
                    ended = true;
                    break;
                }
                text.push_str(line);
            }
            self.cut.unreadable |= !ended;
            self.cut.documents.push(Document { text, expands });
        }
    }

    fn end_word(&mut self) {
        let level = self.level();
        let word = std::mem::take(&mut level.word);
        if !std::mem::take(&mut level.begun) {
            return;
        }
        if !std::mem::take(&mut level.redirected) {
            level.words.push(word);
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        let level = self.level();
        level.redirected = false;
        let words = std::mem::take(&mut level.words);
        let is_command = !words.is_empty() && level.holds == Holds::Commands && level.marks.first() != Some(&Mark::Document);
        if is_command {
            self.cut.commands.push(words);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(cut: &Cut) -> String {
        cut.commands.iter().map(|words| words.join(" ")).collect::<Vec<_>>().join(" / ")
    }

    #[test]
    fn every_command_of_a_text_is_found_wherever_it_stands() {
        for (text, commands) in [
            ("git push", "git push"),
            ("a && b || c; d | e & f\ng |& h", "a / b / c / d / e / f / g / h"),
            ("echo 'a && b' \"c; d\" e\\;f", "echo a && b c; d e;f"),
            ("g'i't \"pu\"sh \\\n origin", "git push origin"),
            ("(a; b) && { c; }", "a / b / $() / { c / }"),
            ("echo $(a $(b)) `c`", "b / a $() / c / echo $() $()"),
            ("echo \"x $(a \"y z\") `b`\"", "a y z / b / echo x $() $()"),
            ("echo \"${X:-$(a)}\" ${Y}", "a / echo X:-$() Y"),
            ("diff <(a) >(b) c", "a / b / diff $() $() c"),
            ("a > out 2>&1 < in >>x 2>/dev/null &>all b", "a b"),
            ("a 2 >x; b >&2", "a 2 / b"),
            ("a # && b\nc#d", "a / c#d"),
            ("echo $((1 + $(a))) && ((i++))", "a / echo $() / $()"),
            ("x=(1 2 $(a)) b", "a / x=$() b"),
            ("case x in a) b;; c|d) e;; esac", "b / c / e / esac"),
            ("cat <<E; a\nb $(c)\nE\nd", "cat / a / d"),
            ("cat <<< 'b' a", "cat a"),
            ("echo $'a b'", "echo a b"),
            ("$(a) push", "a / $() push"),
            ("", ""),
            ("'a", "a"),
            ("\"a $(b", "b / a "),
            ("a ) ) `", ""),
        ] {
            assert_eq!(shown(&cut(text, As::Script)), commands, "{text}");
        }
    }

    #[test]
    fn what_may_hide_a_command_is_read_or_said_to_be_unreadable() {
        for text in [
            "echo $((1<<2))\ngit push",
            "echo $(( (1<<2) ))\ngit push",
            "((x <<= 1))\ngit push",
            "echo ${x:-'}'}; git push",
            "echo ${x:-${y:-'}'}}; git push",
            "x=(a # '\n); git push",
            "echo $((16#ff)) \"a'b\"; git push",
        ] {
            let found = cut(text, As::Script);
            assert!(found.commands.iter().any(|words| words.join(" ") == "git push"), "{text}: {}", shown(&found));
            assert!(!found.unreadable, "{text}");
        }
        for text in [
            "'a",
            "a \"b",
            "a ${b",
            "a $(b",
            "a `b",
            "(a",
            "a $((1",
            "cat <<E",
            "cat <<E\ngit push",
            "cat <<'E F'\nx\nE F\ngit push\necho ''",
            "echo $'\\'' ; git push #'",
            "echo \"${x#'}'}\"; git push",
            "echo `echo \\`git push\\``",
            "((git push); true)",
            "echo $((git push); true)",
            "x=$(case a in a) true;; esac; git push)",
        ] {
            assert!(cut(text, As::Script).unreadable, "{text}");
        }
        for text in [
            "f() { a; }",
            "case x in a) b c;; c|d) e;; esac",
            "echo \"${x:-\"y\"}\" $(a `b`) $'a b' it\\'s",
            "cat <<E\nit's \"\nE",
        ] {
            assert!(!cut(text, As::Script).unreadable, "{text}");
        }
        assert!(!cut("it's a \"text", As::Quoted).unreadable);
    }

    #[test]
    fn a_document_is_text_and_what_is_substituted_in_it_is_a_command() {
        let found = cut("cat <<E <<-'F'\nx $(a)\nE\n\ty `b`\n\tF\nc", As::Script);
        assert_eq!(shown(&found), "cat / c");
        let documents: Vec<_> = found.documents.iter().map(|one| (one.text.as_str(), one.expands)).collect();
        assert_eq!(documents, [("x $(a)\n", true), ("\ty `b`\n", false)]);
        assert_eq!(shown(&cut("x \"$(a 'b c')\" ; d", As::Quoted)), "a b c");
    }

    #[test]
    fn a_text_of_any_depth_is_read_in_one_go() {
        for nest in ["$(", "`", "(", "\"$(", "${", "\"${", "<(", "((", "'", "<<a\n", "a=("] {
            let text = nest.repeat(20_000);
            assert!(cut(&text, As::Script).commands.len() <= 20_001, "{nest}");
        }
    }
}
