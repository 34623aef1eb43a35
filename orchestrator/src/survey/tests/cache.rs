//! What is parsed again and what is remembered.

use std::{fs, path::Path};

use plans::Survey;
use shared::RepoPath;

use super::{
    super::{BlobId, SurveyRequest, survey},
    files, write,
};

const TWO_FILES: &str = "## a.py\nimport b\n## b.py\n";

/// A survey whose blob ids are what the test says, not what git would say: so it shows whether the file or the cache was read.
fn surveyed(root: &Path, cache: &Path, ids: [&str; 2]) -> Survey {
    let blobs =
        ["a.py", "b.py"].map(|path| RepoPath::new(path).expect("a path")).into_iter().zip(ids.map(|id| BlobId(id.to_owned())));
    let request = SurveyRequest {
        root: root.to_owned(),
        cache: Some(cache.to_owned()),
        blobs: blobs.collect(),
        ..SurveyRequest::default()
    };
    survey(&request).expect("a survey").survey
}

#[test]
fn a_file_whose_blob_is_known_is_not_parsed_again() {
    let (root, cache) = (files(TWO_FILES), files(""));
    assert_eq!(surveyed(root.path(), cache.path(), ["1", "2"]).imports.len(), 1);
    write(root.path(), "a.py", "");
    assert_eq!(surveyed(root.path(), cache.path(), ["1", "2"]).imports.len(), 1, "blob 1 is known");
    assert_eq!(surveyed(root.path(), cache.path(), ["3", "2"]).imports.len(), 0, "blob 3 is not");
    assert_eq!(surveyed(root.path(), cache.path(), ["1", "2"]).imports.len(), 0, "only what the last survey used is kept");
}

#[test]
fn a_torn_foreign_or_outdated_cache_is_as_good_as_none_and_is_replaced() {
    let root = files(TWO_FILES);
    let folder = files("");
    let place = folder.path().join("cache");
    surveyed(root.path(), &place, ["1", "2"]);
    let whole = fs::read_to_string(&place).expect("a cache");
    for damaged in [
        whole[..whole.len() / 2].to_owned(),
        whole.replace("{\"inspan_survey\":", "{\"inspan_survey\":9"),
        "SQLite format 3\0".to_owned(),
        String::new(),
        format!("{whole}\n{{\"key\":"),
    ] {
        fs::write(&place, &damaged).expect("a damaged cache");
        assert_eq!(surveyed(root.path(), &place, ["1", "2"]).imports.len(), 1, "{damaged}");
        let lines = |text: &str| text.lines().take(3).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(lines(&fs::read_to_string(&place).expect("a cache")), lines(&whole));
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_no_error() {
    let root = files(TWO_FILES);
    assert_eq!(surveyed(root.path(), Path::new("/dev/null/cache"), ["1", "2"]).imports.len(), 1);
}

#[test]
fn a_warm_survey_finds_what_a_cold_one_does() {
    let root = files(
        "## a.py\nfrom b import Thing\ndef use_it(): Thing()\n## b.py\nclass Thing: pass\n## same.py\nclass Thing: pass\n\
         ## broken.py\ndef (((\n## c.rs\npub fn go() {}\n",
    );
    let cache = files("");
    let blobs = ["a.py", "b.py", "same.py", "broken.py", "c.rs"].into_iter().zip(["1", "2", "2", "4", "5"]);
    let blobs = blobs.map(|(path, id)| (RepoPath::new(path).expect("a path"), BlobId(id.to_owned()))).collect();
    let request =
        SurveyRequest { root: root.path().to_owned(), cache: Some(cache.path().to_owned()), blobs, ..SurveyRequest::default() };
    let cold = survey(&request).expect("a survey");
    for path in ["a.py", "b.py", "same.py", "broken.py", "c.rs"] {
        write(
            root.path(),
            path,
            &" ".repeat(fs::metadata(root.path().join(path)).expect("a file").len().try_into().expect("short")),
        );
    }
    assert_eq!(survey(&request).expect("a survey"), cold, "nothing was read again");
    assert!(cold.map.overview("", 1_000).contains("class Thing"));
}
