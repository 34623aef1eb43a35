//! Reports in the form of `JUnit`, which nearly every runner can write.
//!
//! **Invariant:** a report that is torn says what it says up to there. Entities of its own are not expanded.

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use super::found::Found;

/// How much of the text of a failure is looked at.
const MOST_TEXT: usize = 64 << 10;

#[derive(Default)]
struct Case {
    name: String,
    file: String,
    line: u32,
    has_failed: bool,
    message: String,
    text: String,
}

/// Reads a report.
pub(super) fn read(report: &str, found: &mut Found<'_>) {
    let mut reader = Reader::from_str(report);
    let (mut case, mut tells) = (None::<Case>, false);
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => tells = open(&tag, &mut case) || tells,
            Ok(Event::Empty(tag)) => {
                open(&tag, &mut case);
                if tag.local_name().as_ref() == b"testcase" {
                    close(case.take(), found);
                }
            }
            Ok(Event::End(tag)) => match tag.local_name().as_ref() {
                b"testcase" => {
                    close(case.take(), found);
                    tells = false;
                }
                b"failure" | b"error" => tells = false,
                _ => {}
            },
            Ok(Event::Text(text)) if tells => hear(&mut case, &String::from_utf8_lossy(&text)),
            Ok(Event::CData(text)) if tells => hear(&mut case, &String::from_utf8_lossy(&text)),
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
    }
    close(case, found);
}

/// Takes up a tag; whether what stands in it is what a failure says.
fn open(tag: &BytesStart<'_>, case: &mut Option<Case>) -> bool {
    match (tag.local_name().as_ref(), case.as_mut()) {
        (b"testcase", _) => {
            let (class, name) = (attribute(tag, "classname"), attribute(tag, "name"));
            let name = if class.is_empty() || name.starts_with(&class) { name } else { format!("{class}.{name}") };
            let line = attribute(tag, "line").parse().unwrap_or_default();
            *case = Some(Case { name, file: attribute(tag, "file"), line, ..Case::default() });
            false
        }
        (b"failure" | b"error", Some(case)) => {
            (case.has_failed, case.message) = (true, attribute(tag, "message"));
            true
        }
        _ => false,
    }
}

fn hear(case: &mut Option<Case>, text: &str) {
    if let Some(case) = case.as_mut().filter(|case| case.text.len() < MOST_TEXT) {
        case.text.push_str(super::cut(text, MOST_TEXT));
    }
}

fn close(case: Option<Case>, found: &mut Found<'_>) {
    let Some(Case { name, file, line, has_failed: true, message, text }) = case else { return };
    let Some(at) = found.fails(&name) else { return };
    let said = super::read(&text, found.roots());
    for place in &said.places {
        found.place(place.path.as_str(), place.line);
    }
    let first = |text: &str| {
        text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("thread '")).unwrap_or_default().to_owned()
    };
    found.tell(at, found.inside(&file).map(|path| super::Place { path, line }), &first(&message));
    found.tell(at, said.places.into_iter().next(), &first(&text));
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> String {
    let value =
        tag.try_get_attribute(name).ok().flatten().map(|attribute| String::from_utf8_lossy(&attribute.value).into_owned());
    let value = value.unwrap_or_default();
    quick_xml::escape::unescape(&value).map(std::borrow::Cow::into_owned).unwrap_or(value)
}
