//! What is found in one file, a small one for each language.

use expect_test::{Expect, expect};

use super::{
    super::{facts, grammar::Grammar},
    Symbols,
};

fn symbols_of(path: &str, text: &str) -> Symbols {
    let mut parser = tree_sitter::Parser::new();
    facts::read(&mut parser, Grammar::of(path).expect("a language"), text).symbols
}

fn check(path: &str, text: &str, expected: &Expect) {
    let line = |d: &super::Definition| {
        let private = if d.private { " (private)" } else { "" };
        format!("{} {:?} {}: {} [{}]{private}\n", d.line, d.kind, d.name, d.signature, d.owner)
    };
    expected.assert_eq(&symbols_of(path, text).defines.iter().map(line).collect::<String>());
}

#[test]
fn rust() {
    check(
        "a.rs",
        r##"
/// Money.
#[derive(Debug)]
pub struct Money<T> where T: Copy { cents: T }
pub(crate) enum Kind { A, B }
struct Tuple(pub i64, String);
pub trait Spend: Sized {
    type Error;
    fn spend(
        &self, // how
        amount: &[u8],
    ) -> Result<(), Self::Error>;
}
impl<T: Copy> Spend for crate::Money<T> {
    type Error = ();
    fn spend(&self, amount: &[u8]) -> Result<(), ()> { fn within_it() {} Ok(()) }
}
pub const LIMIT: usize = 10;
static TOKEN: &str = "ghp_not_to_be_seen";
pub type Alias = std::collections::BTreeMap<String, Vec<u8>>;
macro_rules! assert_money { ($a:expr) => { $a } }
pub async unsafe fn run<F>(f: F) -> impl Future<Output = ()> where F: Fn() { }
#[cfg(test)]
mod tests { fn not_for_others() {} }
mod inline { pub fn for_others() {} }
"##,
        &expect![[r#"
            4 Type Money: pub struct Money<T> where T: Copy []
            5 Type Kind: pub(crate) enum Kind []
            6 Type Tuple: struct Tuple(pub i64, String) [] (private)
            7 Type Spend: pub trait Spend: Sized []
            9 Method spend: fn spend(&self, amount: &[u8]) -> Result<(), Self::Error> [Spend]
            16 Method spend: fn spend(&self, amount: &[u8]) -> Result<(), ()> [Money]
            18 Constant LIMIT: pub const LIMIT: usize []
            19 Constant TOKEN: static TOKEN: &str [] (private)
            20 Type Alias: pub type Alias = std::collections::BTreeMap<String, Vec<u8>> []
            21 Macro assert_money: macro_rules! assert_money []
            22 Function run: pub async unsafe fn run<F>(f: F) -> impl Future<Output = ()> where F: Fn() []
            25 Function for_others: pub fn for_others() []
        "#]],
    );
}

#[test]
fn python() {
    check(
        "a.py",
        r#"
LIMIT: int = 10
_hidden = 3
a, b = 1, 2
@decorated("x")
class Money(Base, metaclass=Meta):
    """What it is."""
    rate = 1.0
    def parse(self, text: str, sep="secret", *rest, **more) -> "Money":
        def inner_one(): pass
    @property
    async def worth(self): ...
    def _round(self): ...
if True:
    def conditional(): pass
"#,
        &expect![[r#"
            2 Constant LIMIT: LIMIT: int []
            3 Constant _hidden: _hidden [] (private)
            6 Type Money: class Money(Base, metaclass=Meta) []
            9 Method parse: def parse(self, text: str, sep="…", *rest, **more) -> "…" [Money]
            12 Method worth: async def worth(self) [Money]
            13 Method _round: def _round(self) [Money] (private)
            15 Function conditional: def conditional() []
        "#]],
    );
}

#[test]
fn javascript() {
    check(
        "a.js",
        r#"
const fs = require("fs");
export const LIMIT = 10, other = 2;
export const parse = async (text, { strict = true }) => { const local = 1; };
export default class Money extends Base {
  #secret() {}
  constructor(cents) {}
  static of(text = "hidden") { return new Money(text); }
}
function* each(all) {}
exports.legacy = function (a, b) {};
it("tests", () => { function nested() {} });
"#,
        &expect![[r#"
            3 Constant LIMIT: export const LIMIT []
            3 Constant other: other []
            4 Function parse: export const parse = async (text, { strict = true }) []
            5 Type Money: export default class Money extends Base []
            6 Method #secret: #secret() [Money] (private)
            10 Function each: function* each(all) []
            11 Function legacy: exports.legacy = function (a, b) []
            12 Function nested: function nested() []
        "#]],
    );
}

#[test]
fn typescript() {
    check(
        "a.ts",
        r#"
export interface Spend<T> { spend(amount: number): Promise<T>; readonly kind: string }
export type Shape = { a: number } | "b";
export type Short = number | undefined;
export enum Colour { Red }
@Component({ selector: "x" })
export abstract class Money<T> implements Spend<T> {
  private round(): number { return 1 }
  abstract worth(): number;
}
export function parse<T extends object>(text: string, ...rest: T[]): Map<string, T> { return new Map(); }
declare function outer(a: number): void;
const add = (a: number): number => a;
"#,
        &expect![[r#"
            2 Type Spend: export interface Spend<T> []
            2 Method spend: spend(amount: number): Promise<T> [Spend]
            3 Type Shape: export type Shape []
            4 Type Short: export type Short = number | undefined []
            5 Type Colour: export enum Colour []
            7 Type Money: abstract class Money<T> implements Spend<T> []
            8 Method round: private round(): number [Money] (private)
            9 Method worth: abstract worth(): number [Money]
            11 Function parse: export function parse<T extends object>(text: string, ...rest: T[]): Map<string, T> []
            12 Function outer: function outer(a: number): void []
            13 Function add: const add = (a: number): number []
        "#]],
    );
}

#[test]
fn go() {
    check(
        "a.go",
        r#"
package money
type Money struct { cents int64 }
type (
	Spender interface { Spend(amount int) error }
	short = int
)
const Limit = 10
const ( First = iota; second )
var Default, other = Parse("x")
func Parse(text string, opts ...func(*Money)) (*Money, error) { return nil, nil }
func (m *Money) Round() int64 { local := 1; return 0 }
"#,
        &expect![[r#"
            3 Type Money: type Money struct []
            5 Type Spender: Spender interface []
            6 Type short: short = int [] (private)
            8 Constant Limit: const Limit []
            9 Constant First: const (First = iota; second) []
            9 Constant second: second [] (private)
            10 Constant Default: var Default, other []
            11 Function Parse: func Parse(text string, opts ...func(*Money)) (*Money, error) []
            12 Function Round: func (m *Money) Round() int64 []
        "#]],
    );
}

#[test]
fn java() {
    check(
        "A.java",
        r#"
package shop;
@Entity(name = "x")
public class Money<T extends Number> extends Base implements Spend {
  public static final int LIMIT = 10;
  private int cents;
  public Money(int cents) {}
  @Override public <R> List<R> parse(@Named("y") String text, int... rest) throws BadMoney { return null; }
  private void round() {}
  enum Kind { A, B }
}
interface Spend { void spend(int amount); }
record Pair(int left, int right) {}
"#,
        &expect![[r#"
            4 Type Money: public class Money<T extends Number> extends Base implements Spend []
            5 Constant LIMIT: public static final int LIMIT [Money]
            8 Method parse: public <R> List<R> parse(String text, int... rest) throws BadMoney [Money]
            9 Method round: private void round() [Money] (private)
            10 Type Kind: enum Kind [Money]
            12 Type Spend: interface Spend []
            12 Method spend: void spend(int amount) [Spend]
            13 Type Pair: record Pair(int left, int right) []
        "#]],
    );
}

#[test]
fn uses_are_counted_wherever_they_stand_and_nothing_between_quotes_or_in_comments_is_one() {
    let uses =
        symbols_of("a.rs", "// comment\nfn go(m: Money) { let x = Money::parse(\"quoted\"); vec![m.worth, other_name]; }\n").uses;
    let words: Vec<String> = uses.iter().map(|(name, times)| format!("{name} {times}")).collect();
    expect!["Money 2, other_name 1, parse 1, vec 1, worth 1"].assert_eq(&words.join(", "));
}

#[test]
fn a_signature_never_holds_what_stands_between_quotes() {
    for (path, text) in [
        ("a.py", "def connect(token='hunter2', other=f\"{x}hunter2\", raw=b'''hunter2'''): pass\n"),
        ("a.js", "function connect(token = 'hunter2', other = `hunter2 ${x}`) {}\n"),
        ("a.rs", "pub fn connect(token: [u8; \"hunter2\".len()]) {}\npub const CONNECT: &str = \"hunter2\";\n"),
        ("A.java", "class Connect { static String KEY = \"hunter2\"; @Is(\"hunter2\") void connect() {} }\n"),
        ("a.go", "const Connect = \"hunter2\"\nvar Other = map[string]string{\"a\": `hunter2`}\n"),
        ("a.ts", "type Connect = 'hunter2' | 'hunter3';\nclass Some { connect(a = 'hunter2'): 'hunter2' {} }\n"),
    ] {
        let defines = symbols_of(path, text).defines;
        assert!(!defines.is_empty() && defines.iter().all(|d| !d.signature.contains("hunter")), "{defines:?}");
    }
}

#[test]
fn text_that_is_no_program_yields_what_was_understood_of_it() {
    let names = |path, text: &str| symbols_of(path, text).defines.into_iter().map(|d| d.name).collect::<Vec<_>>().join(" ");
    assert_eq!(names("a.rs", "pub fn before() {}\nfn broken( {{{\npub struct Money;\n"), "before Money");
    assert_eq!(names("a.py", "def before(): pass\n<<<<<<< ours\ndef after(): pass\n"), "before after");
    assert_eq!(names("a.go", "\0\u{1}\u{2}"), "");
    let long = format!("pub fn parse({}) {{}}\n", "amount: \u{e9}\u{e9}\u{e9},\n".repeat(100));
    let signature = &symbols_of("a.rs", &long).defines[0].signature;
    assert!(signature.len() <= 140 && signature.ends_with('…'), "{signature}");
}

#[test]
fn what_programs_wrote_is_left_out_and_what_is_kept_of_a_file_is_bounded() {
    let bundle = format!("function alpha() {{}} {}\n", "var beta=1;".repeat(1_000));
    assert!(symbols_of("a.js", &bundle).is_empty());
    let many: String = (0..6_000).map(|at| format!("pub fn name_{at}() {{}}\n")).collect::<Vec<_>>().concat();
    let symbols = symbols_of("a.rs", &many);
    assert_eq!((symbols.defines.len(), symbols.uses.len()), (super::MAX_DEFINITIONS, super::MAX_NAMES));
}
