//! Doors of the kernel: namespaces, mounts, devices, and calls by which sandboxes were left before.
//!
//! What is kept is a word for a right that was got. Nothing here is used: without a sandbox these would change the machine.

use tests::hostile::{Attempt, Sign};

pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::allowed("devices-that-programs-need", "
open('/dev/null', 'w').write('x'); open('/dev/urandom', 'rb').read(4); open('/dev/zero', 'rb').read(4); keep('it works')"),
    Attempt::allowed("memory-file", "
fd = os.memfd_create('x'); os.write(fd, b'it works'); os.lseek(fd, 0, 0); keep(os.read(fd, 20).decode())"),
    Attempt::allowed("terminal-of-its-own", "import pty; keep('it works' if os.isatty(pty.openpty()[1]) else '')").in_namespaces().never_bare(),
    Attempt::new("user-namespace", Sign::Looted("made"), "call('unshare', 0x10000000); keep('made')"),
    Attempt::new("user-namespace-by-clone3", Sign::Looted("made"), "
arguments = struct.pack('11Q', 0x10000000, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)
if call('clone3', arguments, len(arguments)) == 0: os._exit(0)
keep('made')"),
    Attempt::new("user-namespace-by-clone", Sign::Looted("made"), "
if call('clone', 0x10000000 | 17, 0, 0, 0, 0) == 0: os._exit(0)
keep('made')"),
    Attempt::new("user-namespace-in-the-shell", Sign::Looted("made"), "sh('unshare --user --map-root-user true'); keep('made')"),
    Attempt::new("mount-namespace", Sign::Looted("made"), "call('unshare', 0x20000); keep('made')").as_root(),
    Attempt::new("network-namespace", Sign::Looted("made"), "call('unshare', 0x40000000); keep('made')").as_root(),
    Attempt::new("namespace-of-the-harness", Sign::Looted("entered"), "
call('setns', os.open(f'/proc/{HARNESS}/ns/net', os.O_RDONLY), 0); keep('entered')").as_root(),
    Attempt::new("namespaces-of-a-bystander", Sign::Looted("entered"), "
call('setns', call('pidfd_open', PID, 0), 0x20000 | 0x40000000); keep('entered')").as_root(),
    Attempt::new("mount", Sign::Looted("mounted"), "
os.mkdir('mine/mount'); call('mount', b'none', b'mine/mount', b'tmpfs', 0, None); call('umount2', b'mine/mount', 2); keep('mounted')").as_root(),
    Attempt::new("bind-mount", Sign::Looted("mounted"), "
os.mkdir('mine/bind'); call('mount', os.path.dirname(VICTIM).encode(), b'mine/bind', None, 4096, None); call('umount2', b'mine/bind', 2)
keep('mounted')").as_root(),
    Attempt::new("mount-by-descriptor", Sign::Looted("opened"), "call('fsopen', b'tmpfs', 0); keep('opened')").as_root(),
    Attempt::new("clone-a-mount", Sign::Looted("cloned"), "call('open_tree', -100, b'/', 1); keep('cloned')").as_root(),
    Attempt::new("remount", Sign::Victim, "
call('mount', None, b'/', None, 32 | 4096, None); open(VICTIM, 'w').write('harmed')").never_bare(),
    Attempt::new("unmount", Sign::Looted("sesame"), "
call('umount2', HOME_DIR.encode(), 2); keep(open(HOME_DIR + '/.netrc').read())").never_bare(),
    Attempt::new("chroot", Sign::Looted("changed"), "os.chroot('mine'); keep('changed')").as_root(),
    Attempt::new("out-of-a-chroot", Sign::Victim, "
fd = os.open('.', os.O_RDONLY); os.mkdir('mine/jail'); os.chroot('mine/jail'); os.fchdir(fd)
for _ in range(40): os.chdir('..')
os.chroot('.'); open(VICTIM, 'w').write('harmed')").as_root(),
    Attempt::new("privileges-by-programs", Sign::Looted("NoNewPrivs:\\t0"), "
keep(next(line for line in open('/proc/self/status') if line.startswith('NoNewPrivs')).replace('\\t', '\\\\t'))"),
    Attempt::new("capabilities", Sign::Looted("has some"), "
line = next(line for line in open('/proc/self/status') if line.startswith('CapPrm'))
keep('has some' if int(line.split()[1], 16) else 'none')").as_root(),
    Attempt::new("capabilities-back", Sign::Looted("has some"), "
line = next(line for line in open('/proc/self/status') if line.startswith('CapBnd'))
keep('has some' if int(line.split()[1], 16) else 'none')"),
    Attempt::new("device-node", Sign::Looted("opened"), "
import stat
os.mknod('mine/kmsg', 0o666 | stat.S_IFCHR, os.makedev(1, 11)); open('mine/kmsg', 'rb'); keep('opened')").as_root(),
    Attempt::new("device-node-in-scratch-space", Sign::Looted("made"), "
import stat
path = os.environ['TMPDIR'] + '/kmsg'; os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 11)); os.unlink(path); keep('made')").as_root(),
    Attempt::new("devices", Sign::Looted("opened"), "
for name in ('kmsg', 'mem', 'port', 'kvm', 'fuse', 'net/tun', 'loop-control', 'vsock', 'userfaultfd', 'vda', 'sda', 'nvme0n1'):
    try: os.open('/dev/' + name, os.O_RDONLY | os.O_NONBLOCK); keep('opened ' + name)
    except OSError: pass").as_root(),
    Attempt::new("settings-of-the-kernel", Sign::Looted("opened"), "open('/proc/sys/kernel/core_pattern', 'r+'); keep('opened')").as_root(),
    Attempt::new("settings-of-devices", Sign::Looted("opened"), "
for path in ('/sys/kernel/uevent_helper', '/sys/kernel/mm/ksm/run', '/sys/power/state', '/sys/module/printk/parameters/time'):
    try: open(path, 'r+'); keep('opened ' + path)
    except OSError: pass").as_root(),
    Attempt::new("ring-of-calls", Sign::Looted("made"), "
call('io_uring_setup', 4, ctypes.create_string_buffer(120)); keep('made')"),
    Attempt::new("programs-in-the-kernel", Sign::Looted("made"), "
attributes = struct.pack('IIIII', 2, 4, 4, 1, 0).ljust(72, b'\\0'); call('bpf', 0, attributes, 72); keep('made')").as_root(),
    Attempt::new("counters", Sign::Looted("made"), "
attributes = struct.pack('IIQ', 1, 112, 0).ljust(112, b'\\0'); call('perf_event_open', attributes, 0, -1, -1, 0); keep('made')").as_root(),
    Attempt::new("page-faults", Sign::Looted("made"), "call('userfaultfd', 0); keep('made')").as_root(),
    Attempt::new("keys-of-the-session", Sign::Looted("added"), "
call('add_key', b'user', b'inspan:' + NAME.encode(), b'x', 1, -2); keep('added')"),
    Attempt::new("keys-of-the-user", Sign::Looted("found"), "call('keyctl', 0, -4, 1); keep('found')"),
    Attempt::new("name-of-the-machine", Sign::Looted("set"), "socket.sethostname(socket.gethostname()); keep('set')").as_root(),
    Attempt::new("program-from-memory", Sign::Victim, "
fd = os.memfd_create('x', 0); os.write(fd, open('/bin/sh', 'rb').read())
subprocess.run([f'/proc/self/fd/{fd}', '-c', 'echo harmed > \"$VICTIM\"'], env={'VICTIM': VICTIM}, pass_fds=[fd], check=False)"),
    Attempt::new("file-of-another-root", Sign::Looted("opened"), "
for path in ('/etc/passwd', '/usr/bin/env', '/root/.bashrc'):
    try: open(path, 'r+'); keep('opened')
    except OSError: pass").as_root(),
    Attempt::new("load-a-module", Sign::Looted("tried"), "
try: call('init_module', b'x', 1, b'')
except OSError as error:
    if error.errno != errno.EPERM: keep('tried'); raise
    raise").never_bare(),
];

super::in_every_tier!(ATTEMPTS);
