//! The listening end: one line in, one line out, for so many at a time and for so long.
//!
//! **Invariant:** whoever sends nothing, garbage, half a line or too much, or reads nothing, is let go in time and holds up nobody but
//! themselves. **Invariant:** an order that was taken is answered, also when the run ends with it.

use std::{future::Future, io, path::Path, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    order::{Order, Refused, Reply, read_order, write_busy, write_reply},
    place::{Place, may_order},
};

/// The longest line, in bytes.
pub(super) const LONGEST: u64 = 256 << 10;
/// How many are listened to at once. Whoever comes beyond is let go; a command tries again.
const AT_ONCE: usize = 16;
/// How long a line may take, either way.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long nobody is taken after taking somebody has failed: there may be no file left for it.
const BREATH: Duration = Duration::from_millis(100);

/// A socket that is open. Dropped without [`Open::close`], it stays for the next process to replace.
pub struct Open {
    place: Place,
    closing: CancellationToken,
    connections: TaskTracker,
}

/// Opens the socket of the run in this folder, and has each order answered. The run goes on without one where that cannot be.
pub fn open<F, A>(folder: &Path, answer: F) -> io::Result<Open>
where
    F: Fn(Order) -> A + Send + Sync + 'static,
    A: Future<Output = Reply> + Send + 'static,
{
    let place = Place::of(folder)?;
    let listener = UnixListener::from_std(place.listen()?)?;
    let (closing, connections) = (CancellationToken::new(), TaskTracker::new());
    let desk = Arc::new(Desk { answer, closing: closing.clone() });
    connections.spawn(listen(listener, desk, connections.clone()));
    Ok(Open { place, closing, connections })
}

impl Open {
    /// Takes the socket away, lets those go who have ordered nothing, and waits until the others are answered.
    pub async fn close(self) {
        if let Err(error) = self.place.remove() {
            tracing::warn!(%error, "the control socket could not be removed; the next process replaces it");
        }
        self.closing.cancel();
        self.connections.close();
        // Who does not read its answer is not waited for any longer.
        let _ = timeout(PATIENCE, self.connections.wait()).await;
    }
}

struct Desk<F> {
    answer: F,
    closing: CancellationToken,
}

async fn listen<F, A>(listener: UnixListener, desk: Arc<Desk<F>>, connections: TaskTracker)
where
    F: Fn(Order) -> A + Send + Sync + 'static,
    A: Future<Output = Reply> + Send + 'static,
{
    let seats = Arc::new(Semaphore::new(AT_ONCE));
    let closing = desk.closing.clone();
    while let Some(taken) = closing.run_until_cancelled(listener.accept()).await {
        match taken {
            Ok((stream, _)) => {
                let Ok(seat) = seats.clone().try_acquire_owned() else {
                    // Who cannot even take this has its answer when it is hung up on.
                    let _ = stream.try_write((write_busy() + "\n").as_bytes());
                    continue;
                };
                let desk = desk.clone();
                connections.spawn(async move {
                    let _seat = seat;
                    // Somebody who goes away in the middle is no fault of the run.
                    let _ = desk.attend(stream).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "nobody can be taken at the control socket");
                closing.run_until_cancelled(sleep(BREATH)).await;
            }
        }
    }
}

impl<F, A> Desk<F>
where
    F: Fn(Order) -> A + Send + Sync,
    A: Future<Output = Reply> + Send + 'static,
{
    async fn attend(&self, mut stream: UnixStream) -> io::Result<()> {
        if !may_order(stream.peer_cred()?.uid(), rustix::process::geteuid().as_raw()) {
            return Ok(());
        }
        let heard = self.closing.run_until_cancelled(timeout(PATIENCE, line(&mut stream))).await;
        let Some(Ok(Ok(line))) = heard else { return Ok(()) };
        let reply = match whole(&line).and_then(read_order) {
            Ok(order) => (self.answer)(order).await,
            Err(refused) => Err(refused),
        };
        let reply = write_reply(&reply) + "\n";
        timeout(PATIENCE, stream.write_all(reply.as_bytes())).await?
    }
}

async fn line(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    BufReader::new(stream.take(LONGEST)).read_until(b'\n', &mut line).await?;
    Ok(line)
}

/// A line that has its end: half an order is none.
fn whole(line: &[u8]) -> Result<&[u8], Refused> {
    let cut = || Refused {
        what: format!("an order came without its end, or is longer than {LONGEST} bytes; nothing was done"),
        hint: String::new(),
    };
    line.strip_suffix(b"\n").ok_or_else(cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{NoAnswer, send};

    fn opened(folder: &Path) -> Open {
        open(folder, |order| async move { Ok(format!("{order:?}")) }).unwrap()
    }

    async fn says(folder: &Path, bytes: &[u8]) -> String {
        let mut stream = Place::of(folder).unwrap().connect().await.unwrap();
        // Somebody who is let go before all is said cannot say the rest.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut text = Vec::new();
        let _ = BufReader::new(stream).read_until(b'\n', &mut text).await;
        String::from_utf8(text).unwrap()
    }

    #[tokio::test]
    async fn an_order_is_answered_and_garbage_is_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let open = opened(folder.path());
        assert_eq!(send(folder.path(), &Order::Pause).await.unwrap(), Ok("Pause".to_owned()));
        for garbage in [&b"\n"[..], b"{\n", b"\xff\xfe\n", b"{\"version\":9}\n", b"{\"version\":1,\"order\":\"pause\"}"] {
            let said = says(folder.path(), garbage).await;
            assert!(said.contains("nothing was done"), "{said}");
        }
        assert_eq!(says(folder.path(), &vec![b'x'; 1 << 20]).await.matches("without its end").count(), 1);
        open.close().await;
        assert!(matches!(send(folder.path(), &Order::Pause).await, Err(NoAnswer::NobodyListens(_))));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn thousands_who_say_nothing_keep_nobody_from_ordering_for_long_and_the_end_from_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let open = opened(folder.path());
        let place = Place::of(folder.path()).unwrap();
        let mut silent = Vec::new();
        for count in 0..10_000 {
            // Most are let go at once, and these make room for the next ones.
            silent.push(place.connect().await.unwrap());
            if count % 200 == 199 {
                silent.truncate(AT_ONCE);
            }
        }
        drop(silent);
        assert_eq!(send(folder.path(), &Order::Unpause).await.unwrap(), Ok("Unpause".to_owned()));
        let _silent = place.connect().await.unwrap();
        timeout(PATIENCE, open.close()).await.expect("it does not wait for who says nothing");
    }

    #[tokio::test]
    async fn who_has_ordered_is_answered_though_the_socket_closes_and_who_does_not_read_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let (taken, go_on) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
        let (tell, wait) = (taken.clone(), go_on.clone());
        let open = open(folder.path(), move |_| {
            let (tell, wait) = (tell.clone(), wait.clone());
            async move {
                tell.notify_one();
                wait.notified().await;
                Ok("x".repeat(8 << 20))
            }
        });
        let open = open.unwrap();
        let deaf = Place::of(folder.path()).unwrap().connect().await.unwrap();
        let order = b"{\"version\":1,\"order\":\"pause\"}\n";
        deaf.try_write(order).unwrap();
        taken.notified().await;
        let path = folder.path().to_owned();
        let asking = tokio::spawn(async move { says(&path, order).await.len() });
        taken.notified().await;
        go_on.notify_waiters();
        open.close().await;
        assert!(asking.await.unwrap() > 8 << 20);
        drop(deaf);
    }
}
