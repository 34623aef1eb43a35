//! What holds for every format and every text: nothing panics, additions that know nothing of each other are all there, and both
//! orders of the sides end the same way.

use merge::{Labels, Merge, Versions, format};
use proptest::{collection, prelude::*, sample, string::string_regex};

const LABELS: Labels<'_> = Labels { ours: "ours", base: "base", theirs: "theirs" };

/// One path of each format.
const PATHS: &[&str] = &[
    "package.json",
    "tsconfig.json",
    "Cargo.toml",
    "pyproject.toml",
    "ci.yml",
    "config.yaml",
    "CHANGELOG.md",
    "HISTORY.rst",
    "README.md",
    "docs/index.rst",
    "notes.txt",
    ".gitignore",
    "CODEOWNERS",
    "requirements.txt",
    "go.sum",
    "registry.txt",
    "AUTHORS",
    "Cargo.lock",
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "poetry.lock",
    "uv.lock",
    "Gemfile.lock",
    "api.pb.go",
];

/// What texts of these formats are made of, in no good order.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "=",
    "\"",
    "'",
    "\"\"\"",
    "'''",
    "\\",
    "\n",
    "\n\n",
    "\r\n",
    "  ",
    "    ",
    "\t",
    "- ",
    "* ",
    "1. ",
    "# ",
    "## ",
    "===",
    "---",
    "...",
    "|",
    ">",
    "|-\n",
    "```\n",
    "// ",
    "/*",
    "*/",
    "#",
    "a",
    "b",
    "key",
    "name",
    "version",
    "1",
    "é",
    "\u{feff}",
    "[[a]]\n",
    "[a]\n",
    "a = 1\n",
    "a: 1\n",
    "\"a\": 1",
    "- a: 1\n",
    "&x",
    "*x",
    "<<: ",
    "!",
    "? ",
    "@generated",
    "\0",
];

fn some_text() -> impl Strategy<Value = String> {
    collection::vec(sample::select(PIECES), 0..24).prop_map(|pieces| pieces.concat())
}

fn merged(path: &str, base: &[u8], ours: &[u8], theirs: &[u8]) -> Option<Merge> {
    format::merge(&Versions { path, base, ours, theirs }, &LABELS)
}

