//! The settings of a latent run.

use sbridge::fit::FitSettings;
use sbridge::latent::{BridgeSettings, SamplerSettings};
use serde::{Deserialize, Serialize};

use crate::settings::{AutoencoderConfig, Common, DataConfig, OutputConfig, Refusal, Settings};

/// All settings of a latent run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LatentConfig {
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

impl Default for LatentConfig {
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

impl Settings for LatentConfig {
    const VARIANTS: &'static [&'static str] = &["sampler.start.", "sampler.grid."];
    const FORMER: &'static [(&'static str, &'static str)] = &[("output.validation", "0.0")];

    fn defaults(_method: &str) -> Self {
        Self::default()
    }

    fn common(&self) -> Common {
        let checkpoint_seconds = self.output.checkpoint_seconds;
        Common { seed: self.seed, device: self.device.clone(), checkpoint_seconds }
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
    use crate::settings::Overrides;
    use crate::tasks::latent::METHOD;

    fn of(text: &str, set: &[&str]) -> crate::Result<LatentConfig> {
        LatentConfig::resolved(METHOD, &Overrides { text: text.into(), ..Overrides::of(set) })
    }

    fn refusal(text: &str, set: &[&str]) -> String {
        of(text, set).unwrap_err().to_string()
    }

    #[test]
    fn defaults_survive_a_round_trip() {
        let config = LatentConfig::default();
        assert_eq!(of(&config.to_toml(), &[]).unwrap(), config);
    }

    #[test]
    fn set_reaches_nested_values_of_every_type() {
        let set = [
            "seed=7",
            "bridge.fit.steps=9",
            "sampler.step=ode-heun",
            "target.labels=[1,2]",
            r#"sampler.grid={kind="geometric"}"#,
        ];
        let config = of("", &set).unwrap();
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
