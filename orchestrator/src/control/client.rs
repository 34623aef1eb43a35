//! The ordering end: what a command of another terminal says to the process that carries a run.

use std::{io, path::Path, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
    time::{sleep, timeout},
};

use super::{
    order::{Order, Reply, read_reply, write_order},
    place::Place,
    server::LONGEST,
};

/// How long an answer may take. The process may be at something long; then the order may still be carried out.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often somebody who is busy is asked again: longer than whoever says nothing is listened to.
const TRIES: u32 = 60;
const BREATH: Duration = Duration::from_millis(100);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// There is no socket, or nobody behind it: nothing was done.
    #[error("nobody listens at its control socket: {0}")]
    NobodyListens(#[source] io::Error),
    /// The order was said, and what became of it is unknown.
    #[error("no answer came: {0}")]
    Lost(String),
}

/// Sends an order to the process that carries the run in this folder.
pub async fn send(folder: &Path, order: &Order) -> Result<Reply, NoAnswer> {
    for _ in 0..TRIES {
        let mut stream = connect(folder).await.map_err(NoAnswer::NobodyListens)?;
        let answered = timeout(PATIENCE, talk(&mut stream, order)).await;
        match answered.map_err(|_| NoAnswer::Lost(format!("it has not answered for {} s", PATIENCE.as_secs())))? {
            Ok(Some(reply)) => return Ok(reply),
            Ok(None) => sleep(BREATH).await,
            Err(why) => return Err(NoAnswer::Lost(why)),
        }
    }
    Err(NoAnswer::NobodyListens(io::Error::other("too many are before this command")))
}

/// Says the order and hears the reply: none where it was not even taken.
async fn talk(stream: &mut UnixStream, order: &Order) -> Result<Option<Reply>, String> {
    let line = write_order(order) + "\n";
    // Who is busy hangs up without listening, but not without a word.
    let written = stream.write_all(line.as_bytes()).await;
    let mut said = Vec::new();
    let heard = BufReader::new(stream.take(64 * LONGEST)).read_until(b'\n', &mut said).await;
    if said.is_empty() {
        written.and(heard.map(drop)).map_err(|error| error.to_string())?;
        return Err("it hung up".to_owned());
    }
    read_reply(&said)
}

async fn connect(folder: &Path) -> io::Result<UnixStream> {
    Place::of(folder)?.connect().await
}