fn clean(path: &str, [base, ours, theirs]: [&str; 3]) -> Option<String> {
    match merged(path, base.as_bytes(), ours.as_bytes(), theirs.as_bytes()) {
        Some(Merge::Clean(merged)) => Some(String::from_utf8(merged.text).unwrap()),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn no_bytes_make_a_format_panic(
        versions in collection::vec(collection::vec(any::<u8>(), 0..64), 3),
        path in sample::select(PATHS),
    ) {
        merged(path, &versions[0], &versions[1], &versions[2]);
    }

    #[test]
    fn no_text_that_is_almost_a_format_makes_it_panic(
        base in some_text(), ours in some_text(), theirs in some_text(), path in sample::select(PATHS),
    ) {
        merged(path, base.as_bytes(), ours.as_bytes(), theirs.as_bytes());
        // A text of which one side is a part of the other exercises more than three strangers do.
        let (grown, other) = (format!("{base}{ours}"), format!("{theirs}{base}"));
        merged(path, base.as_bytes(), grown.as_bytes(), other.as_bytes());
    }

    #[test]
    fn exchanged_sides_end_as_clean_as_before(
        base in some_text(), ours in some_text(), theirs in some_text(), path in sample::select(PATHS),
    ) {
        let (ours, theirs) = (format!("{base}{ours}"), format!("{base}{theirs}"));
        let there = clean(path, [&base, &ours, &theirs]);
        let back = clean(path, [&base, &theirs, &ours]);
        prop_assert_eq!(there.is_some(), back.is_some(), "{:?}\n{:?}", there, back);
    }

    #[test]
    fn one_sided_changes_are_taken_as_they_are(base in some_text(), ours in some_text(), path in sample::select(PATHS)) {
        // Without a base both sides added the file, and neither stood still. Line ends are the engine's to keep.
        prop_assume!(!base.trim().is_empty() && !ours.contains('\r'));
        if let Some(text) = clean(path, [&base, &ours, &base]) {
            prop_assert_eq!(text, ours.clone());
        }
        if let Some(text) = clean(path, [&base, &base, &ours]) {
            prop_assert_eq!(text, ours);
        }
    }
}

/// Names, each there once, dealt out to the base and both sides.
#[derive(Debug, Clone)]
struct Dealt {
    base: Vec<String>,
    ours: Vec<(String, usize)>,
    theirs: Vec<(String, usize)>,
}

fn dealt() -> impl Strategy<Value = Dealt> {
    let names = collection::btree_set(string_regex("[b-y][a-z]{2,5}").unwrap(), 3..14);
    (names, any::<Vec<(u8, usize)>>()).prop_map(|(names, dice)| {
        let mut dealt = Dealt { base: vec!["a".to_owned()], ours: Vec::new(), theirs: Vec::new() };
        let dice = dice.into_iter().chain(std::iter::repeat((7, 5)));
        for (name, (to, place)) in names.into_iter().zip(dice) {
            match to % 3 {
                0 => dealt.base.push(name),
                1 => dealt.ours.push((name, place)),
                _ => dealt.theirs.push((name, place)),
            }
        }
        dealt
    })
}

impl Dealt {
    fn versions(&self, write: fn(&[String]) -> String) -> [String; 3] {
        let side = |added: &[(String, usize)]| {
            let mut names = self.base.clone();
            for (name, place) in added {
                names.insert(place % (names.len() + 1), name.clone());
            }
            write(&names)
        };
        [write(&self.base), side(&self.ours), side(&self.theirs)]
    }

    /// All names, whoever added them.
    fn all(&self) -> Vec<String> {
        let added = self.ours.iter().chain(&self.theirs).map(|(name, _)| name);
        let mut all: Vec<String> = self.base.iter().chain(added).cloned().collect();
        all.sort();
        all
    }
}

/// How names are written in a format, and read from it again.
struct Writing {
    path: &'static str,
    write: fn(&[String]) -> String,
    read: fn(&str) -> Vec<String>,
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_ascii_lowercase()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

const WRITINGS: &[Writing] = &[
    Writing {
        path: "a.json",
        write: |names| {
            let lines: Vec<String> = names.iter().map(|name| format!("  \"{name}\": 1")).collect();
            format!("{{\n{}\n}}\n", lines.join(",\n"))
        },
        read: |text| {
            let map: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).unwrap();
            map.into_iter().map(|(key, _)| key).collect()
        },
    },
    Writing {
        path: "b.json",
        write: |names| serde_json::to_string(names).unwrap() + "\n",
        read: |text| serde_json::from_str(text).unwrap(),
    },
    Writing {
        path: "a.toml",
        write: |names| names.iter().map(|name| format!("{name} = 1 # \n")).collect(),
        read: |text| text.parse::<toml_edit::DocumentMut>().unwrap().iter().map(|(key, _)| key.to_owned()).collect(),
    },
    Writing {
        path: "b.toml",
        write: |names| names.iter().map(|name| format!("[{name}]\n\n")).collect(),
        read: |text| text.parse::<toml_edit::DocumentMut>().unwrap().iter().map(|(key, _)| key.to_owned()).collect(),
    },
    Writing { path: "a.yaml", write: |names| names.iter().map(|name| format!("{name}: 1\n")).collect(), read: words },
    Writing { path: "b.yaml", write: |names| names.iter().map(|name| format!("- {name}\n")).collect(), read: words },
    Writing { path: "list.txt", write: |names| names.iter().map(|name| format!("{name}\n")).collect(), read: words },
    Writing { path: "README.md", write: |names| names.iter().map(|name| format!("- {name}\n")).collect(), read: words },
    Writing { path: "CHANGELOG.md", write: |names| names.iter().map(|name| format!("- {name}\n")).collect(), read: words },
    Writing { path: "doc.md", write: |names| names.iter().map(|name| format!("{name}\n\n")).collect(), read: words },
    Writing { path: "yarn.lock", write: |names| names.iter().map(|name| format!("{name}:\n  1\n\n")).collect(), read: words },
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn additions_that_know_nothing_of_each_other_are_all_there_once(dealt in dealt()) {
        for writing in WRITINGS {
            let [base, ours, theirs] = dealt.versions(writing.write);
            let text = clean(writing.path, [&base, &ours, &theirs]);
            prop_assert!(text.is_some(), "{} is a conflict:\n{}\n{}\n{}", writing.path, base, ours, theirs);
            let text = text.unwrap();
            let mut names = (writing.read)(&text);
            names.sort();
            prop_assert_eq!(&names, &dealt.all(), "{}:\n{}", writing.path, text);
            let back = clean(writing.path, [&base, &theirs, &ours]).unwrap();
            let mut names = (writing.read)(&back);
            names.sort();
            prop_assert_eq!(&names, &dealt.all(), "{} exchanged:\n{}", writing.path, back);
        }
    }
}
