//! What the harness and its helper say to each other: one JSON text a packet, over a pair of sockets that keep packets apart.
//!
//! The two are always the same binary, so there is no version here.

use std::{
    fs::File,
    io::{self, IoSlice, IoSliceMut, Seek as _, Write as _},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
};

use rustix::{
    fs::{MemfdFlags, memfd_create},
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
        recvmsg, sendmsg,
    },
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
    /// So many had to be ended; and whether nothing of the command runs any more.
    Gone { ended: usize, all: bool },
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum End {
    Code(i32),
    Signal(i32),
    /// By the helper: a limit was passed.
    Limit(String),
}

/// A longer text goes into a file in memory that is sent along: the kernel limits a packet to about 200 KB.
const LONGEST: usize = 64 << 10;
/// Before a text in the packet.
const HERE: u8 = b'h';
/// In place of a text that comes as a file.
const FILE: u8 = b'f';

/// A packet with at most one descriptor.
pub(super) fn send(socket: impl AsFd, message: &impl Serialize, descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let text = serde_json::to_vec(message)?;
    if text.len() <= LONGEST {
        return send_bytes(socket, &[IoSlice::new(&[HERE]), IoSlice::new(&text)], descriptor.as_slice());
    }
    let mut file = File::from(memfd_create("message", MemfdFlags::CLOEXEC)?);
    file.write_all(&text)?;
    let descriptors: Vec<BorrowedFd<'_>> = std::iter::once(file.as_fd()).chain(descriptor).collect();
    send_bytes(socket, &[IoSlice::new(&[FILE])], &descriptors)
}

fn send_bytes(socket: impl AsFd, text: &[IoSlice<'_>], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    sendmsg(socket, text, &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The next packet; none at the end.
pub(super) fn receive<M: DeserializeOwned>(socket: impl AsFd) -> io::Result<Option<(M, Option<OwnedFd>)>> {
    let mut buffer = vec![0; LONGEST + 1];
    let (length, descriptors) = receive_bytes(socket, &mut buffer)?;
    let mut descriptors = descriptors.into_iter();
    let message = match buffer.get(..length).and_then(<[u8]>::split_first) {
        None => return Ok(None),
        Some((&FILE, _)) => {
            let mut file =
                File::from(descriptors.next().ok_or_else(|| io::Error::other("a long message came without its text"))?);
            file.rewind()?;
            serde_json::from_reader(io::BufReader::new(file))?
        }
        Some((_, text)) => serde_json::from_slice(text)?,
    };
    Ok(Some((message, descriptors.next())))
}

fn receive_bytes(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    if received.flags.contains(ReturnFlags::TRUNC) {
        return Err(io::Error::other("a packet is longer than this program ever sends"));
    }
    let descriptors = control.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => descriptors.collect(),
        _ => Vec::new(),
    });
    Ok((received.bytes, descriptors.collect()))
}

/// Sends a bare descriptor.
pub(super) fn pass(socket: impl AsFd, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    send_bytes(socket, &[IoSlice::new(b"d")], &[descriptor])
}

/// Takes a bare descriptor; none if nobody sent one.
pub(super) fn take(socket: impl AsFd) -> io::Result<Option<OwnedFd>> {
    receive_bytes(socket, &mut [0; 8]).map(|(_, descriptors)| descriptors.into_iter().next())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    #[test]
    fn a_packet_arrives_whole_with_its_descriptor_and_the_end_is_told() {
        let (here, there) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        let file = File::open("/dev/zero").unwrap();
        let env = vec![(vec![b'v'; 20], vec![7; 8]); 2000];
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
