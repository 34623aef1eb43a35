//! Reads a command's pipe into a [`Capture`], beside the wait for its end.

use std::{io::PipeReader, os::fd::OwnedFd, time::Duration};

use tokio::{io::AsyncReadExt, net::unix::pipe::Receiver, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::capture::{Capture, Captured};

/// A task that reads until the pipe's end, or until it is told to stop. Dropping it stops it too.
pub(super) struct Reader {
    task: JoinHandle<Capture>,
    done: Option<Capture>,
    stop: DropGuard,
}

impl Reader {
    pub(super) fn start(pipe: PipeReader, capture: Capture) -> std::io::Result<Self> {
        let pipe = Receiver::from_owned_fd(OwnedFd::from(pipe))?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(read(pipe, capture, stop.clone()));
        Ok(Self { task, done: None, stop: stop.drop_guard() })
    }

    /// Waits for the pipe's end; whether it came.
    pub(super) async fn ends_within(&mut self, limit: Duration) -> bool {
        if self.done.is_none()
            && let Ok(Ok(capture)) = tokio::time::timeout(limit, &mut self.task).await
        {
            self.done = Some(capture);
        }
        self.done.is_some()
    }

    /// What was read. Whatever still writes is not listened to any longer.
    pub(super) async fn finish(self) -> Captured {
        drop(self.stop);
        match self.done {
            Some(capture) => capture.finish(),
            None => self.task.await.map_or_else(|_| Captured::default(), Capture::finish),
        }
    }
}

async fn read(mut pipe: Receiver, mut capture: Capture, stop: CancellationToken) -> Capture {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            read = pipe.read(&mut buffer) => read,
        };
        match read {
            Ok(0) | Err(_) => break,
            Ok(length) => capture.take(&buffer[..length]),
        }
    }
    capture
}
