//! What a command leaves in its own scope to trouble whoever looks at it later, outside of any sandbox: the harness and its git.
//!
//! Nothing of this is forbidden. The run must go on, and end.

use tests::{Scenario, eventually, hostile::Tier};

/// Each in a folder of its own, where the command runs.
const IN_A_FOLDER: &[(&str, &str)] = &[
    ("pipe", "mkfifo pipe"),
    ("pipe-for-modules", "mkfifo .gitmodules"),
    ("pipe-for-repository", "mkfifo .git"),
    ("endless-ignored", "ln -s /dev/zero .gitignore; ln -s /dev/zero .gitattributes"),
    ("loop", "ln -s loop loop; ln -s . here; ln -s .. up"),
    ("closed", "mkdir closed; echo x > closed/x; chmod 000 closed"),
    ("unreadable", "echo x > x; chmod 000 x"),
    ("deep", "python3 -c 'import os; [(os.mkdir(\"deeper\"), os.chdir(\"deeper\")) for _ in range(1200)]'"),
    (
        "names",
        "python3 -c 'open(b\"\\xff\\xfe\", \"w\"); open(b\"a\\nb\", \"w\"); open(b\"-rf\", \"w\"); open(b\"x\" * 255, \"w\")'",
    ),
    ("repository", "git init -q .; git -c user.name=w -c user.email=w@x commit -q --allow-empty -m x"),
    (
        "broken-repository",
        "mkdir .git; echo 'ref: refs/heads/x' > .git/HEAD; mkdir .git/objects .git/refs; echo '[' > .git/config",
    ),
    ("repository-of-somebody", "echo 'gitdir: /dev/zero' > .git"),
    ("socket", "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"s\")'"),
    ("sparse", "truncate -s 60M sparse"),
    ("many", "python3 -c '[open(str(i), \"w\").close() for i in range(3000)]'"),
];

/// The same, in the place of what git reads about other files.
const PIPES: &[(&str, &str)] = &[("pipe-for-ignored", "mkfifo .gitignore"), ("pipe-for-attributes", "mkfifo .gitattributes")];

/// The same, with which git does not want to have anything to do.
const REFUSED: &[(&str, &str)] = &[
    (
        "odd-attributes",
        "printf '* filter=x diff=x merge=x text eol=crlf ident working-tree-encoding=UTF-16\\n' > .gitattributes; echo x > x",
    ),
    ("pipe-for-a-file", "rm -f tracked; mkfifo tracked"),
];

/// In the place of files at the top, which are read for what they say about the whole.
const AT_THE_TOP: &[(&str, &str, &str)] = &[
    ("ignored", ".gitignore", "rm -f .gitignore; mkfifo .gitignore"),
    ("rules", "Makefile", "rm -f Makefile; mkfifo Makefile"),
    ("guidance", "AGENTS.md", "rm -f AGENTS.md; mkfifo AGENTS.md"),
    ("manifest", "package.json", "rm -f package.json; ln -s /dev/zero package.json"),
    ("endless-rules", "GNUmakefile", "rm -f GNUmakefile; ln -s /dev/zero GNUmakefile"),
];

/// The same, endless.
const ENDLESS: &[(&str, &str, &str)] = &[
    ("ignored", ".gitignore", "rm -f .gitignore; ln -s /dev/zero .gitignore"),
    ("rules", "Makefile", "rm -f Makefile; ln -s /dev/zero Makefile"),
    ("attributes", ".gitattributes", "rm -f .gitattributes; ln -s /dev/zero .gitattributes"),
    ("guidance", "AGENTS.md", "rm -f AGENTS.md; ln -s /dev/zero AGENTS.md"),
];

