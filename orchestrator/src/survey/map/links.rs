//! Whose a name is that a file uses.
//!
//! A name that the file defines itself is its own. Of other files that define it, those that the file imports come first, then those
//! of its own package and what its imports pass on. Without an import only methods and macros are reached, so there the name alone
//! decides, if it is a telling one, and it counts for little. A name with many candidates says nothing about any of them, and one that
//! is used mostly where none of them is near (`Result`, `iter`) is probably not theirs at all.
//!
//! Why not resolve names as a compiler does? That takes every language's rules, and types. A map may be wrong in places; it may not
//! be slow, and it may not fail.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use shared::RepoPath;

use super::{
    super::{
        grammar::Family,
        symbols::{Definition, Kind},
        tree::folder,
    },
    Link, Source,
    named::looks_like_a_symbol,
};

/// Links of one file, past which the weakest are left out.
const MAX_LINKS: usize = 400;
/// A name that more files define than this is nobody's in particular, unless an import says whose.
const MAX_RIVALS: usize = 3;
/// Even among those that are near.
const MAX_NEAR_RIVALS: usize = 8;
/// A name is not theirs who define it if it is used so many times as often where they are not near.
const FOREIGN: usize = 3;

/// How near a file is to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Nearness {
    /// It does not show that they have to do with each other.
    Elsewhere,
    /// Imported by something that it imports.
    PassedOn,
    /// Of the same package, in languages where that needs no import.
    Neighbour,
    Imported,
}

impl Nearness {
    /// In thousandths.
    fn weight(self) -> f64 {
        match self {
            Self::Elsewhere => 100.0,
            Self::PassedOn => 500.0,
            Self::Neighbour | Self::Imported => 1_000.0,
        }
    }
}

/// Where a name is defined: the file, and the first definition of that name in it.
type Place = (usize, usize);

/// A name that some file defines.
#[derive(Default)]
struct Name {
    /// In the order of the files.
    places: Vec<Place>,
    /// How many other files use it.
    users: usize,
    /// How many of these are near to a file that defines it.
    near: usize,
}

impl Name {
    /// Whether those who use it mostly have nothing to do with those who define it: they mean something else.
    fn is_foreign(&self) -> bool {
        self.users > FOREIGN * (self.near + self.places.len())
    }
}

type Names<'a> = HashMap<(Family, &'a str), Name>;

/// The links of each of the files, which are sorted by path.
pub(super) fn links(sources: &[Source], imports: &[(RepoPath, RepoPath)]) -> Vec<Vec<Link>> {
    let imported = imported(sources, imports);
    let mut names = defined(sources);
    let mut surroundings = Surroundings { sources, imported: &imported, at: 0, near: HashMap::new() };
    for (at, source) in sources.iter().enumerate() {
        surroundings.move_to(at);
        for name in source.symbols.uses.keys() {
            if let Some(name) = names.get_mut(&(source.family, name.as_str())).filter(|name| !surroundings.is_own(name)) {
                name.users += 1;
                name.near += usize::from(surroundings.nearest(name) > Some(Nearness::Elsewhere));
            }
        }
    }
    (0..sources.len()).map(|at| links_of(&mut surroundings, at, &names)).collect()
}

fn links_of(surroundings: &mut Surroundings, at: usize, names: &Names) -> Vec<Link> {
    surroundings.move_to(at);
    let Source { family, symbols, .. } = surroundings.sources[at];
    let mut links = Vec::new();
    for (name, times) in &symbols.uses {
        if let Some(name) = names.get(&(family, name.as_str())).filter(|name| !surroundings.is_own(name)) {
            links.extend(surroundings.links(name, *times));
        }
    }
    links.sort_by_key(|link| (Reverse(link.weight), *link));
    links.truncate(MAX_LINKS);
    links.sort_unstable();
    links
}

fn defined<'a>(sources: &[Source<'a>]) -> Names<'a> {
    let mut names: Names = HashMap::new();
    for (file, source) in sources.iter().enumerate() {
        for (at, definition) in source.symbols.defines.iter().enumerate() {
            let known = &mut names.entry((source.family, definition.name.as_str())).or_default().places;
            if known.last().is_none_or(|place| place.0 != file) {
                known.push((file, at));
            }
        }
    }
    names
}

