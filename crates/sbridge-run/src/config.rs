//! The settings of a run: TOML and `--set` → [`Config`], every key known, every value checked.
//!
//! Each level documents its defaults where it is defined; `config.toml` in a run folder holds all
//! of them resolved.

use serde::{Deserialize, Serialize};

use sbridge::fit::FitSettings;
use sbridge::latent::{BridgeSettings, SamplerSettings};
use sbridge::net::AutoencoderSettings;
use sbridge::objective::ReconstructionSettings;

use crate::config_keys::{self, Refusal};
use crate::error::Result;

/// All settings of a latent run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Seed of every random stream. Default 0.
    pub seed: u64,
    /// `cpu`, `cuda`, `cuda:n` or `wgpu`. Default `cpu`.
    pub device: String,
    /// What to generate.
    pub target: DataConfig,
    /// What to train encoder and decoder on; the target if empty.
    pub pretrain: DataConfig,
    /// Stage A.
    pub autoencoder: AutoencoderConfig,
    /// Stage B.
    pub bridge: BridgeConfig,
    /// Stage C.
    pub sampler: SamplerSettings,
    /// What is left in the run folder.
    pub output: OutputConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 0,
            device: "cpu".into(),
            target: DataConfig::default(),
            pretrain: DataConfig::default(),
            autoencoder: AutoencoderConfig::default(),
            bridge: BridgeConfig::default(),
            sampler: SamplerSettings::default(),
            output: OutputConfig::default(),
        }
    }
}

/// A data set, or a part of one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// A file, a folder or `builtin:NAME`.
    pub source: String,
    /// Keep only samples with these labels; all if empty.
    pub labels: Vec<u32>,
    /// Keep only the first so many of them; all if 0.
    pub limit: usize,
}

/// Which encoder goes in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoder {
    /// Trained: convolutional for images, dense for vectors.
    Trained,
    /// None: the data are codes already. Vectors only.
    Identity,
}

/// Stage A: the encoder and the decoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AutoencoderConfig {
    /// `trained` (default) or `identity`.
    pub encoder: Encoder,
    /// Sizes of the networks.
    pub net: AutoencoderSettings,
    /// Regularisation of the codes.
    pub loss: ReconstructionSettings,
    /// Training. Default 2200 steps of 128, learning rate 2e-3.
    pub fit: FitSettings,
}

impl Default for AutoencoderConfig {
    fn default() -> Self {
        Self {
            encoder: Encoder::Trained,
            net: AutoencoderSettings::default(),
            loss: ReconstructionSettings::default(),
            fit: FitSettings {
                steps: 2200,
                batch_size: 128,
                learning_rate: 2e-3,
                weight_decay: 1e-4,
                clip_norm: 50.0,
                ema_decay: 0.995,
                patience: 0,
            },
        }
    }
}

/// Stage B: the score of the smoothed codes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BridgeConfig {
    /// What is learned.
    pub score: BridgeSettings,
    /// Training of the score. Default 10000 steps of 512, learning rate 1e-3, patience 8.
    pub fit: FitSettings,
    /// Training of the density ratio, for the `density-ratio` start law only.
    pub ratio_fit: FitSettings,
}

impl Default for BridgeConfig {
    fn default() -> Self {
        let fit = FitSettings {
            steps: 10_000,
            batch_size: 512,
            learning_rate: 1e-3,
            weight_decay: 0.0,
            clip_norm: 1.0,
            ema_decay: 0.999,
            patience: 8,
        };
        let ratio_fit = FitSettings { steps: 2000, learning_rate: 3e-4, weight_decay: 1e-2, ..fit.clone() };
        Self { score: BridgeSettings::default(), fit, ratio_fit }
    }
}

/// What a run leaves in its folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutputConfig {
    /// Samples drawn at the end. Default 10000.
    pub samples: usize,
    /// Seconds between checkpoints. Default 60.
    pub checkpoint_seconds: u64,
    /// Share of the target set aside to watch over-fitting. Default 0.05; in [0, 0.5].
    pub held_out: f64,
}

impl Default for OutputConfig {
    fn default() -> Self {
        Self { samples: 10_000, checkpoint_seconds: 60, held_out: 0.05 }
    }
}

/// Settings of several kinds with keys of their own: which there are is known once the kind is.
const VARIANTS: [&str; 2] = ["sampler.start.", "sampler.grid."];

impl Config {
    /// The settings of a TOML text, with `assignments` of the form `key=value` on top.
    ///
    /// # Errors
    /// [`RunError::Config`](crate::RunError::Config) for TOML that does not parse, a key that does not exist
    /// (the nearest one is named), or a value out of range; with the line of the text, if it stands there.
    pub fn from_toml(text: &str, assignments: &[String]) -> Result<Self> {
        config_keys::read(&Self::default(), text, assignments, &VARIANTS, Self::check)
    }

