//! seccomp: system calls that no build and no test needs, or that reach around the other lines.
//!
//! Three filters lie over each other, and the strictest answer wins: calls that fail with "not permitted", calls that fail as if the kernel
//! did not know them (so that programs take an older way that can be looked at), and calls that the helper is asked about.
//!
//! **Invariant:** a number of another architecture ends the process, one of the x32 kind fails.
//!
//! Why a list of what is forbidden, and not of what is allowed? Compilers and test suites of the coming years use calls that nobody
//! here knows. What can reach outside is few and known; files are Landlock's and the mounts'.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{FromRawFd as _, OwnedFd},
    sync::Arc,
};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, apply_filter,
    sock_filter,
};
use shared::Network;

use crate::sandbox::{Policy, Tier};

/// Calls that fail with "not permitted", whatever their arguments.
const FORBIDDEN: &[i64] = &[
    // Namespaces and mounts.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_mount_setattr,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_perf_event_open,
    // The kernel.
    libc::SYS_bpf,
    libc::SYS_userfaultfd,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_syslog,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    libc::SYS_fanotify_init,
    libc::SYS_open_by_handle_at,
    // Keyrings outlive processes.
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
];

/// Calls that fail as if the kernel did not know them: what they do can be done in ways that the filters see.
const UNKNOWN: &[i64] = &[libc::SYS_clone3, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];

/// `ioctl`s that put characters into a terminal's input or change a file's attributes.
const IOCTLS: &[u64] = &[0x5412, 0x541C, 0x4008_6602, 0x401C_5820];

/// Without namespaces: attributes that no file rule sees.
const ATTRIBUTES: &[i64] = &[
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
];

/// Without namespaces: memory and queues that all processes of a user share.
const SHARED: &[i64] = &[libc::SYS_shmget, libc::SYS_msgget, libc::SYS_semget, libc::SYS_mq_open, libc::SYS_mq_unlink];

/// Without namespaces: calls about limits, priorities and places of any process, with the argument that says of which.
const OF_OTHERS: &[(i64, u8)] = &[
    (libc::SYS_prlimit64, 0),
    (libc::SYS_setpriority, 1),
    (libc::SYS_ioprio_set, 1),
    (libc::SYS_sched_setaffinity, 0),
    (libc::SYS_sched_setscheduler, 0),
    (libc::SYS_sched_setparam, 0),
    (libc::SYS_sched_setattr, 0),
    (libc::SYS_migrate_pages, 0),
    (libc::SYS_move_pages, 0),
];

/// Without namespaces: calls with paths that no rule sees. There are older ones that are looked at, or programs do without.
const UNSEEN: &[i64] = &[
    FCHMODAT2,
    libc::SYS_inotify_add_watch,
    libc::SYS_getxattr,
    libc::SYS_lgetxattr,
    libc::SYS_listxattr,
    libc::SYS_llistxattr,
    // `setxattrat`, `getxattrat`, `listxattrat`, `removexattrat`, `file_getattr`, `file_setattr`.
    463,
    464,
    465,
    466,
    468,
    469,
];

/// `fchmodat2`: the older call does the same and is looked at.
const FCHMODAT2: i64 = 452;

/// The filters of one policy. Clones are the same.
#[derive(Clone)]
pub(super) struct Filters {
    plain: Arc<[BpfProgram]>,
    ask: Option<Arc<BpfProgram>>,
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

impl Filters {
    pub(super) fn of(tier: Tier, policy: &Policy) -> Result<Self, String> {
        let alone = tier != Tier::Bubblewrap;
        let plain = [
            program(forbidden(alone, policy.network), SeccompAction::Errno(errno(libc::EPERM)))?,
            program(unknown(alone), SeccompAction::Errno(errno(libc::ENOSYS)))?,
        ];
        let ask = if alone { Some(Arc::new(questions(program(asked(), SeccompAction::Trace(0))?))) } else { None };
        Ok(Self { plain: Arc::new(plain), ask })
    }

    /// Whether the helper is asked about some calls.
    pub(super) fn ask(&self) -> bool {
        self.ask.is_some()
    }

