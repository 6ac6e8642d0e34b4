//! The settings of a variational diffusion.

use sbridge::solver::vsdm::{FlowSettings, VsdmSettings};
use serde::{Deserialize, Serialize};

use crate::config::{DataConfig, OutputConfig};
use crate::config_keys::{self, Refusal};
use crate::error::Result;

/// All settings of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VsdmConfig {
    /// Seed of every random stream. Default 0.
    pub seed: u64,
    /// `cpu`, `cuda`, `cuda:n` or `wgpu`. Default `cpu`.
    pub device: String,
    /// Whether score models of the same network and training are fitted beside it, to compare. Default false.
    pub baselines: bool,
    /// What to generate.
    pub target: DataConfig,
    /// What is learned.
    pub vsdm: VsdmSettings,
    /// How samples are drawn.
    pub sampler: FlowSettings,
    /// What is left in the run folder.
    pub output: OutputConfig,
}

impl Default for VsdmConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            device: "cpu".into(),
            baselines: false,
            target: DataConfig::default(),
            vsdm: VsdmSettings::default(),
            sampler: FlowSettings::default(),
            output: OutputConfig { held_out: 0.1, ..OutputConfig::default() },
        }
    }
}

impl VsdmConfig {
    /// The settings of a TOML text, with `assignments` of the form `key=value` on top.
    ///
    /// # Errors
    /// [`RunError::Config`](crate::RunError::Config) as for the settings of a latent run.
    pub fn from_toml(text: &str, assignments: &[String]) -> Result<Self> {
        config_keys::read(&Self::default(), text, assignments, &[], Self::check)
    }

    /// The settings as TOML, complete.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("settings are plain tables and numbers")
    }

    fn check(&self) -> std::result::Result<(), Refusal> {
        check_learned(&self.vsdm, &self.sampler)?;
        self.output.check()
    }
}

/// Refuses what cannot be learned or drawn, by the section of the setting.
pub(crate) fn check_learned(vsdm: &VsdmSettings, sampler: &FlowSettings) -> std::result::Result<(), Refusal> {
    let parts = [
        ("vsdm.schedule", vsdm.schedule.check()),
        ("vsdm.net", vsdm.net.check()),
        ("vsdm.fit", vsdm.fit.check()),
        ("vsdm", vsdm.check()),
        ("sampler", sampler.check()),
    ];
    for (section, checked) in parts {
        checked.map_err(|error| Refusal::in_section(section, &error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn defaults_survive_a_round_trip_and_wrong_values_are_refused() {
        let config = VsdmConfig::default();
        assert_eq!(VsdmConfig::from_toml(&config.to_toml(), &[]).unwrap(), config);
        let refused = |set: &str| VsdmConfig::from_toml("", &[set.into()]).unwrap_err().to_string();
        assert!(refused("vsdm.zeta=-1").contains("vsdm.zeta must be a finite number > 0, got -1"));
        assert!(refused("vsdm.schedule.beta_max=0.01").contains("vsdm.schedule.beta_max must be at least"));
        assert!(refused("vsdm.fit.steps=0").contains("vsdm.fit.steps must be at least 1"));
        assert!(refused("sampler.steps=0").contains("sampler.steps must be at least 1"));
        assert!(refused("output.held_out=0.7").contains("output.held_out must be in [0, 0.5]"));
        assert!(refused("vsdm.stage=3").contains("nearest setting is vsdm.stages"));
    }
}
