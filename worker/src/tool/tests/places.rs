//! Where tools do not go.

use super::*;

/// A worktree with links that lead out of it, to nothing, into `.git` and elsewhere within it; and a secret beside it.
fn with_links() -> Desk {
    let desk = Desk::new(&[("src/a.rs", "a\n"), (".git/config", "[core]\n"), ("docs/b.md", "b\n")]);
    fs::create_dir(desk.dir.path().join("outside")).unwrap();
    fs::write(desk.dir.path().join("outside/secret"), "secret\n").unwrap();
    for (link, target) in [
        ("folder", "../../outside"),
        ("file", "../../outside/secret"),
        ("later", "../../outside/made"),
        ("git", "../.git"),
        ("dangling", "gone"),
        ("docs", "../docs"),
        ("alias", "a.rs"),
    ] {
        std::os::unix::fs::symlink(target, desk.root().join("src").join(link)).unwrap();
    }
    desk
}

#[tokio::test]
async fn nothing_is_read_outside_the_worktree() {
    let script = r#"
        read_file {"path": "../outside/secret"}
        read_file {"path": "src/../../outside/secret"}
        read_file {"path": "$DIR/outside/secret"}
        read_file {"path": "$DIR/tree/../outside/secret"}
        read_file {"path": "/etc/passwd"}
        read_file {"path": "~/.profile"}
        read_file {"path": "src/file"}
        read_file {"path": "src/folder/secret"}
        read_file {"path": "src/folder/../a.rs"}
        read_file {"path": ".git/config"}
        read_file {"path": "src/.GIT/config"}
        read_file {"path": "src/git/config"}
        read_file {"path": "src/dangling"}
        read_file {"path": "src/alias"}
        read_file {"path": "src/docs/b.md"}
        list_files {"path": "src/folder"}
        list_files {"path": "src/git"}
        search {"pattern": "secret"}
        search {"pattern": "secret", "path": "src/folder"}
    "#;
    expect![[r#"
        > read_file {"path": "../outside/secret"}
        failed: `../outside/secret` leads out of the repository
        > read_file {"path": "src/../../outside/secret"}
        failed: `src/../../outside/secret` leads out of the repository
        > read_file {"path": "$DIR/outside/secret"}
        failed: `$DIR/outside/secret` is not in your worktree; give a path relative to its root, $DIR/tree
        > read_file {"path": "$DIR/tree/../outside/secret"}
        failed: `../outside/secret` leads out of the repository
        > read_file {"path": "/etc/passwd"}
        failed: `/etc/passwd` is not in your worktree; give a path relative to its root, $DIR/tree
        > read_file {"path": "~/.profile"}
        failed: `~/.profile` is not in your worktree; give a path relative to its root, $DIR/tree
        > read_file {"path": "src/file"}
        failed: `src/file` leads through a symbolic link out of your worktree, where nothing is read or written
        > read_file {"path": "src/folder/secret"}
        failed: `src/folder/secret` leads through a symbolic link out of your worktree, where nothing is read or written
        > read_file {"path": "src/folder/../a.rs"}
        ok: 1	a
        > read_file {"path": ".git/config"}
        failed: `.git/config` is inside git's own folder, which belongs to the harness
        > read_file {"path": "src/.GIT/config"}
        failed: `src/.GIT/config` is inside git's own folder, which belongs to the harness
        > read_file {"path": "src/git/config"}
        failed: `src/git/config` leads through a symbolic link: `.git/config` is inside git's own folder, which belongs to the harness
        > read_file {"path": "src/dangling"}
        failed: `src/dangling` is a symbolic link that leads nowhere
        > read_file {"path": "src/alias"}
        ok: 1	a
        > read_file {"path": "src/docs/b.md"}
        ok: 1	b
        > list_files {"path": "src/folder"}
        failed: `src/folder` leads through a symbolic link out of your worktree, where nothing is read or written
        > list_files {"path": "src/git"}
        failed: `src/git` leads through a symbolic link: `.git` is inside git's own folder, which belongs to the harness
        > search {"pattern": "secret"}
        ok: no matches
        > search {"pattern": "secret", "path": "src/folder"}
        failed: `src/folder` leads through a symbolic link out of your worktree, where nothing is read or written
    "#]].assert_eq(&with_links().play(script).await);
}

#[tokio::test]
async fn nothing_is_written_outside_the_worktree_or_through_a_link() {
    let desk = with_links();
    let script = r#"
        write_file {"path": "../outside/new", "content": "x"}
        write_file {"path": "$DIR/outside/new", "content": "x"}
        write_file {"path": ".git/hooks/x", "content": "x"}
        write_file {"path": "src/.git", "content": "x"}
        write_file {"path": "src/folder/new", "content": "x"}
        write_file {"path": "src/file", "content": "x"}
        write_file {"path": "src/later", "content": "x"}
        write_file {"path": "src/dangling", "content": "x"}
        write_file {"path": "src/docs/b.md", "content": "x"}
        edit_file {"path": "src/alias", "old_text": "a", "new_text": "b"}
        move_file {"from": "src/a.rs", "to": "src/folder/a.rs"}
        move_file {"from": "src/file", "to": "src/b.rs"}
        delete_file {"path": "src/folder/secret"}
        delete_file {"path": "src/file"}
        write_file {"path": "$DIR/tree/src/fine", "content": "x"}
    "#;
    expect![[r#"
        > write_file {"path": "../outside/new", "content": "x"}
        failed: `../outside/new` leads out of the repository
        > write_file {"path": "$DIR/outside/new", "content": "x"}
        failed: `$DIR/outside/new` is not in your worktree; give a path relative to its root, $DIR/tree
        > write_file {"path": ".git/hooks/x", "content": "x"}
        failed: `.git/hooks/x` is inside git's own folder, which belongs to the harness
        > write_file {"path": "src/.git", "content": "x"}
        failed: `src/.git` is inside git's own folder, which belongs to the harness
        > write_file {"path": "src/folder/new", "content": "x"}
        failed: `src/folder` is a symbolic link, and nothing is written through one; write the file that it leads to, by its own path
        > write_file {"path": "src/file", "content": "x"}
        failed: `src/file` is a symbolic link, and nothing is written through one; write the file that it leads to, by its own path
        > write_file {"path": "src/later", "content": "x"}
        failed: `src/later` is a symbolic link, and nothing is written through one; write the file that it leads to, by its own path
        > write_file {"path": "src/dangling", "content": "x"}
        failed: `src/dangling` is a symbolic link, and nothing is written through one; write the file that it leads to, by its own path
        > write_file {"path": "src/docs/b.md", "content": "x"}
        failed: `src/docs` is a symbolic link, and nothing is written through one; write the file that it leads to, by its own path
        > edit_file {"path": "src/alias", "old_text": "a", "new_text": "b"}
        failed: `src/alias` is a symbolic link, and nothing is written through one; write the file that it leads to, by its own path
        > move_file {"from": "src/a.rs", "to": "src/folder/a.rs"}
        failed: `src/folder` is a symbolic link, and nothing is written through one; write the file that it leads to, by its own path
        > move_file {"from": "src/file", "to": "src/b.rs"}
        failed: `src/file` is a symbolic link, and nothing is written through one; write the file that it leads to, by its own path
        > delete_file {"path": "src/folder/secret"}
        failed: `src/folder` is a symbolic link; delete the file by its own path, or delete the link
        > delete_file {"path": "src/file"}
        ok: deleted `src/file`
        > write_file {"path": "$DIR/tree/src/fine", "content": "x"}
        ok: created `src/fine`
    "#]].assert_eq(&desk.play(script).await);
    let outside: Vec<_> = fs::read_dir(desk.dir.path().join("outside")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(outside, ["secret"]);
    assert_eq!(fs::read_to_string(desk.dir.path().join("outside/secret")).unwrap(), "secret\n");
    assert_eq!((desk.file("docs/b.md").as_str(), desk.file("src/a.rs").as_str()), ("b\n", "a\n"));
}

#[tokio::test]
async fn a_link_that_appears_after_the_read_is_seen() {
    let desk = with_links();
    let script = r#"
        read_file {"path": "src/a.rs"}
        $ rm src/a.rs; ln -s ../../outside/secret src/a.rs
        edit_file {"path": "src/a.rs", "old_text": "a", "new_text": "b"}
        read_file {"path": "src/a.rs"}
        $ mkdir src/deep; echo x > src/deep/x
        read_file {"path": "src/deep/x"}
        $ rm -r src/deep; ln -s ../../outside src/deep
        write_file {"path": "src/deep/x", "content": "y"}
        read_file {"path": "src/deep/secret"}
    "#;
    expect![[r#"
        > read_file {"path": "src/a.rs"}
        ok: 1	a
        > edit_file {"path": "src/a.rs", "old_text": "a", "new_text": "b"}
        failed: `src/a.rs` is a symbolic link, and nothing is written through one; write the file that it leads to, by its own path
        > read_file {"path": "src/a.rs"}
        failed: `src/a.rs` leads through a symbolic link out of your worktree, where nothing is read or written
        > read_file {"path": "src/deep/x"}
        ok: 1	x
        > write_file {"path": "src/deep/x", "content": "y"}
        failed: `src/deep` is a symbolic link, and nothing is written through one; write the file that it leads to, by its own path
        > read_file {"path": "src/deep/secret"}
        failed: `src/deep/secret` leads through a symbolic link out of your worktree, where nothing is read or written
    "#]].assert_eq(&desk.play(script).await);
    assert!(!desk.dir.path().join("outside/x").exists());
}

#[tokio::test]
async fn what_never_ends_is_not_read() {
    let desk = Desk::new(&[("src/a.rs", "a\n")]);
    let script = r#"
        $ mkfifo src/pipe
        read_file {"path": "src/pipe"}
        write_file {"path": "src/pipe", "content": "x"}
        search {"pattern": "a"}
        search {"pattern": "a", "path": "src/pipe"}
        edit_file {"path": "src/pipe", "old_text": "a", "new_text": "b"}
        $ mkfifo .gitignore src/.ignore
        list_files {"path": "src"}
        $ perl -e 'use IO::Socket::UNIX; IO::Socket::UNIX->new(Local => "src/socket", Listen => 1) or die' || python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("src/socket")'
        read_file {"path": "src/socket"}
    "#;
    expect![[r#"
        > read_file {"path": "src/pipe"}
        failed: `src/pipe` is no regular file; it cannot be read
        > write_file {"path": "src/pipe", "content": "x"}
        failed: `src/pipe` is no file; choose another name
        > search {"pattern": "a"}
        ok: src/a.rs
        1:a
        > search {"pattern": "a", "path": "src/pipe"}
        ok: no matches
        > edit_file {"path": "src/pipe", "old_text": "a", "new_text": "b"}
        failed: `src/pipe` is no file; name a file
        > list_files {"path": "src"}
        ok: src/.ignore
        src/a.rs
        src/pipe
        > read_file {"path": "src/socket"}
        failed: `src/socket` is no regular file; it cannot be read
    "#]]
    .assert_eq(&desk.play(script).await);
}

#[tokio::test]
async fn what_is_read_by_a_link_may_be_edited_by_its_own_path() {
    let script = r#"
        read_file {"path": "src/docs/b.md"}
        $ mkdir src/c; ln -s $PWD/src/a.rs src/c/absolute; ln -s loop src/loop
        read_file {"path": "src/c/absolute"}
        edit_file {"path": "src/a.rs", "old_text": "a", "new_text": "b"}
        read_file {"path": "src/loop"}
        read_file {"path": "src/docs/c.md"}
        list_files {"path": "src/docs"}
        search {"pattern": "b", "path": "src/docs"}
    "#;
    expect![[r#"
        > read_file {"path": "src/docs/b.md"}
        ok: 1	b
        > read_file {"path": "src/c/absolute"}
        ok: 1	a
        > edit_file {"path": "src/a.rs", "old_text": "a", "new_text": "b"}
        ok: edited `src/a.rs` at line 1
        > read_file {"path": "src/loop"}
        failed: `src/loop` leads through a circle of symbolic links
        > read_file {"path": "src/docs/c.md"}
        failed: `src/docs/c.md` does not exist; list_files shows what does
        > list_files {"path": "src/docs"}
        ok: docs/b.md
        > search {"pattern": "b", "path": "src/docs"}
        ok: docs/b.md
        1:b
    "#]]
    .assert_eq(&with_links().play(script).await);
}

#[tokio::test]
async fn saved_output_is_read_by_its_path_and_nothing_beside_it() {
    let desk = with_links();
    let script = r#"
        $ mkdir ../spill; echo output > ../spill/output-1.txt; ln -s ../outside/secret ../spill/link; ln -s ../outside ../spill/folder
        read_file {"path": "$DIR/spill/output-1.txt"}
        read_file {"path": "$DIR/spill/./output-1.txt"}
        read_file {"path": "$DIR/spill/../outside/secret"}
        read_file {"path": "$DIR/spill/link"}
        read_file {"path": "$DIR/spill/folder/secret"}
        read_file {"path": "$DIR/spill"}
        write_file {"path": "$DIR/spill/new", "content": "x"}
    "#;
    expect![[r#"
        > read_file {"path": "$DIR/spill/output-1.txt"}
        ok: 1	output
        > read_file {"path": "$DIR/spill/./output-1.txt"}
        ok: 1	output
        > read_file {"path": "$DIR/spill/../outside/secret"}
        failed: `$DIR/spill/../outside/secret` is not in your worktree; give a path relative to its root, $DIR/tree
        > read_file {"path": "$DIR/spill/link"}
        failed: `$DIR/spill/link` is not in your worktree; give a path relative to its root, $DIR/tree
        > read_file {"path": "$DIR/spill/folder/secret"}
        failed: `$DIR/spill/folder/secret` is not in your worktree; give a path relative to its root, $DIR/tree
        > read_file {"path": "$DIR/spill"}
        failed: `$DIR/spill` is not in your worktree; give a path relative to its root, $DIR/tree
        > write_file {"path": "$DIR/spill/new", "content": "x"}
        failed: `$DIR/spill/new` is not in your worktree; give a path relative to its root, $DIR/tree
    "#]]
    .assert_eq(&desk.play(script).await);
    let swapped = with_links().play("$ ln -s outside ../spill\n read_file {\"path\": \"$DIR/spill/secret\"}").await;
    assert!(swapped.contains("failed: `$DIR/spill/secret` is not in your worktree"), "{swapped}");
}

#[tokio::test]
async fn another_name_of_a_file_outside_keeps_what_it_had() {
    let desk = with_links();
    let script = r#"
        $ ln ../outside/secret src/hard; ln ../outside/secret src/other; chmod 755 src/hard
        read_file {"path": "src/hard"}
        edit_file {"path": "src/hard", "old_text": "secret", "new_text": "mine"}
        write_file {"path": "src/other", "content": "mine too\n"}
        $ test -x src/hard
    "#;
    desk.play(script).await;
    assert_eq!((desk.file("src/hard").as_str(), desk.file("src/other").as_str()), ("mine\n", "mine too\n"));
    assert_eq!(fs::read_to_string(desk.dir.path().join("outside/secret")).unwrap(), "secret\n");
}

/// Every file below, with its content.
fn all_below(folder: &std::path::Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let mut all: Vec<_> = entries
        .flat_map(|path| if path.is_dir() { all_below(&path) } else { vec![(path.clone(), fs::read(path).unwrap())] })
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn a_command_that_swaps_a_folder_for_a_link_all_the_time_gets_no_tool_to_reach_outside() {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let desk = Desk::new(&[("src/deep/a.rs", "inside\n"), ("src/deep/below/b", "inside\n")]);
    let outside = desk.dir.path().join("outside");
    fs::create_dir_all(outside.join("below")).unwrap();
    for name in ["a.rs", "below/b", "only-here", "moved"] {
        fs::write(outside.join(name), "SECRET\n").unwrap();
    }
    let before = all_below(&outside);
    let (link, place) = (desk.root().join("src/link"), desk.root().join("src/deep"));
    std::os::unix::fs::symlink("../../outside", &link).unwrap();
    let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flipping = std::thread::spawn({
        let over = over.clone();
        move || {
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                renameat_with(CWD, &link, CWD, &place, RenameFlags::EXCHANGE).unwrap();
            }
        }
    });
    let script = r#"
        read_file {"path": "src/deep/a.rs"}
        read_file {"path": "src/deep/below/b"}
        read_file {"path": "src/deep/only-here"}
        search {"pattern": "SECRET|inside"}
        search {"pattern": "SECRET|inside", "path": "src/deep"}
        list_files {"path": "."}
        list_files {"path": "src/deep"}
        edit_file {"path": "src/deep/a.rs", "old_text": "inside", "new_text": "insider"}
        write_file {"path": "src/deep/a.rs", "content": "inside\n"}
        write_file {"path": "src/deep/new/new", "content": "inside\n"}
        move_file {"from": "src/deep/new/new", "to": "src/deep/below/new"}
        move_file {"from": "src/deep/moved", "to": "src/moved"}
        delete_file {"path": "src/deep/below/new"}
        delete_file {"path": "src/deep/only-here"}
    "#;
    for _ in 0..60 {
        let said = desk.play(script).await;
        let mut answers = said.lines().filter(|line| !line.starts_with("> "));
        assert!(!answers.any(|line| line.contains("SECRET") || line.ends_with("/only-here")), "{said}");
    }
    over.store(true, std::sync::atomic::Ordering::Relaxed);
    flipping.join().unwrap();
    assert!(all_below(&outside) == before, "nothing outside has changed");
}
