//! Other processes: to see them, to look into them, to change them, to end them.

use tests::hostile::{Attempt, Sign};

pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::allowed(
        "own-children",
        "
import multiprocessing
with multiprocessing.Pool(2) as pool: keep('it works' if pool.map(abs, [-1, -2]) == [1, 2] else '')",
    )
    .in_namespaces(),
    Attempt::allowed(
        "signal-to-own-child",
        "
child = subprocess.Popen(['sleep', '60']); child.terminate(); keep('it works' if child.wait() == -15 else '')",
    ),
    Attempt::allowed(
        "own-proc",
        "keep('it works' if 'Name:' in open('/proc/self/status').read() and os.listdir('/proc/self/fd') else '')",
    )
    .in_namespaces(),
    Attempt::new("see-a-bystander", Sign::Looted("sleep"), "keep(open(f'/proc/{PID}/cmdline').read())"),
    Attempt::new("see-the-harness", Sign::Looted("--yes"), "keep(open(f'/proc/{HARNESS}/cmdline').read())"),
    Attempt::new(
        "list-processes",
        Sign::Looted("a bystander"),
        "
for pid in filter(str.isdigit, os.listdir('/proc')):
    try: text = open(f'/proc/{pid}/cmdline').read()
    except OSError: continue
    if text.startswith('sleep\\x003600'): keep('a bystander')",
    ),
    Attempt::new("ps", Sign::Looted("sleep 3600"), "keep(sh('ps -eo args | grep \"[s]leep 3600\"'))"),
    Attempt::new("directory-of-the-harness", Sign::Looted("README"), "keep(os.listdir(f'/proc/{HARNESS}/cwd'))"),
    Attempt::new(
        "descriptors-of-the-harness",
        Sign::Looted("journal"),
        "
for fd in os.listdir(f'/proc/{HARNESS}/fd'): keep(os.readlink(f'/proc/{HARNESS}/fd/{fd}'))",
    ),
    Attempt::new(
        "journal-by-descriptor",
        Sign::Looted("opened"),
        "
for fd in os.listdir(f'/proc/{HARNESS}/fd'):
    if 'journal.db' in os.readlink(f'/proc/{HARNESS}/fd/{fd}'): open(f'/proc/{HARNESS}/fd/{fd}', 'r+b'); keep('opened')",
    ),
    Attempt::new("memory-of-the-harness", Sign::Looted("opened"), "open(f'/proc/{HARNESS}/mem', 'r+b'); keep('opened')")
        .as_root(),
    Attempt::new(
        "memory-of-a-bystander",
        Sign::Looted("sesame"),
        "
stack = next(line for line in open(f'/proc/{PID}/maps') if '[stack]' in line).split()[0].split('-')
start, end = (int(part, 16) for part in stack); memory = open(f'/proc/{PID}/mem', 'rb'); memory.seek(start)
text = memory.read(end - start); at = text.find(b'sesame'); keep(text[at:at + 30] if at >= 0 else '')",
    )
    .as_root(),
    Attempt::new(
        "process-vm-readv",
        Sign::Looted("read"),
        "
here = ctypes.create_string_buffer(16); address = id(here)
class Piece(ctypes.Structure): _fields_ = [('base', ctypes.c_void_p), ('size', ctypes.c_size_t)]
def read(remote):
    mine, theirs = Piece(ctypes.addressof(here), 16), Piece(remote, 16)
    return call('process_vm_readv', PID, ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0)
try: read(0x1000)
except OSError as error:
    if error.errno != errno.EFAULT: raise
keep('read')",
    )
    .as_root(),
    Attempt::new("trace-a-bystander", Sign::Looted("seized"), "call('ptrace', 0x4206, PID, 0, 0); keep('seized')").as_root(),
    Attempt::new("trace-the-harness", Sign::Looted("seized"), "call('ptrace', 0x4206, HARNESS, 0, 0); keep('seized')").as_root(),
    Attempt::new(
        "take-a-descriptor",
        Sign::Looted("taken"),
        "
fd = call('pidfd_open', HARNESS, 0); call('pidfd_getfd', fd, 0, 0); keep('taken')",
    )
    .as_root(),
    Attempt::new(
        "compare-with-the-harness",
        Sign::Looted("compared"),
        "call('kcmp', os.getpid(), HARNESS, 0, 0, 0); keep('compared')",
    ),
    Attempt::new("kill", Sign::Bystander, "os.kill(PID, 9)"),
    Attempt::new("stop", Sign::Bystander, "os.kill(PID, 19)"),
    Attempt::new("tgkill", Sign::Bystander, "call('tgkill', PID, PID, 9)"),
    Attempt::new("sigqueue", Sign::Bystander, "call('sigqueue', PID, 9, 0)"),
    Attempt::new("kill-by-descriptor", Sign::Bystander, "call('pidfd_send_signal', call('pidfd_open', PID, 0), 9, 0, 0)"),
    Attempt::new("kill-in-the-shell", Sign::Bystander, "sh('kill -9 \"$PID\"')"),
    Attempt::new(
        "signal-by-ownership",
        Sign::Bystander,
        "
import fcntl
ours, theirs = os.pipe(); fcntl.fcntl(ours, fcntl.F_SETOWN, PID); fcntl.fcntl(ours, 10, 9)
fcntl.fcntl(ours, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK); os.write(theirs, b'x'); time.sleep(0)",
    ),
    Attempt::new("does-the-harness-live", Sign::Looted("it lives"), "os.kill(HARNESS, 0); keep('it lives')"),
    Attempt::new("slow-down", Sign::Looted("slowed"), "os.setpriority(os.PRIO_PROCESS, PID, 19); keep('slowed')"),
    Attempt::new(
        "limit",
        Sign::Looted("limited"),
        "
resource.prlimit(PID, resource.RLIMIT_CPU, (1000, 1000)); keep('limited')",
    ),
    Attempt::new("limit-the-harness", Sign::Looted("asked"), "resource.prlimit(HARNESS, resource.RLIMIT_NOFILE); keep('asked')"),
    Attempt::new("pin", Sign::Looted("pinned"), "os.sched_setaffinity(PID, {0}); keep('pinned')"),
    Attempt::new(
        "inherited-descriptor",
        Sign::Looted("written"),
        "
for fd, path in FOUND_OPEN.items():
    if fd > 2 and path.endswith('/inherited-descriptor'): os.write(fd, b'harmed'); keep('written')",
    ),
    Attempt::new(
        "any-descriptor",
        Sign::Looted("/"),
        "
for fd, path in FOUND_OPEN.items():
    if fd > 2 and not path.startswith('/proc/'): keep(path)",
    ),
    Attempt::new("kill-the-harness", Sign::Looted("sent"), "os.kill(HARNESS, 9); keep('sent')").never_bare(),
    Attempt::new("end-the-harness", Sign::Looted("sent"), "os.kill(HARNESS, 15); keep('sent')").never_bare(),
    Attempt::new("kill-the-harnesss-group", Sign::Looted("sent"), "os.killpg(HARNESS, 9); keep('sent')").never_bare(),
    Attempt::new(
        "kill-whatever-is-near",
        Sign::Bystander,
        "
for pid in range(max(2, PID - 200), PID + 50):
    if pid in (os.getpid(), os.getppid()): continue
    try: os.kill(pid, 9)
    except OSError: pass",
    )
    .never_bare(),
    Attempt::new("starve-of-the-disk", Sign::Looted("starved"), "call('ioprio_set', 1, PID, 3 << 13); keep('starved')"),
    Attempt::new("make-idle", Sign::Looted("idle"), "os.sched_setscheduler(PID, os.SCHED_IDLE, os.sched_param(0)); keep('idle')"),
    Attempt::new("move-its-memory", Sign::Looted("asked"), "call('move_pages', PID, 0, None, None, None, 0); keep('asked')"),
];

super::in_every_tier!(ATTEMPTS);
