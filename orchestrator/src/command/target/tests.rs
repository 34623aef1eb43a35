//! Which run is meant, for every command that can go without one.

use std::collections::BTreeMap;

use expect_test::expect;
use shared::RunId;

use super::*;

/// A run of the table: `review`, `planning`, `underway`, `rejected` or how it is over; then `live`, `paused`, `landed`.
struct Table(Vec<RunFolder>, BTreeMap<String, String>);

impl Table {
    fn new(text: &str) -> Self {
        let lines: Vec<(&str, &str)> = text.lines().filter_map(|line| line.trim().split_once(' ')).collect();
        let folder = |name: &str| RunFolder { run: RunId::new(name).unwrap(), path: name.into() };
        let folders = lines.iter().map(|(name, _)| folder(name)).collect();
        Self(folders, lines.into_iter().map(|(name, how)| (name.to_owned(), how.to_owned())).collect())
    }

    fn says(&self, run: &RunFolder, word: &str) -> bool {
        self.1[run.run.as_str()].split(' ').any(|said| said == word)
    }
}

impl Runs for Table {
    fn is_live(&self, run: &RunFolder) -> bool {
        self.says(run, "live")
    }

    fn standing(&self, run: &RunFolder) -> Option<Standing> {
        let phases = [
            ("review", Phase::Review),
            ("planning", Phase::Planning),
            ("underway", Phase::Underway),
            ("rejected", Phase::Rejected),
            ("complete", Phase::Over(RunStatus::Complete)),
            ("incomplete", Phase::Over(RunStatus::Incomplete)),
            ("cancelled", Phase::Over(RunStatus::Cancelled)),
        ];
        let (_, phase) = phases.into_iter().find(|(word, _)| self.says(run, word))?;
        Some(Standing {
            phase,
            is_paused: self.says(run, "paused"),
            has_landed: self.says(run, "landed"),
            waits_for_review: self.says(run, "review"),
        })
    }
}

/// What each command takes among these runs, oldest first.
fn check(text: &str, expected: &expect_test::Expect) {
    let table = Table::new(text);
    let wants = [Want::Look, Want::Order, Want::Retry, Want::Resume, Want::Review, Want::Apply];
    let taken = wants.map(|want| match choose(&table.0, want, &table) {
        Ok(run) => format!("{want:?}: {}\n", run.map_or("the latest", |run| run.run.as_str())),
        Err(error) => format!("{want:?}: {error}\n"),
    });
    expected.assert_eq(&taken.concat());
}

#[test]
fn an_order_means_the_run_that_is_live_however_many_came_later() {
    check(
        "aaaaaaaa underway live landed\n bbbbbbbb underway\n cccccccc rejected",
        &expect![[r"
            Look: aaaaaaaa
            Order: aaaaaaaa
            Retry: aaaaaaaa
            Resume: bbbbbbbb
            Review: the latest
            Apply: aaaaaaaa
        "]],
    );
}

#[test]
fn with_several_live_runs_an_order_is_refused_and_names_them() {
    check(
        "aaaaaaaa underway live paused\n bbbbbbbb planning live\n cccccccc review",
        &expect![[r"
            Look: the latest
            Order: several runs are live, and it was not said which is meant: aaaaaaaa, bbbbbbbb; nothing was done. Name one (`inspan status RUN` shows how it stands)
            Retry: several runs are live, and it was not said which is meant: aaaaaaaa, bbbbbbbb; nothing was done. Name one (`inspan status RUN` shows how it stands)
            Resume: aaaaaaaa
            Review: cccccccc
            Apply: the latest
        "]],
    );
}

#[test]
fn without_a_live_run_each_command_means_the_latest_that_it_can_do_something_about() {
    check(
        "aaaaaaaa review\n bbbbbbbb underway\n cccccccc incomplete\n dddddddd complete landed\n eeeeeeee rejected\n ffffffff damaged",
        &expect![[r"
            Look: the latest
            Order: bbbbbbbb
            Retry: cccccccc
            Resume: cccccccc
            Review: aaaaaaaa
            Apply: dddddddd
        "]],
    );
}
