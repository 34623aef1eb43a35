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

use crate::{Labels, Merge, Merged, Rung, Versions, text::Texts};
use data::Data;
use tree::Group;

/// Merges a file of a format that is known here; nothing for any other.
#[must_use]
pub fn merge(versions: &Versions<'_>, labels: &Labels<'_>) -> Option<Merge> {
    let texts = Texts::read(versions.base, versions.ours, versions.theirs);
    versions.path.ends_with(".json").then(|| keyed(&texts, labels, &Reader { parse: json::parse, data: json::data }))
}

/// How files of keyed data are read.
struct Reader {
    parse: fn(&str) -> Option<Group>,
    data: fn(&str) -> Option<Data>,
}

fn keyed(texts: &Texts, labels: &Labels<'_>, reader: &Reader) -> Merge {
    let versions = [&*texts.base, &*texts.ours, &*texts.theirs];
    match try_keyed(versions, reader) {
        Ok(woven) if woven.conflicts.is_empty() && is_right(versions, &woven.texts[1], reader) => {
            Merge::Clean(Merged { text: texts.write(&woven.texts[1]), rung: Rung::Format })
        }
        Ok(woven) if woven.conflicts.is_empty() => {
            marks::refused(texts, versions, labels, "the merged data is not what both sides say".to_owned())
        }
        Ok(woven) => {
            let [base, ours, theirs] = &woven.texts;
            marks::refused(texts, [base, ours, theirs], labels, woven.conflicts.join("; "))
        }
        Err(why) => marks::refused(texts, versions, labels, why.to_owned()),
    }
}

fn try_keyed(versions: [&str; 3], reader: &Reader) -> Result<keyed::Woven, &'static str> {
    let read = |text: &str| (reader.parse)(text).ok_or("a version of the file cannot be read");
    let [base, ours, theirs] = versions;
    let base = if base.trim().is_empty() { None } else { Some(read(base)?) };
    Ok(keyed::merge(base.as_ref(), &read(ours)?, &read(theirs)?, keyed::Additions::Apart))
}

/// Whether another reader finds in the merged text what both sides say.
fn is_right(versions: [&str; 3], merged: &str, reader: &Reader) -> bool {
    let ([base, ours, theirs], merged) = (versions.map(reader.data), (reader.data)(merged));
    let all_there = ours.is_some() && theirs.is_some() && merged.is_some();
    all_there && data::holds(base.as_ref(), ours.as_ref(), theirs.as_ref(), merged.as_ref())
}
