//! Maps of small repositories: text in, text out.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use shared::RepoPath;

use super::{
    super::{
        facts,
        grammar::Grammar,
        symbols::{Definition, Kind, Symbols},
        tests::findings_of,
    },
    Focus, Source, SymbolMap,
};

const ALL: usize = 10_000;

/// Money is used by a store, that by a shop; a report stands apart.
const SHOP: &str = r#"
## Cargo.toml
[package]
name = "shop"
## src/lib.rs
pub mod money;
pub mod report;
pub mod shop;
pub mod store;
## src/money.rs
pub struct Money(i64);
impl Money {
    pub fn parse(text: &str) -> Result<Self, BadMoney> { loop {} }
    fn round(&self) -> i64 { 0 }
}
pub struct BadMoney;
## src/report.rs
use crate::store::Store;
pub fn print_report(store: &Store) {}
## src/shop.rs
use crate::{money::Money, store::Store};
pub struct Shop { store: Store, till: Money }
impl Shop {
    pub fn sell(&mut self, price: &str) { self.store.take(Money::parse(price)) }
}
## src/store.rs
use crate::money::Money;
pub struct Store { worth: Money }
impl Store {
    pub fn take(&mut self, worth: Money) {}
}
## tests/sales.rs
use shop::{money::Money, shop::Shop};
fn a_helper_of_the_test() {}
"#;

fn check(text: &str, expected: &Expect) {
    expected.assert_eq(text);
}

fn around(map: &SymbolMap, own: &[&str], words: &str, budget: usize) -> String {
    map.around(|path| own.contains(&path.as_str()), &Focus { words, budget })
}

/// The files of a map's text, in its order.
fn files(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("src/")).collect()
}

