"""Makes attempts, each in a process of its own, and keeps a record of how each ended.

    driver.py NAME...      attempts are the files NAME.py beside this one

At hand in an attempt: NAME, WORD (what servers are told), VICTIM, PID, the places of places.json (ROOT, CHECKOUT, HOME_DIR, ...), HARNESS (the process id of the
program that is under attack), TREE (the worktree), `keep` (text that shows success), `call` (a system call or a function of the C
library by name, which raises OSError) and `sh` (a shell command with all of these in its environment; raises when it fails).
"""
import ctypes, errno, json, os, resource, signal, socket, struct, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(HERE)
PLACES = json.load(open(os.path.join(HERE, "places.json")))
LOOT = PLACES["LOOT"]
PIDS = PLACES.pop("PIDS")
HARNESS = int(os.environ.get("HARNESS_PID", "0"))
FOUND_OPEN = {}
for fd in range(256):
    try:
        os.fstat(fd)
        FOUND_OPEN[fd] = os.readlink("/proc/self/fd/%d" % fd)
    except OSError:
        pass
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


# What the C library may have no function for: numbers on x86-64, and on all newer machines.
SYSCALLS = {
    "add_key": (248, 217), "bpf": (321, 280), "clone": (56, 220), "clone3": (435, 435), "fchmodat2": (452, 452), "fsopen": (430, 430),
    "init_module": (175, 105), "ioprio_set": (251, 30), "move_pages": (279, 239), "io_uring_setup": (425, 425), "kcmp": (312, 272), "keyctl": (250, 219), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "open_tree": (428, 428), "perf_event_open": (298, 241), "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424), "process_vm_readv": (310, 270), "ptrace": (101, 117),
    "renameat2": (316, 276), "setns": (308, 268), "tgkill": (234, 131), "unshare": (272, 97), "userfaultfd": (323, 282),
}


def call(name, *args):
    """A system call, or a function of the C library."""
    args = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    ctypes.set_errno(0)
    number = SYSCALLS.get(name)
    result = libc.syscall(ctypes.c_long(number[os.uname().machine != "x86_64"]), *args) if number else getattr(libc, name)(*args)
    if result < 0:
        raise OSError(ctypes.get_errno(), "%s: %s" % (name, os.strerror(ctypes.get_errno())))
    return result


class Refused(Exception):
    """A shell command failed."""


def is_on_disk(path):
    """Whether a file lies where the worktree lies, and not in some memory that goes with the sandbox."""
    return os.stat(path).st_dev == os.stat(TREE).st_dev


def names_for(name):
    loot = os.open(os.path.join(LOOT, name), os.O_WRONLY | os.O_CREAT, 0o644)
    places = dict(PLACES, NAME=name, VICTIM=os.path.join(PLACES["ROOT"], "victims", name), TREE=TREE, HARNESS=str(HARNESS), PID=str(PIDS.get(name, 0)))

    def keep(text):
        os.write(loot, str(text).encode(errors="replace"))

    def sh(text, program="sh"):
        environment = dict(os.environ, **{key: str(value) for key, value in places.items()})
        end = subprocess.run([program, "-c", text], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        said = (end.stdout + end.stderr).strip()[-300:]
        if end.returncode == 127 or "yntax error" in said:
            raise RuntimeError(said)
        if end.returncode != 0:
            raise Refused("exit %d: %s" % (end.returncode, said))
        return end.stdout

    return dict(globals(), **dict(places, WORD=("<%s>" % name).encode(), PID=PIDS.get(name, 0), HARNESS=HARNESS, keep=keep, sh=sh))


def attempt(name):
    """Runs in a process of its own; says how it ended."""
    signal.alarm(20)
    try:
        text = open(os.path.join(HERE, name + ".py")).read()
        exec(compile(text, name, "exec"), names_for(name))
        return "done"
    except (OSError, Refused, subprocess.TimeoutExpired) as error:
        return "refused: %s: %s" % (type(error).__name__, error)
    except BaseException as error:
        return "BROKEN: %s: %s" % (type(error).__name__, error)


def main(names):
    # A task that changed nothing has not done anything.
    with open(os.path.join(TREE, "mine", "made"), "w") as made:
        made.write("attempts\n")
    for name in names:
        # Open from the start: the attempt may go anywhere, and into places without a way back.
        record = os.open(os.path.join(LOOT, name + ".ran"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        child = os.fork()
        if child == 0:
            try:
                os.pwrite(record, attempt(name).encode(errors="replace"), 0)
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            os.pwrite(record, b"refused: ended by signal %d" % os.WTERMSIG(status), 0)
        os.close(record)


main(sys.argv[1:])
