//! `clean`: what nobody needs any more is listed, with its size, and goes.
//!
//! What counts as not needed: the directory of an attempt that has ended and whose tree is under its ref; attempts at tasks that have
//! landed, once the result is in a branch of the person's; a whole run that is over, whose result they have and of which no attempt left
//! more; a run that was rejected, or cut short before its first event; and what they give up in so many words (`--give-up`). To cancel a
//! task gives nothing up: what its worker has done is kept.
//!
//! **Invariant:** nothing of another repository, and nothing of a run that a process is at.
//! **Invariant:** directories go by themselves; more goes only where the run is named, with `--yes`, or after a yes at the terminal.
//! **Invariant:** the list is the same whether it is carried out or not.
//! **Invariant:** a run goes by the renaming of its folder: what a crash leaves after that, the next `clean` finishes; before it,
//! nothing has gone.
//!
//! What is needed is decided in `worth`, what is done in `removal`.

mod removal;
mod worth;

use std::path::PathBuf;

use plans::{
    event::Entry,
    run_state::{Phase, RunState},
};
use shared::RunId;

use self::{
    removal::Removal,
    worth::{attempts_of_landed_tasks, left_more, reason_to_keep, was_applied},
};
use super::{Here, begin::take_lease};
use crate::{
    cli::CleanArgs,
    config::Overrides,
    disk::{in_words, size},
    error::Error,
    kept::refs_of,
    lease::{Lease, Work},
    recorder::RecordError,
    repository::Repository,
    salvage,
    store::{RunFolder, Store},
    sweep::{Found, Sweep, subfolders},
    ui,
};

const NEVER_BEGUN: &str = "was cut short before it had begun, and nothing was tried";

/// Something that was found.
#[derive(Debug)]
struct Item {
    /// What is to be done about it; none where it is kept.
    removal: Option<Removal>,
    kind: &'static str,
    bytes: u64,
    what: String,
}

/// A run whose lease we have.
struct Taken {
    folder: RunFolder,
    lease: Lease,
}

/// Looks, and carries out.
struct Cleaner<'a> {
    repository: &'a Repository,
    worktrees: Option<PathBuf>,
    args: &'a CleanArgs,
    /// Held until the end: nobody takes a run up that is being cleared away.
    leases: Vec<Lease>,
    items: Vec<Item>,
}

/// `inspan clean`.
pub(super) async fn clean(here: &Here, args: &CleanArgs) -> Result<u8, Error> {
    let repository = here.repository().await?;
    let config = here.config(&repository, Overrides::default())?;
    let worktrees = config.worktrees.clone().map(|folder| folder.join("worktrees"));
    let mut cleaner = Cleaner { repository: &repository, worktrees, args, leases: Vec::new(), items: Vec::new() };
    cleaner.finish_what_was_begun();
    match &args.run.run {
        Some(name) => {
            let folder = cleaner.named(name)?;
            let lease = if folder.path.exists() { Some(take_lease(&folder, Work::Clean)?) } else { None };
            cleaner.named_run(folder, lease).await?;
        }
        None => cleaner.all_runs().await?,
    }
    for item in &cleaner.items {
        ui::print(&line(item));
    }
    cleaner.carry_out(here).await
}

