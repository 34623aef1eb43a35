//! The ladder through the whole program: what lands without a model although tasks wrote in one place, and what does not.

use ::plans::event::Event;
use tests::{Scenario, branch};

use super::{TOGETHER, together};

fn conflicts(s: &Scenario) -> usize {
    s.history().count(|event| matches!(event, Event::LandingConflicted { .. }))
}

/// A plan of two tasks that start from the same tip, each with a script, and more words.
fn both(file: &str, [a, b]: [&str; 2]) -> String {
    format!("a | shared {file} | write a/** | run {TOGETHER}; {a}\n b | shared {file} | write b/** | run {TOGETHER}; {b}")
}

#[test]
fn two_tasks_that_edit_one_call_land_with_both_edits_and_the_account_tells_how() {
    let s = together(Scenario::new("## f.rs\nfn f() {\n    g(a);\n}\n"));
    s.run_plan(&both("f.rs", ["sed -i 's/g(a)/g(a, b)/' f.rs", "sed -i 's/g(a)/h(a)/' f.rs"]), &[]).code(0);
    assert_eq!(s.result(), "## f.rs\nfn f() {\n    h(a, b);\n}\n");
    assert_eq!(conflicts(&s), 0, "{}", s.history().outline());
    let history = s.history();
    let last = history.events().filter_map(|event| match event {
        Event::TaskLanded { key, .. } => Some(key.task.to_string()),
        _ => None,
    });
    let last = last.collect::<Vec<_>>().pop().expect("both landed");
    let told = s.inspan(&["diff", "--task", &last]).code(0).out();
    let account = told.split("What became").nth(1).expect("there is an account").to_owned();
    assert!(account.contains("f.rs, which others changed as well, was merged by"), "{told}");
    assert!(account.contains("1 hunk changed on purpose"), "{told}");
    branch::assert_always_green(&s);
}

#[test]
fn an_edit_that_nobody_met_is_told_to_be_as_it_was_made() {
    let s = Scenario::new("## a.txt\na\n");
    s.run_plan("a | write a.txt | run echo b >> a.txt", &[]).code(0);
    let told = s.inspan(&["diff", "--task", "a"]).code(0).out();
    assert!(told.ends_with("What became of this change on the run branch:\n  1 file is there as the task made it\n"), "{told}");
}

#[test]
fn three_tasks_that_append_to_one_file_all_land_at_the_first_try() {
    let s = Scenario::new("## list.dat\nstart\n").with_meeting_place();
    let place = s.meeting_place();
    let s = s.env("TOGETHER", place).config("[env]\npass = [\"TOGETHER\"]");
    let task = |name: &str| {
        format!(
            "{name} | shared list.dat | write {name}/** | verify grep -qx {name} list.dat | run touch \"$TOGETHER/{name}\"; \
             until test -e \"$TOGETHER/a\" && test -e \"$TOGETHER/b\" && test -e \"$TOGETHER/c\"; do :; done; echo {name} >> list.dat\n"
        )
    };
    s.run_plan(&["a", "b", "c"].map(task).concat(), &["--workers", "3"]).code(0);
    let result = s.result();
    let mut lines: Vec<&str> = result.lines().collect();
    lines[2..].sort_unstable();
    assert_eq!(lines, ["## list.dat", "start", "a", "b", "c"]);
    assert_eq!(conflicts(&s), 0, "{}", s.history().outline());
    branch::assert_always_green(&s);
}

#[test]
fn a_candidate_lands_only_if_the_proofs_of_both_tasks_pass_on_it() {
    // Each wants its own line to be the last one: in one order the other's proof fails, in the other its own.
    let s = together(Scenario::new("## list.dat\nstart\n"));
    let task = |name: &str| {
        format!(
            "{name} | shared list.dat | write {name}/** | verify test \"$(tail -n 1 list.dat)\" = {name} | run {TOGETHER}; echo {name} >> list.dat\n"
        )
    };
    s.run_plan(&["a", "b"].map(task).concat(), &[]).code(0);
    assert_eq!(conflicts(&s), 1, "{}", s.history().outline());
    assert_eq!(
        s.history().count(|event| matches!(event, Event::TaskLanded { .. })),
        2,
        "the second one did it again on the new tip"
    );
    let result = s.result();
    let mut lines: Vec<&str> = result.lines().collect();
    lines[2..].sort_unstable();
    assert_eq!(lines, ["## list.dat", "start", "a", "b"], "nothing of either is lost");
}

#[test]
fn fifty_tasks_register_themselves_in_one_file() {
    let s = Scenario::new("## registry.txt\nnobody\n");
    let task = |n: usize| format!("t{n} | shared registry.txt | write t{n}/** | run echo t{n} >> registry.txt\n");
    s.run_plan(&(1..=50).map(task).collect::<Vec<_>>().concat(), &["--workers", "8"]).code(0);
    let result = s.result();
    assert!((1..=50).all(|n| result.lines().filter(|line| *line == format!("t{n}")).count() == 1), "{result}");
    assert_eq!(conflicts(&s), 0);
}

