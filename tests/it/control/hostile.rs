//! Whoever comes to the socket who should not, or behaves as nobody should.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::{fd::AsRawFd as _, unix::net::UnixStream},
};

use tests::{Scenario, hostile::Tier, model::Script};

use super::{go, scenario, waiting, waits_then_writes};

/// However long the path of the folder is.
fn connect(folder: &File) -> std::io::Result<UnixStream> {
    UnixStream::connect(format!("/proc/self/fd/{}/control", folder.as_raw_fd()))
}

#[test]
fn a_run_survives_garbage_half_lines_deaf_clients_and_ten_thousand_of_them() {
    let (s, _server) = scenario(Script::new().worker("a", 1, waits_then_writes()));
    let alive = waiting(&s, "a | write a.txt", &[]);
    let folder = File::open(s.run_folder()).expect("it is there");
    let mut kept = Vec::new();
    for (number, bytes) in
        [&b"\n"[..], b"{\"version\":1,\"order\":\"pau", &[0xff; 4096], b"{\"version\":1,\"order\":\"nothing\"}\n"]
            .into_iter()
            .cycle()
            .take(10_000)
            .enumerate()
    {
        // Where they are too many somebody is turned away; that is what is wanted.
        let Ok(mut stream) = connect(&folder) else { continue };
        let _ = stream.write_all(bytes);
        if number % 500 == 0 {
            kept.push(stream);
        }
    }
    s.inspan(&["steer", "a", "still there?"]).code(0).says("hears it");
    for _ in 0..63 {
        let mut stream = connect(&folder).expect("somebody listens");
        stream.write_all(b"{\"version\":1,\"order\":\"steer\",\"task\":\"a\",\"text\":\"more\"}\n").expect("it is heard");
        let mut said = String::new();
        stream.read_to_string(&mut said).expect("it is answered");
        assert!(said.contains("\"reply\":\"done\""), "{said}");
    }
    s.inspan(&["steer", "a", "one too many"]).code(1).says("64 words wait to be heard").says("nothing was said");
    go(&s);
    alive.wait().code(0);
    assert_eq!(s.result(), "## README\nhello\n## a.txt\na\n");
}

#[test]
fn the_socket_is_its_owners_alone_and_works_however_deep_the_repository_lies() {
    use std::os::unix::fs::PermissionsExt as _;
    let deep = (0..12).fold(String::new(), |path, _| path + "a folder with a long name/");
    let (s, _server) = scenario(Script::new().worker("a", 1, waits_then_writes()));
    let there = s.root().join(deep);
    std::fs::create_dir_all(&there).expect("a folder");
    s.repository().git(&["clone", "-q", ".", &there.join("clone").display().to_string()]);
    let s = s.from(&there.join("clone"));
    let alive = waiting(&s, "a | write a.txt", &[]);
    let runs = there.join("clone/.git/inspan/runs");
    let folder = std::fs::read_dir(&runs).expect("it is there").flatten().next().expect("a run").path();
    let rights = |path: &std::path::Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((rights(&folder), rights(&folder.join("control"))), (0o700, 0o600));
    s.inspan(&["pause"]).code(0);
    s.inspan(&["resume"]).code(0);
    alive.kill();
    assert!(folder.join("control").exists(), "left by a process that is gone");
    go(&s);
    s.inspan(&["resume", "--yes"]).code(0);
    assert!(!folder.join("control").exists());
}

const KNOCK: &str = r#"python3 -c "
import os, socket
said, own = 'refused', open('a.txt', 'w')
place = os.path.join(os.environb[b'RUNS'], os.environb[b'INSPAN_RUN'])
def knock(name):
    global said
    try:
        socket.socket(socket.AF_UNIX).connect(name)
        said = 'connected'
    except OSError as error:
        print(name, error)
knock(os.path.join(place, b'control'))
try: os.chdir(place)
except OSError as error: print(error)
knock(b'control')
own.write(said + chr(10))
""#;

fn knocked(tier: Tier) -> String {
    let s = Scenario::new(super::REPO).config("[env]\npass = [\"RUNS\"]");
    let runs = s.repository().path().join(".git/inspan/runs");
    let s = s.env("RUNS", runs);
    let plan = serde_json::to_string(KNOCK).expect("a string");
    let text = format!(
        "version = 1\ngoal = \"g\"\n[gate]\ncommands = [\"true\"]\n[[task]]\nid = \"a\"\ntitle = \"A\"\nwrite = [\"a.txt\"]\nworker = {{ command = {plan} }}\n"
    );
    let path = s.plan_file(&text);
    let words: Vec<&str> = ["run", "--plan", &path, "--yes"].into_iter().chain(tier.words().iter().copied()).collect();
    s.inspan(&words).code(0);
    s.result()
}

#[cfg_attr(without_bwrap, ignore = "needs bubblewrap: apt-get install bubblewrap")]
#[test]
fn commands_of_workers_do_not_reach_the_socket_in_any_tier() {
    for tier in [Tier::Bubblewrap, Tier::Helper] {
        assert!(knocked(tier).contains("## a.txt\nrefused\n"), "{tier:?}");
    }
    assert!(knocked(Tier::Bare).contains("## a.txt\nconnected\n"), "what cannot succeed proves nothing");
}
