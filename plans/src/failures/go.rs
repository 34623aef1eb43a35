//! `go test`.
//!
//! ```text
//! --- FAIL: TestAdds (0.00s)
//!     money_test.go:12: got 1, want 2
//! panic: boom [recovered]
//! FAIL    example.org/shop/money  0.004s
//! # example.org/shop/cart
//! cart/cart.go:7:2: undefined: Money
//! FAIL    example.org/shop/cart [build failed]
//! ```
//!
//! The package stands below its tests, and above its build errors.

use std::path::Path;

use super::{Reader, found::Found, places::of_word};

/// Reads it.
#[derive(Default)]
pub(super) struct Go {
    /// Tests of the package at hand, by their own names.
    open: Vec<(usize, String)>,
    /// Whether the lines that come are errors of a package that cannot be built.
    builds: bool,
    panicked: Option<String>,
    /// Names of tests with failing parts.
    wholes: Vec<String>,
}

const MOST_OPEN: usize = 200;

impl Reader for Go {
    fn line(&mut self, line: &str, found: &mut Found<'_>) {
        let text = line.trim();
        if let Some(rest) = text.strip_prefix("--- FAIL: ") {
            self.fails(rest.rsplit_once(" (").map_or(rest, |(name, _)| name), found);
        } else if let Some(rest) = line.strip_prefix("FAIL\t") {
            self.package(rest, found);
        } else if let Some(package) = line.strip_prefix("# ") {
            self.builds = !package.contains(' ') || package.contains(" [");
        } else if let Some(said) = line.strip_prefix("panic: ") {
            self.panicked.get_or_insert_with(|| said.trim_end_matches(" [recovered]").to_owned());
        } else if let Some(at) = of_word(text.strip_prefix("vet: ").unwrap_or(text))
            .filter(|at| Path::new(at.path).extension().is_some_and(|ending| ending == "go"))
        {
            let message = at.rest.trim_start_matches(':').trim();
            let message = if message.is_empty() { text.split_once(": ").map_or("", |(_, said)| said) } else { message };
            // What a toolchain's file says is no test's word.
            let Some(place) = found.place(at.path, at.line).map(Some) else { return };
            let message = if message.starts_with("+0x") { "" } else { message };
            if self.builds && !line.starts_with(' ') {
                found.build("go build", place, message);
            } else if let Some((open, _)) = self.open.last() {
                found.tell(*open, place, message);
            }
        }
    }

    fn end(&mut self, found: &mut Found<'_>) {
        let wholes = std::mem::take(&mut self.wholes);
        found.forget(|failing| wholes.contains(&failing.name));
    }
}

impl Go {
    fn fails(&mut self, name: &str, found: &mut Found<'_>) {
        let Some(at) = found.fails(name).filter(|_| self.open.len() < MOST_OPEN) else { return };
        self.open.push((at, name.to_owned()));
        self.builds = false;
    }

    /// The package of the tests above.
    fn package(&mut self, rest: &str, found: &mut Found<'_>) {
        self.builds = false;
        let package = rest.split(['\t', ' ']).next().unwrap_or_default();
        let said = self.panicked.take().unwrap_or_default();
        if self.open.is_empty() && !said.is_empty() {
            // It died before it could say which test it was.
            if let Some(at) = found.fails(package) {
                found.tell(at, None, &said);
            }
        }
        let open = std::mem::take(&mut self.open);
        for (at, name) in &open {
            found.tell(*at, None, &said);
            found.rename(*at, &format!("{package}.{name}"));
            if open.iter().any(|(_, other)| other.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('/'))) {
                self.wholes.push(format!("{package}.{name}"));
            }
        }
    }
}
