//! Prices: read from TOML, written as TOML, looked up by the name of a model.
//!
//! **Invariant:** no price is guessed. A model that neither a file nor the built-in table names has none.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};
use shared::{
    Money, Price, Tariff,
    tariff::{Factor, Long, Peak, Window},
};
use toml_edit::{Item, TableLike, Value as Toml};

use super::{Settings, value::Value};

/// The built-in table, with its date.
const BUILT_IN: &str = include_str!("prices.toml");

/// The built-in table without its date, as a configuration file reads.
pub(super) fn built_in() -> String {
    let is_date = |line: &&str| line.starts_with("as_of");
    BUILT_IN.lines().map(|line| if is_date(&line) { "\n" } else { line }).collect::<Vec<_>>().join("\n")
}

/// Of which day the built-in prices are.
pub fn as_of() -> &'static str {
    let date = BUILT_IN.lines().find_map(|line| line.strip_prefix("as_of = "));
    date.unwrap_or_default().trim_matches('"')
}

/// What each model costs, by its name.
#[derive(Debug, Clone, Default)]
pub struct Tariffs {
    settings: Settings,
}

impl Tariffs {
    /// Of all settings those that are prices.
    pub(super) fn of(settings: &Settings) -> Self {
        let prices = settings.iter().filter(|(_, setting)| matches!(setting.value, Value::Price(_)));
        Self { settings: prices.map(|(name, setting)| (name.clone(), setting.clone())).collect() }
    }

    /// What `provider/model` costs, if anybody knows: its own price, else that of its provider.
    pub fn get(&self, model: &str) -> Option<&Tariff> {
        let (provider, model) = model.split_once('/')?;
        let own = format!("providers.{provider}.models.{model:?}.price");
        let setting = self.settings.get(&own).or_else(|| self.settings.get(&format!("providers.{provider}.price")));
        match &setting?.value {
            Value::Price(tariff) => Some(tariff),
            _ => None,
        }
    }
}

const WANTED: &str =
    "give { hit = …, miss = …, output = … }, and write = … where it costs other than a miss, in dollars a million tokens";
const WANTED_PEAK: &str =
    "give peak = { utc = [\"01:00-05:00\"], factor = 2.0 }, and days = [\"mon\", …] where it is not every day";
const WANTED_LONG: &str = "give long = { above = 272_000, prompt = 2.0, output = 1.5 }";
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The value of a key `price`.
pub(super) fn read(item: &Item) -> Result<Tariff, String> {
    let table = item.as_table_like().ok_or(WANTED)?;
    only(table, &["hit", "miss", "write", "output", "peak", "long"], "a price", WANTED)?;
    let part = |name: &str| table.get(name).ok_or_else(|| format!("`{name}` is missing; {WANTED}")).and_then(dollars);
    let write = table.get("write").map(dollars).transpose()?;
    let price = Price { hit: part("hit")?, miss: part("miss")?, write, output: part("output")? };
    let peak = table.get("peak").map(peak).transpose()?;
    let long = table.get("long").map(long).transpose()?;
    Ok(Tariff { price, peak, long })
}

fn only(table: &dyn TableLike, known: &[&str], what: &str, wanted: &str) -> Result<(), String> {
    match table.iter().find(|(name, _)| !known.contains(name)) {
        Some((other, _)) => Err(format!("`{other}` is no part of {what}; {wanted}")),
        None => Ok(()),
    }
}

/// An amount in dollars.
pub(super) fn dollars(item: &Item) -> Result<Money, String> {
    number(item).and_then(Money::from_usd).ok_or_else(|| "give an amount in dollars, such as 2.50".to_owned())
}

#[expect(clippy::cast_precision_loss, reason = "amounts above ten million dollars are refused anyway")]
fn number(item: &Item) -> Option<f64> {
    item.as_float().or_else(|| item.as_integer().map(|n| n as f64))
}

fn factor(table: &dyn TableLike, name: &str, wanted: &str) -> Result<Factor, String> {
    let item = table.get(name).ok_or_else(|| format!("`{name}` is missing; {wanted}"))?;
    number(item)
        .and_then(Factor::new)
        .ok_or_else(|| format!("`{name}` is how many times the usual price, from 1 to 100; {wanted}"))
}

