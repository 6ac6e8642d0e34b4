//! The settings of a bridge between two data sets: TOML and `--set` → [`PairConfig`].

use sbridge::solver::light_sb::LightSbSettings;
use serde::{Deserialize, Serialize};

use crate::config::DataConfig;
use crate::config_keys::{self, Refusal};
use crate::error::Result;

/// All settings of a bridge between two data sets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PairConfig {
    /// Seed of every random stream. Default 0.
    pub seed: u64,
    /// ε = σ² of the reference, a variance in data units; 0, the default, chooses it from the data.
    pub epsilon: f64,
    /// Where paths start.
    pub source: DataConfig,
    /// Where they end.
    pub target: DataConfig,
    /// The mixture potentials.
    pub light_sb: LightSbSettings,
    /// What is set aside and drawn.
    pub output: PairOutput,
}

/// What a run sets aside and draws.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PairOutput {
    /// Share of both sets kept for the evaluation. Default 0.1; in [0, 0.5].
    pub held_out: f64,
}

impl Default for PairOutput {
    fn default() -> Self {
        Self { held_out: 0.1 }
    }
}

impl PairConfig {
    /// The settings of a TOML text, with `assignments` of the form `key=value` on top.
    ///
    /// # Errors
    /// [`RunError::Config`](crate::RunError::Config) as for the settings of a latent run.
    pub fn from_toml(text: &str, assignments: &[String]) -> Result<Self> {
        config_keys::read(text, assignments, &[], Self::check)
    }

    /// The settings as TOML, complete.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("settings are plain tables and numbers")
    }

    fn check(&self) -> std::result::Result<(), Refusal> {
        self.light_sb.check().map_err(|error| Refusal::in_section("light_sb", &error))?;
        if !(self.epsilon.is_finite() && self.epsilon >= 0.0) {
            let problem =
                format!("must be a finite number >= 0, got {} (0 chooses it from the data)", self.epsilon);
            return Err(Refusal::new("epsilon", problem));
        }
        if !(0.0..=0.5).contains(&self.output.held_out) {
            let problem = format!("must be in [0, 0.5], got {} (0.1 is the default)", self.output.held_out);
            return Err(Refusal::new("output.held_out", problem));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn defaults_survive_a_round_trip() {
        let config = PairConfig::default();
        assert_eq!(PairConfig::from_toml(&config.to_toml(), &[]).unwrap(), config);
    }

    #[test]
    fn wrong_settings_are_refused_with_key_value_and_line() {
        let refused = |text: &str, set: &[&str]| {
            let set: Vec<String> = set.iter().map(ToString::to_string).collect();
            PairConfig::from_toml(text, &set).unwrap_err().to_string()
        };
        assert!(refused("\nepsilon = -1", &[]).starts_with("line 2 of the settings: epsilon must be"));
        assert!(refused("", &["light_sb.component=3"]).contains("nearest setting is light_sb.components"));
        assert!(refused("", &["light_sb.steps=0"]).contains("light_sb.steps must be at least 1"));
        assert!(refused("", &["output.held_out=0.7"]).contains("output.held_out must be in [0, 0.5]"));
    }
}
