//! The blocks of a text for people.
//!
//! **Invariant:** the blocks, each with the empty lines before it, and the empty lines at the end are the text, byte for byte.

/// One block, with the end of its last line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) kind: Kind,
    /// Empty lines before it.
    pub(super) lead: String,
    pub(super) text: String,
    /// What it says, but for its number.
    pub(super) id: String,
    /// Where it is an entry of a numbered list: how far it is indented, and its number.
    pub(super) number: Option<(usize, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Heading,
    Paragraph,
    /// An entry of a list.
    Item,
    /// A row of a table.
    Row,
    /// Code, data at the head of the file, drawn tables: what words mean nothing in.
    Fenced,
}

/// Splits a text that ends its last line.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let (mut blocks, mut lead): (Vec<Block>, String) = (Vec::new(), String::new());
    let (mut fence, mut is_open) = (None::<&str>, false);
    for (at, line) in text.split_inclusive('\n').enumerate() {
        let bare = line.trim();
        if let Some(mark) = fence {
            extend(&mut blocks, line);
            if bare.starts_with(mark) && bare.trim_start_matches(&mark[..1]).is_empty() {
                (fence, is_open) = (None, false);
            }
            continue;
        }
        if bare.is_empty() {
            lead.push_str(line);
            is_open = false;
            continue;
        }
        fence = opens(bare, at == 0);
        let kind = if fence.is_some() { Kind::Fenced } else { kind_of(line) };
        // Only lines without a mark of their own go on with what stands above them.
        if is_open && kind == Kind::Paragraph {
            extend(&mut blocks, line);
            continue;
        }
        blocks.push(Block { kind, lead: std::mem::take(&mut lead), text: line.to_owned(), id: String::new(), number: None });
        is_open = matches!(kind, Kind::Paragraph | Kind::Item);
    }
    blocks.iter_mut().for_each(name);
    blocks
}

fn extend(blocks: &mut [Block], line: &str) {
    if let Some(last) = blocks.last_mut() {
        last.text.push_str(line);
    }
}

/// What ends the fence that a line opens.
fn opens(bare: &str, is_first_line: bool) -> Option<&'static str> {
    ["```", "~~~"].into_iter().find(|mark| bare.starts_with(mark)).or_else(|| {
        let head = ["---", "+++"].into_iter().find(|mark| bare == *mark);
        head.filter(|_| is_first_line)
    })
}

fn kind_of(line: &str) -> Kind {
    let bare = line.trim_start();
    let marks = bare.len() - bare.trim_start_matches('#').len();
    match bare.chars().next() {
        Some('#') if (1..=6).contains(&marks) && bare[marks..].starts_with(' ') => Kind::Heading,
        Some('|') => Kind::Row,
        Some('+') if bare.starts_with("+-") || bare.starts_with("+=") => Kind::Fenced,
        _ if bare.starts_with("- ") || bare.starts_with("* ") || bare.starts_with("+ ") || number_of(line).is_some() => {
            Kind::Item
        }
        _ => Kind::Paragraph,
    }
}

/// How far an entry is indented, its number, and where its number ends.
fn number_of(line: &str) -> Option<(usize, usize, usize)> {
    let bare = line.trim_start_matches(' ');
    let indent = line.len() - bare.len();
    let digits = bare.len() - bare.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let is_item = digits > 0 && digits < 7 && bare[digits..].starts_with(". ");
    is_item.then(|| Some((indent, bare[..digits].parse().ok()?, indent + digits)))?
}

fn name(block: &mut Block) {
    let number = if block.kind == Kind::Item { number_of(&block.text) } else { None };
    block.number = number.map(|(indent, number, _)| (indent, number));
    block.id = match number {
        Some((indent, _, end)) => format!("{}#{}", &block.text[..indent], &block.text[end..]),
        None => block.text.clone(),
    };
}

/// Whether all numbered lists of a text count without a gap.
pub(super) fn is_continuous(blocks: &[Block]) -> bool {
    blocks.windows(2).all(|pair| match (pair[0].number, pair[1].number) {
        (Some((indent, before)), Some((other, number))) if indent == other => number == before + 1,
        _ => true,
    })
}

/// With numbered lists that count without a gap, each from where it begins.
pub(super) fn renumbered(mut blocks: Vec<Block>) -> Vec<Block> {
    for at in 1..blocks.len() {
        let (Some((indent, before)), Some((other, number))) = (blocks[at - 1].number, blocks[at].number) else { continue };
        if indent == other && number != before + 1 {
            let block = &mut blocks[at];
            block.text = block.text.replacen(&number.to_string(), &(before + 1).to_string(), 1);
            block.number = Some((indent, before + 1));
        }
    }
    blocks
}

/// Whether all rows of each table have as many cells.
pub(super) fn has_even_tables(blocks: &[Block]) -> bool {
    let cells = |block: &Block| block.text.replace("\\|", "").matches('|').count();
    let is_one_table = |pair: &[Block]| pair[1].lead.is_empty() && pair.iter().all(|block| block.kind == Kind::Row);
    blocks.windows(2).filter(|pair| is_one_table(pair)).all(|pair| cells(&pair[0]) == cells(&pair[1]))
}
