//! Blocks of private keys: lines of base64 after a `BEGIN … PRIVATE KEY` line, or before an `END … PRIVATE KEY` line whose beginning
//! was cut off.
//!
//! The lines may stand in a listing with numbers, in quotes or in a comment; only the base64 in them is the secret. A program that merely
//! speaks of such lines has none.

/// As the line ends that begins or ends a block.
pub(super) const CUES: &[&str] = &["PRIVATE KEY-----", "PRIVATE KEY BLOCK-----"];

/// A line of base64 in a block is at least this long, but for the last.
const WIDE: usize = 40;
/// More lines than any key has.
const MOST_LINES: usize = 400;
/// Lines of a block that are not base64: `Version: 1`, `DEK-Info: …`, an empty one.
const MOST_HEADERS: usize = 5;
/// A longer line is none of a block, even in a listing.
const LONGEST_LINE: usize = 256;

/// The pieces of base64 of the block that the cue at `start..end` belongs to.
pub(super) fn pieces(text: &[u8], start: usize, end: usize) -> Vec<(usize, usize)> {
    let before = &text[start.saturating_sub(40)..start];
    let has = |word: &[u8]| before.windows(word.len()).any(|window| window == word);
    if has(b"-----BEGIN ") {
        forward(text, end)
    } else if has(b"-----END ") {
        backward(text, start)
    } else {
        Vec::new()
    }
}

fn forward(text: &[u8], from: usize) -> Vec<(usize, usize)> {
    if let Some(piece) = on_one_line(text, from) {
        return vec![piece];
    }
    let (mut pieces, mut headers) = (Vec::new(), 0);
    let mut next = line_end(text, from).map(|end| end + 1);
    for _ in 0..MOST_LINES {
        let Some((start, end)) = next.and_then(|start| Some((start, line_end(text, start)?))) else { break };
        next = (end < text.len()).then_some(end + 1);
        match widest(text, start, end) {
            Some((from, to)) if to - from >= WIDE => pieces.push((from, to)),
            None if pieces.is_empty() && headers < MOST_HEADERS => headers += 1,
            Some(_) if pieces.is_empty() && headers < MOST_HEADERS && is_header(&text[start..end]) => headers += 1,
            Some(last) if !pieces.is_empty() && is_rest(text, start, end, last) => {
                pieces.push(last);
                break;
            }
            _ => break,
        }
    }
    pieces
}

fn backward(text: &[u8], cue: usize) -> Vec<(usize, usize)> {
    let mut pieces = Vec::new();
    let mut below = line_start(text, cue);
    for number in 0..MOST_LINES {
        let Some((start, end)) =
            below.filter(|below| *below > 0).and_then(|below| Some((line_start(text, below - 1)?, below - 1)))
        else {
            break;
        };
        below = Some(start);
        match widest(text, start, end) {
            Some((from, to)) if to - from >= WIDE => pieces.push((from, to)),
            Some(last) if number == 0 && is_rest(text, start, end, last) => pieces.push(last),
            _ => break,
        }
    }
    pieces.reverse();
    // A short last line alone is no key.
    if pieces.iter().any(|(from, to)| to - from >= WIDE) { pieces } else { Vec::new() }
}

/// A whole key in one line, its line ends written `\n`.
fn on_one_line(text: &[u8], from: usize) -> Option<(usize, usize)> {
    let is_part = |byte: &u8| is_base64(*byte) || matches!(byte, b'\\' | b' ');
    let length = text[from..].iter().take_while(|byte| is_part(byte)).count();
    (length >= WIDE).then_some((from, from + length))
}

/// The longest run of base64 in a line.
fn widest(text: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
    let line = text.get(start..end)?;
    let mut best: Option<(usize, usize)> = None;
    let mut at = 0;
    while at < line.len() {
        let length = line[at..].iter().take_while(|byte| is_base64(**byte)).count();
        if length > 0 && best.is_none_or(|(from, to)| length > to - from) {
            best = Some((start + at, start + at + length));
        }
        at += length + 1;
    }
    best
}

/// Whether the last line of a block is this: besides the base64 only what stands before and after in a listing or a text in quotes.
fn is_rest(text: &[u8], start: usize, end: usize, (from, to): (usize, usize)) -> bool {
    let around = |part: &[u8]| part.iter().all(|byte| byte.is_ascii_digit() || b" \t:-+>|\"',\\n;\r".contains(byte));
    to - from >= 2 && around(&text[start..from]) && around(&text[to..end])
}

fn is_header(line: &[u8]) -> bool {
    line.len() < 80 && (line.iter().all(|byte| byte.is_ascii_whitespace() || byte.is_ascii_digit()) || line.contains(&b':'))
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// The end of a line that is not too long.
fn line_end(text: &[u8], at: usize) -> Option<usize> {
    let view = text.get(at..text.len().min(at + LONGEST_LINE))?;
    let newline = view.iter().position(|byte| *byte == b'\n');
    newline.map(|length| at + length).or((at + view.len() == text.len()).then_some(text.len()))
}

/// The beginning of a line that is not too long.
fn line_start(text: &[u8], at: usize) -> Option<usize> {
    let from = at.saturating_sub(LONGEST_LINE);
    let newline = text[from..at].iter().rposition(|byte| *byte == b'\n');
    newline.map(|place| from + place + 1).or((from == 0).then_some(0))
}