    /// In the child, last. Returns the descriptor by which the helper is asked.
    pub(super) fn take_on(&self) -> io::Result<Option<OwnedFd>> {
        // The questions come first: the others forbid nothing that is needed for them, but nothing is to slip through between.
        let listener = self.ask.as_deref().map(listen).transpose()?;
        for program in &*self.plain {
            apply_filter(program).map_err(|_| io::Error::last_os_error())?;
        }
        Ok(listener)
    }
}

fn errno(number: i32) -> u32 {
    number.unsigned_abs()
}

fn program(rules: Rules, action: SeccompAction) -> Result<BpfProgram, String> {
    let arch = std::env::consts::ARCH.try_into().map_err(|error| format!("seccomp: {error}"))?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch);
    let program: BpfProgram = filter.and_then(TryInto::try_into).map_err(|error| format!("seccomp: {error}"))?;
    Ok(without_x32(program))
}

/// On `x86_64` the same calls have a second set of numbers, for which no rule is written: they fail.
fn without_x32(program: BpfProgram) -> BpfProgram {
    if !cfg!(target_arch = "x86_64") {
        return program;
    }
    let instruction = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    let mut all = vec![
        // Load the number; if it is at least 2^30, and not -1, fail.
        instruction(0x20, 0, 0, 0),
        instruction(0x35, 0, 2, 0x4000_0000),
        instruction(0x15, 1, 0, u32::MAX),
        instruction(0x06, 0, 0, 0x0005_0000 | errno(libc::ENOSYS)),
    ];
    all.extend(program);
    all
}

/// Makes a program that would tell a tracer one that asks a supervisor. The crate knows no such action.
fn questions(mut program: BpfProgram) -> BpfProgram {
    const RETURN: u16 = 0x06;
    const TRACE: u32 = 0x7ff0_0000;
    const ASK: u32 = 0x7fc0_0000;
    for instruction in program.iter_mut().filter(|instruction| instruction.code == RETURN && instruction.k == TRACE) {
        instruction.k = ASK;
    }
    program
}

fn listen(program: &BpfProgram) -> io::Result<OwnedFd> {
    const NEW_LISTENER: libc::c_ulong = 1 << 3;
    // A signal that arrives while the helper is at it does not make the call fail: few programs expect that of these calls.
    const WAIT_KILLABLE: libc::c_ulong = 1 << 5;
    let len = u16::try_from(program.len()).map_err(io::Error::other)?;
    let whole = libc::sock_fprog { len, filter: program.as_ptr().cast_mut().cast() };
    // SAFETY: the kernel copies the program, which lives until the call returns, and writes nothing.
    #[expect(unsafe_code, reason = "no crate here installs a filter that asks")]
    let descriptor = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, NEW_LISTENER | WAIT_KILLABLE, &raw const whole)
    };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    let descriptor = i32::try_from(descriptor).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor for us.
    #[expect(unsafe_code, reason = "a number becomes a descriptor that is closed")]
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn condition(argument: u8, op: SeccompCmpOp, value: u64) -> SeccompCondition {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, op, value).expect("a call has six arguments")
}

fn when(conditions: Vec<SeccompCondition>) -> SeccompRule {
    SeccompRule::new(conditions).expect("there is a condition")
}

fn forbidden(alone: bool, network: Network) -> Rules {
    let mut rules: Rules = FORBIDDEN.iter().map(|&call| (call, Vec::new())).collect();
    let namespaces = (0..32).map(|bit| 1_u64 << bit).filter(|bit| bit & 0x7e02_0000 != 0);
    rules.insert(libc::SYS_clone, namespaces.map(|bit| when(vec![condition(0, SeccompCmpOp::MaskedEq(bit), bit)])).collect());
    rules.insert(libc::SYS_ioctl, IOCTLS.iter().map(|&ioctl| when(vec![condition(1, SeccompCmpOp::Eq, ioctl)])).collect());
    rules.insert(libc::SYS_socket, sockets(alone, network));
    // A program that runs as its owner, whoever starts it, outlives every rule here.
    let set_user = |argument| vec![when(vec![condition(argument, SeccompCmpOp::MaskedEq(0o4000), 0o4000)])];
    rules.extend([(libc::SYS_fchmod, set_user(1)), (libc::SYS_fchmodat, set_user(2)), (FCHMODAT2, set_user(2))]);
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_chmod, set_user(1));
    if alone {
        rules.extend(ATTRIBUTES.iter().chain(SHARED).map(|&call| (call, Vec::new())));
        // Limits and priorities of other processes; one's own are number 0.
        let of_others = |argument| vec![when(vec![condition(argument, SeccompCmpOp::Ne, 0)])];
        // A priority of a group or of all processes of a user.
        let of_many = when(vec![condition(0, SeccompCmpOp::Ne, 0)]);
        rules.extend(OF_OTHERS.iter().map(|&(call, argument)| (call, of_others(argument))));
        // A pair of datagram sockets can send to any path; a connection can be opened by sending.
        rules.insert(libc::SYS_socketpair, UNCONNECTED.map(|kind| when(vec![kind_is(kind)])).into());
        let opens = |argument| {
            let flag = u64::from(libc::MSG_FASTOPEN.unsigned_abs());
            vec![when(vec![condition(argument, SeccompCmpOp::MaskedEq(flag), flag)])]
        };
        rules.entry(libc::SYS_setpriority).or_default().push(of_many);
        rules.insert(libc::SYS_setsockopt, options());
        rules.extend([(libc::SYS_sendto, opens(3)), (libc::SYS_sendmsg, opens(2)), (libc::SYS_sendmmsg, opens(3))]);
    }
    rules
}