fn peak(item: &Item) -> Result<Peak, String> {
    let table = item.as_table_like().ok_or(WANTED_PEAK)?;
    only(table, &["utc", "days", "factor"], "peak hours", WANTED_PEAK)?;
    let texts = |name: &str| {
        let list = table.get(name).and_then(Item::as_array);
        list.map(|list| list.iter().map(|value| value.as_str().unwrap_or_default()).collect::<Vec<_>>())
    };
    let times = texts("utc").filter(|times| !times.is_empty()).ok_or_else(|| format!("`utc` is missing; {WANTED_PEAK}"))?;
    let windows = times.into_iter().map(window).collect::<Result<_, _>>()?;
    let mut days = [!table.contains_key("days"); 7];
    for name in texts("days").unwrap_or_default() {
        let day = DAYS.iter().position(|day| *day == name).ok_or_else(|| format!("`{name}` is none of {}", DAYS.join(", ")))?;
        days[day] = true;
    }
    Ok(Peak { windows, days, factor: factor(table, "factor", WANTED_PEAK)? })
}

fn window(text: &str) -> Result<Window, String> {
    let wrong = || format!("`{text}` is no time of day such as 01:00-05:00, in UTC");
    let minutes = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour < 24 && minute < 60 || (hour, minute) == (24, 0)).then(|| hour * 60 + minute)
    };
    let (from, until) = text.split_once('-').ok_or_else(wrong)?;
    let (from, until) = minutes(from).zip(minutes(until)).filter(|(from, until)| from != until).ok_or_else(wrong)?;
    Ok(Window { from, until })
}

fn long(item: &Item) -> Result<Long, String> {
    let table = item.as_table_like().ok_or(WANTED_LONG)?;
    only(table, &["above", "prompt", "output"], "a price of long prompts", WANTED_LONG)?;
    let above = table.get("above").and_then(Item::as_integer).and_then(|tokens| u64::try_from(tokens).ok());
    let above = above.ok_or_else(|| format!("`above` is a number of tokens; {WANTED_LONG}"))?;
    Ok(Long { above, prompt: factor(table, "prompt", WANTED_LONG)?, output: factor(table, "output", WANTED_LONG)? })
}

/// As it would stand in a file.
pub(super) fn to_toml(tariff: &Tariff) -> String {
    let Tariff { price: Price { hit, miss, write, output }, peak, long } = tariff;
    let write = write.map_or(String::new(), |write| format!("write = {}, ", write.usd()));
    let mut text = format!("{{ hit = {}, miss = {}, {write}output = {}", hit.usd(), miss.usd(), output.usd());
    if let Some(peak) = peak {
        let list = |texts: Vec<String>| texts.into_iter().map(Toml::from).collect::<toml_edit::Array>().to_string();
        let days = if peak.days == [true; 7] { String::new() } else { format!("days = {}, ", list(days(peak))) };
        write!(text, ", peak = {{ utc = {}, {days}factor = {} }}", list(windows(peak)), peak.factor.times())
            .expect("a string takes all");
    }
    if let Some(Long { above, prompt, output }) = long {
        write!(text, ", long = {{ above = {above}, prompt = {}, output = {} }}", prompt.times(), output.times())
            .expect("a string takes all");
    }
    text + " }"
}

fn days(peak: &Peak) -> Vec<String> {
    DAYS.iter().zip(peak.days).filter(|(_, holds)| *holds).map(|(day, _)| (*day).to_owned()).collect()
}

fn windows(peak: &Peak) -> Vec<String> {
    let clock = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    peak.windows.iter().map(|window| format!("{}-{}", clock(window.from), clock(window.until))).collect()
}