#[test]
fn what_is_used_most_comes_first_and_what_nobody_uses_fills_the_room() {
    check(
        &findings_of(SHOP).map.overview("", ALL),
        &expect![[r#"

        ## Symbols

        The most used ones, with their lines.

        src/money.rs
          1 pub struct Money(i64)
          3 Money: pub fn parse(text: &str) -> Result<Self, BadMoney>
          4 Money: fn round(&self) -> i64
          6 pub struct BadMoney

        src/store.rs
          2 pub struct Store
          4 Store: pub fn take(&mut self, worth: Money)

        src/shop.rs
          2 pub struct Shop
          4 Shop: pub fn sell(&mut self, price: &str)

        src/report.rs
          2 pub fn print_report(store: &Store)
    "#]],
    );
}

#[test]
fn the_files_that_a_goal_names_come_before_those_that_are_used_as_much() {
    let map = findings_of(SHOP).map;
    assert_eq!(files(&map.overview("", ALL)), ["src/money.rs", "src/store.rs", "src/shop.rs", "src/report.rs"]);
    for goal in ["Print src/report.rs in colour", "a nicer report", "mend print_report"] {
        assert_eq!(files(&map.overview(goal, ALL)), ["src/money.rs", "src/store.rs", "src/report.rs", "src/shop.rs"], "{goal}");
        let short = map.overview(goal, 330);
        assert!(
            short.contains("print_report") && !short.contains("sell"),
            "what is named is shown though nobody uses it: {short}"
        );
    }
    assert_eq!(map.overview("Do the usual things", ALL), map.overview("", ALL));
}

#[test]
fn a_task_is_told_what_its_files_use_and_who_uses_them() {
    check(
        &around(&findings_of(SHOP).map, &["src/store.rs"], "", ALL),
        &expect![[r#"
        Symbols of other files that yours lead to, with their lines:

        src/money.rs
          1 pub struct Money(i64)

        Other files that use symbols of yours:

        - src/shop.rs: Store, take
        - src/report.rs: Store
    "#]],
    );
}

#[test]
fn what_is_around_depends_on_whose_files_they_are() {
    let map = findings_of(SHOP).map;
    let (of_report, of_shop) = (around(&map, &["src/report.rs"], "", ALL), around(&map, &["src/shop.rs"], "", ALL));
    assert_eq!((files(&of_report)[0], files(&of_shop)[0]), ("src/store.rs", "src/money.rs"));
}

#[test]
fn a_task_whose_files_are_yet_to_be_written_is_told_of_those_that_it_names() {
    let map = findings_of(SHOP).map;
    assert_eq!(files(&around(&map, &["src/new.rs"], "Like `Shop`, but in src/shop.rs no more", ALL))[0], "src/shop.rs");
    assert_eq!(around(&map, &["src/new.rs"], "Something new", ALL), "");
}

#[test]
fn a_task_that_owns_everything_has_nothing_around_it() {
    assert_eq!(findings_of(SHOP).map.around(|_| true, &Focus { words: "", budget: ALL }), "");
}

#[test]
fn a_text_is_cut_between_symbols_and_says_how_many_it_leaves_out() {
    let map = findings_of(SHOP).map;
    let whole = map.overview("", ALL);
    let count = |text: &str| text.lines().filter(|line| line.starts_with("  ")).count();
    for budget in 0..whole.len() + 70 {
        let text = map.overview("", budget);
        assert!(text.len() <= budget, "{} of {budget}", text.len());
        let left_out = count(&whole) - count(&text);
        let says = text.contains(&format!("… {left_out} more symbol"));
        assert!(text.is_empty() || says == (left_out > 0), "{text}");
        assert!(
            text.lines().filter(|line| !line.starts_with('…')).all(|line| whole.lines().any(|known| known == line)),
            "{text}"
        );
    }
}

#[test]
fn the_order_in_which_files_are_listed_does_not_show() {
    let facts = |path: &str, text: &str| {
        let mut parser = tree_sitter::Parser::new();
        (RepoPath::new(path).unwrap(), facts::read(&mut parser, Grammar::of(path).unwrap(), text))
    };
    let files: Vec<_> = (0..20)
        .map(|at| {
            facts(&format!("f{at}.py"), &format!("def make_part_{at}(): pass\nmake_part_{}()\nmake_part_3()\n", at * 7 % 20))
        })
        .collect();
    let imports: Vec<_> = (0..20).map(|at| (files[at].0.clone(), files[at * 7 % 20].0.clone())).collect();
    let source = |at: usize| {
        let (path, facts) = &files[at];
        Source { path, family: Grammar::Python.family(), is_test: at < 4, symbols: &facts.symbols }
    };
    let map = SymbolMap::new(&(0..20).map(source).collect::<Vec<_>>(), &imports);
    let shuffled = SymbolMap::new(&(0..20).map(|at| source(at * 13 % 20)).collect::<Vec<_>>(), &imports);
    assert_eq!(map, shuffled);
    assert_eq!(map.overview("f4", 900), shuffled.overview("f4", 900));
    assert!(map.overview("", ALL).contains("make_part_7"));
}

#[test]
fn a_name_belongs_to_the_file_that_is_imported_and_a_common_one_to_nobody() {
    let map = findings_of(
        "## a.py\ndef load_all(): pass\n## b.py\ndef load_all(): pass\n## c.py\nfrom b import load_all\nload_all()\n\
         ## d.py\nresult = load_all()\n",
    )
    .map;
    let links = |at: usize| map.files[at].links.iter().map(|link| map.files[link.to as usize].path.as_str()).collect::<Vec<_>>();
    assert_eq!((links(2), links(3)), (vec!["b.py"], vec![]));
}

#[test]
fn code_that_no_test_is_does_not_use_what_tests_define() {
    let map = findings_of("## go.mod\nmodule x\n## a.go\nfunc F() { StartServer() }\n## a_test.go\nfunc StartServer() {}\n").map;
    assert!(map.files.iter().all(|file| file.links.is_empty()), "{map:?}");
}

#[test]
fn a_file_that_is_secret_by_its_name_is_not_read() {
    let root = super::super::tests::files("## hidden/keys.py\ndef open_sesame(): pass\n## a.py\ndef other_thing(): pass\n");
    let secrecy = shared::Secrecy::new(vec![shared::Glob::new("hidden/**").unwrap()], vec![], []);
    let request = super::super::SurveyRequest { root: root.path().to_owned(), secrecy: secrecy.into(), ..Default::default() };
    let findings = super::super::survey(&request).unwrap();
    let text = findings.map.overview("hidden/keys.py", ALL);
    assert!(text.contains("other_thing") && !text.contains("sesame") && !text.contains("hidden"), "{text}");
}

#[test]
fn a_map_is_the_same_when_it_is_read_back_and_a_link_to_nowhere_is_dropped() {
    let map = findings_of(SHOP).map;
    let text = serde_json::to_string(&map).unwrap();
    assert_eq!(serde_json::from_str::<SymbolMap>(&text).unwrap(), map);
    let damaged = r#"[{"path":"a.rs","links":[[7,0,9],[0,3,9]]}]"#;
    let damaged: SymbolMap = serde_json::from_str(damaged).unwrap();
    assert!(damaged.files[0].links.is_empty() && damaged.overview("", ALL).is_empty());
}

prop_compose! {
    fn symbols()(
        defines in prop::collection::vec(("[a-dA-D_]{3,6}", "\\PC{0,60}", any::<bool>(), 0_u32..99_999), 0..8),
        uses in prop::collection::btree_map("[a-dA-D_]{3,6}", 1_u32..50, 0..12),
    ) -> Symbols {
        let define = |(name, signature, private, line)| {
            Definition { name, kind: Kind::Method, line, signature, owner: String::new(), private }
        };
        Symbols { defines: defines.into_iter().map(define).collect(), uses }
    }
}

proptest! {
    #[test]
    fn no_budget_is_ever_passed(
        all in prop::collection::vec(symbols(), 1..12),
        edges in prop::collection::vec((0_usize..12, 0_usize..12), 0..20),
        words in "\\PC{0,30}",
        budget in 0_usize..900,
    ) {
        let paths: Vec<RepoPath> = (0..all.len()).map(|at| RepoPath::new(&format!("dir{}/é{at}.rs", at % 3)).unwrap()).collect();
        let source = |(path, symbols)| Source { path, family: Grammar::Rust.family(), is_test: false, symbols };
        let sources: Vec<Source> = paths.iter().zip(&all).map(source).collect();
        let edges: Vec<_> = edges.into_iter().filter_map(|(a, b)| Some((paths.get(a)?.clone(), paths.get(b)?.clone()))).collect();
        let map = SymbolMap::new(&sources, &edges);
        prop_assert!(map.overview(&words, budget).len() <= budget);
        prop_assert!(around(&map, &["dir0/é0.rs", "dir1/é1.rs"], &words, budget).len() <= budget);
    }
}