#[track_caller]
fn goes_on(tier: Tier, workers: &str, tasks: &str) {
    let top = "## .gitignore\n*.o\n## Makefile\nall:\n## AGENTS.md\nBe good.\n## package.json\n{}\n## pipe-for-a-file/tracked\nx\n## README\nhello\n";
    // Whoever reads without an end is ended before the machine is.
    let s = Scenario::new(top).config("[sandbox]\nfile_mb = 64").after("ulimit -v 4000000");
    let names: Vec<&str> = tasks.lines().filter_map(|line| line.split_once(" | ")).map(|(name, _)| name).collect();
    let plan = format!("{tasks}last | write last.txt | run echo last > last.txt\n");
    let alive = s.start_plan(&plan, &[tier.words(), &["--workers", workers]].concat());
    let most = most_memory(alive.pid());
    let out = alive.wait();
    assert!(most < MOST, "{tier:?}: the harness itself took {} MiB: {}", most >> 10, out.all());
    assert!([0, 3].contains(&out.code), "{tier:?}: the run did not go on: {}", out.all());
    assert!(s.result().contains("## last.txt\nlast\n"), "{}", out.all());
    let state = s.state();
    let open = state.tasks().iter().filter(|task| !["landed", "failed", "scope_violation"].contains(&task.state.name()));
    let open: Vec<_> = open.map(|task| format!("{} {}", task.id, task.state.name())).collect();
    assert!(open.is_empty(), "of {names:?} these have no end of their own: {open:?}\n{}", out.all());
}

/// Kibibytes that the harness needs at most, whatever is left to it.
const MOST: u64 = 1 << 20;

/// The most memory that a process has had when it ends, in kibibytes.
fn most_memory(pid: u32) -> u64 {
    let mut most = 0;
    let has_ended = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        most = now.unwrap_or(most);
        now.is_none().then_some(())
    };
    // Past the deadline whoever waits for the process says so.
    let _ = eventually(has_ended);
    most
}

fn in_folders(all: &[(&str, &str)]) -> String {
    let task = |(name, leave): &(&str, &str)| {
        format!("{name} | write {name}/** | run mkdir -p {name}; cd {name}; {leave}; echo done > done.txt\n")
    };
    all.iter().map(task).collect()
}

fn at_the_top(all: &[(&str, &str, &str)]) -> String {
    let task = |(name, file, leave): &(&str, &str, &str)| {
        format!("{name} | write {file} {name}.txt | run {leave}; echo done > {name}.txt\n")
    };
    all.iter().map(task).collect()
}

#[test]
#[cfg_attr(any(without_bwrap, without_python3), ignore = "needs bubblewrap and python3")]
fn what_is_left_in_a_folder_stops_nobody() {
    goes_on(Tier::Bubblewrap, "3", &in_folders(IN_A_FOLDER));
}

#[test]
#[cfg_attr(any(without_landlock, without_python3), ignore = "needs Landlock and python3")]
fn what_is_left_in_a_folder_behind_the_helper_alone_stops_nobody() {
    goes_on(Tier::Helper, "3", &in_folders(IN_A_FOLDER));
}

#[test]
#[cfg_attr(without_bwrap, ignore = "needs bubblewrap")]
fn a_pipe_in_the_place_of_what_is_read_stops_nobody() {
    goes_on(Tier::Bubblewrap, "1", &at_the_top(AT_THE_TOP));
}

#[test]
#[cfg_attr(without_bwrap, ignore = "needs bubblewrap")]
fn a_pipe_in_the_place_of_what_git_reads_stops_nobody() {
    goes_on(Tier::Bubblewrap, "3", &in_folders(PIPES));
}

#[test]
#[cfg_attr(without_bwrap, ignore = "needs bubblewrap")]
fn what_git_refuses_stops_nobody() {
    goes_on(Tier::Bubblewrap, "3", &in_folders(REFUSED));
}

#[test]
#[cfg_attr(without_bwrap, ignore = "needs bubblewrap")]
fn an_endless_file_in_the_place_of_what_is_read_stops_nobody() {
    goes_on(Tier::Bubblewrap, "1", &at_the_top(ENDLESS));
}