/// What each file imports.
fn imported(sources: &[Source], imports: &[(RepoPath, RepoPath)]) -> Vec<Vec<usize>> {
    let at: BTreeMap<&RepoPath, usize> = sources.iter().enumerate().map(|(at, source)| (source.path, at)).collect();
    let mut imported = vec![Vec::new(); sources.len()];
    for (from, to) in imports.iter().filter_map(|(from, to)| at.get(from).zip(at.get(to))) {
        imported[*from].push(*to);
    }
    imported
}

/// How the files lie around one of them.
struct Surroundings<'a> {
    sources: &'a [Source<'a>],
    imported: &'a [Vec<usize>],
    at: usize,
    /// Those that imports lead to, in one step or two.
    near: HashMap<usize, Nearness>,
}

impl<'a> Surroundings<'a> {
    fn move_to(&mut self, at: usize) {
        self.at = at;
        self.near.clear();
        for passed_on in self.imported[at].iter().flat_map(|&to| &self.imported[to]) {
            self.near.insert(*passed_on, Nearness::PassedOn);
        }
        self.near.extend(self.imported[at].iter().map(|&to| (to, Nearness::Imported)));
    }

    fn is_own(&self, name: &Name) -> bool {
        name.places.iter().any(|place| place.0 == self.at)
    }

    fn nearness(&self, other: usize) -> Nearness {
        self.near.get(&other).copied().unwrap_or_else(|| between(&self.sources[self.at], &self.sources[other]))
    }

    fn nearest(&self, name: &Name) -> Option<Nearness> {
        name.places.iter().map(|place| self.nearness(place.0)).max()
    }

    fn definition(&self, place: Place) -> &'a Definition {
        &self.sources[place.0].symbols.defines[place.1]
    }

    /// The links that the use of a name makes: to the nearest of those that define it, in equal parts.
    fn links(&self, name: &Name, times: u32) -> Vec<Link> {
        let Some(nearest) = self.nearest(name) else { return Vec::new() };
        let is_meant = |place: &Place| {
            let definition = self.definition(*place);
            let can_be_seen = (nearest >= Nearness::Neighbour || !definition.private)
                && (self.sources[self.at].is_test || !self.sources[place.0].is_test);
            let is_reached = nearest > Nearness::Elsewhere || needs_no_import(definition);
            self.nearness(place.0) == nearest && can_be_seen && is_reached
        };
        let meant: Vec<Place> = name.places.iter().copied().filter(is_meant).collect();
        let is_elsewhere = nearest == Nearness::Elsewhere;
        let most = if is_elsewhere { MAX_RIVALS } else { MAX_NEAR_RIVALS };
        if meant.len() > most || (is_elsewhere && (name.is_foreign() || name.places.len() > most)) {
            return Vec::new();
        }
        let doubt = if name.is_foreign() { 0.1 } else { 1.0 };
        let link = |&(file, at): &Place| {
            let private = if self.definition((file, at)).private { 0.1 } else { 1.0 };
            let weight = nearest.weight() * doubt * private * f64::from(times).sqrt() / meant.len() as f64;
            Link { to: whole(file as f64), definition: whole(at as f64), weight: whole(weight).max(1) }
        };
        meant.iter().map(link).collect()
    }
}

/// How near they are without an import.
fn between(one: &Source, other: &Source) -> Nearness {
    let shares_names = matches!(one.family, Family::Go | Family::Java);
    let is_neighbour = shares_names && folder(one.path.as_str()) == folder(other.path.as_str());
    if is_neighbour { Nearness::Neighbour } else { Nearness::Elsewhere }
}

/// Methods come with their type, macros with their crate; a name that could be a plain word is not followed that far.
fn needs_no_import(definition: &Definition) -> bool {
    matches!(definition.kind, Kind::Method | Kind::Macro) && looks_like_a_symbol(&definition.name)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the conversion saturates, and nothing here is negative"
)]
fn whole(number: f64) -> u32 {
    number.round() as u32
}
