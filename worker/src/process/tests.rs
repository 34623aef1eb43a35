//! Commands that end, do not end, shout, hide and leave others behind.

use std::{future::Future, path::Path};

use tempfile::TempDir;

use super::*;

const LONG: Duration = Duration::from_secs(60);
/// No command of these tests may take as long as this, whatever it does.
const BOUND: Duration = Duration::from_secs(30);

struct Place {
    dir: TempDir,
    shell: Shell,
}

impl Place {
    fn new() -> Self {
        Self::marked("none")
    }

    fn marked(marker: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let path = std::env::var_os("PATH").unwrap();
        let env = vec![("PATH".into(), path), ("INSPAN_MARK".into(), marker.into())];
        let shell = Shell {
            cwd: dir.path().to_owned(),
            env,
            spill_dir: dir.path().join("spill"),
            enclosure: crate::sandbox::Enclosure::open(),
            permits: crate::process::Permits::default(),
        };
        Self { dir, shell }
    }

    async fn run(&self, command: &str, timeout: Duration) -> CommandEnd {
        let end = self.shell.run(command, timeout, &CancellationToken::new()).await;
        assert!(end.took < BOUND, "{command} took {:?}", end.took);
        end
    }

    /// The process id that a command wrote into this file.
    fn pid(&self, file: &str) -> Option<i32> {
        std::fs::read_to_string(self.dir.path().join(file)).ok()?.trim().parse().ok()
    }
}

fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).unwrap_or_default();
    !matches!(stat.rsplit(')').next().unwrap_or_default().trim().chars().next(), None | Some('Z' | 'X'))
}

/// Waits until it holds.
async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < BOUND, "never: {what}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn commands_end_as_they_end() {
    let place = Place::new();
    for (command, status, text) in [
        ("echo out; echo err >&2; echo out", Status::Exited(0), "out\nerr\nout\n"),
        ("exit 3", Status::Exited(3), ""),
        ("kill -9 $$", Status::Signalled(9), ""),
        ("cat", Status::Exited(0), ""),
        ("printf 'a\\377b\\n'", Status::Exited(0), "a\u{fffd}b\n"),
        ("printf '10%%\\r\\033[31m100%%\\033[0m\\n'", Status::Exited(0), "100%\n"),
        ("echo ${HOME-unset}", Status::Exited(0), "unset\n"),
        ("yes | head -n 1", Status::Exited(0), "y\n"),
    ] {
        let end = place.run(command, LONG).await;
        assert_eq!((end.status, end.output.text.as_str(), end.left_running), (status, text, false), "{command}");
    }
}

#[tokio::test]
async fn a_command_that_does_not_exist_says_so() {
    let end = Place::new().run("no-such-command-here", LONG).await;
    assert_eq!(end.status, Status::Exited(127));
    assert!(end.output.text.contains("no-such-command-here"));
}

#[tokio::test]
async fn what_cannot_start_is_an_outcome() {
    let mut place = Place::new();
    assert!(matches!(place.run("a\0b", LONG).await.status, Status::NotStarted(_)));
    place.shell.cwd = place.dir.path().join("gone");
    let end = place.run("true", LONG).await;
    assert!(matches!(&end.status, Status::NotStarted(why) if why.contains("gone")), "{:?}", end.status);
}

#[tokio::test]
async fn a_command_that_never_ends_is_ended_with_its_group_and_its_output_is_kept() {
    let place = Place::new();
    let command = "echo begun; sleep 1000 & echo $! > child; trap '' TERM; while :; do sleep 1000; done";
    let end = place.run(command, Duration::from_secs(2)).await;
    assert_eq!((end.status, end.output.text.as_str()), (Status::TimedOut, "begun\n"));
    assert!(!end.left_running);
    let child = place.pid("child").unwrap();
    until("the child is gone", || async { !is_alive(child) }).await;
}

