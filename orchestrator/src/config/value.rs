//! The value of a key, read from TOML or from the text of a variable or flag.

use std::{path::PathBuf, time::Duration};

use serde_json::{Map, Number, Value as Json};
use shared::{Glob, Money, Secrecy, Tariff};
use toml_edit::{Item, TableLike, Value as Toml};

use super::{Generated, keys::Kind, price};
use crate::approvals::Prefix;

/// A value that fits its key.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Count(u64),
    Usd(Money),
    Duration(Duration),
    List(Vec<String>),
    Flag(bool),
    Price(Tariff),
    Table(Map<String, Json>),
    Generators(Vec<Generated>),
}

impl Value {
    /// The value of an item of a file. The error says what is wanted instead.
    pub(super) fn from_item(kind: Kind, item: &Item) -> Result<Self, String> {
        match kind {
            Kind::Price => price::read(item).map(Self::Price),
            Kind::Table => {
                item.as_table_like().map(|table| Self::Table(json_table(table))).ok_or_else(|| "give a table".to_owned())
            }
            Kind::Lines | Kind::Words | Kind::Folders | Kind::Prefixes | Kind::Globs | Kind::Names => {
                let list = item.as_array().and_then(|list| list.iter().map(|value| value.as_str().map(str::to_owned)).collect());
                list.map(Self::List)
                    .ok_or_else(|| "give a list of texts, such as [\"a\", \"b\"]".to_owned())
                    .and_then(|list| list.filled(kind))
            }
            Kind::Generators => generators(item).map(Self::Generators),
            Kind::Flag => item.as_bool().map(Self::Flag).ok_or_else(|| "give true or false".to_owned()),
            Kind::Count(_) => Self::from_text(kind, &item.as_integer().map(|n| n.to_string()).unwrap_or_default()),
            Kind::Usd => price::dollars(item).map(Self::Usd),
            Kind::Text | Kind::OneOf(_) | Kind::Duration | Kind::Folder | Kind::Url => {
                Self::from_text(kind, item.as_str().ok_or_else(|| format!("give a text in quotes: {}", wanted(kind)))?)
            }
        }
    }

    /// The value of a variable or a flag.
    pub(super) fn from_text(kind: Kind, text: &str) -> Result<Self, String> {
        let text = text.trim();
        let split = |by: char| text.split(by).map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let value = match kind {
            Kind::Text => (!text.is_empty()).then(|| Self::Text(text.to_owned())),
            Kind::Count(least) => text.replace('_', "").parse().ok().filter(|n| *n >= least).map(Self::Count),
            Kind::Usd => text.parse().ok().and_then(Money::from_usd).map(Self::Usd),
            Kind::OneOf(words) => words.contains(&text).then(|| Self::Text(text.to_owned())),
            Kind::Duration => humantime::parse_duration(text).ok().filter(|d| !d.is_zero()).map(Self::Duration),
            Kind::Lines | Kind::Prefixes | Kind::Globs | Kind::Names => return Self::List(split('\n')).filled(kind),
            Kind::Folders => return Self::List(split(',')).filled(kind),
            Kind::Words => Some(Self::List(split(','))),
            Kind::Folder => (text.starts_with('/') || text.starts_with("~/")).then(|| Self::Text(text.to_owned())),
            Kind::Url => url(text).map(Self::Text),
            Kind::Flag => text.parse().ok().map(Self::Flag),
            Kind::Price | Kind::Table | Kind::Generators => None,
        };
        value.ok_or_else(|| format!("give {}", wanted(kind)))
    }

    fn filled(self, kind: Kind) -> Result<Self, String> {
        match self {
            Self::List(list) if list.is_empty() && kind == Kind::Lines => Err("the list is empty; take the key out".to_owned()),
            Self::List(list) if list.iter().any(|text| text.trim().is_empty()) => {
                Err("an entry is empty; take it out".to_owned())
            }
            Self::List(list) if kind == Kind::Names => {
                let bad = list.iter().find_map(|text| Secrecy::pattern(text).err());
                bad.map_or(Ok(Self::List(list)), |why| Err(why.to_string()))
            }
            Self::List(list) if kind == Kind::Folders => {
                let bad = list.iter().find(|text| !text.starts_with('/') && !text.starts_with("~/"));
                bad.map_or(Ok(Self::List(list.clone())), |bad| Err(format!("`{bad}` is not absolute; begin with / or ~/")))
            }
            Self::List(list) if kind == Kind::Prefixes => {
                list.iter().try_for_each(|text| Prefix::new(text).map(drop))?;
                Ok(Self::List(list))
            }
            Self::List(list) if kind == Kind::Globs => {
                list.iter().try_for_each(|text| Glob::new(text).map(drop).map_err(|error| error.to_string()))?;
                Ok(Self::List(list))
            }
            value => Ok(value),
        }
    }

