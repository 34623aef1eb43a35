//! Joins of real commits.

use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::*;
use crate::site::testing::Ground;

/// A repository in which both sides grow from files that a script makes.
struct Field {
    ground: Ground,
    base: CommitId,
}

impl Field {
    async fn new(script: &str) -> Self {
        let ground = Ground::new().await;
        let base = ground.commit("field", script).await;
        Self { ground, base }
    }

    fn git(&self) -> &Git {
        &self.ground.site.repository.git
    }

    async fn join(&self, ours: &str, theirs: &str) -> Joined {
        let ours = self.ground.commit("ours", &format!("git checkout -q --detach field\n{ours}")).await;
        let theirs = self.ground.commit("theirs", &format!("git checkout -q --detach field\n{theirs}")).await;
        join(self.git(), &Sides { base: &self.base, ours: &ours, theirs: &theirs, task: "theirs" }).await.unwrap()
    }

    /// What came of it: kinds and hunks, and the text of a file.
    async fn shown(&self, joined: &Joined, path: &str) -> String {
        let (mut out, tree, accounts) = match joined {
            Joined::Clean(clean) => ("clean\n".to_owned(), &clean.tree, &clean.accounts),
            Joined::Conflicted(left) => {
                let place = |conflict: &Conflict| conflict.path.shown().as_str().split('~').next().unwrap_or_default().to_owned();
                let line = |conflict: &Conflict| format!("conflict in {}: {}\n", place(conflict), conflict.kind);
                (left.conflicts.iter().map(line).collect(), &left.tree, &left.accounts)
            }
        };
        for FileAccount { path, way, account } in accounts {
            let fates: Vec<String> = account.hunks().map(|hunk| format!("{:?}", hunk.fate)).collect();
            writeln!(out, "{} by {way:?}: {}", path.shown(), fates.join(", ")).unwrap();
        }
        let text = self.git().file(tree, &shared::RepoPath::new(path).unwrap()).await.unwrap_or_default();
        let text = if text.len() > 500 { format!("({} bytes)", text.len()) } else { text.escape_ascii().to_string() };
        out + &text.replace("\\n", "\n")
    }
}

async fn check(base: &str, ours: &str, theirs: &str, path: &str, expected: Expect) {
    let field = Field::new(base).await;
    let joined = field.join(ours, theirs).await;
    expected.assert_eq(&field.shown(&joined, path).await);
}

