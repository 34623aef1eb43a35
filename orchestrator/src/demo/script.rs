//! What the scripted model says in the demo: a planner that looks before it plans, and workers that read, change, prove and finish.
//!
//! **Invariant:** whichever of `invoice` and `tax` lands first, the script of the other fits: both replace lines of their own, and
//! each has turns for its second attempt, which begins on the tip that the first one made.
//! **Invariant:** the planner never opens `export`, so the gate finds what the plan forgot, whatever the timing.

use plans::{Plan, file};
use serde_json::{Value, json};

/// How long the model thinks, so that a person can follow the live lines.
const THINKING_MS: u64 = 150;

const PLAN: &str = include_str!("plan.toml");
const REPLAN: &str = include_str!("replan.toml");

/// The plan that the planner submits.
pub(super) fn plan() -> Plan {
    file::parse_toml(PLAN).expect("the demo's plan is valid")
}

/// The whole script, as the scripted model reads it.
pub(super) fn script() -> Value {
    json!({
        "version": 1,
        "planner": { "1": first_plan(), "2": replan() },
        "tasks": {
            "currency": { "1": currency() },
            "invoice": { "1": invoice("I start with the callers of `total`."), "2": invoice(AGAIN) },
            "tax": { "1": tax("I start with the callers of `vat`."), "2": tax(AGAIN) },
            "report": { "1": report() },
            "no-default": { "1": no_default() },
            "docs": { "1": docs() },
            "export": { "1": export() },
        },
    })
}

const AGAIN: &str = "Both changes have to stand in `bill`. I read what is there now and make mine beside it.";

fn first_plan() -> Value {
    json!([
        turn("First the lie of the land.", [call("list_files", json!({ "path": "." })), read("crates/money/src/lib.rs")]),
        turn(
            "Who makes amounts?",
            [call("search", json!({ "pattern": "Money::from", "path": "crates" })), read("crates/shop/src/lib.rs")]
        ),
        turn(
            "The type first, so that callers can move one by one, at the same time; the old way goes once nobody needs it.",
            [call("submit_plan", file::write_json(&plan()))]
        ),
    ])
}

fn replan() -> Value {
    let added = file::parse_toml(REPLAN).expect("what the demo's re-plan adds is valid");
    let new = file::write_json(&added)["tasks"][0].clone();
    json!([
        turn("I searched for `Money::from`; this one converts with `.into()`.", [read("crates/export/src/lib.rs")]),
        turn(
            "",
            [call(
                "edit_plan",
                json!({ "edits": [
                    { "edit": "add", "new": new, "because": "`export` needs `From<i64>` and the plan forgot it" },
                    { "edit": "order", "before": "export", "after": "no-default",
                      "because": "`From<i64>` can only go once nothing uses it" },
                ]})
            )]
        ),
    ])
}

fn currency() -> Value {
    let from = ("        Self { cents }\n", "        Self::new(cents, Currency::Eur)\n");
    let path = "crates/money/src/lib.rs";
    json!([
        turn("", [read(path)]),
        turn("The new type gets a file of its own.", [write("crates/money/src/currency.rs", include_str!("currency.txt"))]),
        turn(
            "",
            [
                edit(
                    path,
                    ("//! Amounts of money.\n", "//! Amounts of money.\n\nmod currency;\n\npub use currency::Currency;\n")
                ),
                edit(path, ("    cents: i64,\n}", "    cents: i64,\n    currency: Currency,\n}")),
                edit(path, ("    /// In hundredths.", CONSTRUCTOR)),
                edit(path, from),
            ]
        ),
        prove("cargo test --offline -p money"),
        finish(
            "Money has a currency. `From<i64>` still works and means euros.",
            "`Money::new(cents, Currency::Usd)` makes an amount, `currency()` tells its currency. Amounts in different currencies \
             are never equal. `Money::from(cents)` means euros and is going to be removed."
        ),
    ])
}

const CONSTRUCTOR: &str = "    /// So many hundredths of a currency.
    pub fn new(cents: i64, currency: Currency) -> Self {
        Self { cents, currency }
    }

    pub fn currency(self) -> Currency {
        self.currency
    }

    /// In hundredths.";

fn invoice(thought: &str) -> Value {
    let (path, shop) = ("crates/invoice/src/lib.rs", "crates/shop/src/lib.rs");
    let body = "    Money::from(lines.iter().map(|line| line.price * line.count).sum::<i64>())";
    let new_body = "    Money::new(lines.iter().map(|line| line.price * line.count).sum(), currency)";
    let test = ("total(&lines), Money::from(1000)", "total(&lines, Currency::Usd), Money::new(1000, Currency::Usd)");
    json!([
        turn(thought, [read(path), read(shop)]),
        turn(
            "",
            [
                edit(path, ("use money::Money;", "use money::{Currency, Money};")),
                edit(
                    path,
                    ("pub fn total(lines: &[Line]) -> Money", "pub fn total(lines: &[Line], currency: Currency) -> Money")
                ),
                edit(path, (body, new_body)),
                edit(path, test),
                edit(shop, ("use money::Money;", "use money::{Currency, Money};")),
                edit(shop, ("    let net = total(basket);", "    let net = total(basket, Currency::Eur);")),
            ]
        ),
        prove("cargo test --offline -p invoice -p shop"),
        finish("`total` sums up in the currency that it is given; `shop` says euros.", "`total(&lines, Currency::Eur)`"),
    ])
}

