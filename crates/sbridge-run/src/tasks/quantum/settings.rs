//! The settings of a bridge between quantum states.

use sbridge::quantum::{CodecSettings, Coordinates, Gauge, Partition, Repairs};
use sbridge::solver::alternation::AlternationSettings;
use sbridge::solver::light_sb::LightSbSettings;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::models::bridge::{PairConfig, PairMethod, PairOutput};
use crate::settings::{Common, DataConfig, OutputConfig, Refusal, Settings};

/// The method of whoever names none: states are generated.
pub const METHOD: &str = "quantum";

/// What stands before the name of a method between two sets.
const PREFIX: &str = "quantum-";

/// All methods: the first generates with the second's networks unless it is told otherwise.
pub(super) const METHODS: [&str; 8] = [
    METHOD,
    "quantum-dsbm",
    "quantum-sf2m",
    "quantum-dsb",
    "quantum-sdsb",
    "quantum-sgm",
    "quantum-light-sb",
    "quantum-light-sb-m",
];

/// The method between two sets that `method` is.
pub(super) fn pair_method(method: &str) -> PairMethod {
    method.strip_prefix(PREFIX).and_then(PairMethod::of_name).unwrap_or(PairMethod::Dsbm)
}

/// All settings of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantumConfig {
    /// Seed of every random stream. Default 0.
    pub seed: u64,
    /// `cpu`, `cuda`, `cuda:n` or `wgpu`. Default `cpu`.
    pub device: String,
    /// ε = σ² of the reference in the standardised dual space; 0, the default, chooses it from the states, and takes 1 where they
    /// are generated.
    pub epsilon: f64,
    /// Share of the maximally mixed state that is mixed into every state. Default 0; singular states need some: 0.001 is usual.
    pub depolarise: f64,
    /// `isometric` (default), or `raw` for off-diagonal entries without the factor √2.
    pub coordinates: Coordinates,
    /// `full` (default), or `traceless` for duals without their trace.
    pub gauge: Gauge,
    /// Whether matrices that are not Hermitian are replaced by their Hermitian parts. Default false.
    pub symmetrise: bool,
    /// Whether matrices of another trace are divided by it. Default false.
    pub normalise: bool,
    /// Qubits on one side of the cut across which negativity is measured, counted from 1. Default every other one, if the
    /// dimension is a power of two.
    pub partition: Vec<usize>,
    /// Whether the same networks are also trained on entries of the matrices, without the mirror map, to be compared with where
    /// states are generated. Default true.
    pub compare: bool,
    /// Where paths start; noise if empty, and then states are generated.
    pub source: DataConfig,
    /// Where they end.
    pub target: DataConfig,
    /// The mixture potentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub light_sb: Option<LightSbSettings>,
    /// The networks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub networks: Option<AlternationSettings>,
    /// What is set aside and drawn.
    pub output: OutputConfig,
}

impl QuantumConfig {
    /// Whether states are made of noise.
    pub fn generates(&self) -> bool {
        self.source.source.is_empty()
    }

    /// How states become rows, with the mirror map or without.
    pub fn codec(&self, entries: bool) -> CodecSettings {
        CodecSettings { coordinates: self.coordinates, gauge: self.gauge, entries }
    }

    /// What may be repaired.
    pub fn repairs(&self) -> Repairs {
        Repairs { symmetrise: self.symmetrise, normalise: self.normalise }
    }

    /// The cut of states of `dim` rows, if there is one.
    ///
    /// # Errors
    /// [`RunError::Library`](crate::RunError::Library) for a cut that was asked for and is none.
    pub fn cut(&self, dim: usize) -> Result<Option<Partition>> {
        match self.partition.is_empty() {
            true => Ok(Partition::usual(dim)),
            false => Ok(Some(Partition::new(dim, &self.partition)?)),
        }
    }

