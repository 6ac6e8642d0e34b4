//! Settings by their dotted keys: assigned, checked against those there are, found in the text.

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use crate::error::{Result, RunError};

/// A setting that cannot be used.
pub(crate) struct Refusal {
    key: String,
    problem: String,
}

impl Refusal {
    /// The setting `key` has `problem`, which follows its name.
    pub(crate) fn new(key: &str, problem: impl AsRef<str>) -> Self {
        Self { key: key.into(), problem: format!("{key} {}", problem.as_ref()) }
    }

    /// A value of `section` that the library refused.
    pub(crate) fn in_section(section: &str, error: &sbridge::Error) -> Self {
        match error {
            sbridge::Error::Setting { name, .. } => {
                Self { key: format!("{section}.{name}"), problem: format!("{section}.{error}") }
            }
            _ => Self { key: section.into(), problem: error.to_string() },
        }
    }

    /// A value of the wrong type; the error ends with the key.
    pub(crate) fn of_toml(error: toml::de::Error) -> Self {
        let text = error.to_string();
        let text = text.trim_end();
        match text.strip_suffix('`').and_then(|text| text.rsplit_once("\nin `")) {
            Some((problem, key)) => Self { key: key.into(), problem: format!("{key}: {problem}") },
            None => Self { key: String::new(), problem: format!("settings: {text}") },
        }
    }

    /// The refusal with the line of `text` the setting stands in, unless an assignment put it there.
    pub(crate) fn located(self, text: &str, assignments: &[String]) -> RunError {
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
pub(crate) fn assign(table: &mut Table, assignment: &str) -> Result<()> {
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
pub(crate) fn check_keys(given: &[String], known: &[String]) -> std::result::Result<(), Refusal> {
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
pub(crate) fn keys_of(table: &Table) -> Vec<String> {
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