    /// As it would stand in a file.
    pub(super) fn to_toml(&self) -> String {
        match self {
            Self::Text(text) => Toml::from(text.as_str()).to_string(),
            Self::Count(count) => count.to_string(),
            Self::Usd(money) => money.usd().to_string(),
            Self::Duration(duration) => Toml::from(humantime::format_duration(*duration).to_string()).to_string(),
            Self::List(list) => list.iter().map(String::as_str).collect::<toml_edit::Array>().to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Price(tariff) => price::to_toml(tariff),
            Self::Table(table) => Json::Object(table.clone()).to_string(),
            Self::Generators(list) => {
                let text = |text: &str| Toml::from(text).to_string();
                let one =
                    |rule: &Generated| format!("{{ files = {}, command = {} }}", text(rule.files.as_str()), text(&rule.command));
                format!("[{}]", list.iter().map(one).collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// As it stands in `inspan config --output-format json`.
    pub(super) fn to_json(&self) -> Json {
        match self {
            Self::Text(text) => text.clone().into(),
            Self::Count(count) => (*count).into(),
            Self::Usd(money) => money.usd().into(),
            Self::Duration(duration) => humantime::format_duration(*duration).to_string().into(),
            Self::List(list) => list.clone().into(),
            Self::Flag(flag) => (*flag).into(),
            Self::Price(tariff) => price::to_json(tariff),
            Self::Table(table) => Json::Object(table.clone()),
            Self::Generators(list) => {
                let one = |rule: &Generated| serde_json::json!({ "files": rule.files.as_str(), "command": rule.command });
                list.iter().map(one).collect()
            }
        }
    }

    /// A path with the home directory put in.
    pub(super) fn to_path(&self, home: Option<&str>) -> Option<PathBuf> {
        let Self::Text(text) = self else { return None };
        match text.strip_prefix("~/") {
            Some(below) => Some(PathBuf::from(home?).join(below)),
            None => Some(PathBuf::from(text)),
        }
    }
}

fn wanted(kind: Kind) -> String {
    match kind {
        Kind::Text => "a text".to_owned(),
        Kind::Count(0) => "a whole number".to_owned(),
        Kind::Count(least) => format!("a whole number of at least {least}"),
        Kind::Usd => "an amount in dollars, such as 2.50".to_owned(),
        Kind::OneOf(words) => format!("one of {}", words.join(", ")),
        Kind::Duration => "a duration, such as 90s or 20m".to_owned(),
        Kind::Lines | Kind::Words | Kind::Folders | Kind::Prefixes | Kind::Globs | Kind::Names => "a list".to_owned(),
        Kind::Folder => "an absolute path, or one that begins with ~/".to_owned(),
        Kind::Url => "an address such as https://example.org/v1, without the key and without /chat/completions".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::Price | Kind::Table | Kind::Generators => "it in a file".to_owned(),
    }
}

/// No user name or key within, which `inspan config` would show; no trailing `/`.
fn url(text: &str) -> Option<String> {
    let text = text.trim_end_matches('/');
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let is_plain = !rest.is_empty() && !rest.contains(['@', '?', '#']) && !rest.contains(char::is_whitespace);
    (is_plain && !text.ends_with("/chat/completions")).then(|| text.to_owned())
}

/// Rules about generated files, as a list of inline tables or as tables of their own.
fn generators(item: &Item) -> Result<Vec<Generated>, String> {
    const WANTED: &str = "give a list such as [{ files = \"api/*.pb.go\", command = \"make api\" }]";
    let tables: Option<Vec<&dyn TableLike>> = match item {
        Item::ArrayOfTables(tables) => Some(tables.iter().map(|table| table as &dyn TableLike).collect()),
        Item::Value(Toml::Array(list)) => {
            list.iter().map(|value| value.as_inline_table().map(|table| table as &dyn TableLike)).collect()
        }
        _ => None,
    };
    tables.ok_or(WANTED)?.into_iter().map(generator).collect()
}

fn generator(table: &dyn TableLike) -> Result<Generated, String> {
    const WANTED: &str = "give { files = \"glob\", command = \"…\" }";
    if let Some((other, _)) = table.iter().find(|(name, _)| !["files", "command"].contains(name)) {
        return Err(format!("`{other}` is no part of a rule about generated files; {WANTED}"));
    }
    let text = |name: &str| {
        let text = table.get(name).and_then(Item::as_str).filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| format!("`{name}` is missing; {WANTED}"))
    };
    let files = Glob::new(text("files")?).map_err(|error| error.to_string())?;
    Ok(Generated { files, command: text("command")?.to_owned() })
}

fn json_table(table: &dyn TableLike) -> Map<String, Json> {
    table.iter().map(|(name, item)| (name.to_owned(), json(item))).collect()
}

fn json(item: &Item) -> Json {
    match item {
        Item::Value(value) => json_value(value),
        Item::Table(table) => Json::Object(json_table(table)),
        Item::ArrayOfTables(tables) => tables.iter().map(|table| Json::Object(json_table(table))).collect(),
        Item::None => Json::Null,
    }
}

fn json_value(value: &Toml) -> Json {
    match value {
        Toml::String(text) => text.value().clone().into(),
        Toml::Integer(n) => (*n.value()).into(),
        Toml::Float(n) => Number::from_f64(*n.value()).map_or(Json::Null, Json::Number),
        Toml::Boolean(flag) => (*flag.value()).into(),
        Toml::Datetime(time) => time.value().to_string().into(),
        Toml::Array(values) => values.iter().map(json_value).collect(),
        Toml::InlineTable(table) => Json::Object(json_table(table)),
    }
}
