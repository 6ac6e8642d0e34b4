//! The settings of a crowd.

use sbridge::solver::Gsbm;
use sbridge::solver::alternation::{AlternationMethod as _, AlternationSettings};
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::models::bridge::{PairConfig, PairMethod, PairOutput};
use crate::settings::{Common, DataConfig, Refusal, Settings, in_range};

/// All settings of a bridge that pays for where it goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrowdConfig {
    /// Seed of every random stream. Default 0.
    pub seed: u64,
    /// ε = σ² of the reference, a variance in data units; 0, the default, takes that of a built-in cost, or chooses it from
    /// the data.
    pub epsilon: f64,
    /// Where networks are trained: `cpu`, `cuda`, `cuda:N` or `wgpu`. Default `cpu`.
    pub device: String,
    /// What places cost: `builtin:NAME`, or a TOML file that adds up terms.
    pub cost: String,
    /// The terms of that file, with what they refer to; they may also stand here.
    pub terms: Vec<Table>,
    /// Half-bridges of the plain bridge, without a cost, that is learned to be shown beside it; 0 learns none. Default 4.
    pub plain: usize,
    /// Where paths start; that of a built-in cost, if it is left out.
    pub source: DataConfig,
    /// Where they end.
    pub target: DataConfig,
    /// What moves samples without control: rate (centre − x).
    pub drift: DriftConfig,
    /// How half-bridges are learned.
    pub networks: AlternationSettings,
    /// What is set aside and kept.
    pub output: PairOutput,
}

/// A linear drift.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DriftConfig {
    /// Per unit of time; 0, the default, is none.
    pub rate: f64,
    /// A value for each coordinate. Default the origin.
    pub centre: Vec<f64>,
}

impl Default for CrowdConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            epsilon: 0.0,
            device: "cpu".into(),
            cost: String::new(),
            terms: Vec::new(),
            plain: 4,
            source: DataConfig::default(),
            target: DataConfig::default(),
            drift: DriftConfig::default(),
            networks: Gsbm.defaults(),
            output: PairOutput::default(),
        }
    }
}

impl CrowdConfig {
    /// The plain settings of a bridge between the same sets.
    pub(super) fn pair(&self) -> PairConfig {
        PairConfig {
            seed: self.seed,
            epsilon: self.epsilon,
            device: self.device.clone(),
            source: self.source.clone(),
            target: self.target.clone(),
            networks: Some(self.networks.clone()),
            output: self.output.clone(),
            ..PairConfig::of(PairMethod::Dsbm)
        }
    }

    /// Networks of the bridge without a cost: of the same size and training, over the drift that is known.
    pub(super) fn plain_networks(&self) -> AlternationSettings {
        AlternationSettings {
            paths: None,
            known_drift: true,
            half_bridges: self.plain,
            ..self.networks.clone()
        }
    }
}

impl Settings for CrowdConfig {
    fn defaults(_method: &str) -> Self {
        Self::default()
    }

    fn common(&self) -> Common {
        let checkpoint_seconds = self.output.checkpoint_seconds;
        Common { seed: self.seed, device: self.device.clone(), checkpoint_seconds }
    }

    fn check(&self) -> std::result::Result<(), Refusal> {
        if !(self.epsilon.is_finite() && self.epsilon >= 0.0) {
            let problem =
                format!("must be a finite number >= 0, got {} (0 chooses it from the data)", self.epsilon);
            return Err(Refusal::new("epsilon", problem));
        }
        in_range("plain", self.plain, 0..=1000, "4 is the default, 0 learns none")?;
        in_range("drift.rate", self.drift.rate, -1e6..=1e6, "0 is none")?;
        let Some(paths) = &self.networks.paths else {
            return Err(Refusal::new(
                "networks.paths",
                "must be given: without them no state cost has a part",
            ));
        };
        let in_section = |section: &'static str| move |error| Refusal::in_section(section, &error);
        paths.descent.check().map_err(in_section("networks.paths.descent"))?;
        paths.check().map_err(in_section("networks.paths"))?;
        self.networks.net.mlp.check().map_err(in_section("networks.net.mlp"))?;
        self.networks.net.check().map_err(in_section("networks.net"))?;
        self.networks.fit.check().map_err(in_section("networks.fit"))?;
        self.networks.check().map_err(in_section("networks"))?;
        if self.networks.half_bridges < 2 {
            let problem = format!(
                "must be at least 2, got {}: one way each (10 is the default)",
                self.networks.half_bridges
            );
            return Err(Refusal::new("networks.half_bridges", problem));
        }
        self.output.shares().check()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::settings::Overrides;

    #[test]
    fn defaults_survive_a_round_trip_and_wrong_values_are_refused() {
        let of = |text: &str, set: &[&str]| {
            CrowdConfig::resolved("crowd", &Overrides { text: text.into(), ..Overrides::of(set) })
        };
        let mut config = CrowdConfig::default();
        assert_eq!(of(&config.to_toml(), &[]).unwrap(), config);
        config.terms = vec!["kind = \"congestion\"\nweight = 2.0".parse().unwrap()];
        assert_eq!(of(&config.to_toml(), &[]).unwrap(), config);
        let refused = |set: &str| of("", &[set]).unwrap_err().to_string();
        assert!(refused("networks.paths.descent.mean_rate=0").contains("networks.paths.descent.mean_rate"));
        assert!(refused("networks.half_bridges=1").contains("at least 2, got 1"));
        assert!(refused("epsilon=-1").contains("epsilon must be a finite number >= 0"));
        assert!(refused("networks.paths.descent.optimiser=\"adamw\"").contains("unknown variant"));
    }
}
