//! Servers on the machine itself that no command may reach. They listen and answer nobody.

use std::{
    io::Read,
    net::{Ipv4Addr, TcpListener, UdpSocket},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram, UnixListener},
    },
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use crate::eventually;

/// All that was heard, by any of them.
type Heard = Arc<Mutex<String>>;

/// Whoever connects and says nothing is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// One server a kind of socket.
pub(super) struct Servers {
    heard: Heard,
    pub(super) tcp_port: u16,
    pub(super) udp_port: u16,
    /// Of a name that is no path, without the zero byte.
    pub(super) abstract_name: String,
}

impl Servers {
    /// Starts them; the ones with a path at `stream.sock` and `datagram.sock` in this folder. They listen as long as the process lives.
    pub(super) fn start(folder: &Path) -> Self {
        let heard = Heard::default();
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let tcp_port = tcp.local_addr().expect("it is bound").port();
        let udp_port = udp.local_addr().expect("it is bound").port();
        let abstract_name = format!("inspan-test-{tcp_port}-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&abstract_name).expect("it is short");
        let named = UnixListener::bind(folder.join("stream.sock")).expect("the path is free");
        let unnamed = UnixListener::bind_addr(&address).expect("the name is free");
        let datagram = UnixDatagram::bind(folder.join("datagram.sock")).expect("the path is free");
        serve(&heard, move || tcp.accept().map(|(stream, _)| (stream.set_read_timeout(Some(PATIENCE)), stream).1));
        for listener in [named, unnamed] {
            serve(&heard, move || listener.accept().map(|(stream, _)| (stream.set_read_timeout(Some(PATIENCE)), stream).1));
        }
        listen(&heard, move |piece| udp.recv(piece));
        listen(&heard, move |piece| datagram.recv(piece));
        Self { heard, tcp_port, udp_port, abstract_name }
    }

    /// Whether anybody said this. A message that was sent may still be on its way: `is_sent` says that one waits for it.
    pub(super) fn heard(&self, text: &str, is_sent: bool) -> bool {
        let look = || self.heard.lock().unwrap_or_else(PoisonError::into_inner).contains(text);
        if is_sent { eventually(|| look().then_some(())).is_some() } else { look() }
    }
}

fn note(heard: &Heard, text: &[u8]) {
    heard.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(text));
}

fn serve<S: Read + Send + 'static>(heard: &Heard, accept: impl Fn() -> std::io::Result<S> + Send + 'static) {
    let heard = heard.clone();
    thread::spawn(move || {
        while let Ok(mut stream) = accept() {
            let heard = heard.clone();
            thread::spawn(move || {
                let mut piece = [0; 256];
                note(&heard, b" connection ");
                while let Ok(read @ 1..) = stream.read(&mut piece) {
                    note(&heard, &piece[..read]);
                }
            });
        }
    });
}

fn listen(heard: &Heard, receive: impl Fn(&mut [u8]) -> std::io::Result<usize> + Send + 'static) {
    let heard = heard.clone();
    thread::spawn(move || {
        let mut piece = [0; 256];
        while let Ok(read) = receive(&mut piece) {
            note(&heard, &piece[..read]);
        }
    });
}