impl Cleaner<'_> {
    fn runs(&self) -> PathBuf {
        self.repository.state_dir().join("runs")
    }

    /// The run of that name; where it is given up, or has lost its folder, the whole name is wanted.
    fn named(&self, name: &str) -> Result<RunFolder, Error> {
        match (Store::new(&self.repository.state_dir()).find(name), RunId::new(name)) {
            (Err(Error::NoSuchRun { .. }), Ok(run)) if self.args.give_up || self.runs().join(name).is_dir() => {
                Ok(RunFolder { path: self.runs().join(run.as_str()), run })
            }
            (Ok(found), _) if self.args.give_up && found.run.as_str() != name => Err(Error::Usage(format!(
                "`--give-up` wants the whole name of the run: `inspan clean {} --give-up`; nothing was removed",
                found.run
            ))),
            (found, _) => found,
        }
    }

    /// Runs that an earlier `clean` had begun to remove.
    fn finish_what_was_begun(&mut self) {
        for path in
            subfolders(&self.runs()).into_iter().filter(|path| path.extension().is_some_and(|ending| ending == removal::GOING))
        {
            let Some(run) = path.file_stem().and_then(|name| RunId::new(name.to_str()?).ok()) else { continue };
            let what = format!("{run}: what an earlier clean has left of it");
            let removal = Some(Removal::Run { folder: RunFolder { run, path: path.clone() }, needs_consent: false });
            self.items.push(Item { removal, kind: "run", bytes: size(&path), what });
        }
    }

    async fn all_runs(&mut self) -> Result<(), Error> {
        let known: Vec<RunFolder> =
            Store::new(&self.repository.state_dir()).list().into_iter().map(|(folder, _)| folder).collect();
        for path in subfolders(&self.runs()) {
            let run = path.file_name().and_then(|name| RunId::new(name.to_str()?).ok());
            if let Some(run) = run.filter(|run| known.iter().all(|folder| folder.run != *run)) {
                self.without_events(RunFolder { run, path }).await?;
            }
        }
        for folder in known {
            if let Some(lease) = self.take(&folder)? {
                self.one_of_all(Taken { folder, lease }).await?;
            }
        }
        Ok(())
    }

    /// The lease, unless another process has it, which is listed.
    fn take(&mut self, folder: &RunFolder) -> Result<Option<Lease>, Error> {
        match take_lease(folder, Work::Clean) {
            Ok(lease) => Ok(Some(lease)),
            Err(Error::Busy { held, .. }) => {
                let what = format!("{}: process {} is at it", folder.run, held.pid);
                self.items.push(Item { removal: None, kind: "run", bytes: 0, what });
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// A run whose journal has no first event: it was cut short as it began, or its journal is damaged.
    async fn without_events(&mut self, folder: RunFolder) -> Result<(), Error> {
        let (run, bytes) = (folder.run.clone(), size(&folder.path));
        if !worth::was_never_begun(&self.repository.git, &folder).await? {
            let what = format!("{run}: its journal cannot be read; `inspan clean {run} --give-up` removes it");
            self.items.push(Item { removal: None, kind: "run", bytes, what });
            return Ok(());
        }
        let Some(lease) = self.take(&folder)? else { return Ok(()) };
        self.hold(&run, lease).await;
        // Whoever had the lease until now may have begun it.
        if worth::was_never_begun(&self.repository.git, &folder).await? {
            let removal = Some(Removal::Run { folder, needs_consent: true });
            self.items.push(Item { removal, kind: "run", bytes, what: format!("{run}: {NEVER_BEGUN}") });
        }
        Ok(())
    }

    async fn one_of_all(&mut self, Taken { folder, lease }: Taken) -> Result<(), Error> {
        let run = folder.run.clone();
        self.hold(&run, lease).await;
        let (entries, state) = match read(&folder) {
            Ok(read) => read,
            Err(error) => {
                let what = format!("{run}: {error}; `inspan clean {run} --give-up` removes it");
                self.items.push(Item { removal: None, kind: "run", bytes: size(&folder.path), what });
                return Ok(());
            }
        };
        let unsaved = self.directories(&folder, &state).await?;
        let has = worth::has_result(&self.repository.git, &run, &state).await?;
        let safe = has || was_applied(&self.repository.git, &entries).await?;
        let more = left_more(&self.repository.git, &state).await?;
        let bytes = size(&folder.path);
        let over = matches!(state.phase(), Phase::Over(_) | Phase::Rejected);
        let waits = over && state.waits_for_review();
        let why = if waits { Some("waits for the review of its plan") } else { reason_to_keep(&state, safe, more) };
        let goal = state.goal().lines().next().unwrap_or_default().to_owned();
        match why {
            None if !unsaved => {
                let removal = Some(Removal::Run { folder, needs_consent: true });
                self.items.push(Item {
                    removal,
                    kind: "run",
                    bytes,
                    what: format!("{run}: {}, {goal}", worth::standing(&state)),
                });
            }
            why => {
                let why = why.unwrap_or("holds what could not be committed");
                self.items.push(Item { removal: None, kind: "run", bytes, what: format!("{run}: {why}, {goal}") });
                let names =
                    if over && safe { attempts_of_landed_tasks(&self.repository.git, &run, &state).await? } else { Vec::new() };
                if !names.is_empty() {
                    let what = format!(
                        "{run}: {} of attempts at tasks that landed and are in a branch of yours",
                        count(names.len(), "ref")
                    );
                    self.items.push(Item { removal: Some(Removal::Refs(names)), kind: "refs", bytes: 0, what });
                }
            }
        }
        Ok(())
    }

    async fn named_run(&mut self, folder: RunFolder, lease: Option<Lease>) -> Result<(), Error> {
        let run = folder.run.clone();
        if let Some(lease) = lease {
            self.hold(&run, lease).await;
        }
        let bytes = size(&folder.path);
        let told = match read(&folder) {
            Ok((entries, state)) => {
                let unsaved = self.directories(&folder, &state).await?;
                if !self.args.give_up {
                    let git = &self.repository.git;
                    let safe = was_applied(git, &entries).await? || worth::has_result(git, &run, &state).await?;
                    let more = left_more(&self.repository.git, &state).await?;
                    worth::refuse_what_is_needed(&run, &state, (safe, more, unsaved))?;
                }
                format!("{}, {}", worth::standing(&state), state.goal().lines().next().unwrap_or_default())
            }
            Err(_) if worth::was_never_begun(&self.repository.git, &folder).await? => NEVER_BEGUN.to_owned(),
            Err(error) if !self.args.give_up => return Err(error),
            Err(_) => "its journal cannot be read".to_owned(),
        };
        let refs = self.repository.git.refs(&refs_of(&run)).await?.len();
        let what = format!("{run}: {told} ({}, journal and transcripts)", count(refs, "ref"));
        let removal = Some(Removal::Run { folder, needs_consent: false });
        self.items.push(Item { removal, kind: "run", bytes, what });
        Ok(())
    }

    /// Nobody is at the run, so nothing of it has to live.
    async fn hold(&mut self, run: &RunId, lease: Lease) {
        self.leases.push(lease);
        if !self.args.dry_run {
            salvage::end_strays(run).await;
        }
    }

    /// Lists the directories of a run; says whether one holds something that is nowhere else.
    async fn directories(&mut self, folder: &RunFolder, state: &RunState) -> Result<bool, Error> {
        let Some(worktrees) = self.worktrees.clone() else { return Ok(false) };
        let sweep = Sweep { git: &self.repository.git, worktrees: &worktrees, run: &folder.run, state };
        let mut unsaved = false;
        for found in sweep.look().await {
            let (path, needless) = match found {
                Found::Needless(path) => (path, true),
                Found::Needed(path) => (path, self.args.give_up),
            };
            unsaved |= !needless;
            let kept = format!("{}: its work is not committed; `inspan resume {}` saves it", path.display(), folder.run);
            let what = if needless { path.display().to_string() } else { kept };
            let bytes = size(&path);
            let removal = needless.then(|| Removal::Directory { run: folder.run.clone(), path });
            self.items.push(Item { removal, kind: "worktree", bytes, what });
        }
        Ok(unsaved)
    }

    /// Removes what is to go, as far as there is consent.
    async fn carry_out(self, here: &Here) -> Result<u8, Error> {
        let all: Vec<&Item> = self.items.iter().filter(|item| item.removal.is_some()).collect();
        if all.is_empty() {
            here.screen.say("Nothing is left over.");
            return Ok(0);
        }
        if self.args.dry_run {
            here.screen.say(&format!("Would remove {}.", summary(&all)));
            return Ok(0);
        }
        let asks = |item: &Item| item.removal.as_ref().is_some_and(Removal::needs_consent);
        let consent = self.args.yes || !all.iter().any(|item| asks(item)) || ask(here, &all).await;
        let going: Vec<&Item> = all.iter().copied().filter(|item| consent || !asks(item)).collect();
        for removal in going.iter().filter_map(|item| item.removal.as_ref()) {
            if let Some(kept) = removal.carry_out(&self.repository.git, self.worktrees.as_deref()).await? {
                here.screen.say(&kept);
            }
        }
        if !going.is_empty() {
            here.screen.say(&format!("Removed {}.", summary(&going)));
        }
        if !consent {
            here.screen.say("More than worktrees goes only with your consent: `inspan clean --yes` removes all that is listed, `inspan clean RUN` one run.");
        }
        Ok(0)
    }
}

fn read(folder: &RunFolder) -> Result<(Vec<Entry>, RunState), Error> {
    let entries = super::entries(folder)?;
    let state = RunState::fold(&entries).map_err(RecordError::from)?;
    Ok((entries, state))
}

/// Whether the person at the terminal wants it all removed; nobody does where there is none.
async fn ask(here: &Here, all: &[&Item]) -> bool {
    if !here.screen.interactive {
        return false;
    }
    here.screen.insist(&format!("Remove {}?  [y]es  [n]o, only worktrees", summary(all)));
    let line = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line).unwrap_or_default()
    });
    matches!(line.await.unwrap_or_default().trim().to_lowercase().as_str(), "y" | "yes")
}

fn line(item: &Item) -> String {
    let verb = if item.removal.is_some() { "remove" } else { "keep" };
    // A ref takes no room that anybody could name.
    let size = if item.kind == "refs" { String::new() } else { in_words(item.bytes) };
    format!("{verb:6}  {:8}  {size:>10}  {}", item.kind, item.what)
}

/// `2 worktrees and run abc: 12.0 MiB`.
fn summary(items: &[&Item]) -> String {
    let of = |kind: &str| items.iter().filter(|item| item.kind == kind).count();
    let runs = items.iter().filter(|item| item.kind == "run").map(|item| item.what.split(':').next().unwrap_or_default());
    let mut parts = Vec::new();
    if of("worktree") > 0 {
        parts.push(count(of("worktree"), "worktree"));
    }
    if of("refs") > 0 {
        parts.push("refs of attempts".to_owned());
    }
    parts.extend(runs.map(|run| format!("run {run}")));
    format!("{} ({})", parts.join(", "), in_words(items.iter().map(|item| item.bytes).sum()))
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests;
