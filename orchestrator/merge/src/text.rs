//! Bytes as text: which encoding, which line ends.
//!
//! **Invariant:** what is read and written again without a change is the same bytes.
//!
//! A file that is not UTF-8 is read byte by byte, as Latin-1 would have it: lines can be merged, words cannot be told.

/// How the bytes of a file were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    Bytes,
}

/// Whether it is no text at all, as git would tell.
pub(crate) fn is_binary(bytes: &[u8]) -> bool {
    bytes.iter().take(8000).any(|byte| *byte == 0)
}

/// Three texts in one encoding, with one kind of line ends where each of them has one.
pub(crate) struct Texts {
    pub base: String,
    pub ours: String,
    pub theirs: String,
    encoding: Encoding,
    /// Whether lines are to end as on Windows.
    carriage: bool,
}

impl Texts {
    pub(crate) fn read(base: &[u8], ours: &[u8], theirs: &[u8]) -> Self {
        let all = [base, ours, theirs];
        let utf8 = all.map(|bytes| std::str::from_utf8(bytes).ok());
        let encoding = if utf8.iter().all(Option::is_some) { Encoding::Utf8 } else { Encoding::Bytes };
        let read = |bytes: &[u8]| match (encoding, std::str::from_utf8(bytes)) {
            (Encoding::Utf8, Ok(text)) => text.to_owned(),
            _ => bytes.iter().map(|byte| char::from(*byte)).collect(),
        };
        let [base, ours, theirs] = all.map(read);
        let ends = [&base, &ours, &theirs].map(|text| ends_of(text));
        let mut texts = Self { base, ours, theirs, encoding, carriage: false };
        if ends.contains(&Ends::Mixed) || !ends.contains(&Ends::Carriage) {
            return texts;
        }
        let is_windows = ends.map(|end| end == Ends::Carriage);
        // An empty file has no line ends to change.
        let [was, ours_is, theirs_is] = is_windows;
        texts.carriage = if ours_is == was && ends[0] != Ends::Empty { theirs_is } else { ours_is };
        for text in [&mut texts.base, &mut texts.ours, &mut texts.theirs] {
            *text = text.replace("\r\n", "\n");
        }
        texts
    }

    pub(crate) fn is_utf8(&self) -> bool {
        self.encoding == Encoding::Utf8
    }

    /// A text as these were written.
    pub(crate) fn write(&self, text: &str) -> Vec<u8> {
        let text = if self.carriage { text.replace('\n', "\r\n") } else { text.to_owned() };
        match self.encoding {
            Encoding::Utf8 => text.into_bytes(),
            Encoding::Bytes => text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    Empty,
    Plain,
    Carriage,
    Mixed,
}

fn ends_of(text: &str) -> Ends {
    let lines = text.matches('\n').count();
    let carriages = text.matches("\r\n").count();
    match (lines, carriages) {
        (0, _) => Ends::Empty,
        (_, 0) => Ends::Plain,
        _ if lines == carriages => Ends::Carriage,
        _ => Ends::Mixed,
    }
}

/// Lines with their ends.
pub(crate) fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_that_changes_the_line_ends_changes_them() {
        let merged = |base: &str, ours: &str, theirs: &str| {
            let texts = Texts::read(base.as_bytes(), ours.as_bytes(), theirs.as_bytes());
            String::from_utf8(texts.write("x\ny\n")).unwrap()
        };
        assert_eq!(merged("a\n", "a\r\n", "a\nb\n"), "x\r\ny\r\n");
        assert_eq!(merged("a\r\n", "a\r\n", "a\n"), "x\ny\n");
        assert_eq!(merged("", "a\r\n", "b\r\n"), "x\r\ny\r\n");
        assert_eq!(merged("a\nb\r\n", "a\r\nb\r\n", "a\n"), "x\ny\n");
    }

    #[test]
    fn bytes_that_are_no_utf_8_come_out_as_they_went_in() {
        let bytes = [b"caf\xe9\n".as_slice(), "é\n".as_bytes(), b"\xff\n"];
        let texts = Texts::read(bytes[0], bytes[1], bytes[2]);
        assert!(!texts.is_utf8());
        assert_eq!(texts.write(&texts.ours), bytes[1]);
        assert_eq!(texts.write(&texts.theirs), bytes[2]);
    }
}
