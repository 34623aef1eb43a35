//! What became of a landed task's change, hunk by hunk, in words: the part of `diff --task` below the patch.
//!
//! Nothing of it is stored: the join is made again from the objects, which gives the same tree.

use std::fmt::Write as _;

use merge::Fate;

use crate::{
    coordinator::ladder::{self, FileAccount, Sides, Way},
    git::{Git, GitError},
};

/// The account of a landed commit.
pub(super) async fn of(git: &Git, sides: &Sides<'_>, commit: &str) -> Result<String, GitError> {
    let tree = git.text(["rev-parse", &format!("{commit}^{{tree}}")]).await?;
    let changed = git.changes(&sides.base.0, &sides.theirs.0).await?.len();
    let accounts = ladder::accounts_of(git, sides, &tree).await?;
    Ok(in_words(changed, &accounts))
}

fn in_words(changed: usize, accounts: &[FileAccount]) -> String {
    let mut text = String::from("What became of this change on the run branch:\n");
    let alone = changed.saturating_sub(accounts.len());
    if alone > 0 {
        let files = if alone == 1 { "1 file is" } else { &format!("{alone} files are") };
        writeln!(text, "  {files} there as the task made {}", if alone == 1 { "it" } else { "them" })
            .expect("writing to a string");
    }
    for FileAccount { path, way, account } in accounts {
        writeln!(text, "  {}, which others changed as well, was merged {}", path.shown(), way_in_words(*way))
            .expect("writing to a string");
        for (whose, hunks) in [("of this task", &account.theirs), ("of the others", &account.ours)] {
            let count = |wanted: fn(&Fate) -> bool| hunks.iter().filter(|hunk| wanted(&hunk.fate)).count();
            let found = count(|fate| *fate == Fate::Found);
            let changed = count(|fate| *fate == Fate::Changed);
            let noun = |count: usize| if count == 1 { "hunk" } else { "hunks" };
            write!(text, "    {whose}: {found} {} found as made", noun(found)).expect("writing to a string");
            if changed > 0 {
                let how = way_in_words(*way);
                write!(text, ", {changed} {} changed on purpose ({how})", noun(changed)).expect("writing to a string");
            }
            text.push('\n');
            for hunk in hunks.iter().filter(|hunk| hunk.fate != Fate::Found) {
                let fate = if hunk.fate == Fate::Changed { "combined with the other side's" } else { "lost" };
                writeln!(text, "      line {} `{}` was {fate}", hunk.line, hunk.sample).expect("writing to a string");
            }
        }
    }
    text
}

fn way_in_words(way: Way) -> String {
    match way {
        Way::Git => "by git".to_owned(),
        Way::Rung(rung) => format!("by {rung}"),
        Way::Proposal => "by a candidate that both proofs accepted".to_owned(),
        Way::Tool => "by the tool that makes it".to_owned(),
        Way::Unknown => "in a way that is not known any more".to_owned(),
    }
}
