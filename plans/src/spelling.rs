//! The word that somebody probably meant.
//!
//! Not here: what is done about it; whoever refuses a word names this one.

/// The known word nearest to a misspelled one, unless none is near.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = word.to_lowercase();
    let scored = known.into_iter().map(|candidate| (strsim::jaro_winkler(&word, candidate), candidate));
    // The first of equals, so that the answer does not depend on how a sum of floats comes out.
    let best = scored.reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.filter(|(score, _)| *score >= 0.75).map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_finds_its_word_and_a_stranger_finds_none() {
        let known = ["title", "instructions", "depends_on", "deliver", "verify"];
        for (word, meant) in [
            ("dependson", Some("depends_on")),
            ("depend_on", Some("depends_on")),
            ("Title", Some("title")),
            ("instuctions", Some("instructions")),
            ("verfy", Some("verify")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }
}
