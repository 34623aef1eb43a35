//! A shell's text cut into simple commands: what it would run, wherever it stands.
//!
//! This reads as much of the shell's language as it takes to find the commands in it: separators, quotes, subshells, substitutions,
//! redirections, here-documents. It expands nothing: a word that only the shell could know stays as it is written.
//!
//! **Invariant:** no text makes it panic, and its time and memory are linear in the text: it goes through it once, with a stack of
//! its own.
//!
//! Not here: what a simple command runs in the end (`simple`: `env X=1 sh -c "…"`), and what rules say to it (`rules`).

/// What was found in a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cut {
    /// The words of each simple command, without quotes and redirections.
    pub(super) commands: Vec<Vec<String>>,
    /// The bodies of here-documents.
    pub(super) documents: Vec<Document>,
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
    /// `${…}`
    Brace,
    /// A here-document: as in quotes, but nothing ends it.
    Document,
}

/// One level of commands: the text itself, a subshell, a substitution.
struct Level {
    close: Close,
    /// Whether its words are none of a command: arithmetic, the values of an array.
    silent: bool,
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
        let (silent, begun, redirected) = (false, false, false);
        Self { close, silent, marks: Vec::new(), words: Vec::new(), word: String::new(), begun, redirected }
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
            '#' if !self.level().begun => {
                let rest = &self.text[self.at..];
                self.at += rest.find('\n').unwrap_or(rest.len());
            }
            '\\' => match self.next() {
                Some('\n') | None => {}
                Some(escaped) => self.push(escaped),
            },
            _ => self.expanding(c),
        }
    }

    /// Between double quotes, in braces, in a here-document.
    fn marked(&mut self, mark: Mark, c: char) {
        match (mark, c) {
            (Mark::Quote, '"') | (Mark::Brace, '}') => drop(self.level().marks.pop()),
            (Mark::Brace, '"') => self.level().marks.push(Mark::Quote),
            (_, '\\') => match self.next() {
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

    /// What means the same in and outside of quotes.
    fn expanding(&mut self, c: char) {
        match c {
            '$' if self.take("((") => self.open_silent(),
            '$' if self.take("(") => self.levels.push(Level::new(Close::Parenthesis)),
            '$' if self.take("{") => {
                self.level().begun = true;
                self.level().marks.push(Mark::Brace);
            }
            '$' if self.level().marks.is_empty() && self.peek() == Some('\'') => {}
            '`' if self.level().close == Close::Backtick => self.close_level(),
            '`' => self.levels.push(Level::new(Close::Backtick)),
            other => self.push(other),
        }
    }

    /// Two levels, for two parentheses close them.
    fn open_silent(&mut self) {
        for _ in 0..2 {
            self.levels.push(Level { silent: true, ..Level::new(Close::Parenthesis) });
        }
    }

    fn parenthesis(&mut self) {
        let level = self.level();
        let is_array = level.begun && level.word.ends_with('=');
        let is_beginning = !level.begun && level.words.is_empty();
        if is_beginning && self.take("(") {
            return self.open_silent();
        }
        if !is_beginning && !is_array && self.take(")") {
            // `f() {`: what comes is a command again.
            return self.forget_words();
        }
        self.levels.push(Level { silent: is_array, ..Level::new(Close::Parenthesis) });
    }

    fn close_parenthesis(&mut self) {
        if self.level().close == Close::Parenthesis {
            return self.close_level();
        }
        // The end of a pattern in `case`: its words are no command.
        self.forget_words();
    }

    fn forget_words(&mut self) {
        let level = self.level();
        level.words.clear();
        level.word.clear();
        level.begun = false;
    }

    fn close_level(&mut self) {
        self.end_command();
        self.levels.pop();
        // What a substitution gives is not known; that there is something in its place is.
        self.level().word.push_str("$()");
        self.level().begun = true;
    }

    fn single_quotes(&mut self) {
        let rest = &self.text[self.at..];
        let end = rest.find('\'').unwrap_or(rest.len());
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
        let (mut name, mut expands) = (String::new(), true);
        while let Some(c) = self.peek().filter(|c| !c.is_whitespace() && !matches!(c, ';' | '|' | '&' | '<' | '>' | '(' | ')')) {
            self.next();
            match c {
                '\'' | '"' | '\\' => expands = false,
                other => name.push(other),
            }
        }
        self.pending.push((name, expands));
    }

    fn read_documents(&mut self) {
        for (name, expands) in std::mem::take(&mut self.pending) {
            let mut text = String::new();
            while self.at < self.text.len() {
                let rest = &self.text[self.at..];
                let line = rest.split_inclusive('\n').next().unwrap_or(rest);
                self.at += line.len();
                if line.trim_end_matches(['\n', '\r']).trim_start_matches('\t') == name {
                    break;
                }
                text.push_str(line);
            }
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
        let is_command = !words.is_empty() && !level.silent && level.marks.first() != Some(&Mark::Document);
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
