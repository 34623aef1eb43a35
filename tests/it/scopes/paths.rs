//! Ways to a file that is not in the scope: by its name, by a link, by a handle, by the kernel's own names for it.

use tests::hostile::{Attempt, Sign};

pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::allowed("write-in-scope", "open(f'{TREE}/mine/fine', 'w').write('fine'); keep('it works')"),
    Attempt::allowed("rename-in-scope", "open('mine/from', 'w').close(); os.mkdir('mine/sub'); os.rename('mine/from', 'mine/sub/to'); keep('it works')"),
    Attempt::allowed("mode-in-scope", "open('mine/run', 'w').close(); os.chmod('mine/run', 0o755); os.utime('mine/run', (1, 1)); keep('it works')"),
    Attempt::allowed("link-in-scope", "os.symlink('.keep', 'mine/link-here'); os.link('mine/.keep', 'mine/same'); keep('it works')"),
    Attempt::allowed(
        "scratch-space",
        "path = os.environ['TMPDIR'] + '/scratch'; open(path, 'w').write('x'); keep('it works' if open(path).read() == 'x' else '')",
    ),
    Attempt::new("absolute", Sign::Victim, "open(VICTIM, 'w').write('harmed')"),
    Attempt::new("dot-dot", Sign::Victim, "open('mine' + '/..' * 30 + VICTIM, 'w').write('harmed')"),
    Attempt::new("shell-redirection", Sign::Victim, "sh('cd /; cd .; echo harmed >> \"$VICTIM\"')"),
    Attempt::new("link-to-file", Sign::Victim, "os.symlink(VICTIM, 'mine/link'); open('mine/link', 'w').write('harmed')"),
    Attempt::new(
        "link-to-folder",
        Sign::Victim,
        "os.symlink(os.path.dirname(VICTIM), 'mine/folder'); open('mine/folder/' + NAME, 'w').write('harmed')",
    ),
    Attempt::new("link-committed-before", Sign::Victim, "open('mine/before/' + NAME, 'w').write('harmed')"),
    Attempt::new(
        "link-in-a-race",
        Sign::Victim,
        "
os.mkdir('mine/race'); least = time.monotonic() + 0.2; end = least + 20
racer = os.fork()
if racer == 0:
    while time.monotonic() < end:
        os.symlink(os.path.dirname(VICTIM), 'mine/race/x'); os.unlink('mine/race/x'); os.mkdir('mine/race/x'); os.rmdir('mine/race/x')
    os._exit(0)
refused = 'not once'
# A busy machine runs the two one after the other for a while: they go on until they have met.
while time.monotonic() < (end if refused == 'not once' else least):
    try: open(f'mine/race/x/{NAME}', 'r+').write('harmed'); refused = ''
    except (FileNotFoundError, NotADirectoryError): pass
    except OSError as error: refused = error
os.kill(racer, 9); os.wait()
if refused: raise Refused(refused)",
    ),
    Attempt::new("hard-link", Sign::Victim, "os.link(VICTIM, 'mine/hard'); open('mine/hard', 'w').write('harmed')"),
    Attempt::new("hard-link-alone", Sign::Looted("linked"), "os.link(VICTIM, 'mine/hard-alone'); keep('linked')"),
    Attempt::new("hard-link-out", Sign::Appears("$VICTIM.new"), "os.link('mine/.keep', VICTIM + '.new')"),
    Attempt::new("proc-self-root", Sign::Victim, "open('/proc/self/root' + VICTIM, 'w').write('harmed')"),
    Attempt::new("proc-self-cwd", Sign::Victim, "open('/proc/self/cwd' + '/..' * 30 + VICTIM, 'w').write('harmed')"),
    Attempt::new("proc-parent-root", Sign::Victim, "open(f'/proc/{os.getppid()}/root{VICTIM}', 'w').write('harmed')"),
    Attempt::new("proc-bystander-root", Sign::Victim, "open(f'/proc/{PID}/root{VICTIM}', 'w').write('harmed')"),
    Attempt::new("proc-harness-root", Sign::Victim, "open(f'/proc/{HARNESS}/root{VICTIM}', 'w').write('harmed')"),
    Attempt::new("proc-harness-cwd", Sign::Appears("$CHECKOUT/new-$NAME"), "open(f'/proc/{HARNESS}/cwd/new-{NAME}', 'w').close()"),
    Attempt::new("rename-out", Sign::Victim, "open('mine/out', 'w').write('harmed'); os.rename('mine/out', VICTIM)"),
    Attempt::new("rename-in", Sign::Victim, "os.rename(VICTIM, 'mine/in')"),
    Attempt::new("rename-exchange", Sign::Victim, "
open('mine/swap', 'w').write('harmed')
call('renameat2', -100, b'mine/swap', -100, VICTIM.encode(), 2)"),
    Attempt::new("unlink", Sign::Victim, "os.unlink(VICTIM)"),
    Attempt::new("truncate", Sign::Victim, "os.truncate(VICTIM, 0)"),
    Attempt::new("reopen-for-writing", Sign::Victim, "
fd = os.open(VICTIM, os.O_RDONLY)
os.write(os.open(f'/proc/self/fd/{fd}', os.O_WRONLY), b'harmed')"),
    Attempt::new("reopen-a-path", Sign::Victim, "
fd = os.open(VICTIM, os.O_PATH)
os.write(os.open(f'/proc/self/fd/{fd}', os.O_WRONLY), b'harmed')"),
    Attempt::new(
        "link-nameless-file-out",
        Sign::Appears("$VICTIM.new"),
        "
fd = os.open('mine', os.O_TMPFILE | os.O_RDWR)
call('linkat', -100, b'/proc/self/fd/%d' % fd, -100, (VICTIM + '.new').encode(), 0x400)",
    ),
    Attempt::new("open-by-handle", Sign::Victim, "
handle = ctypes.create_string_buffer(struct.pack('Ii', 128, 0), 136); mount = ctypes.c_int()
call('name_to_handle_at', -100, VICTIM.encode(), handle, ctypes.byref(mount), 0)
os.write(call('open_by_handle_at', os.open(os.path.dirname(VICTIM), os.O_RDONLY), handle, os.O_WRONLY), b'harmed')").as_root(),
    Attempt::new("make-folder", Sign::Appears("$VICTIM.new"), "os.mkdir(VICTIM + '.new')"),
    Attempt::new("make-pipe", Sign::Appears("$VICTIM.new"), "os.mkfifo(VICTIM + '.new')"),
    Attempt::new("make-link", Sign::Appears("$VICTIM.new"), "os.symlink('/', VICTIM + '.new')"),
    Attempt::new("shared-memory", Sign::Appears("$SHARED/new"), "open(SHARED + '/new', 'w').close()"),
    Attempt::new("own-record", Sign::Looted("opened"), "open('../owner.json', 'r+'); keep('opened')"),
    Attempt::new("own-index", Sign::Looted("opened"), "open('../index', 'r+'); keep('opened')"),
    Attempt::new("own-mark", Sign::Looted("made"), "open('../planted', 'w').close(); keep('made' if is_on_disk('../planted') else 'in memory')"),
    Attempt::new("other-runs-files", Sign::Appears("$OTHER_RUN/new"), "open(OTHER_RUN + '/new', 'w').close()"),
    Attempt::new("neighbours-files", Sign::Appears("$NEIGHBOUR/new"), "open(NEIGHBOUR + '/new', 'w').close()"),
    Attempt::new("the-persons-files", Sign::Appears("$CHECKOUT/new"), "open(CHECKOUT + '/new', 'w').close()"),
];

super::in_every_tier!(ATTEMPTS);
