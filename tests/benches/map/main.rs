//! What it costs to know a repository of 2,000 files before the first prompt: surveyed cold and warm, and its map ranked.
//!
//! `cargo bench -p inspan-tests --bench map`. The repository is written for this: packages of every language that is read, whose files
//! import and use each other, some files many times as often as others. Listing and reading the files is part of a survey; they are in
//! the page cache, for they have just been written.
//!
//! **Invariant:** the files are drawn from a fixed seed; two runs of this program measure the same work.

#![expect(clippy::print_stdout, reason = "what is measured is said first")]

mod repository;

use std::hint::black_box;

use criterion::Criterion;
use orchestrator::survey::{Findings, Focus, Room, SurveyRequest, repository_brief, survey};

use crate::repository::Repository;

const FILES: usize = 2_000;
/// What prompts have room for.
const ROOM: Room = Room { goal: "", bytes: 18 << 10, map: 6_200 };

fn main() {
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let repository = Repository::write(FILES);
    let cold = SurveyRequest { root: repository.root().to_owned(), blobs: repository.blobs(), ..SurveyRequest::default() };
    let warm = SurveyRequest { cache: Some(repository.cache()), ..cold.clone() };
    let findings = survey(&warm).expect("the repository is there");
    assert_eq!(findings, survey(&warm).expect("it still is"), "a warm survey finds the same");
    tell(&repository, &findings);
    criterion.bench_function("survey/cold", |bench| bench.iter(|| survey(black_box(&cold))));
    criterion.bench_function("survey/warm", |bench| bench.iter(|| survey(black_box(&warm))));
    criterion.bench_function("map/brief", |bench| bench.iter(|| repository_brief(black_box(&findings), &ROOM)));
    let focus = Focus { words: "Mend part_7 in package_3", budget: 4_650 };
    let is_own = |path: &shared::RepoPath| path.as_str().contains("package_3/");
    criterion.bench_function("map/around", |bench| bench.iter(|| findings.map.around(is_own, black_box(&focus))));
    criterion.final_summary();
}

fn tell(repository: &Repository, findings: &Findings) {
    let (bytes, edges) = (repository.bytes(), findings.survey.imports.len());
    let files = findings.survey.files.len();
    let map = serde_json::to_string(&findings.map).expect("a map is plain data").len();
    let cache = std::fs::metadata(repository.cache()).map_or(0, |cache| cache.len());
    println!(
        "{files} files, {:.1} MB, {edges} import edges; as JSON the map is {} KB, the cache {} KB",
        bytes as f64 / 1e6,
        map >> 10,
        cache >> 10
    );
}
