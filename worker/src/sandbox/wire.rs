//! What the harness and its helper say to each other: one JSON text a packet, over a pair of sockets that keep packets apart.
//!
//! The two are always the same binary, so there is no version here.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Policy, Tier};

/// What the harness asks for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// First: what the session's commands may do.
    Open { tier: Tier, policy: Box<Policy> },
    /// Runs a command; its output goes to the descriptor that comes with it.
    Run { command: String, cwd: PathBuf, env: Vec<(Vec<u8>, Vec<u8>)> },
    /// Asks all processes of the command to end.
    Terminate,
    /// Ends them, and says when none is left.
    Kill,
}

/// What the helper answers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The policy holds from now on. `about` says what it rests on.
    Ready { about: String },
    /// It cannot be made to hold.
    Refused { why: String },
    /// The command could not be started.
    NotStarted { why: String },
    /// The command's first process has ended; `others` still run.
    Ended { end: End, others: usize },
    /// Nothing of the command runs any more; so many had to be ended.
    Gone { ended: usize },
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum End {
    Code(i32),
    Signal(i32),
    /// By the helper: a limit was passed.
    Limit(String),
}

/// The longest packet: a policy with many folders, an environment.
const LONGEST: usize = 1 << 20;

/// A packet with at most one descriptor.
pub(super) fn send(socket: impl AsFd, message: &impl Serialize, descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let text = serde_json::to_vec(message)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = descriptor.map(|descriptor| [descriptor]);
    if let Some(descriptors) = &descriptors {
        control.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    sendmsg(socket, &[IoSlice::new(&text)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The next packet; none at the end.
pub(super) fn receive<M: DeserializeOwned>(socket: impl AsFd) -> io::Result<Option<(M, Option<OwnedFd>)>> {
    let mut buffer = vec![0; LONGEST];
    let (length, descriptor) = receive_bytes(socket, &mut buffer)?;
    if length == 0 {
        return Ok(None);
    }
    Ok(Some((serde_json::from_slice(&buffer[..length])?, descriptor)))
}

fn receive_bytes(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    if received.flags.contains(ReturnFlags::TRUNC) {
        return Err(io::Error::other("a packet is longer than this program ever sends"));
    }
    let descriptor = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    Ok((received.bytes, descriptor))
}

/// Sends a bare descriptor.
pub(super) fn pass(socket: impl AsFd, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor];
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(socket, &[IoSlice::new(b"d")], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Takes a bare descriptor; none if nobody sent one.
pub(super) fn take(socket: impl AsFd) -> io::Result<Option<OwnedFd>> {
    receive_bytes(socket, &mut [0; 8]).map(|(_, descriptor)| descriptor)
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Read as _};

    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    #[test]
    fn a_packet_arrives_whole_with_its_descriptor_and_the_end_is_told() {
        let (here, there) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        let file = File::open("/dev/zero").unwrap();
        let env = (0..2000).map(|n| (vec![b'v'; 20], vec![n as u8; 8])).collect();
        send(&here, &Order::Run { command: "true".to_owned(), cwd: "/".into(), env }, Some(file.as_fd())).unwrap();
        let (order, descriptor) = receive::<Order>(&there).unwrap().unwrap();
        assert!(matches!(order, Order::Run { env, .. } if env.len() == 2000));
        let mut byte = [1];
        File::from(descriptor.unwrap()).read_exact(&mut byte).unwrap();
        assert_eq!(byte, [0]);
        drop(here);
        assert!(receive::<Order>(&there).unwrap().is_none());
    }
}
