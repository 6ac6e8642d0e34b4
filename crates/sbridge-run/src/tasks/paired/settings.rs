//! The settings of a bridge between the members of pairs.

use sbridge::degradation::Degradation;
use sbridge::fit::FitSettings;
use sbridge::net::DriftNetSettings;
use sbridge::solver::paired::{Paths, Schedule, Variant};
use serde::{Deserialize, Serialize};

use crate::settings::{AutoencoderConfig, Common, DataConfig, Encoder, Refusal, Settings, Shares, in_range};

/// What may be trained beside the bridge.
pub(super) const COMPARED: [&str; 2] = [REGRESSION, DIFFUSION];

/// A network of the same size that says the mean of the clean state.
pub(super) const REGRESSION: &str = "regression";

/// The same network as a diffusion from noise that is told the degraded image, and the calls that it takes.
pub(super) const DIFFUSION: &str = "diffusion";
pub(super) const DIFFUSION_CALLS: usize = 20;

/// All settings of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PairedConfig {
    /// Seed of every random stream. Default 0.
    pub seed: u64,
    /// `cpu`, `cuda`, `cuda:n` or `wgpu`. Default `cpu`.
    pub device: String,
    /// Networks of the same size and training beside it: `regression`, and of images `diffusion`. Default both.
    pub compare: Vec<String>,
    /// What is to come out.
    pub clean: DataConfig,
    /// What goes in, row by row or by file name; made of the clean data if empty.
    pub degraded: DataConfig,
    /// What damages the clean data where there are no degraded ones: `blur`, `blur-gaussian`, `pool-4`, `bicubic-4`, `jpeg-10`,
    /// `hole`, `free-form` or `noise`.
    pub degrade: String,
    /// Encoder and decoder, trained on both members of pairs, or where these differ in shape, on each alone. With `net.latent_dim` above
    /// zero the bridge joins codes.
    pub autoencoder: AutoencoderConfig,
    /// What is learned.
    pub bridge: BridgeConfig,
    /// How it is walked.
    pub sampler: RestoreConfig,
    /// What is left in the run folder.
    pub output: RestoredConfig,
}

/// The bridge and its network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BridgeConfig {
    /// `stochastic` (default), or `ode` for means alone: nearer in the mean square, of one draw and less detail.
    pub paths: Paths,
    /// Whether the network is told the degraded state on the way. Default true: only then is the law of the clean states given
    /// that one learned. Never with `ode`: a state without noise and the degraded one would give the clean one away.
    pub cond_x1: bool,
    /// Largest variance of the noising in a unit of time, in units of half the range of images, or of a standard deviation. Default
    /// 1; 0.3 is usual for JPEG and small images.
    pub beta_max: f64,
    /// `fixed` (default), or `faithful` for the sums and the last step of the released program.
    pub variant: Variant,
    /// Size of the network.
    pub net: DriftNetSettings,
    /// Training. Default 4000 steps of 64 pairs, learning rate 1e-3.
    pub fit: FitSettings,
}

/// Steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RestoreConfig {
    /// Calls of the network for a draw. Default 10; in [1, 999].
    pub nfe: usize,
}

/// What a run leaves in its folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RestoredConfig {
    /// Numbers of calls that are judged beside `sampler.nfe`. Default `[1, 4, 20]`.
    pub calls: Vec<usize>,
    /// Draws for every sample by which their spread is measured. Default 4; at least 2.
    pub draws: usize,
    /// Seconds between checkpoints. Default 60.
    pub checkpoint_seconds: u64,
    /// Share of the pairs that the run is judged by, and that nothing else sees. Default 0.05; in [0, 0.5].
    pub held_out: f64,
    /// Share of the pairs that stops training where there is patience. Default 0.05; in [0, 0.4].
    pub validation: f64,
}

impl Default for PairedConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            device: "cpu".into(),
            compare: COMPARED.map(String::from).to_vec(),
            clean: DataConfig::default(),
            degraded: DataConfig::default(),
            degrade: String::new(),
            autoencoder: AutoencoderConfig::default(),
            bridge: BridgeConfig::default(),
            sampler: RestoreConfig::default(),
            output: RestoredConfig::default(),
        }
    }
}

impl Default for BridgeConfig {
    fn default() -> Self {
        Self {
            paths: Paths::Stochastic,
            cond_x1: true,
            beta_max: 1.0,
            variant: Variant::Fixed,
            net: DriftNetSettings::default(),
            fit: FitSettings {
                steps: 4000,
                batch_size: 64,
                learning_rate: 1e-3,
                weight_decay: 0.0,
                clip_norm: 1.0,
                ema_decay: 0.995,
                patience: 0,
            },
        }
    }
}

impl Default for RestoreConfig {
    fn default() -> Self {
        Self { nfe: 10 }
    }
}

impl Default for RestoredConfig {
    fn default() -> Self {
        Self { calls: vec![1, 4, 20], draws: 4, checkpoint_seconds: 60, held_out: 0.05, validation: 0.05 }
    }
}

impl PairedConfig {
    /// Whether the bridge joins codes.
    pub fn is_latent(&self) -> bool {
        self.autoencoder.net.latent_dim > 0
    }

    /// What damages the clean data, if anything does.
    pub fn degradation(&self) -> Option<Degradation> {
        Degradation::named(&self.degrade)
    }

    /// The variances.
    ///
    /// # Errors
    /// As [`Schedule::of_images`].
    pub fn schedule(&self) -> sbridge::Result<Schedule> {
        Schedule::of_images(self.bridge.beta_max, self.bridge.variant)
    }

