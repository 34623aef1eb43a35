//! The thread that starts helpers.
//!
//! The kernel ends a helper with the *thread* that started it, not with its process. Threads of a runtime come and go; this one stays as
//! long as the program.

use std::{
    io,
    sync::{OnceLock, mpsc},
};

use tokio::process::{Child, Command};

type Job = Box<dyn FnOnce() + Send>;

/// Starts a process from a thread that lives as long as this program. Call it within a runtime.
pub(super) async fn spawn(mut command: Command) -> io::Result<Child> {
    let runtime = tokio::runtime::Handle::current();
    let (tell, hear) = tokio::sync::oneshot::channel();
    let job: Job = Box::new(move || {
        let _inside = runtime.enter();
        // Whoever asked may have gone; the child is ended when it is dropped.
        drop(tell.send(command.spawn()));
    });
    let gone = || io::Error::other("the thread that starts helpers has ended; this is a fault of inspan");
    jobs().send(job).map_err(|_| gone())?;
    hear.await.map_err(|_| gone())?
}

/// Lets what is started ask for its turn before others: a helper does, and takes the right from the commands that it starts. Only root can
/// give it.
fn let_helpers_go_first() {
    use rustix::process::{Resource, Rlimit, geteuid, setrlimit};

    if geteuid().is_root() {
        // Without it helpers are scheduled as everybody.
        let _ = setrlimit(Resource::Rtprio, Rlimit { current: Some(1), maximum: Some(1) });
    }
}

fn jobs() -> &'static mpsc::Sender<Job> {
    static JOBS: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    JOBS.get_or_init(|| {
        let_helpers_go_first();
        let (give, take) = mpsc::channel::<Job>();
        // Where no thread can be had, the channel is closed and every start fails with that.
        let _ = std::thread::Builder::new().name("helpers".to_owned()).spawn(move || take.into_iter().for_each(|job| job()));
        give
    })
}
