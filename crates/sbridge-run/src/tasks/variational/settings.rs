//! The settings of a variational diffusion.

use sbridge::solver::vsdm::{FlowSettings, VsdmSettings};
use serde::{Deserialize, Serialize};

use crate::models::variational::check_learned;
use crate::settings::{Common, DataConfig, OutputConfig, Refusal, Settings};

/// All settings of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VariationalConfig {
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

impl Default for VariationalConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            device: "cpu".into(),
            baselines: false,
            target: DataConfig::default(),
            vsdm: VsdmSettings::default(),
            sampler: FlowSettings::default(),
            output: OutputConfig { held_out: 0.1, validation: 0.0, ..OutputConfig::default() },
        }
    }
}

impl Settings for VariationalConfig {
    fn defaults(_method: &str) -> Self {
        Self::default()
    }

    fn check(&self) -> std::result::Result<(), Refusal> {
        check_learned(&self.vsdm, &self.sampler)?;
        self.output.check()
    }

    fn common(&self) -> Common {
        let checkpoint_seconds = self.output.checkpoint_seconds;
        Common { seed: self.seed, device: self.device.clone(), checkpoint_seconds }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::settings::Overrides;
    use crate::tasks::variational::METHOD;

    fn of(text: &str, set: &[&str]) -> crate::Result<VariationalConfig> {
        VariationalConfig::resolved(METHOD, &Overrides { text: text.into(), ..Overrides::of(set) })
    }

    #[test]
    fn defaults_survive_a_round_trip_and_wrong_values_are_refused() {
        let config = VariationalConfig::default();
        assert_eq!(of(&config.to_toml(), &[]).unwrap(), config);
        let refused = |set: &str| of("", &[set]).unwrap_err().to_string();
        assert!(refused("vsdm.zeta=-1").contains("vsdm.zeta must be a finite number > 0, got -1"));
        assert!(refused("vsdm.schedule.beta_max=0.01").contains("vsdm.schedule.beta_max must be at least"));
        assert!(refused("vsdm.fit.steps=0").contains("vsdm.fit.steps must be at least 1"));
        assert!(refused("sampler.steps=0").contains("sampler.steps must be at least 1"));
        assert!(refused("output.held_out=0.7").contains("output.held_out must be in [0, 0.5]"));
        assert!(refused("vsdm.stage=3").contains("nearest setting is vsdm.stages"));
    }
}
