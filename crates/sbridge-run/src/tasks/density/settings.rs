//! The settings of a sampler of a density.

use std::fmt;

use sbridge::density::baselines;
use sbridge::fit::FitSettings;
use sbridge::solver::density::{Loss, Method};
use serde::{Deserialize, Serialize};

use crate::settings::{Common, Refusal, Settings, in_range};

/// The one method, by the name that manifests have.
pub const METHOD: &str = "density";

/// All settings of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DensityConfig {
    /// Seed of every random stream. Default 0.
    pub seed: u64,
    /// `cpu`, `cuda`, `cuda:n` or `wgpu`. Default `cpu`.
    pub device: String,
    /// Baselines that are run beside it: `laplace`, `gauss-vi`, `smc`, `nuts`. Default `["smc"]`.
    pub compare: Vec<String>,
    /// What to sample.
    pub target: TargetConfig,
    /// The diffusion that is controlled.
    pub sampler: SamplerConfig,
    /// What its controls are trained by.
    pub objective: ObjectiveConfig,
    /// Training. Default 1500 steps of 512 paths, learning rate 5e-3.
    pub fit: FitSettings,
    /// What is left in the run folder.
    pub output: DrawsConfig,
}

/// A density.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TargetConfig {
    /// `builtin:NAME`, a TOML file, or a Stan model compiled by BridgeStan.
    pub source: String,
    /// Its data, where it takes some from a file of their own.
    pub data: String,
}

/// The diffusion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SamplerConfig {
    /// Which diffusion: `dds` (default), `dis`, `pis` or `bridge`.
    pub method: MethodName,
    /// Steps of a path. Default 200.
    pub steps: usize,
    /// Standard deviation about the origin for which the law is taken, along every axis; 0 takes centre and covariance of the
    /// draws of `smc`, which is run before. Default 0.
    pub spread: f64,
    /// Largest value of the networks and of the score that they are told, in units of the law's width; where no draws
    /// are followed, a fifth of it in the first quarter of the training, and a fifth of that in the first eighth. Default 250.
    pub clip: f64,
}

/// A diffusion, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MethodName {
    /// Denoising diffusion sampler.
    Dds,
    /// Time-reversed diffusion sampler.
    Dis,
    /// Path integral sampler.
    Pis,
    /// Both directions learned.
    Bridge,
}

impl MethodName {
    /// The method.
    pub(super) fn method(self) -> Method {
        match self {
            Self::Dds => Method::Dds,
            Self::Dis => Method::Dis,
            Self::Pis => Method::Pis,
            Self::Bridge => Method::Bridge,
        }
    }
}

impl fmt::Display for MethodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Dds => "dds",
            Self::Dis => "dis",
            Self::Pis => "pis",
            Self::Bridge => "bridge",
        })
    }
}

/// What is minimised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectiveConfig {
    /// `lv` (default), `lv-traj`, `tb`, `rkl` or `kl`.
    pub loss: LossName,
    /// Paths from every start in `lv-traj`. Default 16.
    pub paths_per_start: usize,
    /// Paths of a larger A (−ln of their weight) have no part in training. Default 1e8.
    pub max_action: f64,
    /// Standard deviation of the noise that is added at first to find what paths do not lead to, in units of the noise of a
    /// step; 0 adds none. Default 0.
    pub exploration: f64,
    /// Share of the training after which nothing is added. Default 0.5.
    pub explored: f64,
    /// Share of the training, from its start, in which the controls follow the draws of `smc`, taken back by the noising, instead
    /// of minimising the loss; none where `sampler.spread` is given. Default 0.3.
    pub examples: f64,
}

/// A loss, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossName {
    /// The variance of A.
    Lv,
    /// The mean of the variance of A among paths from each start.
    LvTraj,
    /// Trajectory balance.
    Tb,
    /// The reverse divergence, by the score of the law of paths.
    Rkl,
    /// The same by the derivative of the path.
    Kl,
}

impl fmt::Display for LossName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Lv => "lv",
            Self::LvTraj => "lv-traj",
            Self::Tb => "tb",
            Self::Rkl => "rkl",
            Self::Kl => "kl",
        })
    }
}

impl ObjectiveConfig {
    /// The loss.
    pub(super) fn loss(&self) -> Loss {
        match self.loss {
            LossName::Lv => Loss::LogVariance,
            LossName::LvTraj => Loss::LogVarianceByStart(self.paths_per_start),
            LossName::Tb => Loss::TrajectoryBalance,
            LossName::Rkl => Loss::ReverseDivergence,
            LossName::Kl => Loss::Divergence,
        }
    }
}

/// What a run leaves in its folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DrawsConfig {
    /// Paths by which it is judged, and draws that are kept. Default 10000.
    pub samples: usize,
    /// Seconds between checkpoints. Default 60.
    pub checkpoint_seconds: u64,
}

