//! The person's checkout is byte for byte the same after a run in which every worker does its worst to it.

use serde_json::json;
use tests::{
    Scenario,
    hostile::Tier,
    model::{ModelServer, Script, Turn, call, command, finish, write},
};

/// What each worker does, one command a task. `C` is the checkout.
const MISCHIEF: &[&str] = &[
    "rm -rf \"$C\"/.git \"$C\"/* \"$C\"",
    "cd \"$C\"; git reset --hard; git clean -ffdx; git checkout -f -b elsewhere; git stash drop; git stash clear",
    "cd \"$C\"; git stash -u; git add -A; git -c user.name=w -c user.email=w@x commit -qm sneaky; git tag sneaky",
    "cd \"$C\"; git branch -f main HEAD~1; git branch -D other; git update-ref -d refs/heads/main; git symbolic-ref HEAD refs/heads/gone",
    "cd \"$C\"; git config core.bare true; git config core.hooksPath /tmp; git config alias.st '!touch /tmp/x'; echo x >> .git/config",
    "cd \"$C\"; git gc --prune=now -q; git repack -adq; git pack-refs --all --prune; git worktree add -f -q wt; git submodule add ./ sub",
    "cd \"$C/.git\"; echo x > index; echo x > HEAD; echo x > hooks/pre-commit; echo x > info/attributes; truncate -s 0 config packed-refs",
    "find \"$C\" -type f -exec sh -c 'echo harmed > \"$1\"' - {} \\;",
    "chmod -R 000 \"$C\"; chown -R 1:1 \"$C\"; find \"$C\" -exec touch -d 2001-01-01 {} +",
    "mv \"$C\" \"$C-away\"; mv \"$C/.git\" \"$C/.tig\"; ln -sfn /tmp \"$C/link\"; mount -t tmpfs none \"$C\"",
    "rm -rf .git; echo \"gitdir: $C/.git\" > .git; git reset --hard HEAD~1; git stash; git checkout -f -b other2; rm -f .git",
    "git init -q --separate-git-dir \"$C/.git/new\" sub; git --git-dir=\"$C/.git\" --work-tree=\"$PWD\" checkout -f -q -b mine",
];

/// An agent that tries with its file tools what the others try with commands.
fn agent(checkout: &str) -> Vec<Turn> {
    let outside =
        [format!("{checkout}/README"), "../../../../../../../../README".to_owned(), ".git/config".to_owned(), ".git".to_owned()];
    let writes = outside.iter().map(|path| write(path, "harmed"));
    let moved = call("move_file", json!({ "from": "agent/own.txt", "to": format!("{checkout}/README") }));
    let gone = call("delete_file", json!({ "path": format!("{checkout}/README") }));
    let through = [
        write("agent/own.txt", "own"),
        command(&format!("ln -s '{checkout}' agent/link; ln -s '{checkout}/README' agent/file")),
        write("agent/link/README", "harmed"),
        write("agent/file", "harmed"),
        moved,
        gone,
        command("rm -f agent/link agent/file"),
    ];
    writes.chain(through).chain([write("agent/own.txt", "own"), finish("Did it.")]).collect()
}

#[track_caller]
fn stays_as_it_is(tier: Tier) {
    let s = Scenario::new("## README\nhello\n## src/a.txt\na\n").toolchains();
    let repository = s.repository();
    repository.write("README", "two\n").commit("Two").git(&["branch", "other"]);
    repository.write("stashed.txt", "stashed\n").git(&["stash", "--include-untracked"]);
    repository.write("README", "changed\n").write("staged.txt", "staged\n").git(&["add", "staged.txt"]);
    repository.write("dirty.txt", "not committed\n").write(".git/hooks/pre-push", "#!/bin/sh\n").git(&["tag", "v1"]);
    let checkout = repository.path().to_str().expect("the path is text").to_owned();
    let server = ModelServer::start(Script::new().worker("agent", 1, agent(&checkout)));
    let before = s.fingerprint();
    let task = |(number, mischief): (usize, &&str)| {
        let mischief = mischief.replace("\"$C", &format!("\"{checkout}")).replace("$C", &checkout);
        format!(
            "t{number} | write t{number}/** | run ({mischief}) > /dev/null 2>&1; mkdir -p t{number}; echo {number} > t{number}/done\n"
        )
    };
    let plan: String = MISCHIEF.iter().enumerate().map(task).collect();
    let s = s.model(&server);
    let out = s.run_plan(&format!("{plan} agent | write agent/**"), tier.words());
    before.assert_is(&s.fingerprint());
    assert!(s.repository().git_can(&["fsck", "--strict"]), "the repository is whole");
    assert!(s.repository().git_can(&["cat-file", "-e", "refs/stash^{tree}"]), "what was stashed is there");
    let landed = s.state().landed().len();
    assert_eq!(landed, MISCHIEF.len() + 1, "{tier:?}: mischief that comes to nothing is no reason to fail: {}", out.all());
}

#[test]
#[cfg_attr(without_bwrap, ignore = "needs bubblewrap")]
fn the_checkout_stays_as_it_is_where_all_workers_are_hostile_in_bubblewrap() {
    stays_as_it_is(Tier::Bubblewrap);
}

#[test]
#[cfg_attr(without_landlock, ignore = "needs Landlock")]
fn the_checkout_stays_as_it_is_where_all_workers_are_hostile_behind_the_helper_alone() {
    stays_as_it_is(Tier::Helper);
}

/// Shows that the fingerprint sees harm; of this checkout nothing is needed afterwards.
#[test]
fn the_fingerprint_sees_what_one_of_them_would_do_without_a_sandbox() {
    let mischief = [MISCHIEF[1], MISCHIEF[4], MISCHIEF[6], "echo x > \"$C/README\""];
    for mischief in mischief {
        let s = Scenario::new("## README\nhello\n");
        s.repository().write("dirty.txt", "not committed\n");
        let checkout = s.repository().path().to_str().expect("the path is text").to_owned();
        let mischief = mischief.replace("\"$C", &format!("\"{checkout}"));
        let before = s.fingerprint();
        s.run_plan(&format!("a | write a.txt | run ({mischief}) > /dev/null 2>&1; echo a > a.txt"), Tier::Bare.words());
        let harmed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| before.assert_is(&s.fingerprint())));
        assert!(harmed.is_err(), "{mischief} did no harm");
    }
}