#[tokio::test]
async fn what_git_merges_is_accounted_for_and_what_nobody_else_touched_need_not_be() {
    check(
        "seq 9 > f; seq 9 > g",
        "sed -i 's/1/one/' f",
        "sed -i 's/9/nine/' f; echo 10 >> g",
        "f",
        expect![[r#"
        clean
        f by Git: Found, Found
        one
        2
        3
        4
        5
        6
        7
        8
        nine
    "#]],
    )
    .await;
    let field = Field::new("seq 9 > f; seq 9 > g").await;
    let joined = field.join("sed -i 's/1/one/' f", "sed -i 's/9/nine/' g").await;
    assert!(matches!(&joined, Joined::Clean(clean) if clean.accounts.is_empty()), "{joined:?}");
    assert!(joined.proposals(field.git()).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_edit_follows_a_renamed_file() {
    check(
        "seq 20 > f",
        "git mv f h; sed -i 's/^1$/one/' h",
        "sed -i 's/^20$/twenty/' f",
        "h",
        expect![[r#"
        clean
        h by Git: Found, Found
        one
        2
        3
        4
        5
        6
        7
        8
        9
        10
        11
        12
        13
        14
        15
        16
        17
        18
        19
        twenty
    "#]],
    )
    .await;
    check(
        "seq 20 > f",
        "sed -i 's/^2$/two/' f",
        "mkdir d; git mv f d/f; sed -i 's/^2$/zwei/' d/f",
        "d/f",
        expect![[r#"
            conflict in d/f: both sides change `2`
            1
            <<<<<<< landed
            two
            ||||||| before
            2
            =======
            zwei
            >>>>>>> theirs
            3
            4
            5
            6
            7
            8
            9
            10
            11
            12
            13
            14
            15
            16
            17
            18
            19
            20
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_no_text_can_solve_is_a_conflict_in_words() {
    check(
        "echo a > f",
        "git rm -q f",
        "echo b > f",
        "f",
        expect![[r#"
        conflict in f: what landed deleted it, this task changed it
        b
    "#]],
    )
    .await;
    check(
        "echo a > f",
        "echo b > f",
        "git rm -q f",
        "f",
        expect![[r#"
        conflict in f: this task deleted it, what landed changed it
        b
    "#]],
    )
    .await;
    check(
        "ln -s a l",
        "ln -sf b l",
        "ln -sf c l",
        "l",
        expect![[r#"
        conflict in l: both changed what the symbolic link points to
        b"#]],
    )
    .await;
    check(
        "echo a > f",
        "rm f; ln -s b f",
        "echo b > f",
        "f",
        expect![[r#"
            conflict in f: one side made something else of it: a link, a folder or another repository
            conflict in f: one side made something else of it: a link, a folder or another repository
            b"#]],
    )
    .await;
    check(
        "echo a > f",
        "rm f; mkdir f; echo x > f/x",
        "echo b > f",
        "f",
        expect![[r#"
        conflict in f: one side made something else of it: a link, a folder or another repository
    "#]],
    )
    .await;
}

#[tokio::test]
async fn what_is_no_text_moved_twice_or_of_two_modes_is_a_conflict_in_words() {
    check(
        "printf 'a\\0b' > f",
        "printf 'a\\0c' > f",
        "printf 'a\\0d' > f",
        "f",
        expect![[r#"
        conflict in f: both changed it, and it is not text
        a\x00c"#]],
    )
    .await;
    check(
        "seq 20 > f",
        "git mv f g",
        "git mv f h",
        "g",
        expect![[r#"
        conflict in f: it was moved: f renamed to g in what landed and to h in this task.
        conflict in g: it was moved: f renamed to g in what landed and to h in this task.
        conflict in h: it was moved: f renamed to g in what landed and to h in this task.
        1
        2
        3
        4
        5
        6
        7
        8
        9
        10
        11
        12
        13
        14
        15
        16
        17
        18
        19
        20
    "#]],
    )
    .await;
    let modes = ["echo a > x; chmod +x x", "echo b > x"];
    check(
        "true > e",
        modes[0],
        modes[1],
        "e",
        expect![[r#"
            conflict in x: both changed its mode, differently
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_submodule_that_both_moved_is_a_conflict_and_one_that_one_moved_is_not() {
    let at = |digit: &str| format!("mkdir -p sub; git update-index --add --cacheinfo 160000,{},sub", digit.repeat(40));
    check(
        &at("1"),
        &at("2"),
        &at("3"),
        "f",
        expect![[r#"
        conflict in sub: both moved the submodule to another commit
    "#]],
    )
    .await;
    check(
        &at("1"),
        &at("2"),
        "echo x > f",
        "f",
        expect![[r#"
        clean
        x
    "#]],
    )
    .await;
}

#[tokio::test]
async fn a_mode_is_merged_like_a_value() {
    let field = Field::new("seq 9 > f").await;
    let joined = field.join("chmod +x f; sed -i 's/^5$/five(a)/' f", "sed -i 's/^9$/nine/' f").await;
    let Joined::Clean(clean) = &joined else { panic!("{joined:?}") };
    let listed = field.git().text(["ls-tree", &clean.tree, "f"]).await.unwrap();
    assert!(listed.starts_with("100755"), "{listed}");
}

const CALL: &str = "printf 'fn f() {\\n    g(a);\\n}\\n' > f.rs";

#[tokio::test]
async fn what_git_leaves_is_merged_by_the_rungs_above_and_keeps_its_mode() {
    let field = Field::new(CALL).await;
    let joined = field.join("chmod +x f.rs; sed -i 's/g(a)/g(a, b)/' f.rs", "sed -i 's/g(a)/h(a)/' f.rs").await;
    expect![[r#"
        clean
        f.rs by Rung(Syntax): Changed, Changed
        fn f() {
            h(a, b);
        }
    "#]]
    .assert_eq(&field.shown(&joined, "f.rs").await);
    let Joined::Clean(clean) = &joined else { panic!("{joined:?}") };
    assert!(field.git().text(["ls-tree", &clean.tree, "f.rs"]).await.unwrap().starts_with("100755"));
}

#[tokio::test]
async fn line_ends_and_bytes_that_are_no_text_in_utf_8_stay() {
    let base = "printf 'a\\r\\nb\\r\\nc\\r\\nd\\r\\ne\\r\\n' > f; printf '\\351\\n1\\n2\\n3\\n4\\n' > g";
    let ours = "printf 'A\\r\\nb\\r\\nc\\r\\nd\\r\\ne\\r\\n' > f; printf '\\351\\none\\n2\\n3\\n4\\n' > g";
    let theirs = "printf 'a\\r\\nb\\r\\nc\\r\\nd\\r\\nE\\r\\n' > f; printf '\\351\\n1\\n2\\n3\\n\\350\\n' > g";
    check(
        base,
        ours,
        theirs,
        "f",
        expect![[r#"
        clean
        f by Git: Found, Found
        g by Git: Found, Found
        A\r
        b\r
        c\r
        d\r
        E\r
    "#]],
    )
    .await;
    check(
        base,
        ours,
        theirs,
        "g",
        expect![[r#"
            clean
            f by Git: Found, Found
            g by Git: Found, Found
            \xe9
            one
            2
            3
            \xe8
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_conflict_has_proposals_and_both_sides_are_kept_for_the_person() {
    let field = Field::new("echo 'total = 1' > f.txt").await;
    let joined = field.join("printf 'total = 1\\nours = 2\\n' > f.txt", "printf 'total = 1\\ntheirs = 3\\n' > f.txt").await;
    let Joined::Conflicted(left) = &joined else { panic!("{joined:?}") };
    let proposals = joined.proposals(field.git()).await.unwrap();
    let mut shown = String::new();
    for proposal in &proposals {
        let text = field.git().file(&proposal.tree, left.conflicts[0].path.shown()).await.unwrap();
        write!(shown, "({})\n{}", proposal.how, String::from_utf8_lossy(&text)).unwrap();
        assert!(proposal.accounts.iter().all(|file| file.account.is_whole()));
    }
    expect![[r#"
        (f.txt: both, what landed first)
        total = 1
        ours = 2
        theirs = 3
        (f.txt: both, the task's first)
        total = 1
        theirs = 3
        ours = 2
    "#]]
    .assert_eq(&shown);
    let (ours, theirs) = (field.git().commit("ours").await.unwrap(), field.git().commit("theirs").await.unwrap());
    let sides = Sides { base: &field.base, ours: &ours, theirs: &theirs, task: "theirs" };
    let site = &field.ground.site;
    let told = evidence(field.git(), &sides, left, &site.secrecy).await.unwrap();
    expect![[r#"
        --- f.txt: both sides change the same words at `total = 1`
        total = 1
        <<<<<<< on the run branch now
        ours = 2
        =======
        theirs = 3
        >>>>>>> your change

        What landed in these files since this task began:
         f.txt | 1 +
         1 file changed, 1 insertion(+)

        diff --git a/f.txt b/f.txt
        index e1fb2fb..b84d3b1 100644
        --- a/f.txt
        +++ b/f.txt
        @@ -1 +1,2 @@
         total = 1
        +ours = 2
    "#]]
    .assert_eq(&told);
    let task = shared::TaskId::new("theirs").unwrap();
    let kept = keep_for_person(field.git(), (site.run(), &task), &sides, left).await.unwrap();
    let found = field.git().commit(&format!("refs/inspan/{}/theirs/conflict", site.run())).await;
    assert_eq!(found, Some(kept.clone()));
    expect![[r#"
        total = 1
        <<<<<<< landed
        ours = 2
        ||||||| before
        =======
        theirs = 3
        >>>>>>> theirs"#]]
    .assert_eq(&field.git().text(["show", &format!("{kept}:f.txt")]).await.unwrap());
}

#[tokio::test]
async fn large_files_are_joined_in_no_time_and_larger_ones_are_a_conflict() {
    let base = "seq -f %060.0f 80000 > f; seq 1000000 > g";
    let ours = "sed -i 's/^0*7$/seven/; s/^0*500$/ours/' f; sed -i 's/^500$/ours/' g";
    let theirs = "sed -i 's/^0*79999$/last/; s/^0*500$/theirs/' f; sed -i 's/^500$/theirs/' g";
    check(
        base,
        ours,
        theirs,
        "f",
        expect![[r#"
            conflict in f: both sides change `000000000000000000000000000000000000000000000000000000000500`
            conflict in g: both changed it, and it is too large to be merged
            (4879954 bytes)"#]],
    )
    .await;
}

#[tokio::test]
async fn odd_names_are_joined_like_others() {
    check(
        "seq 9 > '~'; seq 9 > \"$(printf '\\377')\"",
        "sed -i 's/1/one/' '~'",
        "sed -i 's/9/nine/' '~'",
        "x",
        expect![[r#"
        clean
        "~" by Git: Found, Found
    "#]],
    )
    .await;
}