impl Default for DensityConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            device: "cpu".into(),
            compare: vec!["smc".into()],
            target: TargetConfig::default(),
            sampler: SamplerConfig::default(),
            objective: ObjectiveConfig::default(),
            fit: FitSettings {
                steps: 1500,
                batch_size: 512,
                learning_rate: 5e-3,
                weight_decay: 0.0,
                clip_norm: 1.0,
                ema_decay: 0.99,
                patience: 0,
            },
            output: DrawsConfig::default(),
        }
    }
}

impl Default for SamplerConfig {
    fn default() -> Self {
        Self { method: MethodName::Dds, steps: 200, spread: 0.0, clip: 250.0 }
    }
}

impl Default for ObjectiveConfig {
    fn default() -> Self {
        Self {
            loss: LossName::Lv,
            paths_per_start: 16,
            max_action: 1e8,
            exploration: 0.0,
            explored: 0.5,
            examples: 0.3,
        }
    }
}

impl Default for DrawsConfig {
    fn default() -> Self {
        Self { samples: 10_000, checkpoint_seconds: 60 }
    }
}

impl Settings for DensityConfig {
    fn defaults(_method: &str) -> Self {
        Self::default()
    }

    fn common(&self) -> Common {
        let checkpoint_seconds = self.output.checkpoint_seconds;
        Common { seed: self.seed, device: self.device.clone(), checkpoint_seconds }
    }

    fn check(&self) -> std::result::Result<(), Refusal> {
        self.check_compared()?;
        if (self.sampler.method, self.objective.loss) == (MethodName::Bridge, LossName::LvTraj) {
            let problem = "lv-traj cannot train sampler.method bridge: what is learned of the noising makes up for any law of the \
                           ends, start by start (use lv)";
            return Err(Refusal::new("objective.loss", problem));
        }
        let Self { sampler, objective, output, fit, .. } = self;
        in_range("sampler.steps", sampler.steps, 1..=10_000, "200 is the default")?;
        in_range("output.samples", output.samples, 2..=100_000_000, "10000 is the default")?;
        let most = fit.batch_size.max(2);
        in_range("objective.paths_per_start", objective.paths_per_start, 2..=most, "16 is the default")?;
        in_range("sampler.spread", sampler.spread, 0.0..=1e9, "0 measures it")?;
        in_range("sampler.clip", sampler.clip, 1e-6..=1e12, "250 is the default")?;
        in_range("objective.max_action", objective.max_action, 1.0..=f64::INFINITY, "1e8 is the default")?;
        in_range("objective.exploration", objective.exploration, 0.0..=1e3, "1 is much, 0 adds none")?;
        in_range("objective.explored", objective.explored, 1e-3..=1.0, "0.5 is the default")?;
        in_range("objective.examples", objective.examples, 0.0..=1.0, "0 learns from no draws")?;
        fit.check().map_err(|error| Refusal::in_section("fit", &error))
    }
}

impl DensityConfig {
    fn check_compared(&self) -> std::result::Result<(), Refusal> {
        let unknown = self.compare.iter().find(|name| !baselines::NAMES.contains(&name.as_str()));
        unknown.map_or(Ok(()), |name| {
            let known = baselines::NAMES.join(", ");
            Err(Refusal::new("compare", format!("knows {known}, got {name:?} (leave it out)")))
        })
    }

    /// Whether centre and width of the law are measured before training.
    pub(super) fn measures_units(&self) -> bool {
        self.sampler.spread == 0.0
    }

    /// Paths of the whole training.
    pub(super) fn paths(&self) -> f64 {
        self.fit.steps as f64 * self.fit.batch_size as f64
    }

    /// Whether the controls first follow the draws by which centre and width are measured.
    pub(super) fn follows_draws(&self) -> bool {
        self.measures_units() && self.objective.examples > 0.0
    }

    /// The baselines that are run: those asked for, and what measures the units.
    pub(super) fn baselines(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        let wanted = self.measures_units().then_some("smc").into_iter();
        for name in wanted.chain(self.compare.iter().map(String::as_str)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
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
            DensityConfig::resolved(METHOD, &Overrides { text: text.into(), ..Overrides::of(set) })
        };
        let config = DensityConfig::default();
        assert_eq!(of(&config.to_toml(), &[]).unwrap(), config);
        let refused = |set: &str| of("", &[set]).unwrap_err().to_string();
        assert!(
            refused("compare=[\"gibbs\"]")
                .contains("compare knows laplace, gauss-vi, smc, nuts, got \"gibbs\"")
        );
        assert!(refused("sampler.steps=0").contains("sampler.steps must be in [1, 10000], got 0"));
        assert!(refused("sampler.spread=-1").contains("sampler.spread must be in"));
        assert!(refused("sampler.spread=nan").contains("sampler.spread must be in"));
        assert!(refused("objective.loss=\"kli\"").contains("unknown variant"));
        assert!(refused("fit.steps=0").contains("fit.steps must be at least 1"));
        assert!(of("", &["compare=[]"]).unwrap().baselines() == ["smc"]);
        assert!(of("", &["compare=[]", "sampler.spread=1"]).unwrap().baselines().is_empty());
    }
}
