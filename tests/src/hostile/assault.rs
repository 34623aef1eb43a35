//! All attempts of one kind, made by one worker of a real run, and the judgement on each.

use std::{fmt::Write as _, path::Path};

use rustix::process::geteuid;

use super::{Attempt, Stakes, Tier, attempt::Bare, loot::Loot, stakes};
use crate::{
    Outcome, Scenario,
    model::{ModelServer, Script, command, finish},
};

const DRIVER: &str = include_str!("driver.py");

/// What the harness's own environment holds. It would be a key.
const KEYS: &[(&str, &str)] = &[("OPENAI_API_KEY", "sesame-of-the-harness"), ("GITHUB_TOKEN", "sesame-of-the-harness")];

/// What a script says where the machine itself has not what it tries: no such call, protocol, family or address.
const LACKING: &[&str] = &["[Errno 38]", "[Errno 93]", "[Errno 97]", "[Errno 99]"];

/// Who makes the attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The command that is a task's worker.
    Worker,
    /// An agent, with its tool for commands.
    Agent,
    /// The proof of a task: code that a worker wrote, run by the harness.
    Proof,
    /// The gate: the same, after it was merged.
    Gate,
}

/// A run with a hostile command, before it begins.
pub struct Assault {
    tier: Tier,
    scenario: Scenario,
    attempts: Vec<Attempt>,
    stakes: Stakes,
    by: By,
    network: &'static str,
    vehicle: String,
}

/// Makes all these attempts in this tier; fails with a table of those that did not end as they should.
#[track_caller]
pub fn attack(tier: Tier, attempts: &[Attempt]) {
    Assault::new(tier, attempts).run();
}

impl Assault {
    /// Lays everything out. The worker makes the attempts, unless something else is said.
    pub fn new(tier: Tier, attempts: &[Attempt]) -> Self {
        let is_made = |attempt: &&Attempt| tier != Tier::Bare || is_shown_bare(attempt);
        let attempts: Vec<Attempt> = attempts.iter().filter(is_made).copied().collect();
        let scenario = Scenario::new("## README\nhello\n## mine/.keep\n\n").with_meeting_place();
        let stakes = Stakes::lay_out(&scenario, &attempts);
        stakes::commit_a_link_out(&scenario, &stakes.victims());
        let repository = scenario.repository();
        repository.write("attacks/driver.py", DRIVER).write("attacks/places.json", &stakes.places());
        for attempt in &attempts {
            repository.write(&format!("attacks/{}.py", attempt.name), attempt.script);
        }
        repository.commit("Hire somebody");
        let vehicle = call_of_driver(&attempts);
        Self { tier, scenario, attempts, stakes, by: By::Worker, network: "loopback", vehicle }
    }

    /// Somebody else makes the attempts.
    #[must_use]
    pub fn by(self, by: By) -> Self {
        Self { by, ..self }
    }

    /// The hostile task has this network instead of one of its own.
    #[must_use]
    pub fn network(self, network: &'static str) -> Self {
        Self { network, ..self }
    }

    /// They are made through another program, such as a build. `vehicle` gets the shell command that makes them, writes files of the
    /// repository as need be, and gives the command that is run.
    #[must_use]
    pub fn through(mut self, vehicle: impl FnOnce(&Scenario, &str) -> String) -> Self {
        self.vehicle = vehicle(&self.scenario, &self.vehicle);
        self.scenario.repository().commit("Bring a vehicle");
        self
    }

    /// Runs it, and judges every attempt.
    #[track_caller]
    pub fn run(self) {
        let Self { tier, scenario, attempts, stakes, by, network, vehicle } = self;
        let server = ModelServer::start(Script::new().worker("hostile", 1, [command(&vehicle), finish("Tried it all.")]));
        let inherited = stakes.victims().join("inherited-descriptor");
        let before = format!("exec 9>>'{}'; export HARNESS_PID=$$", inherited.display());
        let scenario = scenario.config("[env]\npass = [\"HARNESS_PID\"]").after(&before).toolchains();
        let scenario = if by == By::Agent { scenario.model(&server) } else { scenario };
        let scenario = KEYS.iter().fold(scenario, |scenario, (name, value)| scenario.env(name, *value));
        let out = scenario.run_plan(&plan(by, network, &vehicle), tier.words());
        let loot = Loot(scenario.meeting_place());
        let judged = attempts.iter().map(|attempt| judge(tier, attempt, &stakes, &loot));
        let wrong: String = judged.flatten().collect();
        assert!(wrong.is_empty(), "{tier:?}, {by:?}: these did not end as they should:\n{wrong}\n{}", out.all());
        assert_went_on(&scenario, &out);
    }
}

/// A plan in which somebody runs this, and a peaceful task waits for the hostile one.
fn plan(by: By, network: &str, call: &str) -> String {
    let hostile = match by {
        By::Worker => format!("hostile | write mine/** | network {network} | run {call}"),
        By::Agent => "hostile | write mine/**".to_owned(),
        By::Proof => format!("hostile | write mine/** | run echo mine > mine/own | verify {call}"),
        By::Gate => format!("gate | {call}\n hostile | write mine/** | run echo mine > mine/own"),
    };
    format!("{hostile}\n peaceful | after hostile | write peace.txt | run echo peace > peace.txt")
}

fn is_shown_bare(attempt: &Attempt) -> bool {
    match attempt.bare {
        Bare::Succeeds => true,
        Bare::SucceedsForRoot => geteuid().is_root(),
        Bare::Never => false,
    }
}

/// The system's own Python where there is one: what stands first in `PATH` may be a launcher that takes longer than all attempts.
pub(super) fn python() -> &'static str {
    let system = "/usr/bin/python3";
    if Path::new(system).exists() { system } else { "python3" }
}

fn call_of_driver(attempts: &[Attempt]) -> String {
    let names: Vec<_> = attempts.iter().map(|attempt| attempt.name).collect();
    format!("{} attacks/driver.py {}", python(), names.join(" "))
}

/// What is wrong with how an attempt ended, as a line of the table.
fn judge(tier: Tier, attempt: &Attempt, stakes: &Stakes, loot: &Loot) -> Option<String> {
    let is_expected = match tier {
        Tier::Bare => true,
        Tier::Bubblewrap => attempt.is_allowed,
        Tier::Helper => attempt.is_allowed_alone,
    };
    let (record, kept) = (loot.record(attempt.name), loot.kept(attempt.name));
    let verdict = match stakes.shows(attempt, &kept, is_expected) {
        _ if record.starts_with("BROKEN") => "proves nothing",
        true if !is_expected => "DID HARM",
        false if tier == Tier::Bare && LACKING.iter().any(|lacking| record.contains(lacking)) => return None,
        false if is_expected => "did nothing",
        _ => return None,
    };
    let mut line = String::new();
    writeln!(line, "  {:32} {verdict:15} {} {kept:.200}", attempt.name, record.replace('\n', " ")).expect("a string takes all");
    Some(line)
}

#[track_caller]
fn assert_went_on(scenario: &Scenario, out: &Outcome) {
    if out.code != 0 {
        let log = scenario.inspan(&["log", &scenario.run_id(), "hostile"]);
        panic!("the run did not go on: {}\n{}", out.all(), log.all());
    }
    assert!(scenario.result().contains("## peace.txt\npeace\n"), "the peaceful task landed: {}", out.all());
}