#[tokio::test]
async fn a_background_process_neither_delays_the_end_nor_survives_it() {
    let place = Place::new();
    for (command, text) in [
        ("sleep 1000 & echo $! > child; echo done", "done\n"),
        ("sleep 1000 >/dev/null 2>&1 & echo $! > child; echo done", "done\n"),
        (
            "(trap '' TERM; echo ready > ready; while :; do sleep 1000; done) & echo $! > child; while ! test -e ready; do :; done",
            "",
        ),
    ] {
        let end = place.run(command, LONG).await;
        assert_eq!((end.status, end.output.text.as_str(), end.left_running), (Status::Exited(0), text, true), "{command}");
        let child = place.pid("child").unwrap();
        until("the child is gone", || async { !is_alive(child) }).await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_process_that_left_the_group_is_found_by_its_mark() {
    let mark = format!("daemon-{}-of-this-test", std::process::id());
    let place = Place::marked(&mark);
    let command = "setsid sh -c 'echo $$ > child; exec sleep 1000' & while ! test -s child; do :; done";
    let end = place.run(command, LONG).await;
    assert_eq!((end.status, end.left_running), (Status::Exited(0), true));
    let child = place.pid("child").unwrap();
    assert!(is_alive(child));
    assert_eq!(end_strays(&mark[..mark.len() - 1]), 0, "a part of a mark is not the mark");
    assert_eq!(end_strays_of_all(&format!("other-{mark}")), 0);
    assert_eq!(end_strays_of_all(&mark[..mark.len() - 1]), 1, "it begins so");
    until("the daemon is gone", || async { !is_alive(child) }).await;
    assert_eq!(end_strays(&mark), 0);
}

#[tokio::test]
async fn a_cancelled_command_ends_with_its_output_so_far() {
    let place = Place::new();
    let cancel = CancellationToken::new();
    let begun = place.dir.path().join("begun");
    let cancel_once_begun = async {
        until("the command has begun", || async { begun.exists() }).await;
        cancel.cancel();
    };
    let (end, ()) = tokio::join!(place.shell.run("echo so far; touch begun; sleep 1000", LONG, &cancel), cancel_once_begun);
    assert_eq!((end.status, end.output.text.as_str()), (Status::Cancelled, "so far\n"));
}

#[tokio::test]
async fn a_run_that_is_thrown_away_leaves_nothing_behind() {
    let place = Place::new();
    let never = CancellationToken::new();
    {
        let run = place.shell.run("echo $$ > child; sleep 1000", LONG, &never);
        tokio::select! {
            _ = run => panic!("the command ended"),
            () = until("the command has begun", || async { place.pid("child").is_some() }) => {}
        }
    }
    let child = place.pid("child").unwrap();
    until("the child is gone", || async { !is_alive(child) }).await;
}

#[tokio::test]
async fn two_hundred_megabytes_fill_neither_memory_nor_disk() {
    let place = Place::new();
    let end = place.run("echo first; head -c 200000000 /dev/zero | tr '\\0' 'x'; echo; echo last", LONG).await;
    assert_eq!((end.status.clone(), end.output.total_bytes), (Status::Exited(0), 200_000_000 + 6 + 1 + 5));
    assert!(end.output.text.len() < 25 * 1024, "{}", end.output.text.len());
    assert!(end.output.text.starts_with("first\nxxx") && end.output.text.ends_with("xxx\nlast\n"));
    let spilled = end.output.spilled.unwrap();
    assert!(end.output.text.contains(&spilled.display().to_string()));
    assert_eq!(std::fs::metadata(&spilled).unwrap().len(), 16 * 1024 * 1024);
}

#[tokio::test]
async fn a_long_output_is_cut_between_lines_and_kept_whole_in_a_file() {
    let place = Place::new();
    for number in 1..=2 {
        let end = place.run("seq 1 20000", LONG).await;
        let spilled = end.output.spilled.unwrap();
        assert_eq!(spilled, place.shell.spill_dir.join(format!("command-{number}.txt")));
        let whole = std::fs::read_to_string(&spilled).unwrap();
        assert_eq!((whole.len() as u64, whole.lines().count()), (end.output.total_bytes, 20_000));
        let (head, rest) = end.output.text.split_once("\n[… ").unwrap();
        let (left_out, tail) = rest.split_once("…]\n").unwrap();
        assert!(whole.starts_with(&format!("{head}\n")) && whole.ends_with(&format!("\n{tail}")));
        let missing = whole.len() - head.len() - tail.len();
        assert!(left_out.starts_with(&format!("{missing} bytes left out")), "{left_out}");
    }
}

#[tokio::test]
async fn output_that_just_fits_is_shown_whole() {
    let place = Place::new();
    for (length, is_spilled) in [(24 * 1024, false), (24 * 1024 + 1, true)] {
        let end = place.run(&format!("head -c {length} /dev/zero | tr '\\0' 'x'"), LONG).await;
        assert_eq!(end.output.spilled.is_some(), is_spilled, "{length}");
        assert_eq!(end.output.text.len() == length, !is_spilled);
    }
}

#[test]
fn a_result_is_cut_at_characters() {
    let dir = TempDir::new().unwrap();
    for limit in 100..110 {
        let cut = cut_middle("é".repeat(1000), limit, dir.path());
        assert!(!cut.contains('\u{fffd}'), "{limit}: {cut}");
    }
    assert_eq!(cut_middle("short".to_owned(), 5, dir.path()), "short");
}