    /// The settings of the bridge between the codes called `source` and `target` in memory.
    pub(super) fn leg(&self, [source, target]: [&str; 2]) -> PairConfig {
        let named = |name: &str| DataConfig { source: format!("memory:{name}"), ..DataConfig::default() };
        // Noise has the unit of the codes, and a reference of their size.
        let epsilon = if self.generates() && self.epsilon == 0.0 { 1.0 } else { self.epsilon };
        PairConfig {
            seed: self.seed,
            epsilon,
            device: self.device.clone(),
            source: named(source),
            target: named(target),
            light_sb: self.light_sb.clone(),
            networks: self.networks.clone(),
            output: PairOutput {
                held_out: self.output.held_out,
                validation: self.output.validation,
                checkpoint_seconds: self.output.checkpoint_seconds,
            },
            ..PairConfig::of(PairMethod::Dsbm)
        }
    }
}

impl Settings for QuantumConfig {
    fn defaults(method: &str) -> Self {
        let pair = pair_method(method);
        let PairConfig { light_sb, mut networks, .. } = PairConfig::of(pair);
        if let Some(networks) = &mut networks {
            networks.net.mlp.width = 256;
            if method == METHOD {
                // Noise to states is one half-bridge: nothing is asked of the way back.
                networks.half_bridges = 1;
                networks.steps = 50;
                networks.fit.steps = 8000;
                networks.fit.learning_rate = 2e-3;
                networks.fit.ema_decay = 0.999;
            }
        }
        Self {
            seed: 0,
            device: "cpu".into(),
            epsilon: 0.0,
            depolarise: 0.0,
            coordinates: Coordinates::default(),
            gauge: Gauge::default(),
            symmetrise: false,
            normalise: false,
            partition: Vec::new(),
            compare: true,
            source: DataConfig::default(),
            target: DataConfig::default(),
            light_sb,
            networks,
            output: OutputConfig { held_out: 0.1, validation: 0.0, ..OutputConfig::default() },
        }
    }

    fn common(&self) -> Common {
        let checkpoint_seconds = self.output.checkpoint_seconds;
        Common { seed: self.seed, device: self.device.clone(), checkpoint_seconds }
    }

    fn check(&self) -> std::result::Result<(), Refusal> {
        if !(0.0..1.0).contains(&self.depolarise) {
            let problem = format!("must be in [0, 1), got {} (0.001 is usual)", self.depolarise);
            return Err(Refusal::new("depolarise", problem));
        }
        self.output.check()?;
        self.leg(["source", "target"]).check()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::settings::Overrides;

    fn of(method: &str, text: &str, set: &[&str]) -> crate::Result<QuantumConfig> {
        QuantumConfig::resolved(method, &Overrides { text: text.into(), ..Overrides::of(set) })
    }

    #[test]
    fn defaults_of_every_method_survive_a_round_trip() {
        for method in METHODS {
            let config = QuantumConfig::defaults(method);
            assert_eq!(of(method, &config.to_toml(), &[]).unwrap(), config);
        }
        let named =
            METHODS.iter().filter(|method| **method != METHOD).map(|method| pair_method(method).name());
        assert_eq!(named.count(), PairMethod::ALL.len());
        assert_eq!(pair_method(METHOD), PairMethod::Dsbm);
    }

    #[test]
    fn wrong_settings_are_refused_with_key_and_value() {
        let refused = |set: &str| of(METHOD, "", &[set]).unwrap_err().to_string();
        assert!(refused("depolarise=1").contains("depolarise must be in [0, 1), got 1"));
        assert!(refused("gauge=\"trace\"").contains("gauge"));
        assert!(refused("networks.fit.steps=0").contains("networks.fit.steps must be at least 1"));
        assert!(refused("epsilon=-1").contains("epsilon must be a finite number >= 0"));
        assert!(refused("light_sb.steps=3").contains("there is no setting light_sb.steps"));
        assert!(refused("depolarize=0.1").contains("nearest setting is depolarise"));
        assert!(refused("output.held_out=0.9").contains("output.held_out must be in [0, 0.5]"));
    }
}