fn tax(thought: &str) -> Value {
    let (path, shop) = ("crates/tax/src/lib.rs", "crates/shop/src/lib.rs");
    let body = ("Money::from(net_cents * percent / 100)", "Money::new(net.cents() * percent / 100, net.currency())");
    let test = ("vat(1005, 19), Money::from(190)", "vat(Money::new(1005, Currency::Gbp), 19), Money::new(190, Currency::Gbp)");
    json!([
        turn(thought, [read(path), read(shop)]),
        turn(
            "",
            [
                edit(path, ("pub fn vat(net_cents: i64,", "pub fn vat(net: Money,")),
                edit(path, body),
                edit(path, ("    use super::*;\n", "    use money::Currency;\n\n    use super::*;\n")),
                edit(path, test),
                edit(shop, ("    let vat = vat(net.cents(), 19);", "    let vat = vat(net, 19);")),
            ]
        ),
        prove("cargo test --offline -p tax -p shop"),
        finish(
            "Tax is in the currency of the net amount; `shop` hands it over whole.",
            "`vat(net, percent)`, with `net` as Money"
        ),
    ])
}

fn report() -> Value {
    let path = "crates/report/src/lib.rs";
    let old = "    format!(\"{what:<10}{:>8}.{:02}\", amount.cents() / 100, amount.cents() % 100)";
    let new = "    let (whole, rest) = (amount.cents() / 100, amount.cents() % 100);\n    \
               format!(\"{what:<10}{whole:>8}.{rest:02} {}\", amount.currency().code())";
    json!([
        turn("", [read(path), read("crates/money/src/currency.rs")]),
        turn(
            "",
            [
                edit(path, (old, new)),
                edit(path, ("    use super::*;\n", "    use money::Currency;\n\n    use super::*;\n")),
                edit(path, ("Money::from(1005)", "Money::new(1005, Currency::Eur)")),
                edit(path, ("          10.05\"", "          10.05 EUR\"")),
            ]
        ),
        prove("cargo test --offline -p report"),
        finish("A line of a bill ends with its currency.", ""),
    ])
}

fn no_default() -> Value {
    let path = "crates/money/src/lib.rs";
    let gone =
        "impl From<i64> for Money {\n    fn from(cents: i64) -> Self {\n        Self::new(cents, Currency::Eur)\n    }\n}\n\n";
    json!([
        turn("", [read(path), call("search", json!({ "pattern": "Money::from", "path": "crates" }))]),
        turn(
            "Only the test in here is left.",
            [edit(path, (gone, "")), edit(path, ("Money::from(250).cents()", "Money::new(250, Currency::Eur).cents()"))]
        ),
        prove("cargo test --offline -p money"),
        finish(
            "There is no amount without a currency any more.",
            "Instead of `Money::from(cents)`: `Money::new(cents, currency)`"
        ),
    ])
}

fn export() -> Value {
    let path = "crates/export/src/lib.rs";
    json!([
        turn("", [read(path)]),
        turn(
            "",
            [
                edit(path, ("use money::Money;", "use money::{Currency, Money};")),
                edit(path, ("    cents.iter().sum::<i64>().into()", "    Money::new(cents.iter().sum(), Currency::Eur)")),
            ]
        ),
        prove("cargo test --offline -p export"),
        finish("Takings are summed up in euros, and say so.", ""),
    ])
}

fn docs() -> Value {
    let told = "An amount is a whole number of hundredths of a `Currency`: `Money::new(250, Currency::Eur)`.";
    let old = "An amount is a whole number of hundredths. What of? Nobody knows: there is no currency yet.";
    let news = "- VAT is rounded down to the cent.\n- An amount has a `Currency`; `Money::new` takes the place of `Money::from`.";
    json!([
        turn("", [read("README.md"), read("CHANGELOG.md")]),
        turn("", [edit("README.md", (old, told)), edit("CHANGELOG.md", ("- VAT is rounded down to the cent.", news))]),
        finish("The readme and the change log tell of currencies.", ""),
    ])
}

fn turn<const N: usize>(say: &str, calls: [Value; N]) -> Value {
    json!({ "say": say, "delay_ms": THINKING_MS, "calls": Vec::from(calls) })
}

fn prove(command: &str) -> Value {
    turn("", [call("run_command", json!({ "command": command, "timeout_s": null }))])
}

fn finish(summary: &str, hand_off: &str) -> Value {
    turn("", [call("finish", json!({ "status": "done", "summary": summary, "hand_off": hand_off, "follow_ups": [] }))])
}

fn call(tool: &str, arguments: Value) -> Value {
    Value::from_iter([("tool", Value::from(tool)), ("arguments", arguments)])
}

fn read(path: &str) -> Value {
    call("read_file", json!({ "path": path, "start_line": null, "end_line": null }))
}

fn write(path: &str, content: &str) -> Value {
    call("write_file", json!({ "path": path, "content": content }))
}

fn edit(path: &str, (old, new): (&str, &str)) -> Value {
    call("edit_file", json!({ "path": path, "old_text": old, "new_text": new, "replace_all": null }))
}