/// Options of sockets that make an address which was looked at mean another one: to connect when something is sent, and to listen where
/// somebody listens already.
fn options() -> Vec<SeccompRule> {
    const CONNECT_LATER: (i32, i32) = (libc::IPPROTO_TCP, 30);
    const SHARE_A_PORT: (i32, i32) = (libc::SOL_SOCKET, libc::SO_REUSEPORT);
    let is = |argument, value: i32| condition(argument, SeccompCmpOp::Eq, value.unsigned_abs().into());
    [CONNECT_LATER, SHARE_A_PORT].map(|(level, name)| when(vec![is(1, level), is(2, name)])).into()
}

/// The kinds of sockets that are not to be had.
fn sockets(alone: bool, network: Network) -> Vec<SeccompRule> {
    let [unix, inet, inet6, netlink] =
        [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK].map(|f| u64::from(f.unsigned_abs()));
    let not = |family| condition(0, SeccompCmpOp::Ne, family);
    let is = |family| condition(0, SeccompCmpOp::Eq, family);
    let mut rules = vec![when(vec![not(unix), not(inet), not(inet6), not(netlink)])];
    // Of netlink only routes, which are how addresses are listed.
    rules.push(when(vec![is(netlink), condition(2, SeccompCmpOp::Ne, 0)]));
    for family in [inet, inet6] {
        if network == Network::None {
            rules.push(when(vec![is(family)]));
        } else if alone && network == Network::Loopback {
            rules.extend(other_than_tcp(&is, family));
        }
    }
    if alone {
        rules.extend(UNCONNECTED.map(|kind| when(vec![is(unix), kind_is(kind)])));
    }
    rules
}

/// Kinds of sockets that send without being connected. A raw one of a path is one of datagrams, too.
const UNCONNECTED: [i32; 4] = [libc::SOCK_DGRAM, libc::SOCK_RAW, libc::SOCK_RDM, libc::SOCK_DCCP];

fn kind_is(kind: i32) -> SeccompCondition {
    condition(1, SeccompCmpOp::MaskedEq(0xf), kind.unsigned_abs().into())
}

/// Of an internet family everything but streams of TCP: only they have to be connected before anything is sent.
fn other_than_tcp(is: &impl Fn(u64) -> SeccompCondition, family: u64) -> Vec<SeccompRule> {
    let kinds = UNCONNECTED.into_iter().chain([libc::SOCK_SEQPACKET]);
    let by_kind = kinds.map(|kind| when(vec![is(family), kind_is(kind)]));
    let tcp = u64::from(libc::IPPROTO_TCP.unsigned_abs());
    let by_protocol = when(vec![is(family), condition(2, SeccompCmpOp::Ne, 0), condition(2, SeccompCmpOp::Ne, tcp)]);
    by_kind.chain([by_protocol]).collect()
}

fn unknown(alone: bool) -> Rules {
    let alone = if alone { UNSEEN } else { &[] };
    UNKNOWN.iter().chain(alone).map(|&call| (call, Vec::new())).collect()
}

/// The calls that the helper is asked about. Not forks: a signal to a parent that waits for an answer makes them fail, and shells get one
/// for every child that ends.
fn asked() -> Rules {
    let mut calls = vec![libc::SYS_connect, libc::SYS_bind, libc::SYS_listen, libc::SYS_fchmod, libc::SYS_fchmodat];
    calls.extend([libc::SYS_fchown, libc::SYS_fchownat, libc::SYS_utimensat]);
    #[cfg(target_arch = "x86_64")]
    calls.extend([libc::SYS_chmod, libc::SYS_chown, libc::SYS_lchown, libc::SYS_utime, libc::SYS_utimes, libc::SYS_futimesat]);
    calls.into_iter().map(|call| (call, Vec::new())).collect()
}
