//! Files whose format says more than their lines do: data, lists, logs of changes and prose.
//!
//! Not here: source code, and running the tools that regenerate a file.

mod align;
mod data;
mod flow;
mod identity;
mod json;
mod keyed;
mod list;
mod marks;
mod order;
mod tree;

use crate::{Labels, Merge, Merged, Rung, Versions};
use data::Data;
use tree::Group;

/// Merges a file of a format that is known here; nothing for any other.
#[must_use]
pub fn merge(versions: &Versions<'_>, labels: &Labels<'_>) -> Option<Merge> {
    versions.path.ends_with(".json").then(|| keyed(versions, labels, &Reader { parse: json::parse, data: json::data }))
}

/// How files of keyed data are read.
struct Reader {
    parse: fn(&str) -> Option<Group>,
    data: fn(&str) -> Option<Data>,
}

fn keyed(versions: &Versions<'_>, labels: &Labels<'_>, reader: &Reader) -> Merge {
    let texts = [versions.base, versions.ours, versions.theirs];
    match try_keyed(texts, reader) {
        Ok(woven) if woven.conflicts.is_empty() => {
            let text = woven.texts[1].clone();
            if is_right(texts, &text, reader) {
                return Merge::Clean(Merged { text: text.into_bytes(), rung: Rung::Format });
            }
            marks::refused(texts, labels, "the merged data is not what both sides say".to_owned())
        }
        Ok(woven) => {
            let texts = [&woven.texts[0], &woven.texts[1], &woven.texts[2]].map(|text| text.as_bytes());
            marks::refused(texts, labels, woven.conflicts.join("; "))
        }
        Err(why) => marks::refused(texts, labels, why.to_owned()),
    }
}

fn try_keyed(texts: [&[u8]; 3], reader: &Reader) -> Result<keyed::Woven, &'static str> {
    let [base, ours, theirs] = texts.map(|text| std::str::from_utf8(text).ok());
    let read = |text: Option<&str>| text.and_then(reader.parse).ok_or("a version of the file cannot be read");
    let base = if texts[0].is_empty() { None } else { Some(read(base)?) };
    Ok(keyed::merge(base.as_ref(), &read(ours)?, &read(theirs)?, keyed::Additions::Apart))
}

fn is_right([base, ours, theirs]: [&[u8]; 3], merged: &str, reader: &Reader) -> bool {
    let read = |text: &[u8]| std::str::from_utf8(text).ok().and_then(reader.data);
    let (ours, theirs, merged) = (read(ours), read(theirs), (reader.data)(merged));
    merged.is_some() && ours.is_some() && theirs.is_some() && data::holds(read(base).as_ref(), ours.as_ref(), theirs.as_ref(), merged.as_ref())
}
