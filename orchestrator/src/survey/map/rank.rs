//! Personalised `PageRank`: how much attention reaches each file, and through which of its symbols.
//!
//! Attention begins where `start` says. Of what a file has, most goes on to the files that it uses, in proportion to its links, and the
//! rest begins anew, as does all that a file without links has.
//!
//! **Invariant:** sums are formed in the order of files and links, and rounds are counted: the same map gives the same bits.
//!
//! Why not petgraph's `page_rank`? It begins everywhere alike and knows no weights.

use std::collections::HashMap;

use super::MappedFile;

/// What goes on along links.
const DAMPING: f64 = 0.85;
/// After so many, less than a thousandth is still under way.
const ROUNDS: usize = 45;

/// How much reaches what.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ranks {
    /// By file.
    pub(super) files: Vec<f64>,
    /// By file and definition; zero where no link leads.
    pub(super) definitions: Vec<Vec<f64>>,
}

/// Divides a whole evenly among the chosen; empty where none is.
pub(super) fn share(chosen: &[bool], whole: f64) -> Vec<f64> {
    let count = chosen.iter().filter(|chosen| **chosen).count();
    if count == 0 {
        return Vec::new();
    }
    chosen.iter().map(|chosen| if *chosen { whole / count as f64 } else { 0.0 }).collect()
}

/// `start` has a part for each file; together they are one. `aims`, where there are any, are the parts of the files that were meant:
/// as much as begins anew in one of these also reaches its own symbols, whether anybody uses them or not.
pub(super) fn rank(files: &[MappedFile], start: &[f64], aims: &[f64]) -> Ranks {
    let outgoing: Vec<f64> = files.iter().map(|file| file.links.iter().map(|link| f64::from(link.weight)).sum()).collect();
    let edges: Vec<Vec<(usize, f64)>> = files.iter().zip(&outgoing).map(|(file, all)| edges(file, *all)).collect();
    let mut ranks = start.to_vec();
    for _ in 0..ROUNDS {
        let stuck: f64 = ranks.iter().zip(&edges).filter(|(_, edges)| edges.is_empty()).map(|(rank, _)| rank).sum();
        let anew = 1.0 - DAMPING + DAMPING * stuck;
        let mut next: Vec<f64> = start.iter().map(|part| part * anew).collect();
        for (rank, edges) in ranks.iter().zip(&edges) {
            for (to, part) in edges {
                next[*to] += DAMPING * rank * part;
            }
        }
        ranks = next;
    }
    let mut definitions = definitions(files, &ranks, &outgoing);
    for (reached, aim) in definitions.iter_mut().zip(aims) {
        let part = (1.0 - DAMPING) * aim / reached.len().max(1) as f64;
        for reached in reached {
            *reached += part;
        }
    }
    Ranks { files: ranks, definitions }
}

/// To which files, and which part of the whole; sorted, as links are.
fn edges(file: &MappedFile, all: f64) -> Vec<(usize, f64)> {
    let mut edges: Vec<(usize, f64)> = Vec::new();
    for link in &file.links {
        let (to, part) = (link.to as usize, f64::from(link.weight) / all);
        match edges.last_mut() {
            Some(last) if last.0 == to => last.1 += part,
            _ => edges.push((to, part)),
        }
    }
    edges
}

/// What reaches each definition. Those of one name in one file share what reaches the name.
fn definitions(files: &[MappedFile], ranks: &[f64], outgoing: &[f64]) -> Vec<Vec<f64>> {
    let mut reached: Vec<Vec<f64>> = files.iter().map(|file| vec![0.0; file.defines.len()]).collect();
    for ((file, rank), all) in files.iter().zip(ranks).zip(outgoing) {
        for link in &file.links {
            reached[link.to as usize][link.definition as usize] += rank * f64::from(link.weight) / all;
        }
    }
    files.iter().zip(&mut reached).for_each(|(file, reached)| divide(file, reached));
    reached
}

/// A link leads to the first of a name, so those that follow have nothing yet.
fn divide(file: &MappedFile, reached: &mut [f64]) {
    if reached.iter().all(|part| *part == 0.0) {
        return;
    }
    let mut of_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, definition) in file.defines.iter().enumerate() {
        of_name.entry(&definition.name).or_default().push(at);
    }
    for same in of_name.values().filter(|same| same.len() > 1) {
        let part = reached[same[0]] / same.len() as f64;
        for &at in same {
            reached[at] = part;
        }
    }
}
