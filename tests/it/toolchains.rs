//! Real tools do their work inside the sandbox: what a task cannot build and test there it cannot prove.
//!
//! Each project is small and needs nothing from a network. The proof of its task is the tool's own command, run by the harness; a worker
//! runs the same before.

use tests::{Scenario, hostile::Tier};

/// A project: its files, and the command that builds and tests it.
#[derive(Clone, Copy)]
struct Project {
    files: &'static str,
    write: &'static str,
    command: &'static str,
}

/// A task whose worker runs the command, which the harness then runs again as its proof and as the gate.
#[track_caller]
fn works(tier: Tier, project: Project) {
    let Project { files, write, command } = project;
    let scenario = Scenario::new(files).toolchains();
    let plan =
        format!("gate | {command}\n a | write {write} done.txt | run {command} && echo done > done.txt | verify {command}");
    let out = scenario.run_plan(&plan, tier.words());
    if out.code != 0 {
        let log = scenario.inspan(&["log", &scenario.run_id(), "a"]);
        panic!("{tier:?}: `{command}` does not work: {}\n{}", out.all(), log.all());
    }
}

const CARGO: Project = Project {
    files: r#"
## Cargo.toml
[workspace]
members = ["app", "money"]
resolver = "2"
## Cargo.lock
version = 3

[[package]]
name = "app"
version = "0.1.0"
dependencies = [
 "money",
]

[[package]]
name = "money"
version = "0.1.0"
## .gitignore
target
## app/Cargo.toml
[package]
name = "app"
version = "0.1.0"
edition = "2021"
build = "build.rs"

[dependencies]
money = { path = "../money" }
## app/build.rs
fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    std::fs::write(format!("{out}/made.rs"), "pub const MADE: u32 = 3;").unwrap();
}
## app/src/lib.rs
include!(concat!(env!("OUT_DIR"), "/made.rs"));

pub fn total() -> u32 {
    MADE + money::cents()
}

#[test]
fn it_adds_up_in_another_thread_and_writes_where_temporary_files_go() {
    assert_eq!(std::thread::spawn(total).join().unwrap(), 103);
    std::fs::write(std::env::temp_dir().join("of-a-test"), "x").unwrap();
}
## money/Cargo.toml
[package]
name = "money"
version = "0.1.0"
edition = "2021"
## money/src/lib.rs
pub fn cents() -> u32 {
    100
}
"#,
    write: "app/src/** money/src/**",
    command: "cargo build --offline --locked --quiet && cargo test --offline --locked --quiet",
};

const CARGO_SERVER: Project = Project {
    files: r#"
## Cargo.toml
[package]
name = "server"
version = "0.1.0"
edition = "2021"
## Cargo.lock
version = 3

[[package]]
name = "server"
version = "0.1.0"
## .gitignore
target
## src/lib.rs
#[test]
fn a_server_answers() {
    use std::io::{Read, Write};
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let answering = std::thread::spawn(move || server.accept().unwrap().0.write_all(b"hello").unwrap());
    let mut text = String::new();
    std::net::TcpStream::connect(address).unwrap().read_to_string(&mut text).unwrap();
    answering.join().unwrap();
    assert_eq!(text, "hello");
}

#[test]
fn a_unix_socket_answers() {
    use std::io::{Read, Write};
    std::env::set_current_dir(std::env::temp_dir()).unwrap();
    let server = std::os::unix::net::UnixListener::bind("s").unwrap();
    let answering = std::thread::spawn(move || server.accept().unwrap().0.write_all(b"hello").unwrap());
    let mut text = String::new();
    std::os::unix::net::UnixStream::connect("s").unwrap().read_to_string(&mut text).unwrap();
    answering.join().unwrap();
    assert_eq!(text, "hello");
    std::fs::remove_file("s").unwrap();
}
"#,
    write: "src/**",
    command: "cargo test --offline --locked --quiet",
};

