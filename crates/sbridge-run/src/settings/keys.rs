//! Settings by their dotted keys: assigned, checked against those there are, found in the text.

use std::fmt;
use std::ops::RangeInclusive;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use crate::error::{Result, RunError};

/// The settings of a TOML `text` over `defaults`, with `assignments` of the form `key=value` on top.
///
/// Keys that begin like one of `variants` belong to settings of several kinds with keys of their own: which there
/// are is known once the kind is.
///
/// # Errors
/// [`RunError::Config`] for TOML that does not parse, a key that does not exist (the nearest one is named), or what
/// `check` refuses; with the line of the text, if it stands there.
pub(super) fn read<T: Serialize + DeserializeOwned>(
    defaults: &T,
    text: &str,
    assignments: &[String],
    variants: &[&str],
    check: impl FnOnce(&T) -> std::result::Result<(), Refusal>,
) -> Result<T> {
    let parsed = text.parse().map_err(|e: toml::de::Error| e.to_string());
    let mut table: Table = parsed.map_err(|e| RunError::Config(format!("settings: {}", e.trim_end())))?;
    for assignment in assignments {
        assign(&mut table, assignment)?;
    }
    let settings =
        of_table(defaults, table, variants).and_then(|settings| check(&settings).map(|()| settings));
    settings.map_err(|refusal| refusal.located(text, assignments))
}

fn of_table<T: Serialize + DeserializeOwned>(
    defaults: &T,
    table: Table,
    variants: &[&str],
) -> std::result::Result<T, Refusal> {
    let complete = |settings: &T| Table::try_from(settings).expect("settings are plain tables and numbers");
    let is_of_variant = |key: &String| variants.iter().any(|variants| key.starts_with(variants));
    let (of_variants, plain): (Vec<_>, Vec<_>) = keys_of(&table).into_iter().partition(is_of_variant);
    let mut whole = complete(defaults);
    check_keys(&plain, &keys_of(&whole))?;
    overlay(&mut whole, table);
    let settings: T = whole.try_into().map_err(Refusal::of_toml)?;
    check_keys(&of_variants, &keys_of(&complete(&settings)))?;
    Ok(settings)
}

fn overlay(below: &mut Table, above: Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            // A table with a kind is one value: fields of another kind must not shine through.
            (Some(Value::Table(old)), Value::Table(new)) if !new.contains_key("kind") => overlay(old, new),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

/// A setting that cannot be used.
pub struct Refusal {
    key: String,
    problem: String,
}

/// Refuses a `value` of the setting `key` that is not in `range`, with what is `usual`.
///
/// # Errors
/// [`Refusal`] if it is not.
pub fn in_range<T: PartialOrd + fmt::Display>(
    key: &str,
    value: T,
    range: RangeInclusive<T>,
    usual: &str,
) -> std::result::Result<(), Refusal> {
    if range.contains(&value) {
        return Ok(());
    }
    let (least, most) = (range.start(), range.end());
    Err(Refusal::new(key, format!("must be in [{least}, {most}], got {value} ({usual})")))
}

impl Refusal {
    /// The setting `key` has `problem`, which follows its name.
    pub fn new(key: &str, problem: impl AsRef<str>) -> Self {
        Self { key: key.into(), problem: format!("{key} {}", problem.as_ref()) }
    }

    /// A value of `section` that the library refused.
    pub fn in_section(section: &str, error: &sbridge::Error) -> Self {
        match error {
            sbridge::Error::Setting { name, .. } => {
                Self { key: format!("{section}.{name}"), problem: format!("{section}.{error}") }
            }
            _ => Self { key: section.into(), problem: error.to_string() },
        }
    }

    /// A value of the wrong type; the error ends with the key.
    pub fn of_toml(error: toml::de::Error) -> Self {
        let text = error.to_string();
        let whole = ["usize", "u64", "u32"];
        let text = whole.iter().fold(text, |text, name| {
            text.replace(&format!("expected {name}"), "expected a whole number from 0 on")
        });
        let text = text.replace("expected f64", "expected a number");
        let text = text.trim_end();
        match text.strip_suffix('`').and_then(|text| text.rsplit_once("\nin `")) {
            Some((problem, key)) => Self { key: key.into(), problem: format!("{key}: {problem}") },
            None => Self { key: String::new(), problem: format!("settings: {text}") },
        }
    }

    /// The refusal with the line of `text` the setting stands in, unless an assignment put it there.
    pub fn located(self, text: &str, assignments: &[String]) -> RunError {
        let is_assigned = assignments.iter().any(|assignment| {
            let key = assignment.split_once('=').map_or("", |(key, _)| key.trim());
            self.key == key || self.key.starts_with(&format!("{key}."))
        });
        let line = if is_assigned { None } else { line_of(text, &self.key) };
        let place = line.map_or(String::new(), |line| format!("line {line} of the settings: "));
        RunError::Config(place + &self.problem)
    }
}

/// The line of `text` in which the dotted `key` stands, counted from 1.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut table = Some(document.get_ref());
    let mut start = None;
    for part in key.split('.') {
        let (name, value) = table?.iter().find(|(name, _)| name.get_ref() == part)?;
        start = Some(name.span().start);
        table = match value.get_ref() {
            DeValue::Table(inner) => Some(inner),
            _ => None,
        };
    }
    start.map(|start| 1 + text[..start].matches('\n').count())
}

/// Sets one dotted key of `table` from `key=value`. The value is TOML; what does not parse as TOML
/// is taken as a string.
fn assign(table: &mut Table, assignment: &str) -> Result<()> {
    let (key, value) = assignment.split_once('=').ok_or_else(|| {
        RunError::Config(format!("--set wants key=value, got {assignment:?} (for example --set seed=1)"))
    })?;
    let (key, value) = (key.trim(), value.trim());
    let value = format!("v = {value}")
        .parse::<Table>()
        .ok()
        .and_then(|mut t| t.remove("v"))
        .unwrap_or_else(|| Value::String(value.into()));
    let mut parts: Vec<&str> = key.split('.').collect();
    let last = parts.pop().expect("split gives at least one part");
    let mut place = table;
    for part in parts {
        place = place
            .entry(part)
            .or_insert_with(|| Value::Table(Table::new()))
            .as_table_mut()
            .ok_or_else(|| RunError::Config(format!("--set {key}: {part} is a value, not a table")))?;
    }
    place.insert(last.into(), value);
    Ok(())
}

/// Refuses a `given` key that is not among the `known`, naming the nearest one that is.
fn check_keys(given: &[String], known: &[String]) -> std::result::Result<(), Refusal> {
    for key in given {
        let inner = format!("{key}.");
        if !known.iter().any(|k| k == key || k.starts_with(&inner)) {
            let nearest = known.iter().min_by_key(|k| distance(k, key));
            let hint = nearest.map_or(String::new(), |k| format!("; the nearest setting is {k}"));
            let problem = format!("there is no setting {key}{hint}");
            return Err(Refusal { key: key.clone(), problem });
        }
    }
    Ok(())
}

/// The dotted keys of all values in `table`.
fn keys_of(table: &Table) -> Vec<String> {
    let mut keys = Vec::new();
    collect_keys(table, "", &mut keys);
    keys
}

fn collect_keys(table: &Table, prefix: &str, keys: &mut Vec<String>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) => collect_keys(inner, &key, keys),
            _ => keys.push(key),
        }
    }
}

/// How far a known key is from what was typed; not at all if it ends in it.
fn distance(known: &str, typed: &str) -> usize {
    if known.ends_with(&format!(".{typed}")) { 0 } else { sbridge_data::edit_distance(known, typed) }
}
