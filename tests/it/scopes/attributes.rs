//! What can be changed of a file that cannot be written: mode, owner, times, attributes, flags; by its name and by a handle for reading.

use tests::hostile::{Attempt, Sign};

pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("chmod", Sign::Victim, "os.chmod(VICTIM, 0o777)"),
    Attempt::new("fchmod", Sign::Victim, "os.fchmod(os.open(VICTIM, os.O_RDONLY), 0o777)"),
    Attempt::new("fchmodat2", Sign::Victim, "call('fchmodat2', -100, VICTIM.encode(), 0o777, 0)"),
    Attempt::new("chmod-by-proc", Sign::Victim, "os.chmod(f'/proc/self/fd/{os.open(VICTIM, os.O_PATH)}', 0o777)"),
    Attempt::new("chmod-in-the-shell", Sign::Victim, "sh('chmod 777 \"$VICTIM\"')"),
    Attempt::new("chown", Sign::Victim, "os.chown(VICTIM, 1, 1)").as_root(),
    Attempt::new("fchown", Sign::Victim, "os.fchown(os.open(VICTIM, os.O_RDONLY), 1, 1)").as_root(),
    Attempt::new("utimes", Sign::Victim, "os.utime(VICTIM, (1, 1))"),
    Attempt::new("futimens", Sign::Victim, "os.utime(os.open(VICTIM, os.O_RDONLY), (1, 1))"),
    Attempt::new("utimes-by-link", Sign::Victim, "os.symlink(VICTIM, 'mine/times'); os.utime('mine/times', (1, 1))"),
    Attempt::new("touch", Sign::Victim, "sh('touch -d 2001-01-01 \"$VICTIM\"')"),
    Attempt::new("setxattr", Sign::Victim, "os.setxattr(VICTIM, 'user.hostile', b'x')"),
    Attempt::new("fsetxattr", Sign::Victim, "os.setxattr(os.open(VICTIM, os.O_RDONLY), 'user.hostile', b'x')"),
    Attempt::new(
        "file-flags",
        Sign::Victim,
        "
import fcntl
fcntl.ioctl(os.open(VICTIM, os.O_RDONLY), 0x40086602, struct.pack('l', 0x40))",
    ),
    Attempt::allowed(
        "attributes-in-scope",
        "
open('mine/attributes', 'w').close(); os.chmod('mine/attributes', 0o700); os.utime('mine/attributes', (1, 1)); keep('it works')",
    ),
    Attempt::new(
        "chmod-in-a-race",
        Sign::Victim,
        "
open('mine/own-file', 'w').close(); os.symlink('own-file', 'mine/a'); os.symlink(VICTIM, 'mine/b')
end = time.monotonic() + 0.3
if os.fork() == 0:
    while time.monotonic() < end: call('renameat2', -100, b'mine/a', -100, b'mine/b', 2)
    os._exit(0)
while time.monotonic() < end:
    try: os.chmod('mine/a', 0o777)
    except OSError: pass
os.wait()",
    ),
    Attempt::new(
        "chmod-of-a-moving-word",
        Sign::Victim,
        "
import threading
own = (os.environ['TMPDIR'] + '/own').encode(); open(own, 'w').close(); theirs = VICTIM.encode()
word = ctypes.create_string_buffer(max(len(own), len(theirs)) + 1); end = time.monotonic() + 0.3
def swap():
    while time.monotonic() < end: word.value = own; word.value = theirs
thread = threading.Thread(target=swap); thread.start()
while time.monotonic() < end:
    try: call('chmod', word, 0o777)
    except OSError: pass
thread.join()",
    ),
];

super::in_every_tier!(ATTEMPTS);
