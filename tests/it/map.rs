//! What workers are told of the symbols of a repository: the same to all of them first, then to each what its own files have to do with.

use tests::{
    Scenario,
    model::{Asked, ModelServer, Script, finish, write},
};

const SHOP: &str = "\
## money.py
class Money:
    def parse(self, text, key='not to be seen'): ...
## store.py
from money import Money
class Store:
    def take_in(self, amount): Money().parse(amount)
## report.py
from store import Store
def print_report(store): Store()
## keys/hidden.py
from money import Money
def open_sesame(): Money()
";
const PLAN: &str = "goal | Mend report.py\nstore | write store.py\nreport | write report.py";

fn server() -> ModelServer {
    let mend = |task: &str| [write(&format!("{task}.py"), "pass\n"), finish("Mended it.")];
    ModelServer::start(Script::new().worker("store", 1, mend("store")).worker("report", 1, mend("report")))
}

fn content(asked: &Asked, at: usize) -> String {
    asked.messages()[at]["content"].as_str().unwrap_or_default().to_owned()
}

fn first(server: &ModelServer, task: &str, attempt: u32) -> (String, String) {
    let asked = server.asked_by(task, attempt).into_iter().next().expect("it was asked");
    (content(&asked, 0), content(&asked, 1))
}

/// The part between a heading and the next.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let begin = text.find(heading).unwrap_or_else(|| panic!("no {heading} in {text}"));
    let rest = &text[begin..];
    rest[1..].find("\n## ").map_or(rest, |end| &rest[..=end])
}

#[test]
fn all_workers_begin_with_the_same_map_and_each_is_told_what_is_around_its_own_files() {
    let server = server();
    let s = Scenario::new(SHOP).model(&server).config("[secrets]\ndeny = [\"keys/hidden.py\"]");
    s.run_plan(PLAN, &["--no-gate"]).code(0);
    let ((shared, of_store), (shared_too, of_report)) = (first(&server, "store", 1), first(&server, "report", 1));
    assert_eq!(shared, shared_too);
    expect_test::expect![[r###"
        ## Symbols

        The most used ones, with their lines.

        money.py
          1 class Money
          2 Money: def parse(self, text, key="…")

        store.py
          2 class Store
          3 Store: def take_in(self, amount)

        report.py
          2 def print_report(store)"###]]
    .assert_eq(section(&shared, "## Symbols"));
    expect_test::expect![[r###"
        ## Around your files
        As it was when the run started; lines may have moved since.

        Symbols of other files that yours lead to, with their lines:

        money.py
          1 class Money
          2 Money: def parse(self, text, key="…")

        Other files that use symbols of yours:

        - report.py: Store
    "###]]
    .assert_eq(section(&of_store, "## Around your files"));
    expect_test::expect![[r###"
        ## Around your files
        As it was when the run started; lines may have moved since.

        Symbols of other files that yours lead to, with their lines:

        store.py
          2 class Store

        money.py
          1 class Money
          2 Money: def parse(self, text, key="…")
    "###]]
    .assert_eq(section(&of_report, "## Around your files"));
    for request in server.asked() {
        let body = request.body.to_string();
        assert!(!body.contains("sesame") && !body.contains("not to be seen"), "{body}");
    }
    s.run_plan(PLAN, &["--no-gate"]).code(0);
    let runs: Vec<(String, String)> =
        server.asked_by("report", 1).iter().map(|asked| (content(asked, 0), content(asked, 1))).collect();
    assert!(runs.iter().all(|run| *run == runs[0]), "what was remembered says the same");
}

#[test]
fn without_room_for_it_there_is_no_map() {
    let server = server();
    let s = Scenario::new(SHOP).model(&server).config("[context]\nmap_tokens = 0");
    s.run_plan(PLAN, &["--no-gate"]).code(0);
    let (shared, own) = first(&server, "store", 1);
    assert!(shared.contains("Most imported") && !shared.contains("## Symbols") && !own.contains("Around your files"));
}
