//! Words that are wrong: on the command line, in a plan file, in the configuration.

use expect_test::expect;
use tests::Scenario;

const REPO: &str = "## README\nhello\n";

#[test]
fn a_plan_file_with_ten_mistakes_lists_all_of_them_with_their_lines() {
    let s = Scenario::new(REPO);
    let path = s.plan_file(
        "version = 1\ngoal = \"Ten mistakes\"\nflavour = \"x\"\n[gate]\ncommands = []\n[[task]]\nid = \"Bad Id\"\ntitle = \"One\"\ninstructions = \"x\"\nwrite = [\"a/**\"]\n\
         [[task]]\nid = \"two\"\ntitle = \"Two\"\ninstructions = \"x\"\nwrite = []\n[[task]]\nid = \"two\"\ntitle = \"Again\"\ninstructions = \"x\"\nwrite = [\"y\", \"../x\"]\n\
         [[task]]\nid = \"four\"\ntitle = \"Four\"\ninstructions = \"x\"\ndepends_on = [\"nobody\"]\nwrite = [\"b/**\"]\ndeliver = [\"c/d\"]\n\
         [[task]]\nid = \"five\"\ntitle = \"Five\"\nwrite = [\"b/x\"]\n[[task]]\nid = \"six\"\ntitle = 6\ninstructions = \"x\"\nwrite = [\"z\"]\ndepends_on = [\"six\"]\n",
    );
    let out = s.inspan(&["run", "--plan", &path, "--yes"]).code(4);
    expect![[r#"
        exit 4
        error: ROOT/plan.toml has 12 problems:
          error[unknown-key] line 3: `flavour` is not a key of a plan; the keys are version, goal, gate, task
          error[no-gate] line 4: the plan has no gate, so nothing would tell green from red; name the commands that test the whole repository
          error[bad-id] line 7: `Bad Id` is not a task id: use 1 to 40 of a-z, 0-9 and -, with no - at either end
          error[empty-scope] line 15: `two` may write nothing; give it `write` patterns
          error[duplicate-id] line 17: the id `two` is used twice; rename one of the tasks
          error[bad-glob] line 20: `../x` leads out of the repository
          error[unknown-dependency] line 25: `four` depends on `nobody`, which is not in the plan; add that task, or take it out of `depends_on`
          error[deliver-outside-scope] line 27: `four` must deliver `c/d`, which its scope does not let it write; add it to `write`
          error[missing] line 28: `five` has no `instructions`; add it
          error[overlap] line 31: `four` owns `b/**` and `five` owns `b/x`, and neither waits for the other; order them with `depends_on`, narrow one, or move the file to `shared` in both
          error[wrong-type] line 34: `title` is a number, but must be a text
          error[cycle] line 37: `six` waits for itself; take it out of its `depends_on`
         hint: set `[gate] commands` in inspan.toml or in the plan, or say `--no-gate` to go without; nothing was started
    "#]].assert_eq(&out.shown());
    assert!(out.stderr.matches(" line ").count() >= 10, "{}", out.all());
    assert!(s.runs().is_empty(), "nothing was started");
}

#[test]
fn a_plan_file_that_is_no_toml_or_not_there_is_named() {
    let s = Scenario::new(REPO);
    let path = s.plan_file("version = 1\n[[task]\n");
    s.inspan(&["run", "--plan", &path, "--yes"]).code(4).says("line 2");
    s.inspan(&["run", "--plan", "nowhere.toml", "--yes"]).code(2).says("nowhere.toml cannot be read");
}

#[test]
fn an_unknown_key_of_the_configuration_names_the_nearest_one() {
    let s = Scenario::new("## inspan.toml\n[run]\nworker = 3\n");
    let out = s.inspan(&["config"]).code(2);
    expect![[r#"
        exit 2
        error: ROOT/mein Projekt/inspan.toml:2: there is no key `run.worker`; did you mean `run.workers`?
    "#]]
    .assert_eq(&out.shown());
}

#[test]
fn config_shows_where_each_value_comes_from_and_hides_keys() {
    let s = Scenario::new("## inspan.toml\n[run]\nworkers = 3\n").config("[run]\nattempts = 5");
    let s = s.env("INSPAN_REPLANS", "7").env("DEEPSEEK_API_KEY", "sesame").env("INSPAN_API_KEY", "sesame");
    let out = s.inspan(&["config"]).code(0);
    assert!(!out.all().contains("sesame"), "{}", out.all());
    let shown: String =
        out.out().split_inclusive('\n').filter(|line| line.starts_with("run.") || line.contains(" uses ")).collect();
    expect![[r#"
        run.workers                = 3                                 ROOT/mein Projekt/inspan.toml:2
        run.review                 = "first"                           default
        run.max_cost_usd           = -                                 not set
        run.max_tokens             = -                                 not set
        run.max_minutes            = -                                 not set
        run.max_disk_mb            = -                                 not set
        run.min_free_mb            = 512                               default
        run.attempts               = 5                                 ROOT/config.toml:2
        run.conflict_attempts      = 3                                 default
        run.replans                = 7                                 INSPAN_REPLANS
        planner uses deepseek/deepseek-flash
        worker uses deepseek/deepseek-flash
    "#]]
    .assert_eq(&shown);
    let out = s.inspan(&["config", "--output-format", "json"]).code(0);
    let json: serde_json::Value = serde_json::from_str(&out.stdout).expect("it is JSON");
    assert_eq!(json["keys"]["DEEPSEEK_API_KEY"], true);
    assert!(!out.stdout.contains("sesame"));
}

#[test]
fn a_value_that_makes_no_sense_is_exit_2() {
    let s = Scenario::new(REPO).env("INSPAN_WORKERS", "many");
    s.inspan(&["config"]).code(2).says("INSPAN_WORKERS");
}

#[test]
fn wrong_words_are_exit_2_and_help_is_exit_0() {
    let s = Scenario::new(REPO);
    s.inspan(&["rum"]).code(2).says("run");
    s.inspan(&["run"]).code(2).says("say what is to be changed");
    s.inspan(&["run", "  "]).code(2).says("the goal is empty");
    s.inspan(&["run", "a goal", "--plan", "x.toml"]).code(2);
    s.inspan(&["status"]).code(2).says("there is no run in this repository yet");
    s.inspan(&["--help"]).code(0).prints("apply");
    s.inspan(&["--version"]).code(0).prints("inspan ");
}

#[test]
fn completions_are_there_for_every_shell() {
    let s = Scenario::new(REPO);
    for shell in ["bash", "zsh", "fish"] {
        let out = s.inspan(&["completions", shell]).code(0);
        assert!(out.stdout.contains("inspan") && out.stdout.contains("completions") && out.stderr.is_empty(), "{}", out.all());
    }
}

#[test]
fn init_writes_a_file_that_changes_nothing_and_never_writes_over_one() {
    let s = Scenario::new(REPO);
    let before = s.inspan(&["config"]).code(0).out();
    s.inspan(&["init"]).code(0);
    assert_eq!(s.inspan(&["config"]).code(0).out(), before, "every line is a comment");
    s.inspan(&["init"]).code(1).says("is there already");
}

#[test]
fn a_run_is_found_by_any_unique_beginning_of_its_name() {
    let s = Scenario::new(REPO);
    s.run_plan("a | write a.txt | run echo a > a.txt", &[]).code(0);
    let run = s.run_id();
    s.inspan(&["status", &run[..3]]).code(0).prints(&run);
    s.inspan(&["status", "0000"]).code(2).says("no run of this repository is called `0000`");
    s.inspan(&["diff", &run, "--task", "b"]).code(2).says("its tasks are: a");
}
