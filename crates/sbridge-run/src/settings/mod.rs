//! Settings: TOML and assignments → plain structs, every key known, every value checked.
//!
//! Each level documents its defaults where it is defined; `config.toml` in a run folder holds all of them resolved.

mod keys;
mod shared;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;

pub use keys::{Refusal, in_range};
pub use shared::{AutoencoderConfig, DataConfig, Encoder, OutputConfig, Shares};

/// The settings of a task.
pub trait Settings: Clone + Serialize + DeserializeOwned {
    /// Beginnings of keys of which there are several kinds with keys of their own: which there are is known once the
    /// kind is.
    const VARIANTS: &'static [&'static str] = &[];

    /// What settings that came later are in runs that were made without them, key and value: as the program of then behaved.
    const FORMER: &'static [(&'static str, &'static str)] = &[];

    /// The settings of `method` as they are if nobody says anything.
    fn defaults(method: &str) -> Self;

    /// # Errors
    /// [`Refusal`] for the first setting that cannot be used.
    fn check(&self) -> std::result::Result<(), Refusal>;

    /// What every run has.
    fn common(&self) -> Common;

    /// The settings as TOML, complete.
    fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("settings are plain tables and numbers")
    }

    /// The defaults of `method` with `overrides` on top.
    ///
    /// # Errors
    /// [`RunError::Config`](crate::RunError::Config) for TOML that does not parse, a key that does not exist (the
    /// nearest one is named), or a value out of range; with the line of the text, if it stands there.
    fn resolved(method: &str, overrides: &Overrides) -> Result<Self> {
        keys::read(
            &Self::defaults(method),
            &overrides.text,
            &overrides.assignments,
            Self::VARIANTS,
            Self::check,
        )
    }

    /// The settings of a run of `method` that keeps `text`, complete as of when it was made.
    ///
    /// # Errors
    /// As [`resolved`](Self::resolved).
    fn kept(method: &str, text: String) -> Result<Self> {
        let table = text.parse::<toml::Table>().unwrap_or_default();
        let is_set = |key: &str| {
            let mut parts = key.split('.');
            let top = parts.next().and_then(|name| table.get(name));
            parts.fold(top, |value, name| value?.get(name)).is_some()
        };
        let former = Self::FORMER.iter().filter(|(key, _)| !is_set(key));
        Self::resolved(
            method,
            &Overrides { assignments: former.map(|(key, value)| format!("{key}={value}")).collect(), text },
        )
    }

    /// The same settings with `assignments` of the form `key=value` on top.
    ///
    /// # Errors
    /// As [`resolved`](Self::resolved).
    fn with(&self, method: &str, assignments: &[String]) -> Result<Self> {
        Self::resolved(method, &Overrides { text: self.to_toml(), assignments: assignments.to_vec() })
    }
}

/// What is to be other than the defaults.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// TOML.
    pub text: String,
    /// `key=value`, over the text; later ones win.
    pub assignments: Vec<String>,
}

impl Overrides {
    /// Those of `assignments` alone.
    pub fn of(assignments: &[&str]) -> Self {
        Self { text: String::new(), assignments: assignments.iter().map(ToString::to_string).collect() }
    }

    /// Whether something is set under `key`, at the top. Text that does not parse sets nothing.
    pub fn has(&self, key: &str) -> bool {
        let assigned = self.assignments.iter().rev().filter_map(|assignment| assignment.split_once('='));
        if let Some((_, value)) = assigned.into_iter().find(|(name, _)| name.trim() == key) {
            return value.trim() != "[]";
        }
        let table = self.text.parse::<toml::Table>().unwrap_or_default();
        table.get(key).is_some_and(|value| value.as_array().is_none_or(|list| !list.is_empty()))
    }
}

/// What the settings of every run say.
#[derive(Clone, Debug)]
pub struct Common {
    /// Seed of every random stream.
    pub seed: u64,
    /// `cpu`, `cuda`, `cuda:n` or `wgpu`.
    pub device: String,
    /// Seconds between checkpoints.
    pub checkpoint_seconds: u64,
}

#[cfg(test)]
mod tests {
    use super::Overrides;

    #[test]
    fn the_last_word_on_a_key_counts_and_an_empty_list_is_none() {
        let has = |text: &str, assignments: &[&str]| {
            Overrides { text: text.into(), ..Overrides::of(assignments) }.has("snapshots")
        };
        assert!(has("snapshots = [1]", &[]) && has("", &["snapshots=[1]"]));
        assert!(has("[[snapshots]]\ntime = 1", &["seed=1"]));
        assert!(!has("snapshots = [1]", &["snapshots = []"]) && has("", &["snapshots=[]", "snapshots=[1]"]));
        assert!(!has("", &[]) && !has("snapshots = ", &[]) && !has("snapshots = []", &[]));
    }
}