    /// The settings as TOML, complete.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("settings are plain tables and numbers")
    }

    fn check(&self) -> std::result::Result<(), Refusal> {
        let plan = self.sampler.denoiser(self.bridge.score.epsilon).map(drop);
        let parts = [
            ("autoencoder.loss", self.autoencoder.loss.check()),
            ("autoencoder.fit", self.autoencoder.fit.check()),
            ("bridge.score.net", self.bridge.score.net.check()),
            ("bridge.fit", self.bridge.fit.check()),
            ("bridge.ratio_fit", self.bridge.ratio_fit.check()),
            ("sampler.start", self.sampler.start.check()),
            (section_of_plan(&plan), plan),
        ];
        for (section, checked) in parts {
            checked.map_err(|error| Refusal::in_section(section, &error))?;
        }
        self.output.check()
    }
}

impl OutputConfig {
    pub(crate) fn check(&self) -> std::result::Result<(), Refusal> {
        let Self { held_out, samples, .. } = *self;
        if !(0.0..=0.5).contains(&held_out) {
            let problem = format!("must be in [0, 0.5], got {held_out} (0.05 is the default)");
            return Err(Refusal::new("output.held_out", problem));
        }
        if samples == 0 {
            return Err(Refusal::new("output.samples", "must be at least 1, got 0 (10000 is the default)"));
        }
        Ok(())
    }
}

/// Where the setting stands that a sampler's plan was refused for.
fn section_of_plan<T>(plan: &sbridge::Result<T>) -> &'static str {
    match plan {
        Err(sbridge::Error::Setting { name: "epsilon", .. }) => "bridge.score",
        Err(sbridge::Error::Setting { name: "rho", .. }) => "sampler.grid",
        _ => "sampler",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refusal(text: &str, set: &[&str]) -> String {
        let set: Vec<String> = set.iter().map(ToString::to_string).collect();
        Config::from_toml(text, &set).unwrap_err().to_string()
    }

    #[test]
    fn defaults_survive_a_round_trip() {
        let config = Config::default();
        assert_eq!(Config::from_toml(&config.to_toml(), &[]).unwrap(), config);
    }

    #[test]
    fn set_reaches_nested_values_of_every_type() {
        let set = [
            "seed=7",
            "bridge.fit.steps=9",
            "sampler.step=ode-heun",
            "target.labels=[1,2]",
            r#"sampler.grid={kind="geometric"}"#,
        ]
        .map(String::from);
        let config = Config::from_toml("", &set).unwrap();
        assert_eq!((config.seed, config.bridge.fit.steps), (7, 9));
        assert_eq!(config.sampler.step, sbridge::simulate::StepRule::OdeHeun);
        assert_eq!(config.target.labels, [1, 2]);
        assert_eq!(config.sampler.grid, sbridge::simulate::VarGrid::Geometric);
    }

    #[test]
    fn unknown_keys_name_the_nearest_one() {
        assert!(refusal("", &["bridge.fit.step=3"]).contains("nearest setting is bridge.fit.steps"));
        assert!(refusal("", &["latent_dim=3"]).contains("autoencoder.net.latent_dim"));
        assert!(refusal("sede = 1", &[]).contains("nearest setting is seed"));
        let wrong_variant = r#"sampler.grid={kind="uniform", rho=3}"#;
        assert!(refusal("", &[wrong_variant]).contains("no setting sampler.grid.rho"));
    }

    #[test]
    fn what_stands_in_the_file_is_refused_with_its_line() {
        let refused = |text: &str, start: &str| {
            let message = refusal(text, &[]);
            assert!(message.starts_with(start), "{message}");
        };
        refused("seed = 1\n\n[bridge.fit]\nstep = 2", "line 4 of the settings: there is no setting");
        refused(
            "[sampler]\ngrid.rho = 0.5\ngrid.kind = \"power\"",
            "line 2 of the settings: sampler.grid.rho",
        );
        refused("[bridge.fit]\n\nsteps = 0", "line 3 of the settings: bridge.fit.steps must be at least 1");
        refused("bridge.score.epsilon = -1", "line 1 of the settings: bridge.score.epsilon");
        refused("[output]\nheld_out = 2", "line 2 of the settings: output.held_out");
        refused("\nseed = \"one\"", "line 2 of the settings: seed: invalid type");
        // What an assignment put there has no line.
        assert!(refusal("[bridge.fit]\nsteps = 5", &["bridge.fit.steps=0"]).starts_with("bridge.fit.steps"));
    }

    #[test]
    fn values_out_of_range_are_refused_with_the_value() {
        assert!(refusal("", &["bridge.score.epsilon=-1"]).contains("got -1"));
        assert!(refusal("", &["bridge.fit.steps=0"]).contains("steps must be at least 1, got 0"));
        assert!(refusal("", &["bridge.fit.ema_decay=1.5"]).contains("ema_decay must be in [0, 1), got 1.5"));
        assert!(refusal("", &["seed"]).contains("key=value"));
        assert!(refusal("[target]\nlimit = 1\nlimit = 2", &[]).contains("line 3"));
        assert!(refusal("", &["seed=-1"]).contains("seed"));
    }
}
