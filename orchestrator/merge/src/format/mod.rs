//! Files whose format says more than their lines do: data, lists, logs of changes and prose.
//!
//! Only asked where lines conflict: what git merges cleanly stays as git merged it.
//!
//! **Invariant:** a file of a format that is known here is merged by its rules or stays a conflict, with the reason; it is never
//! merged word by word, which breaks data.
//!
//! Not here: source code, and running the tools that regenerate a file.

mod align;
mod blocks;
mod changelog;
mod data;
mod flow;
mod generated;
mod identity;
mod json;
mod keyed;
mod list;
mod lock;
mod marks;
mod order;
mod prose;
mod toml;
mod tree;
mod yaml;

use crate::{Labels, Merge, Merged, Rung, Versions, text::Texts};
use data::Data;
use keyed::Additions;
use tree::Group;

pub use generated::generated_banner;
pub use lock::{Owner, Regenerator, lock_owner, regenerator};

/// How a file is merged, by its name and what it holds.
enum Format {
    /// By this reader, if by any; and what to do otherwise.
    Lock(Option<Reader>, String),
    /// By a tool, as this line of it says.
    Generated(String),
    Keyed(Reader),
    Changelog,
    List(list::Kind),
    Prose,
}

/// Merges a file of a format that is known here; nothing for any other.
#[must_use]
pub fn merge(versions: &Versions<'_>, labels: &Labels<'_>) -> Option<Merge> {
    let texts = Texts::read(versions.base, versions.ours, versions.theirs);
    let all = [&*texts.base, &*texts.ours, &*texts.theirs];
    Some(match format_of(versions.path, all)? {
        Format::Lock(reader, otherwise) => lock(&texts, labels, reader, otherwise),
        Format::Generated(banner) => finish(&texts, labels, Err(format!("a tool made it, and is to make it anew: `{banner}`"))),
        Format::Keyed(reader) => keyed(&texts, labels, &reader),
        Format::Changelog => changelog(&texts, labels),
        Format::List(kind) => finish(&texts, labels, list::merge(all, kind)),
        Format::Prose => finish(&texts, labels, prose::merge(all)),
    })
}

fn format_of(path: &str, versions: [&str; 3]) -> Option<Format> {
    if let Some((reader, otherwise)) = lock::reader(path) {
        return Some(Format::Lock(reader, otherwise));
    }
    if let Some(banner) = versions[1..].iter().find_map(|text| generated_banner(text)) {
        return Some(Format::Generated(banner.to_owned()));
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    Some(match &*extension {
        _ if changelog::is_changelog(path) => Format::Changelog,
        "json" | "jsonc" | "webmanifest" | "geojson" | "code-workspace" => {
            Format::Keyed(Reader { parse: json::parse, data: json::data })
        }
        "toml" => Format::Keyed(Reader { parse: toml::parse, data: toml::data }),
        "yaml" | "yml" => Format::Keyed(Reader { parse: yaml::parse, data: yaml::data }),
        _ => match list::kind_of(path, versions) {
            Some(kind) => Format::List(kind),
            None if prose::is_prose(path) => Format::Prose,
            None => return None,
        },
    })
}

/// One text, or all three with the reason.
fn finish(texts: &Texts, labels: &Labels<'_>, merged: Result<String, String>) -> Merge {
    match merged {
        Ok(text) => Merge::Clean(Merged { text: texts.write(&text), rung: Rung::Format }),
        Err(why) => marks::refused(texts, [&texts.base, &texts.ours, &texts.theirs], labels, why),
    }
}

fn lock(texts: &Texts, labels: &Labels<'_>, reader: Option<Reader>, otherwise: String) -> Merge {
    let versions = [&*texts.base, &*texts.ours, &*texts.theirs];
    let merged = reader.and_then(|reader| {
        let woven = try_keyed(versions, reader.parse, Additions::InOrder).ok().filter(|woven| woven.conflicts.is_empty())?;
        let [base, ours, theirs] = versions.map(reader.data);
        let merged = (reader.data)(&woven.texts[1])?;
        let is_fine =
            lock::is_only_more(base.as_ref(), &ours?, &theirs?, &merged) && is_right(versions, &woven.texts[1], &reader);
        is_fine.then(|| list::with_end_of(woven.texts[1].clone(), versions))
    });
    finish(texts, labels, merged.ok_or(otherwise))
}

fn changelog(texts: &Texts, labels: &Labels<'_>) -> Merge {
    let versions = [&*texts.base, &*texts.ours, &*texts.theirs];
    match try_keyed(versions, changelog::parse, Additions::United) {
        Ok(woven) if woven.conflicts.is_empty() => finish(texts, labels, Ok(list::with_end_of(woven.texts[1].clone(), versions))),
        Ok(woven) => disputed(texts, labels, &woven),
        Err(why) => finish(texts, labels, Err(why.to_owned())),
    }
}

fn disputed(texts: &Texts, labels: &Labels<'_>, woven: &keyed::Woven) -> Merge {
    let [base, ours, theirs] = &woven.texts;
    marks::refused(texts, [base, ours, theirs], labels, woven.conflicts.join("; "))
}

/// How files of keyed data are read.
#[derive(Clone, Copy)]
struct Reader {
    parse: fn(&str) -> Option<Group>,
    data: fn(&str) -> Option<Data>,
}

fn keyed(texts: &Texts, labels: &Labels<'_>, reader: &Reader) -> Merge {
    let versions = [&*texts.base, &*texts.ours, &*texts.theirs];
    match try_keyed(versions, reader.parse, Additions::Apart) {
        Ok(woven) if woven.conflicts.is_empty() && is_right(versions, &woven.texts[1], reader) => {
            finish(texts, labels, Ok(list::with_end_of(woven.texts[1].clone(), versions)))
        }
        Ok(woven) if woven.conflicts.is_empty() => {
            finish(texts, labels, Err("the merged data is not what both sides say".to_owned()))
        }
        Ok(woven) => disputed(texts, labels, &woven),
        Err(why) => finish(texts, labels, Err(why.to_owned())),
    }
}

fn try_keyed(versions: [&str; 3], parse: fn(&str) -> Option<Group>, additions: Additions) -> Result<keyed::Woven, &'static str> {
    let read = |text: &str| parse(text).ok_or("a version of the file cannot be read for sure");
    let [base, ours, theirs] = versions;
    let base = if base.trim().is_empty() { None } else { Some(read(base)?) };
    Ok(keyed::merge(base.as_ref(), &read(ours)?, &read(theirs)?, additions))
}

/// Whether another reader finds in the merged text what both sides say.
fn is_right(versions: [&str; 3], merged: &str, reader: &Reader) -> bool {
    let ([base, ours, theirs], merged) = (versions.map(reader.data), (reader.data)(merged));
    let all_there = ours.is_some() && theirs.is_some() && merged.is_some();
    all_there && data::holds(base.as_ref(), ours.as_ref(), theirs.as_ref(), merged.as_ref())
}