/// As it stands in `inspan config --output-format json`.
pub(super) fn to_json(tariff: &Tariff) -> Json {
    let Tariff { price, peak, long } = tariff;
    let write = price.write.unwrap_or(price.miss).usd();
    let mut json = json!({ "hit": price.hit.usd(), "miss": price.miss.usd(), "write": write, "output": price.output.usd() });
    if let Some(peak) = peak {
        json["peak"] = json!({ "utc": windows(peak), "days": days(peak), "factor": peak.factor.times() });
    }
    if let Some(Long { above, prompt, output }) = long {
        json["long"] = json!({ "above": above, "prompt": prompt.times(), "output": output.times() });
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(text: &str) -> Item {
        text.parse::<Toml>().map(Item::Value).unwrap()
    }

    #[test]
    fn a_price_reads_back_from_what_it_is_written_as() {
        for text in [
            "{ hit = 0.1, miss = 1, output = 2 }",
            "{ hit = 0.1, miss = 1, write = 1.25, output = 2 }",
            r#"{ hit = 0.1, miss = 1, output = 2, peak = { utc = ["01:00-04:00", "22:30-00:15"], factor = 2 } }"#,
            r#"{ hit = 0.1, miss = 1, output = 2, peak = { utc = ["01:00-24:00"], days = ["mon", "sun"], factor = 1.5 } }"#,
            "{ hit = 0.1, miss = 1, output = 2, long = { above = 272000, prompt = 2, output = 1.5 } }",
        ] {
            assert_eq!(to_toml(&read(&item(text)).unwrap()), text);
        }
    }

    #[test]
    fn what_is_wrong_with_a_price_is_said() {
        let price = |more: &str| format!("{{ hit = 1, miss = 1, output = 1, {more} }}");
        for (more, expected) in [
            ("peak = 2", "give peak = "),
            ("peak = { utc = [], factor = 2 }", "`utc` is missing"),
            (r#"peak = { utc = ["01:00-04:00"] }"#, "`factor` is missing"),
            (r#"peak = { utc = ["01:00-04:00"], factor = 0.5 }"#, "`factor` is how many times the usual price, from 1 to 100"),
            (r#"peak = { utc = ["1-4"], factor = 2 }"#, "`1-4` is no time of day"),
            (r#"peak = { utc = ["01:00-25:00"], factor = 2 }"#, "`01:00-25:00` is no time of day"),
            (r#"peak = { utc = ["01:00-01:00"], factor = 2 }"#, "`01:00-01:00` is no time of day"),
            (r#"peak = { utc = ["01:00-65535:00"], factor = 2 }"#, "`01:00-65535:00` is no time of day"),
            (r#"peak = { utc = ["01:00-04:00"], days = ["monday"], factor = 2 }"#, "`monday` is none of mon, tue"),
            (r#"peak = { hours = ["01:00-04:00"], factor = 2 }"#, "`hours` is no part of peak hours"),
            ("long = { above = -1, prompt = 2, output = 2 }", "`above` is a number of tokens"),
            ("long = { above = 1, prompt = 2 }", "`output` is missing; give long = "),
        ] {
            let error = read(&item(&price(more))).unwrap_err();
            assert!(error.starts_with(expected), "{more}: {error}");
        }
    }

    #[test]
    fn the_built_in_table_is_dated_and_every_price_in_it_reads() {
        let mut problems = Vec::new();
        let settings =
            super::super::file::read("built in".as_ref(), &built_in(), |_| super::super::Origin::Default, &mut problems);
        assert_eq!(problems, []);
        let tariffs = Tariffs::of(&settings);
        assert_eq!(settings.len(), BUILT_IN.matches("\nprice = ").count());
        assert_eq!(as_of().len(), "2026-11-22".len());
        let flash = tariffs.get("deepseek/deepseek-flash").unwrap();
        assert_eq!(flash.at_peak().unwrap().output, Money::from_usd(1.2).unwrap());
        for (name, setting) in &settings {
            let Value::Price(Tariff { price, .. }) = &setting.value else { panic!("{name} is a price") };
            assert!(price.hit < price.miss && price.miss < price.output, "{name}: a hit is the cheapest, an answer the dearest");
        }
        assert_eq!((tariffs.get("deepseek/another"), tariffs.get("nobody")), (None, None));
    }
}