const NPM: Project = Project {
    files: r#"
## package.json
{ "name": "app", "version": "1.0.0", "scripts": { "pretest": "node build.js", "test": "node --test" } }
## .gitignore
built.js
node_modules
## build.js
require("fs").writeFileSync("built.js", "module.exports = 42;\n");
## test/server.test.js
const test = require("node:test");
const assert = require("node:assert");
const http = require("node:http");
const { execFileSync, fork } = require("node:child_process");
const { Worker } = require("node:worker_threads");

test("what was built is there", () => assert.equal(require("../built.js"), 42));

test("a server answers", async () => {
  const server = http.createServer((request, response) => response.end("hello")).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.on("listening", resolve));
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/`);
  assert.equal(await answer.text(), "hello");
  server.close();
});

test("processes and threads start", async () => {
  assert.equal(execFileSync("sh", ["-c", "echo hello"]).toString(), "hello\n");
  const worker = new Worker("require('worker_threads').parentPort.postMessage('hello')", { eval: true });
  assert.equal(await new Promise((resolve) => worker.on("message", resolve)), "hello");
});
"#,
    write: "test/**",
    command: "npm test --silent",
};

const PYTEST: Project = Project {
    files: r#"
## conftest.py
## app/__init__.py
## app/money.py
def cents():
    return 100
## tests/test_app.py
import multiprocessing, os, socket, subprocess, sys, tempfile, threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.request import urlopen

from app.money import cents


def test_cents(tmp_path):
    (tmp_path / "x").write_text("x")
    assert cents() == 100


def test_a_server_answers():
    class Hello(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

    server = HTTPServer(("127.0.0.1", 0), Hello)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    assert urlopen(f"http://127.0.0.1:{server.server_port}/").read() == b"hello"
    server.shutdown()


def test_a_unix_socket_answers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    server = socket.socket(socket.AF_UNIX)
    server.bind("s")
    server.listen()
    client = socket.socket(socket.AF_UNIX)
    client.connect("s")
    client.sendall(b"hello")
    assert server.accept()[0].recv(10) == b"hello"


def test_programs_start():
    assert subprocess.run([sys.executable, "-c", "print('hello')"], capture_output=True, text=True).stdout == "hello\n"
    assert tempfile.NamedTemporaryFile().name.startswith(os.environ["TMPDIR"])
## .gitignore
__pycache__
.pytest_cache
"#,
    write: "tests/** app/**",
    command: "python3 -m pytest --version > /dev/null && pytest -q",
};

const MULTIPROCESSING: Project = Project {
    files: r#"
## check.py
import multiprocessing


def main():
    with multiprocessing.Pool(2) as pool:
        assert pool.map(abs, [-1, -2]) == [1, 2]
    queue = multiprocessing.Queue()
    child = multiprocessing.Process(target=queue.put, args=("hello",))
    child.start()
    assert queue.get(timeout=20) == "hello"
    child.join()


if __name__ == "__main__":
    main()
"#,
    write: "src/**",
    command: "python3 check.py",
};

const GO: Project = Project {
    files: r#"
## go.mod
module example.org/app

go 1.19
## money/money.go
package money

func Cents() int { return 100 }
## money/money_test.go
package money

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestCents(t *testing.T) {
	if Cents() != 100 {
		t.Fatal("wrong")
	}
}

func TestServer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
	defer server.Close()
	answer, err := http.Get(server.URL)
	if err != nil || answer.StatusCode != 200 {
		t.Fatal(err)
	}
}
"#,
    write: "money/**",
    command: "GOFLAGS=-mod=mod GOPROXY=off go test ./...",
};

const MAKE: Project = Project {
    files: "
## Makefile
test: built
\t./built | grep -q hello

built: hello.c
\tcc -o built hello.c
## hello.c
#include <stdio.h>
int main(void) { puts(\"hello\"); return 0; }
## .gitignore
built
",
    write: "hello.c",
    command: "make -j2 test",
};

const GIT: Project = Project {
    files: "
## test.sh
set -eu
version=$(git describe --always --dirty)
test -n \"$version\"
git log --format=%s | grep -q Start
cd \"$(mktemp -d)\"
git init -q .
git config user.name Test
git config user.email test@example.org
echo x > x
git add x
git commit -qm One
git checkout -qb other
echo y > y
git add y
git commit -qm Two
git checkout -q -
git merge -q other
git worktree add -q ../\"$(basename \"$PWD\")-2\" other
git clone -q . ../\"$(basename \"$PWD\")-3\"
git stash list
test \"$(git rev-list --count HEAD)\" = 2
",
    write: "src/**",
    command: "sh test.sh",
};

/// Children end while others are started: a signal that comes in the middle of a fork must not undo it.
const PIPELINES: Project = Project {
    files: "
## pipes.sh
set -e
trap : CHLD
i=0
while [ $i -lt 300 ]; do
    /bin/true | /bin/cat | /bin/cat
    i=$((i + 1))
done
",
    write: "src/**",
    command: "sh pipes.sh",
};

/// Tests of one project in either tier.
macro_rules! project {
    ($name:ident, $project:expr, $missing:meta, $needs:literal) => {
        mod $name {
            use super::*;

            #[test]
            #[cfg_attr(any(without_bwrap, $missing), ignore = $needs)]
            fn works_in_bubblewrap() {
                works(Tier::Bubblewrap, $project);
            }

            #[test]
            #[cfg_attr(any(without_landlock, $missing), ignore = $needs)]
            fn works_behind_the_helper_alone() {
                works(Tier::Helper, $project);
            }
        }
    };
}

project!(
    cargo,
    CARGO,
    any(without_cargo, without_cc),
    "needs cargo and cc, and what the tier is made of: bubblewrap or Landlock"
);
project!(
    cargo_with_servers,
    CARGO_SERVER,
    any(without_cargo, without_cc),
    "needs cargo and cc, and what the tier is made of: bubblewrap or Landlock"
);
project!(npm, NPM, without_npm, "needs npm, and what the tier is made of: bubblewrap or Landlock");
project!(pytest, PYTEST, without_pytest, "needs pytest, and what the tier is made of: bubblewrap or Landlock");
/// Its locks lie in `/dev/shm`, of which only namespaces give a command one of its own.
#[test]
#[cfg_attr(any(without_bwrap, without_python3), ignore = "needs bubblewrap and python3")]
fn multiprocessing_works_in_bubblewrap() {
    works(Tier::Bubblewrap, MULTIPROCESSING);
}

project!(go, GO, without_go, "needs go, and what the tier is made of: bubblewrap or Landlock");
project!(make, MAKE, any(without_make, without_cc), "needs make and cc, and what the tier is made of: bubblewrap or Landlock");
project!(pipelines, PIPELINES, any(), "needs what the tier is made of: bubblewrap or Landlock");
project!(git, GIT, any(), "needs what the tier is made of: bubblewrap or Landlock");
