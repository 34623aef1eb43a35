//! Rung 1: git's own three-way merge of trees, and what it says where it stops.

use std::collections::BTreeMap;

use super::{Sides, kind::Said};
use crate::{
    git::{Git, GitError},
    tree_path::TreePath,
};

/// A version of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stage {
    /// Six octal digits.
    pub(super) mode: String,
    /// The blob.
    pub(super) id: String,
}

/// A path that git could not merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unmerged {
    pub(super) path: TreePath,
    /// The base's, ours, theirs.
    pub(super) stages: [Option<Stage>; 3],
    pub(super) said: Said,
}

/// What git came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trees {
    /// With conflict markers where it stopped.
    pub(super) tree: String,
    pub(super) unmerged: Vec<Unmerged>,
}

/// Merges two trees as git does, renames followed.
pub(super) async fn merge(git: &Git, sides: &Sides<'_>) -> Result<Trees, GitError> {
    let base = format!("--merge-base={}", sides.base);
    let call = git.call().args(["merge-tree", "--write-tree", "-z", &base, &sides.ours.0, &sides.theirs.0]);
    let out = call.output().await?;
    let odd = |said: String| GitError::Failed { call: "merge-tree --write-tree".to_owned(), said };
    match out.status.code() {
        Some(0 | 1) => {
            let trees = parse(&out.stdout, out.status.success());
            let trees = trees.ok_or_else(|| odd(format!("its answer is not understood: {}", out.stdout.escape_ascii())))?;
            Ok(trees.named(sides))
        }
        _ => Err(odd(String::from_utf8_lossy(&out.stderr).trim().to_owned())),
    }
}

impl Trees {
    /// Puts names for the commits into what git said.
    fn named(mut self, sides: &Sides<'_>) -> Self {
        for (_, said) in self.unmerged.iter_mut().flat_map(|one| &mut one.said.all) {
            *said = said.replace(&sides.ours.0, "what landed").replace(&sides.theirs.0, "this task");
        }
        self
    }
}

/// Reads the answer: the tree, the stages of what is unmerged, an empty field, the messages.
fn parse(answer: &[u8], is_clean: bool) -> Option<Trees> {
    let mut fields = answer.split(|byte| *byte == 0);
    let tree = std::str::from_utf8(fields.next()?).ok()?.trim().to_owned();
    if is_clean {
        return Some(Trees { tree, unmerged: Vec::new() });
    }
    let mut unmerged: BTreeMap<Vec<u8>, ([Option<Stage>; 3], Said)> = BTreeMap::new();
    for field in fields.by_ref().take_while(|field| !field.is_empty()) {
        let tab = field.iter().position(|byte| *byte == b'\t')?;
        let (meta, path) = (std::str::from_utf8(&field[..tab]).ok()?, field[tab + 1..].to_vec());
        let [mode, id, stage] = meta.split(' ').collect::<Vec<_>>()[..] else { return None };
        let at: usize = stage.parse().ok().filter(|stage| (1..=3).contains(stage))?;
        unmerged.entry(path).or_default().0[at - 1] = Some(Stage { mode: mode.to_owned(), id: id.to_owned() });
    }
    let mut unstaged: Vec<(Vec<u8>, Said)> = Vec::new();
    while let Some(count) = fields.next().and_then(|count| std::str::from_utf8(count).ok()?.trim().parse::<usize>().ok()) {
        let paths: Vec<Vec<u8>> = fields.by_ref().take(count).map(<[u8]>::to_vec).collect();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = (text(fields.next()?), text(fields.next()?));
        if !said.0.starts_with("CONFLICT") {
            continue;
        }
        let known: Vec<&Vec<u8>> = paths.iter().filter(|path| unmerged.contains_key(*path)).collect();
        if let ([], Some(path)) = (&known[..], paths.first()) {
            unstaged.push((path.clone(), Said { all: vec![said.clone()] }));
        }
        for path in paths {
            if let Some((_, about)) = unmerged.get_mut(&path) {
                about.all.push(said.clone());
            }
        }
    }
    // Also beside others that can be merged: they would hide it.
    unmerged.extend(unstaged.into_iter().map(|(path, said)| (path, (Default::default(), said))));
    let unmerged: Vec<Unmerged> =
        unmerged.into_iter().map(|(path, (stages, said))| Unmerged { path: TreePath::new(&path), stages, said }).collect();
    // Git said that it is not clean: a tree without a conflict would be taken for clean.
    (!unmerged.is_empty()).then_some(Trees { tree, unmerged })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::coordinator::ladder::kind::before_reading;

    #[test]
    fn stages_and_messages_are_read_and_what_is_not_understood_is_refused() {
        let answer = "aa\u{0}100644 b1 1\tf\u{0}100755 b2 2\tf\u{0}100644 b3 3\tf\u{0}100644 c1 1\tg\u{0}100644 c3 3\tg\u{0}\u{0}\
            1\u{0}f\u{0}Auto-merging\u{0}Auto-merging f\n\u{0}1\u{0}f\u{0}CONFLICT (contents)\u{0}CONFLICT (content): in f\n\u{0}\
            1\u{0}g\u{0}CONFLICT (modify/delete)\u{0}CONFLICT (modify/delete): g deleted\n\u{0}";
        let trees = parse(answer.as_bytes(), false).unwrap();
        let shown = |one: &Unmerged| {
            let stages = one.stages.iter().map(|s| s.as_ref().map_or("-", |s| &s.id)).collect::<Vec<_>>().join(" ");
            format!("{} {stages} {:?}", one.path.shown(), before_reading(&one.stages, &one.said))
        };
        let all: Vec<String> = trees.unmerged.iter().map(shown).collect();
        expect![["f b1 b2 b3 None\ng c1 - c3 Some(Deleted(Ours))"]].assert_eq(&all.join("\n"));
        assert_eq!(parse(b"aa\0", true).unwrap().tree, "aa");
        for wrong in ["aa\0", "aa\0\0", "aa\u{0}100644 b1\tf\0\0", "aa\u{0}100644 b1 7\tf\0\0", ""] {
            assert_eq!(parse(wrong.as_bytes(), false), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_conflict_without_a_file_is_still_one() {
        let answer = "aa\0\u{0}2\0old\0new\0CONFLICT (directory rename unclear split)\0CONFLICT (x): no majority\n\0";
        let trees = parse(answer.as_bytes(), false).unwrap();
        assert_eq!(trees.unmerged[0].path.shown().as_str(), "old");
    }
}
