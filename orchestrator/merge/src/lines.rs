//! Merging line by line, as git does, and showing what is left with git's markers.

use crate::{
    diff::{By, Region, edits_of_lines, regions},
    text::lines,
    types::{Conflict, Labels},
};

/// Three texts by their lines, with the regions in which they differ.
pub(crate) struct Lines<'a> {
    pub base: Vec<&'a str>,
    pub ours: Vec<&'a str>,
    pub theirs: Vec<&'a str>,
    pub regions: Vec<Region>,
}

/// A part of three texts: agreed on, or in each version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chunk {
    Agreed(String),
    Disputed { base: String, ours: String, theirs: String },
}

impl<'a> Lines<'a> {
    pub(crate) fn of(base: &'a str, ours: &'a str, theirs: &'a str) -> Self {
        let (base, ours, theirs) = (lines(base), lines(ours), lines(theirs));
        let regions = regions(base.len(), &edits_of_lines(&base, &ours), &edits_of_lines(&base, &theirs));
        Self { base, ours, theirs, regions }
    }

    /// The parts in order.
    pub(crate) fn chunks(&self) -> Vec<Chunk> {
        self.regions.iter().map(|region| self.chunk(region)).collect()
    }

    fn chunk(&self, region: &Region) -> Chunk {
        let base = || self.base[region.base.clone()].concat();
        let ours = || self.ours[region.ours.clone()].concat();
        let theirs = || self.theirs[region.theirs.clone()].concat();
        match region.by {
            By::Nobody | By::Ours => Chunk::Agreed(ours()),
            By::Theirs => Chunk::Agreed(theirs()),
            By::Both if self.ours[region.ours.clone()] == self.theirs[region.theirs.clone()] => Chunk::Agreed(ours()),
            By::Both => Chunk::Disputed { base: base(), ours: ours(), theirs: theirs() },
        }
    }
}

/// The text, if nothing is disputed.
pub(crate) fn agreed(chunks: &[Chunk]) -> Option<String> {
    chunks.iter().map(|chunk| if let Chunk::Agreed(text) = chunk { Some(text.as_str()) } else { None }).collect()
}

/// The text with markers around what is disputed, and those parts.
pub(crate) fn marked(chunks: &[Chunk], labels: &Labels<'_>) -> (String, Vec<Conflict>) {
    let (mut text, mut conflicts) = (String::new(), Vec::new());
    for chunk in chunks {
        match chunk {
            Chunk::Agreed(agreed) => text.push_str(agreed),
            Chunk::Disputed { base, ours, theirs } => {
                let parts = [("<<<<<<<", labels.ours, ours), ("|||||||", labels.base, base), ("=======", "", theirs)];
                for (marker, label, part) in parts {
                    end_line(&mut text);
                    text.push_str(format!("{marker} {label}").trim_end());
                    text.push('\n');
                    text.push_str(part);
                }
                end_line(&mut text);
                text.push_str(format!(">>>>>>> {}", labels.theirs).trim_end());
                text.push('\n');
                conflicts.push(Conflict { base: base.clone().into(), ours: ours.clone().into(), theirs: theirs.clone().into() });
            }
        }
    }
    (text, conflicts)
}

fn end_line(text: &mut String) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
}
