//! What a command may not read: secrets at home, other people's work, the harness's own memory of the run.

use tests::hostile::{Attempt, Sign};

/// Why some of it can be learned without namespaces.
const UNSEEN: &str = "Landlock has no rule for whether a file is there, how large it is and when it was changed";

macro_rules! at_home {
    ($name:literal, $file:literal) => {
        Attempt::new($name, Sign::Looted("sesame"), concat!("keep(open(HOME_DIR + '/", $file, "').read())"))
    };
}

pub(super) const ATTEMPTS: &[Attempt] = &[
    at_home!("ssh-key", ".ssh/id_ed25519"),
    at_home!("cloud-credentials", ".aws/credentials"),
    at_home!("netrc", ".netrc"),
    at_home!("token-of-a-forge", ".config/gh/hosts.yml"),
    at_home!("token-of-a-registry", ".cargo/credentials.toml"),
    at_home!("token-of-npm", ".npmrc"),
    at_home!("stored-passwords-of-git", ".git-credentials"),
    at_home!("token-of-an-image-registry", ".docker/config.json"),
    at_home!("secret-keyring", ".gnupg/secring.gpg"),
    at_home!("history-of-the-shell", ".bash_history"),
    at_home!("cookies", ".mozilla/cookies.sqlite"),
    at_home!("letter", "Documents/letter.txt"),
    Attempt::new("home-in-the-shell", Sign::Looted("sesame"), "keep(sh('cat ~/.ssh/* \"$HOME_DIR\"/.aws/*'))"),
    Attempt::new("home-by-proc", Sign::Looted("sesame"), "keep(open(f'/proc/self/root{HOME_DIR}/.netrc').read())"),
    Attempt::new("home-of-a-bystander", Sign::Looted("sesame"), "keep(open(f'/proc/{PID}/root{HOME_DIR}/.netrc').read())"),
    Attempt::new(
        "home-by-link",
        Sign::Looted("sesame"),
        "os.symlink(HOME_DIR, 'mine/home'); keep(open('mine/home/.netrc').read())",
    ),
    Attempt::new("size-of-a-secret", Sign::Looted("there"), "os.stat(HOME_DIR + '/.ssh/id_ed25519'); keep('there')").passes_the_helper(UNSEEN),
    Attempt::new("names-at-home", Sign::Looted(".gnupg"), "keep(os.listdir(HOME_DIR))"),
    Attempt::new(
        "rename-a-secret",
        Sign::Looted("sesame"),
        "
os.link(HOME_DIR + '/.netrc', 'mine/secret'); keep(open('mine/secret').read()); os.unlink('mine/secret')",
    ),
    // Only that it could be opened is kept: it belongs to the machine.
    Attempt::new("shadow", Sign::Looted("opened"), "open('/etc/shadow'); keep('opened')").as_root(),
    Attempt::new("ignored-file-of-the-checkout", Sign::Looted("sesame"), "keep(open(CHECKOUT + '/.env').read())"),
    Attempt::new("work-of-another-run", Sign::Looted("sesame"), "keep(open(OTHER_RUN + '/work.txt').read())"),
    Attempt::new("record-of-another-run", Sign::Looted("sesame"), "keep(open(OTHER_RUN + '/../owner.json').read())"),
    Attempt::new("another-project", Sign::Looted("sesame"), "keep(open(NEIGHBOUR + '/plans.txt').read())"),
    Attempt::new("configuration-of-the-harness", Sign::Looted("HARNESS_PID"), "keep(open(ROOT + '/config.toml').read())"),
    Attempt::new("environment-of-the-harness", Sign::Looted("sesame"), "keep(open(f'/proc/{HARNESS}/environ').read())"),
    Attempt::new("environment-of-a-bystander", Sign::Looted("sesame"), "keep(open(f'/proc/{PID}/environ').read())"),
    Attempt::new(
        "environment-of-anybody",
        Sign::Looted("sesame"),
        "
for pid in filter(str.isdigit, os.listdir('/proc')):
    try: text = open(f'/proc/{pid}/environ').read()
    except OSError: continue
    if 'sesame' in text: keep(text)",
    ),
    Attempt::new("own-environment", Sign::Looted("sesame"), "keep(os.environ); raise Refused('nothing there')").never_bare(),
    Attempt::new(
        "watch-a-home",
        Sign::Looted("watched"),
        "
call('inotify_add_watch', call('inotify_init'), HOME_DIR.encode(), 0xfff); keep('watched' if is_on_disk(HOME_DIR) else 'in memory')",
    ),
    Attempt::new(
        "watch-a-checkout",
        Sign::Looted("watched"),
        "
call('inotify_add_watch', call('inotify_init'), CHECKOUT.encode(), 0xfff); keep('watched' if is_on_disk(CHECKOUT) else 'in memory')",
    ),
    Attempt::new("attributes-of-a-secret", Sign::Looted("listed"), "os.listxattr(HOME_DIR + '/.netrc'); keep('listed')"),
    Attempt::new("is-there-a-secret", Sign::Looted("yes"), "keep('yes' if os.access(HOME_DIR + '/.netrc', os.F_OK) else 'no')").passes_the_helper(UNSEEN),
];

super::in_every_tier!(ATTEMPTS);
