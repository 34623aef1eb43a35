//! One configuration file: TOML text to settings, with every problem at its line.

use std::path::Path;

use toml_edit::{Document, Item, TableLike};

use super::{
    ConfigProblem, Setting, Settings,
    keys::{KEYS, Key, MODEL_KEYS, PROVIDER_KEYS, nearest, provider_key},
    origin::Origin,
    value::Value,
};

/// Reads the whole file, whatever is wrong with parts of it.
pub(super) fn read(path: &Path, text: &str, origin: impl Fn(usize) -> Origin, problems: &mut Vec<ConfigProblem>) -> Settings {
    let mut file = File { path, text, origin, settings: Settings::new(), problems };
    match Document::parse(text) {
        Ok(document) => file.root(document.as_table()),
        Err(error) => {
            let line = line_at(text, error.span().map_or(0, |span| span.start));
            file.problem(line, format!("this is not TOML: {}", error.message().replace('\n', "; ")));
        }
    }
    file.settings
}

struct File<'a, O> {
    path: &'a Path,
    text: &'a str,
    origin: O,
    settings: Settings,
    problems: &'a mut Vec<ConfigProblem>,
}

impl<O: Fn(usize) -> Origin> File<'_, O> {
    fn root(&mut self, table: &dyn TableLike) {
        for (name, item) in table.iter() {
            let is_table = tables().any(|table| table == name);
            match item.as_table_like() {
                Some(providers) if name == "providers" => self.providers(providers),
                Some(inner) if is_table => self.section(name, inner),
                None if is_table => {
                    self.problem(self.line(table, name), format!("`{name}` is a table; write [{name}]"));
                }
                _ => self.plain(name, name, table, item),
            }
        }
    }

    fn section(&mut self, section: &str, table: &dyn TableLike) {
        for (name, item) in table.iter() {
            let full = format!("{section}.{name}");
            let prefix = format!("{full}.");
            match item.as_table_like() {
                Some(inner) if KEYS.iter().any(|key| key.name.starts_with(&prefix)) => self.section(&full, inner),
                None if KEYS.iter().any(|key| key.name.starts_with(&prefix)) => {
                    self.problem(self.line(table, name), format!("`{full}` is a table; write [{full}]"));
                }
                _ => self.plain(&full, name, table, item),
            }
        }
    }

    fn plain(&mut self, full: &str, name: &str, table: &dyn TableLike, item: &Item) {
        let line = self.line(table, name);
        match KEYS.iter().find(|key| key.name == full) {
            Some(key) => self.set(full.to_owned(), key, item, line),
            None if item.as_table_like().is_some() => self.unknown(line, full, nearest(full, tables())),
            None => self.unknown(line, full, nearest(full, KEYS.iter().map(|key| key.name))),
        }
    }

    fn providers(&mut self, providers: &dyn TableLike) {
        for (provider, item) in providers.iter() {
            let line = self.line(providers, provider);
            match item.as_table_like() {
                _ if provider.is_empty() || !provider.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) => {
                    self.problem(line, format!("`{provider}` cannot name a provider; use letters, digits, - and _"));
                }
                Some(table) => self.provider(provider, table),
                None => self.problem(line, format!("`providers.{provider}` is a table; write [providers.{provider}]")),
            }
        }
    }

    fn provider(&mut self, provider: &str, table: &dyn TableLike) {
        for (name, item) in table.iter() {
            let (line, full) = (self.line(table, name), format!("providers.{provider}.{name}"));
            match (provider_key(name), item.as_table_like()) {
                (Some(key), _) => self.set(full, key, item, line),
                (None, Some(models)) if name == "models" => self.models(provider, models),
                (None, None) if name == "models" => {
                    self.problem(line, format!("`{full}` is a table; write [{full}.\"MODEL\"]"));
                }
                _ => {
                    let near = nearest(name, PROVIDER_KEYS.iter().map(|key| key.name).chain(["models"]));
                    self.unknown(line, &full, near.map(|near| format!("providers.{provider}.{near}")).as_deref());
                }
            }
        }
    }

    fn models(&mut self, provider: &str, models: &dyn TableLike) {
        for (model, item) in models.iter() {
            let prefix = format!("providers.{provider}.models.{model:?}");
            let Some(table) = item.as_table_like() else {
                self.problem(self.line(models, model), format!("`{prefix}` is a table; write [{prefix}]"));
                continue;
            };
            for (name, item) in table.iter() {
                let (line, full) = (self.line(table, name), format!("{prefix}.{name}"));
                if let Some(key) = provider_key(name).filter(|key| MODEL_KEYS.contains(&key.name)) {
                    self.set(full, key, item, line);
                } else {
                    let near = nearest(name, MODEL_KEYS.iter().copied()).map(|near| format!("{prefix}.{near}"));
                    self.unknown(line, &full, near.as_deref());
                }
            }
        }
    }

    fn set(&mut self, full: String, key: &Key, item: &Item, line: usize) {
        match Value::from_item(key.kind, item) {
            Ok(value) => drop(self.settings.insert(full, Setting { value, origin: (self.origin)(line) })),
            Err(wanted) => self.problem(line, format!("`{full}`: {wanted}")),
        }
    }

    fn unknown(&mut self, line: usize, full: &str, nearest: Option<&str>) {
        let hint = nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
        self.problem(line, format!("there is no key `{full}`{hint}"));
    }

    fn problem(&mut self, line: usize, message: String) {
        self.problems.push(ConfigProblem { place: format!("{}:{line}", self.path.display()), message });
    }

    fn line(&self, table: &dyn TableLike, name: &str) -> usize {
        let span = table.key(name).and_then(toml_edit::Key::span);
        line_at(self.text, span.map_or(0, |span| span.start))
    }
}

/// The names of all tables.
fn tables() -> impl Iterator<Item = &'static str> {
    KEYS.iter().filter_map(|key| Some(key.name.rsplit_once('.')?.0)).chain(["providers"])
}

fn line_at(text: &str, at: usize) -> usize {
    1 + text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count()
}