#[test]
fn a_delete_against_an_edit_is_a_conflict_and_the_edit_is_not_lost() {
    let s = together(Scenario::new("## f.txt\none\n## g.txt\ng\n"));
    let plan = both("f.txt", ["rm -f f.txt", "test ! -e f.txt || echo two >> f.txt"]);
    s.run_plan(&plan, &[]);
    assert_eq!(conflicts(&s), 1, "{}", s.history().outline());
    let state = s.history().outline();
    assert!(s.attempts().iter().any(|name| name == "b/1"), "{state}");
}

#[test]
fn modes_line_ends_and_bytes_that_are_no_text_come_through() {
    let s = together(Scenario::new("## f.txt\n1\n2\n3\n4\n5\n6\n7\n8\n9\n"));
    s.repository().git(&["config", "core.autocrlf", "false"]);
    let a = "chmod +x f.txt; sed -i 's/^1$/eins\\r/' f.txt";
    let b = "printf '\\351\\n' >> f.txt";
    s.run_plan(&both("f.txt", [a, b]), &[]).code(0);
    let tip = format!("inspan/{}", s.run_id());
    assert!(s.repository().git(&["ls-tree", &tip, "f.txt"]).starts_with("100755"));
    let shown =
        std::process::Command::new("git").args(["show", &format!("{tip}:f.txt")]).current_dir(s.repository().path()).output();
    assert_eq!(shown.expect("git starts").stdout, b"eins\r\n2\n3\n4\n5\n6\n7\n8\n9\n\xe9\n");
}

#[test]
fn an_edit_of_a_file_that_another_task_moved_follows_it() {
    let text = (1..=20).map(|n| format!("line {n}\n")).collect::<Vec<_>>().concat();
    let s = together(Scenario::new(&format!("## old.txt\n{text}")));
    let plan = format!(
        "a | shared old.txt new.txt | write a/** | run {TOGETHER}; mv old.txt new.txt; sed -i 's/^line 1$/one/' new.txt\n \
         b | shared old.txt new.txt | write b/** | run {TOGETHER}; sed -i 's/^line 20$/twenty/' old.txt"
    );
    s.run_plan(&plan, &[]).code(0);
    let result = s.result();
    assert!(result.starts_with("## new.txt\none\nline 2\n") && result.ends_with("line 19\ntwenty\n"), "{result}");
    assert_eq!(conflicts(&s), 0);
}

#[test]
fn a_file_that_a_command_makes_is_made_anew_when_two_tasks_made_it() {
    let s = together(Scenario::new("## parts/one\n1\n## all.txt\none 1\n"));
    let s = s.config("[merge]\ngenerated = [{ files = \"all.txt\", command = \"sh make.sh\" }]");
    let make = "for f in parts/*; do echo \"$(basename $f) $(cat $f)\"; done > all.txt";
    s.repository().write_all(&format!("## make.sh\n{make}\n")).commit("How all.txt is made");
    let part = |name: &str| {
        format!(
            "echo {name} > parts/{name}; sed -i '1s/.*/{name} was here/' all.txt; {make}; sed -i '1s/one/ONE-{name}/' all.txt"
        )
    };
    let task = |name: &str| format!("{name} | shared all.txt | write parts/{name} | run {TOGETHER}; {}\n", part(name));
    s.run_plan(&["a", "b"].map(task).concat(), &[]).code(0);
    let result = s.result();
    assert!(
        result.contains("## all.txt\na a\nb b\none 1\n"),
        "what the command makes of both, and nothing of either's own: {result}"
    );
    assert_eq!(conflicts(&s), 0, "{}", s.history().outline());
    branch::assert_always_green(&s);
}

#[test]
fn what_git_merges_in_one_file_has_to_pass_the_proof_of_the_task_that_was_there_before() {
    // Git merges the two edits; together they break what the first one proves, which the second one's proof and the gate do not see.
    let s = together(Scenario::new("## n.txt\n1\n2\n3\n4\n5\n6\n7\n8\n9\n"));
    let gate = "gate | if test -e a/x; then touch \"$TOGETHER/seen\"; fi\n";
    let a = "a | shared n.txt | write a/** | verify ! grep -q by-b n.txt | run mkdir -p a; echo x > a/x; sed -i '1s/$/ by-a/' n.txt; \
             touch \"$TOGETHER/a\"; until test -e \"$TOGETHER/b\"; do :; done\n";
    let b = "b | shared n.txt | write b/** | run mkdir -p b; echo x > b/x; touch \"$TOGETHER/b\"; grep -q by-a n.txt || \
             { until test -e \"$TOGETHER/seen\"; do :; done; echo by-b >> n.txt; }\n";
    s.run_plan(&format!("{gate}{a}{b}"), &["--workers", "2"]).code(0);
    let history = s.history();
    let clashed = history.count(|event| matches!(event, Event::TasksClashed { .. }));
    assert_eq!(clashed, 1, "{}", history.outline());
}
