//! A server of few words: it answers each connection with the next of its scripts.
//!
//! Raw TCP rather than an HTTP library, for servers that misbehave are what is wanted.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};

/// What is done with one connection.
#[derive(Clone)]
pub(super) enum Play {
    /// Sends the bytes, then closes.
    Send(String),
    /// Sends the bytes, then stays silent until the client is gone.
    Stall(String),
    /// Sends bytes that are no text, in pieces of so many, then closes.
    Pieces(Vec<u8>, usize),
    /// Sends the first text, then the second at these intervals until the client is gone.
    Drip(String, &'static str, Duration),
}

/// A whole response.
pub(super) fn response(status: u16, headers: &str, body: &str) -> Play {
    Play::Send(format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()))
}

/// A stream that ends, or is cut, with the connection.
pub(super) fn stream(body: &str) -> Play {
    Play::Send(stream_text(body))
}

pub(super) fn stream_text(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n{body}")
}

/// Serves the plays in order on a port of its own; ends with the requests that it got.
pub(super) async fn serve(plays: Vec<Play>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let mut requests = Vec::new();
        for play in plays {
            let (mut connection, _) = listener.accept().await.unwrap();
            requests.push(request(&mut connection).await);
            answer(&mut connection, play).await;
        }
        requests
    });
    (url, served)
}

async fn request(connection: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0_usize) {
                return text;
            }
        }
        assert_ne!(connection.read_buf(&mut bytes).await.unwrap(), 0, "the client left in the middle of its request");
    }
}

async fn answer(connection: &mut TcpStream, play: Play) {
    match play {
        // The client may have heard enough.
        Play::Send(text) => drop(connection.write_all(text.as_bytes()).await),
        Play::Stall(text) => {
            connection.write_all(text.as_bytes()).await.unwrap();
            let _ = connection.read(&mut [0]).await;
        }
        Play::Pieces(bytes, size) => {
            for piece in bytes.chunks(size) {
                connection.write_all(piece).await.unwrap();
                connection.flush().await.unwrap();
                tokio::task::yield_now().await;
            }
        }
        Play::Drip(text, drop, interval) => {
            connection.write_all(text.as_bytes()).await.unwrap();
            while connection.write_all(drop.as_bytes()).await.is_ok() {
                sleep(interval).await;
            }
        }
    }
}