    /// What is not trained on.
    pub fn shares(&self) -> Shares {
        Shares { held_out: self.output.held_out, validation: self.output.validation }
    }

    /// Whether a network called `name` is trained beside the bridge.
    pub fn compares(&self, name: &str) -> bool {
        self.compare.iter().any(|compared| compared == name)
    }

    fn check_encoder(&self) -> std::result::Result<(), Refusal> {
        let Self { autoencoder, .. } = self;
        autoencoder.loss.check().map_err(|error| Refusal::in_section("autoencoder.loss", &error))?;
        autoencoder.fit.check().map_err(|error| Refusal::in_section("autoencoder.fit", &error))?;
        if autoencoder.encoder == Encoder::Identity {
            let problem = "must be \"trained\" (leave --latent out to join the data as they are)";
            return Err(Refusal::new("autoencoder.encoder", problem));
        }
        if !self.is_latent() && *autoencoder != AutoencoderConfig::default() {
            let problem = "has settings, and there is no encoder (give --latent N)";
            return Err(Refusal::new("autoencoder", problem));
        }
        Ok(())
    }

    fn check_names(&self) -> std::result::Result<(), Refusal> {
        let unknown = self.compare.iter().find(|name| !COMPARED.contains(&name.as_str()));
        if let Some(name) = unknown {
            let known = COMPARED.join(", ");
            return Err(Refusal::new("compare", format!("knows {known}, got {name:?} (leave it out)")));
        }
        if !self.degrade.is_empty() && self.degradation().is_none() {
            let known = Degradation::ALL.map(Degradation::name).join(", ");
            return Err(Refusal::new(
                "degrade",
                format!("knows {known}, got {:?} (choose one)", self.degrade),
            ));
        }
        Ok(())
    }
}

impl Settings for PairedConfig {
    fn defaults(_method: &str) -> Self {
        Self::default()
    }

    fn common(&self) -> Common {
        let checkpoint_seconds = self.output.checkpoint_seconds;
        Common { seed: self.seed, device: self.device.clone(), checkpoint_seconds }
    }

    /// Complete; without the settings of an encoder where there is none.
    fn to_toml(&self) -> String {
        let mut table = toml::Table::try_from(self).expect("settings are plain tables and numbers");
        if !self.is_latent() {
            table.remove("autoencoder");
        }
        toml::to_string_pretty(&table).expect("settings are plain tables and numbers")
    }

    fn check(&self) -> std::result::Result<(), Refusal> {
        self.check_names()?;
        self.check_encoder()?;
        let in_bridge = |error: sbridge::Error| Refusal::in_section("bridge", &error);
        if !(self.bridge.beta_max.is_finite() && self.bridge.beta_max > 0.0) {
            let problem =
                format!("must be a finite number > 0, got {} (0.3 to 1 is usual)", self.bridge.beta_max);
            return Err(Refusal::new("bridge.beta_max", problem));
        }
        let schedule = self.schedule().map_err(in_bridge)?;
        self.bridge.net.check().map_err(|error| Refusal::in_section("bridge.net", &error))?;
        self.bridge.fit.check().map_err(|error| Refusal::in_section("bridge.fit", &error))?;
        schedule.visits(self.sampler.nfe).map_err(|error| Refusal::in_section("sampler", &error))?;
        let most = schedule.levels() - 1;
        if let Some(calls) = self.output.calls.iter().find(|calls| !(1..=most).contains(*calls)) {
            let problem = format!("must be numbers in [1, {most}], got {calls} ([1, 4, 20] is the default)");
            return Err(Refusal::new("output.calls", problem));
        }
        in_range("output.draws", self.output.draws, 2..=1000, "4 is the default")?;
        self.shares().check()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::settings::Overrides;
    use crate::tasks::paired::METHOD;

    #[test]
    fn defaults_survive_a_round_trip_and_wrong_values_are_refused() {
        let of = |text: &str, set: &[&str]| {
            PairedConfig::resolved(METHOD, &Overrides { text: text.into(), ..Overrides::of(set) })
        };
        let config = PairedConfig::default();
        assert_eq!(of(&config.to_toml(), &[]).unwrap(), config);
        let latent = of("", &["autoencoder.net.latent_dim=3", "autoencoder.fit.steps=9"]).unwrap();
        assert_eq!(of(&latent.to_toml(), &[]).unwrap(), latent);
        let refused = |set: &str| of("", &[set]).unwrap_err().to_string();
        for (set, problem) in [
            ("degrade=\"blurr\"", "degrade knows blur, blur-gaussian"),
            ("compare=[\"ddim\"]", "compare knows regression, diffusion, got \"ddim\""),
            ("sampler.nfe=0", "sampler.nfe must be at least 1, got 0"),
            ("sampler.nfe=1000", "sampler.nfe must be at most 999, got 1000"),
            ("output.calls=[0]", "output.calls must be numbers in [1, 999], got 0"),
            ("output.draws=1", "output.draws must be in [2, 1000], got 1"),
            ("bridge.beta_max=-1", "bridge.beta_max must be a finite number > 0, got -1"),
            ("bridge.fit.steps=0", "bridge.fit.steps must be at least 1"),
            ("output.held_out=0.9", "output.held_out must be in [0, 0.5]"),
            (
                "autoencoder.fit.steps=9",
                "autoencoder has settings, and there is no encoder (give --latent N)",
            ),
            ("autoencoder.encoder=\"identity\"", "autoencoder.encoder must be \"trained\""),
        ] {
            let message = refused(set);
            assert!(message.contains(problem), "{message}");
        }
    }
}
