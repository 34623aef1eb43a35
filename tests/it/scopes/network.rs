//! Ways out: by every kind of socket to servers of this machine, which stand for all others.

use tests::hostile::{Assault, Attempt, Sign, Tier};

pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::allowed("tcp-within", "
server = socket.create_server(('127.0.0.1', 0)); client = socket.create_connection(server.getsockname())
client.sendall(b'it works'); keep(server.accept()[0].recv(20).decode())"),
    Attempt::allowed("udp-within", "
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); server.bind(('127.0.0.1', 0))
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'it works', server.getsockname()); keep(server.recv(20).decode())").in_namespaces(),
    Attempt::allowed("unix-within", "
path = os.environ['TMPDIR'] + '/s'; server = socket.socket(socket.AF_UNIX); os.chdir(os.environ['TMPDIR']); server.bind('s'); server.listen()
client = socket.socket(socket.AF_UNIX); client.connect('s'); client.sendall(b'it works'); keep(server.accept()[0].recv(20).decode())"),
    Attempt::allowed("pair", "one, two = socket.socketpair(); one.sendall(b'it works'); keep(two.recv(20).decode())"),
    Attempt::allowed("abstract-within", "
server = socket.socket(socket.AF_UNIX); server.bind(f'\\0{NAME}{os.getpid()}'); server.listen()
client = socket.socket(socket.AF_UNIX); client.connect(server.getsockname()); client.sendall(b'it works'); keep(server.accept()[0].recv(20).decode())"),
    Attempt::new("tcp", Sign::Heard, "socket.create_connection(('127.0.0.1', TCP)).sendall(WORD)"),
    Attempt::new("tcp-of-ipv6", Sign::Heard, "
client = socket.socket(socket.AF_INET6); client.connect(('::ffff:127.0.0.1', TCP)); client.sendall(WORD)"),
    Attempt::new("tcp-without-waiting", Sign::Heard, "
import select
client = socket.socket(); client.setblocking(False)
error = client.connect_ex(('127.0.0.1', TCP))
if error not in (0, errno.EINPROGRESS): raise OSError(error, os.strerror(error))
select.select([], [client], [], 5); client.send(WORD)"),
    Attempt::new("tcp-fast-open", Sign::Heard, "
client = socket.socket(); client.sendto(WORD, socket.MSG_FASTOPEN, ('127.0.0.1', TCP))"),
    Attempt::new("tcp-from-a-bound-port", Sign::Heard, "
client = socket.socket(); client.bind(('127.0.0.1', 0)); client.connect(('127.0.0.1', TCP)); client.sendall(WORD)"),
    Attempt::new("multipath-tcp", Sign::Heard, "
client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262); client.connect(('127.0.0.1', TCP)); client.sendall(WORD)"),
    Attempt::new("tcp-to-any-address", Sign::Heard, "
client = socket.create_connection(('0.0.0.0', TCP)); client.sendall(WORD)"),
    Attempt::new("tcp-of-bash", Sign::Heard, "sh('printf %s \"<$NAME>\" > /dev/tcp/127.0.0.1/$TCP', program='bash')"),
    Attempt::new("udp", Sign::Heard, "
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(WORD, ('127.0.0.1', UDP))"),
    Attempt::new("udp-connected", Sign::Heard, "
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); client.connect(('127.0.0.1', UDP)); client.send(WORD)"),
    Attempt::new("unix-socket-of-a-server", Sign::Heard, "
os.chdir(SOCKETS); client = socket.socket(socket.AF_UNIX); client.connect('stream.sock'); client.sendall(WORD)"),
    Attempt::new("unix-socket-by-link", Sign::Heard, "
os.symlink(SOCKETS, 'mine/sockets'); client = socket.socket(socket.AF_UNIX); client.connect('mine/sockets/stream.sock'); client.sendall(WORD)"),
    Attempt::new("unix-socket-by-proc", Sign::Heard, "
folder = os.open(SOCKETS, os.O_PATH); client = socket.socket(socket.AF_UNIX)
client.connect(f'/proc/self/fd/{folder}/stream.sock'); client.sendall(WORD)"),
    Attempt::new("unix-datagram", Sign::Heard, "
os.chdir(SOCKETS); socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(WORD, 'datagram.sock')"),
    Attempt::new("abstract-socket", Sign::Heard, "
client = socket.socket(socket.AF_UNIX); client.connect('\\0' + ABSTRACT); client.sendall(WORD)"),
    Attempt::new("bind-outside", Sign::Appears("$SOCKETS/new"), "
os.chdir(SOCKETS); socket.socket(socket.AF_UNIX).bind('new')"),
    Attempt::new("replace-a-servers-socket", Sign::Appears("$SOCKETS/$NAME"), "
os.chdir(SOCKETS); os.rename('datagram.sock', NAME); os.rename(NAME, 'datagram.sock'); os.link('datagram.sock', NAME)"),
    Attempt::new("raw-socket", Sign::Looted("made"), "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); keep('made')").as_root(),
    Attempt::new("packet-socket", Sign::Looted("made"), "socket.socket(socket.AF_PACKET, socket.SOCK_RAW); keep('made')").as_root(),
    Attempt::new("ping-the-machine", Sign::Looted("made"), "
socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1).sendto(b'\\x08\\0\\0\\0\\0\\0\\0\\0', ('127.0.0.1', 0)); keep('made')").never_bare(),
    Attempt::new("vsock", Sign::Looted("made"), "socket.socket(40, socket.SOCK_STREAM); keep('made')").never_bare(),
    Attempt::new("change-the-network", Sign::Looted("done"), "
server = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
# RTM_NEWLINK that leaves the first interface as it is, and wants to be acknowledged.
server.sendto(struct.pack('IHHII', 32, 16, 5, 1, 0) + struct.pack('BBHiII', 0, 0, 0, 1, 0, 0), (0, 0))
code = struct.unpack_from('i', server.recv(200), 16)[0]
if code: raise OSError(-code, os.strerror(-code))
keep('done')").as_root(),
    Attempt::new("kernel-events", Sign::Looted("bound"), "
server = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9); server.bind((0, 1)); keep('bound')").never_bare(),
    Attempt::new("rare-family", Sign::Looted("made"), "socket.socket(38, socket.SOCK_SEQPACKET); keep('made')").never_bare(),
    Attempt::new("send-a-descriptor", Sign::Heard, "
import array
os.chdir(SOCKETS); client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
client.sendmsg([WORD], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0]))], 0, 'datagram.sock')"),
    Attempt::new("tcp-to-a-port-bound-elsewhere", Sign::Heard, "
own = socket.socket(); own.bind(('127.0.0.2', TCP)); own.listen()
socket.create_connection(('127.0.0.1', TCP)).sendall(WORD)"),
    Attempt::new("tcp-to-a-port-bound-in-the-other-family", Sign::Heard, "
own = socket.socket(socket.AF_INET6); own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1); own.bind(('::1', TCP)); own.listen()
socket.create_connection(('127.0.0.1', TCP)).sendall(WORD)"),
    Attempt::new("tcp-fast-open-by-option", Sign::Heard, "
client = socket.socket(); client.setsockopt(socket.IPPROTO_TCP, 30, 1)
client.connect(('127.0.0.1', TCP)); client.sendall(WORD)"),
    Attempt::new("unix-socket-in-a-race", Sign::Heard, "
os.chdir(os.environ['TMPDIR']); own = socket.socket(socket.AF_UNIX); own.bind('own.sock'); own.listen(1000)
os.symlink('own.sock', 'a'); os.symlink(SOCKETS + '/stream.sock', 'b')
end = time.monotonic() + 0.3
if os.fork() == 0:
    while time.monotonic() < end: call('renameat2', -100, b'a', -100, b'b', 2)
    os._exit(0)
while time.monotonic() < end:
    client = socket.socket(socket.AF_UNIX); client.settimeout(1)
    try: client.connect('a'); client.sendall(WORD)
    except OSError: pass
os.wait()"),
    // In a network of its own it may listen to the whole of it.
    Attempt::new("listen-to-the-whole-machine", Sign::Looted("it listens"), "
server = socket.socket(); server.listen()
if server.getsockname()[0] == '0.0.0.0' and len(socket.if_nameindex()) > 1: keep('it listens')"),
    Attempt::new("listen-at-every-address", Sign::Looted("it listens"), "
server = socket.socket(); server.bind(('0.0.0.0', 0)); server.listen()
if server.getsockname()[0] == '0.0.0.0' and len(socket.if_nameindex()) > 1: keep('it listens')"),
];

super::in_every_tier!(ATTEMPTS);

/// For a task that is to have no network at all, not even one of its own.
const WITHOUT: &[Attempt] = &[
    Attempt::allowed("pair", "one, two = socket.socketpair(); one.sendall(b'it works'); keep(two.recv(20).decode())"),
    Attempt::new("tcp", Sign::Heard, "socket.create_connection(('127.0.0.1', TCP)).sendall(WORD)"),
    Attempt::new("udp", Sign::Heard, "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(WORD, ('127.0.0.1', UDP))"),
    Attempt::new("tcp-within", Sign::Looted("made"), "socket.create_server(('127.0.0.1', 0)); keep('made')"),
    Attempt::new("tcp-of-ipv6-within", Sign::Looted("made"), "socket.socket(socket.AF_INET6); keep('made')"),
    Attempt::new("udp-within", Sign::Looted("made"), "socket.socket(socket.AF_INET, socket.SOCK_DGRAM); keep('made')"),
];

#[test]
#[cfg_attr(any(without_bwrap, without_python3), ignore = "needs bubblewrap and python3")]
fn a_task_without_a_network_has_none_in_bubblewrap() {
    Assault::new(Tier::Bubblewrap, WITHOUT).network("none").run();
}

#[test]
#[cfg_attr(any(without_landlock, without_python3), ignore = "needs Landlock and python3")]
fn a_task_without_a_network_has_none_behind_the_helper_alone() {
    Assault::new(Tier::Helper, WITHOUT).network("none").run();
}
