//! Both ways to open a path, and folders that are swapped for links while they are worked in.

use std::{
    fs,
    io::Read,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    sync::atomic::AtomicBool,
};

use super::*;

/// A tree with a file and a link of every kind, and a secret beside it.
fn ground() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("tree");
    fs::create_dir_all(root.join("src/deep")).unwrap();
    fs::create_dir(dir.path().join("outside")).unwrap();
    fs::write(dir.path().join("outside/secret"), "secret").unwrap();
    fs::write(root.join("src/deep/a"), "a").unwrap();
    for (link, target) in [("out", "../outside"), ("in", "src"), ("src/link", "deep/a"), ("proc", "/proc/self/root")] {
        symlink(target, root.join(link)).unwrap();
    }
    (dir, root)
}

fn both_ways(root: &Path) -> [Root; 2] {
    [Way::AtOnce, Way::Stepwise].map(|way| Root { way, ..Root::open(root).unwrap() })
}

#[test]
fn only_what_lies_below_under_its_own_name_is_opened() {
    let (dir, root) = ground();
    for root in both_ways(&root) {
        let read = |path: &str| {
            let mut text = String::new();
            root.file(Path::new(path)).and_then(|mut file| file.read_to_string(&mut text)).map(|_| text)
        };
        assert_eq!(read("src/deep/a").unwrap(), "a", "{:?}", root.way);
        assert_eq!(read("src//deep/a").unwrap(), "a");
        let outside = dir.path().join("outside/secret");
        let beyond = ["../outside/secret", "src/../../outside/secret", "src/../src/deep/a", outside.to_str().unwrap()];
        let links = ["out/secret", "out", "in/deep/a", "src/link", "proc", "proc/etc/passwd"];
        for path in beyond.into_iter().chain(links) {
            assert!(read(path).is_err(), "{path} by {:?}", root.way);
            assert!(root.folder(Path::new(path)).is_err() && root.make_folder(Path::new(path)).is_err(), "{path}");
        }
        assert_eq!(root.link(Path::new("src/link")).unwrap(), Some("deep/a".into()));
        assert_eq!(root.link(Path::new("src/deep/a")).unwrap(), None);
        assert!(root.link(Path::new("in/link")).is_err());
    }
}

#[test]
fn folders_are_made_one_by_one_and_never_beyond_a_link() {
    let (dir, root) = ground();
    for (n, root) in both_ways(&root).into_iter().enumerate() {
        let folder = root.make_folder(Path::new(&format!("src/new{n}/a/b"))).unwrap();
        folder.put(OsStr::new("f"), b"x").unwrap();
        for path in ["out/new", "src/deep/a/new"] {
            assert!(root.make_folder(Path::new(path)).is_err(), "{path}");
        }
    }
    assert!(root.join("src/new0/a/b/f").exists() && root.join("src/new1/a/b/f").exists());
    assert_eq!(fs::read_dir(dir.path().join("outside")).unwrap().count(), 1);
}

#[test]
fn another_name_of_a_file_keeps_what_it_had() {
    let (dir, root) = ground();
    let (inside, outside) = (root.join("src/hard"), dir.path().join("outside/secret"));
    fs::set_permissions(&outside, fs::Permissions::from_mode(0o4751)).unwrap();
    fs::hard_link(&outside, &inside).unwrap();
    let folder = Root::open(&root).unwrap().folder(Path::new("src")).unwrap();
    folder.put(OsStr::new("hard"), b"mine").unwrap();
    assert_eq!((fs::read(&inside).unwrap(), fs::read(&outside).unwrap()), (b"mine".to_vec(), b"secret".to_vec()));
    assert_ne!(fs::metadata(&inside).unwrap().ino(), fs::metadata(&outside).unwrap().ino());
    assert_eq!(fs::metadata(&inside).unwrap().permissions().mode() & 0o7777, 0o751, "without its set-user bit");
    assert_eq!(fs::metadata(&outside).unwrap().permissions().mode() & 0o7777, 0o4751);
    folder.put(OsStr::new("link"), b"mine").unwrap();
    assert!(!root.join("src/link").is_symlink(), "a link is replaced, not followed");
    assert_eq!(fs::read(root.join("src/deep/a")).unwrap(), b"a");
    let left = folder.entries().unwrap().into_iter().map(|(name, _)| name.into_string().unwrap()).collect::<Vec<_>>();
    assert_eq!(left, ["deep", "hard", "link"]);
}

#[test]
fn nothing_that_exists_is_renamed_over() {
    let (_dir, root) = ground();
    let root = Root::open(&root).unwrap();
    let (src, deep) = (root.folder(Path::new("src")).unwrap(), root.folder(Path::new("src/deep")).unwrap());
    src.put(OsStr::new("b"), b"b").unwrap();
    let error = src.rename(OsStr::new("b"), &deep, OsStr::new("a")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    src.rename(OsStr::new("b"), &deep, OsStr::new("b")).unwrap();
    assert_eq!((src.kind(OsStr::new("b")).ok(), deep.kind(OsStr::new("b")).unwrap()), (None, Kind::File));
}

#[test]
fn opening_a_pipe_or_a_socket_waits_for_nobody() {
    let (_dir, path) = ground();
    at::mkfifoat(at::CWD, path.join("pipe"), Mode::from(0o600)).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(path.join("socket")).unwrap();
    for root in both_ways(&path) {
        assert!(!root.file(Path::new("pipe")).unwrap().metadata().unwrap().is_file());
        assert_eq!(root.file(Path::new("socket")).unwrap_err().raw_os_error(), Some(Errno::NXIO.raw_os_error()));
    }
}

/// Has `src/deep` be a folder, then a link out, then a folder, as fast as the two can be exchanged, while `work` goes on.
fn while_flipping(root: &Path, work: impl Fn()) {
    let (over, link, place) = (AtomicBool::new(false), root.join("src/out"), root.join("src/deep"));
    symlink("../../outside", &link).unwrap();
    let flip = || {
        while !over.load(Ordering::Relaxed) {
            at::renameat_with(at::CWD, &link, at::CWD, &place, RenameFlags::EXCHANGE).unwrap();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(flip);
        let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        over.store(true, Ordering::Relaxed);
        end.unwrap();
    });
}

#[test]
fn a_folder_that_is_swapped_for_a_link_all_the_time_leads_nothing_out() {
    let (dir, path) = ground();
    for root in both_ways(&path) {
        while_flipping(&path, || {
            for _ in 0..3000 {
                let _ = root.make_folder(Path::new("src/deep/new")).and_then(|folder| folder.put(OsStr::new("mine"), b"x"));
                assert!(root.file(Path::new("src/deep/secret")).is_err());
                let _ = root.folder(Path::new("src/deep")).and_then(|folder| folder.remove(OsStr::new("secret")));
            }
        });
        let outside: Vec<_> = fs::read_dir(dir.path().join("outside")).unwrap().flatten().map(|e| e.file_name()).collect();
        assert_eq!(outside, ["secret"], "{:?}", root.way);
        let _ = fs::remove_file(path.join("src/out")).or_else(|_| fs::remove_dir_all(path.join("src/out")));
    }
}
