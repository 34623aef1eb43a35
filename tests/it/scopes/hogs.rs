//! Commands that take more than they may: processes, memory, disk, output, time; and those that try to end or to outlive what runs them.
//!
//! One agent runs them all, one after the other: each ends, in time and with all of its processes, and says why; the next one runs.
//! Nothing here is ever run without a sandbox.

use std::fmt::Write as _;

use serde_json::json;
use tests::{
    Scenario,
    hostile::Tier,
    model::{ModelServer, Script, Turn, call, command, finish},
};

/// A command, how long it may take, and what the model has to be told of its end.
struct Hog {
    name: &'static str,
    command: &'static str,
    seconds: u32,
    says: &'static [&'static str],
}

const fn hog(name: &'static str, seconds: u32, says: &'static [&'static str], command: &'static str) -> Hog {
    Hog { name, command, seconds, says }
}

/// What a limit's own words begin with, or what a program says when a call fails.
const GREEDY: &[Hog] = &[
    hog("fork-bomb", 30, &["processes", "fork", "Resource temporarily unavailable"], "bomb() { bomb | bomb & }; bomb; sleep 20"),
    hog(
        "fork-bomb-of-python",
        30,
        &["processes", "refused", "memory"],
        "
python3 -c 'import os, time
while True:
    try: os.fork()
    except OSError: time.sleep(0.01)'",
    ),
    hog(
        "threads",
        30,
        &["processes", "refused", "memory"],
        "
python3 -c 'import threading, time
for _ in range(500):
    try: threading.Thread(target=time.sleep, args=(20,), daemon=True).start()
    except RuntimeError: print(\"refused\"); break'",
    ),
    hog(
        "memory",
        30,
        &["memory", "MemoryError"],
        "python3 -c 'import time\nx = []\nwhile len(x) < 2000: x.append(b\"x\" * (1 << 20))\nprint(\"got it\")'",
    ),
    hog(
        "memory-of-many",
        30,
        &["memory", "MemoryError"],
        "
for i in 1 2 3 4 5 6 7 8; do python3 -c 'import time\nx = b\"x\" * (100 << 20)\ntime.sleep(20)' & done; wait; echo got it",
    ),
    hog(
        "memory-in-files-of-memory",
        30,
        &["memory", "refused"],
        "
python3 -c 'import os
fds = []
try:
    while len(fds) < 40:
        fds.append(os.memfd_create(\"x\")); left = 30
        while left: os.write(fds[-1], b\"x\" * (1 << 20)); left -= 1
    print(\"got it\")
except OSError: print(\"refused\")'",
    ),
    hog(
        "memory-in-shared-mappings",
        30,
        &["memory", "refused"],
        "
python3 -c 'import mmap, time
try:
    all = [mmap.mmap(-1, 100 << 20) for _ in range(10)]
    for one in all:
        for at in range(0, 100 << 20, 4096): one[at] = 1
    time.sleep(1); print(\"got it\")
except (OSError, ValueError): print(\"refused\")'",
    ),
    hog(
        "memory-in-scratch-folders",
        30,
        &["memory", "disk", "refused", "No space", "large"],
        "
for folder in /dev/shm /tmp /var/tmp; do for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
head -c 50000000 /dev/zero > $folder/hog$i || { echo refused; exit 1; }; done; done; echo got it",
    ),
    hog("one-large-file", 30, &["larger"], "exec head -c 500000000 /dev/zero > mine/large"),
    hog(
        "many-files",
        30,
        &["disk"],
        "
i=0; while [ $i -lt 80 ]; do i=$((i + 1)); head -c 40000000 /dev/zero > mine/part$i; done; echo got it",
    ),
    hog("many-files-are-cleared-away", 30, &["exit 0"], "rm -f mine/part* mine/large"),
    hog(
        "many-files-in-scratch-space",
        30,
        &["disk"],
        "
i=0; while [ $i -lt 80 ]; do i=$((i + 1)); head -c 40000000 /dev/zero > \"$TMPDIR\"/part$i; done; echo got it",
    ),
    hog(
        "open-files",
        30,
        &["refused"],
        "
rm -f \"$TMPDIR\"/part*; python3 -c 'import os
all = []
try:
    while len(all) < 5000: all.append(os.open(\"/dev/null\", 0))
except OSError: print(\"refused at\", len(all))'",
    ),
    hog("much-output", 60, &["cut", "left", "omitted", "more"], "yes 'all work and no play' | head -c 1000000000"),
];

const STUBBORN: &[Hog] = &[
    hog("forever", 1, &["time limit"], "while :; do :; done"),
    hog("deaf", 1, &["time limit"], "trap '' TERM INT HUP; while :; do sleep 1; done"),
    hog("stopped", 1, &["time limit"], "kill -STOP $$"),
    hog("stopped-with-children", 1, &["time limit"], "sh -c 'kill -STOP $$' & sh -c 'kill -STOP $$' & wait"),
    hog("leaves-the-pipe-open", 30, &["exit 0"], "sleep MARK & echo started"),
    hog("own-session", 30, &["exit 0"], "exec 9> mine/held-1; flock 9; setsid sleep MARK & sleep 0.1"),
    hog("nohup", 30, &["exit 0"], "exec 9> mine/held-2; flock 9; nohup sleep MARK > \"$TMPDIR/nohup\" 2>&1 & sleep 0.1"),
    hog("double-fork", 30, &["exit 0"], "exec 9> mine/held-3; flock 9; (setsid sh -c 'sleep MARK & exit' & exit) & sleep 0.1"),
    hog(
        "daemon-that-forgot-its-name",
        30,
        &["exit 0"],
        "
python3 -c 'import os, fcntl, time
file = open(\"mine/held-4\", \"w\"); fcntl.flock(file, fcntl.LOCK_EX)
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
os.chdir(\"/\"); [os.close(fd) for fd in (0, 1, 2)]
os.execve(\"/bin/sleep\", [\"kthreadd\", \"MARK\"], {})' ; sleep 0.1",
    ),
    hog(
        "children-that-are-born-all-the-time",
        30,
        &["exit 0"],
        "
python3 -c 'import os, time
if os.fork(): os._exit(0)
os.setsid(); end = time.time() + 20
while time.time() < end:
    if os.fork(): os._exit(0)' ; sleep 0.1",
    ),
    hog(
        "first-thread-that-has-ended",
        30,
        &["exit 0"],
        "
setsid env -i python3 -c 'import ctypes, fcntl, threading, time
file = open(\"mine/held-5\", \"w\"); fcntl.flock(file, fcntl.LOCK_EX)
threading.Thread(target=time.sleep, args=(600,)).start()
ctypes.CDLL(None).syscall(60, 0)' > /dev/null 2>&1 & sleep 0.5",
    ),
    hog(
        "name-that-is-no-text",
        30,
        &["exit 0"],
        "
setsid env -i python3 -c 'import ctypes, fcntl, time
file = open(\"mine/held-6\", \"w\"); fcntl.flock(file, fcntl.LOCK_EX)
ctypes.CDLL(None).prctl(15, b\") \\xff\\xfe\", 0, 0, 0); time.sleep(600)' > /dev/null 2>&1 & sleep 0.5",
    ),
    hog(
        "folder-that-is-too-deep",
        120,
        &["exit 0"],
        "python3 -c 'import os
for place in (os.environ[\"TMPDIR\"], os.environ[\"HOME\"]):
    os.chdir(place)
    for _ in range(15000): os.mkdir(\"d\"); os.chdir(\"d\")'",
    ),
    hog(
        "nobody-holds-a-lock",
        30,
        &["all are gone"],
        "
for i in 1 2 3 4 5 6; do flock --nonblock mine/held-$i true || { echo held-$i is held; exit 1; }; done; echo all are gone",
    ),
    hog("kill-all", 30, &["signal", "exit"], "kill -9 -1; echo still here"),
    hog("kill-the-parent", 30, &["signal", "exit"], "kill -9 $PPID; kill -9 $PPID; sleep 0.1"),
    hog("kill-the-first", 30, &["signal", "exit"], "kill -9 1; kill -15 1; kill -2 1"),
    hog("stop-the-parent", 30, &["signal", "exit"], "kill -STOP $PPID; kill -STOP 1; true"),
    hog("kill-its-group", 30, &["signal", "exit"], "kill -9 0; sleep 5"),
    hog("close-everything", 30, &["exit 0"], "python3 -c 'import os; os.closerange(0, 1000)'"),
    hog("odd-bytes", 30, &["exit 0"], "head -c 100000 /dev/urandom; printf '\\033]0;x\\007\\033[2J'"),
];

/// Tight limits, so that they are reached at once.
const LIMITS: &str = "[sandbox]\nmemory_mb = 400\nprocesses = 64\nfile_mb = 64\nopen_files = 256\ndisk_mb = 256\n";

/// The conversation of the agent that runs them; `mark` is an argument that no other process has.
fn conversation(hogs: &[Hog], mark: &str) -> Vec<Turn> {
    let text = |hog: &Hog| hog.command.replace("MARK", mark);
    let turn = |hog: &Hog| call("run_command", json!({ "command": text(hog), "timeout_s": hog.seconds }));
    let last = [command("echo alive > mine/alive; rm -f mine/held* mine/part* mine/large"), finish("Tried it all.")];
    hogs.iter().map(turn).chain(last).collect()
}

/// What the agent was told of its calls, in order.
fn told(server: &ModelServer) -> Vec<String> {
    let asked = server.asked_by("hog", 1);
    let messages = asked.last().map_or(&[][..], |asked| asked.messages());
    let answers = messages.iter().filter(|message| message["role"] == "tool");
    answers.map(|message| message["content"].as_str().unwrap_or_default().to_owned()).collect()
}

/// What is wrong with how they ended: a line for each.
fn judged(hogs: &[Hog], told: &[String]) -> String {
    let mut wrong = String::new();
    for (place, hog) in hogs.iter().enumerate() {
        let told = told.get(place).map_or("(nothing: the attempt was over)", String::as_str);
        if told.contains("got it") || !hog.says.iter().any(|says| told.contains(says)) {
            writeln!(wrong, "  {:32} was told: {told:.400}", hog.name).expect("a string takes all");
        }
    }
    wrong
}

#[track_caller]
fn endure(tier: Tier, hogs: &[Hog]) {
    let mark = (1_000_000 + std::process::id() * 10 + u32::from(tier == Tier::Helper)).to_string();
    let server = ModelServer::start(Script::new().worker("hog", 1, conversation(hogs, &mark)));
    let s = Scenario::new("## README\nhello\n## mine/.keep\n\n").model(&server).config(LIMITS).toolchains();
    let plan = "hog | write mine/**\n peaceful | after hog | write peace.txt | run echo peace > peace.txt";
    let out = s.run_plan(plan, tier.words());
    let wrong = judged(hogs, &told(&server));
    assert!(wrong.is_empty(), "{tier:?}: these did not end as they should:\n{wrong}\n{}", out.all());
    assert!(!is_running(&mark), "{tier:?}: a process outlived its command");
    let out = out.code(0);
    assert!(s.result().contains("## mine/alive\nalive\n"), "{}", out.all());
    assert!(s.result().contains("## peace.txt\npeace\n"), "{}", out.all());
}

/// Whether a process of this machine has such an argument.
fn is_running(argument: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("it can be read").flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.into_iter().any(|line| line.split(|&byte| byte == 0).any(|word| word == argument.as_bytes()))
}

#[test]
#[cfg_attr(any(without_bwrap, without_python3), ignore = "needs bubblewrap and python3")]
fn whoever_takes_too_much_is_ended_in_bubblewrap() {
    endure(Tier::Bubblewrap, GREEDY);
}

#[test]
#[cfg_attr(any(without_landlock, without_python3), ignore = "needs Landlock and python3")]
fn whoever_takes_too_much_is_ended_behind_the_helper_alone() {
    endure(Tier::Helper, GREEDY);
}

#[test]
#[cfg_attr(any(without_bwrap, without_python3), ignore = "needs bubblewrap and python3")]
fn nothing_outlives_its_command_or_ends_its_keeper_in_bubblewrap() {
    endure(Tier::Bubblewrap, STUBBORN);
}

#[test]
#[cfg_attr(any(without_landlock, without_python3), ignore = "needs Landlock and python3")]
fn nothing_outlives_its_command_or_ends_its_keeper_behind_the_helper_alone() {
    endure(Tier::Helper, STUBBORN);
}
