//! The methods that join data sets, and their settings.

use sbridge::latent::ReferenceCovariance;
use sbridge::solver::ALTERNATION_METHODS;
use sbridge::solver::alternation::AlternationSettings;
use sbridge::solver::light_sb::LightSbSettings;
use serde::{Deserialize, Serialize};

use crate::error::{Result, RunError};
use crate::settings::{AutoencoderConfig, Common, DataConfig, Encoder, Refusal, Settings, Shares};

/// The methods that join two data sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairMethod {
    /// Mixture potentials.
    LightSb,
    /// Mixture potentials by bridge matching.
    LightSbM,
    /// Diffusion Schrödinger bridge matching.
    Dsbm,
    /// Simulation-free score and flow matching.
    Sf2m,
    /// Diffusion Schrödinger bridge.
    Dsb,
    /// Simplified diffusion Schrödinger bridge.
    Sdsb,
    /// Score-based model.
    Sgm,
}

impl PairMethod {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::LightSb, Self::LightSbM, Self::Dsbm, Self::Sf2m, Self::Dsb, Self::Sdsb, Self::Sgm];

    /// Their names.
    pub const NAMES: &'static [&'static str] =
        &["light-sb", "light-sb-m", "dsbm", "sf2m", "dsb", "sdsb", "sgm"];

    /// What users call it.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// The method of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    /// Whether what it learns is fitted to both ends: a score-based model is not.
    pub fn fits_both_ends(self) -> bool {
        self != Self::Sgm
    }

    /// Its settings, if its drifts are networks.
    pub fn networks(self) -> Option<AlternationSettings> {
        let method = ALTERNATION_METHODS.iter().find(|method| method.name() == self.name());
        method.map(|method| method.defaults())
    }
}

/// All settings of a bridge between two data sets. Of the methods' own there are those of the one that is used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairConfig {
    /// Seed of every random stream. Default 0.
    pub seed: u64,
    /// ε = σ² of the reference, a variance in data units; 0, the default, chooses it from the data.
    pub epsilon: f64,
    /// Covariance of the reference: `isotropic` (default), the same variance along every axis; `scaled`, a share of the
    /// variance of each axis; or `covariance`, a share of it in every direction. With the last two ε is that share.
    #[serde(default)]
    pub reference: ReferenceCovariance,
    /// Where networks are trained: `cpu`, `cuda`, `cuda:N` or `wgpu`. Default `cpu`.
    #[serde(default = "cpu")]
    pub device: String,
    /// Where paths start.
    pub source: DataConfig,
    /// Where they end.
    pub target: DataConfig,
    /// Sets at several times, instead of source and target: one bridge goes through all of them, and ε is a variance
    /// for a unit of time.
    #[serde(default)]
    pub snapshots: Vec<Snapshot>,
    /// Times of snapshots that are kept from the fit, to judge it by.
    #[serde(default)]
    pub hold_out: Vec<f64>,
    /// Encoder and decoder, trained on both sets. With `net.latent_dim` above zero the bridge joins codes.
    #[serde(default)]
    pub autoencoder: AutoencoderConfig,
    /// The mixture potentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub light_sb: Option<LightSbSettings>,
    /// The networks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub networks: Option<AlternationSettings>,
    /// What is set aside and drawn.
    pub output: PairOutput,
}

fn cpu() -> String {
    "cpu".into()
}

/// A data set at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// A file, a folder or `builtin:NAME`.
    pub source: String,
    /// When it was taken, in any unit.
    pub time: f64,
}

impl Snapshot {
    /// The snapshots in a list such as `a.npy@0,b.npy@2.5` or `cells.csv#day`, which has one for every value of a column.
    ///
    /// # Errors
    /// [`RunError::Input`] for a time that is no number, [`RunError::Data`] for a table that cannot be read.
    pub fn listed(text: &str) -> Result<Vec<Self>> {
        let parts = text.split(',').map(|part| Self::of_part(part.trim()));
        Ok(parts.collect::<Result<Vec<_>>>()?.concat())
    }

    fn of_part(text: &str) -> Result<Vec<Self>> {
        if let Some((source, time)) = text.rsplit_once('@') {
            let (source, time) = (source.trim(), time.trim());
            let time = time
                .parse()
                .ok()
                .filter(|time: &f64| time.is_finite())
                .ok_or_else(|| not_a_time(source, time))?;
            return Ok(vec![Self { source: source.into(), time }]);
        }
        let times = sbridge_data::times_in(text)?.ok_or_else(|| {
            RunError::Input(format!(
                "snapshots are DATA@TIME, or TABLE.csv#COLUMN with a column of times, separated by commas, got {text:?}"
            ))
        })?;
        Ok(times.into_iter().map(|(time, _)| Self { source: format!("{text}={time}"), time }).collect())
    }
}

/// What is wrong with a time, and the number in it if it has one.
fn not_a_time(source: &str, time: &str) -> RunError {
    let number = time.trim_matches(|c: char| !c.is_ascii_digit() && c != '-' && c != '.');
    let fix = match number.parse::<f64>() {
        Ok(number) => format!("write {source}@{number}"),
        Err(_) => format!("write for example {source}@2.5"),
    };
    RunError::Input(format!(
        "snapshots are DATA@TIME, where TIME is a number, got {time:?} for {source} ({fix})"
    ))
}

/// What a run sets aside and keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PairOutput {
    /// Share of both sets that the run is judged by, and that nothing else sees. Default 0.1; in [0, 0.5].
    pub held_out: f64,
    /// Share of both sets that stops the training of an encoder where there is patience, and that half-bridges are watched
    /// on. Default 0: training samples are watched; in [0, 0.4].
    pub validation: f64,
    /// Seconds between checkpoints of a network. Default 60.
    pub checkpoint_seconds: u64,
}

impl Default for PairOutput {
    fn default() -> Self {
        Self { held_out: 0.1, validation: 0.0, checkpoint_seconds: 60 }
    }
}

impl PairOutput {
    /// What is not trained on.
    pub fn shares(&self) -> Shares {
        Shares { held_out: self.held_out, validation: self.validation }
    }
}

impl PairConfig {
    /// The settings of `method` as they are if nobody says anything.
    pub fn of(method: PairMethod) -> Self {
        Self {
            seed: 0,
            epsilon: 0.0,
            reference: ReferenceCovariance::Isotropic,
            device: cpu(),
            source: DataConfig::default(),
            target: DataConfig::default(),
            snapshots: Vec::new(),
            hold_out: Vec::new(),
            autoencoder: AutoencoderConfig::default(),
            light_sb: (method == PairMethod::LightSb).then(LightSbSettings::default),
            networks: method.networks(),
            output: PairOutput::default(),
        }
    }

    /// Whether the bridge joins codes.
    pub fn is_latent(&self) -> bool {
        self.autoencoder.net.latent_dim > 0
    }

    /// What ε is a variance in.
    pub fn epsilon_unit(&self) -> &'static str {
        match self.reference {
            _ if self.is_latent() => "in variances of the codes",
            ReferenceCovariance::Isotropic => "data units squared",
            ReferenceCovariance::Scaled => "in variances of each axis",
            ReferenceCovariance::Covariance => "in variances of the data, in every direction",
        }
    }

    /// Whether what the bridge joins has to be made of the data first: codes, or coordinates of the reference.
    pub fn has_codec(&self) -> bool {
        self.is_latent() || self.reference != ReferenceCovariance::Isotropic
    }
}

impl Settings for PairConfig {
    fn defaults(method: &str) -> Self {
        Self::of(PairMethod::of_name(method).expect("the task is asked for by its methods"))
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
        for (section, checked) in self.checked_parts() {
            checked.map_err(|error| Refusal::in_section(section, &error))?;
        }
        self.check_encoder()?;
        self.check_snapshots()?;
        if !(self.epsilon.is_finite() && self.epsilon >= 0.0) {
            let problem =
                format!("must be a finite number >= 0, got {} (0 chooses it from the data)", self.epsilon);
            return Err(Refusal::new("epsilon", problem));
        }
        self.output.shares().check()
    }
}

impl PairConfig {
    /// What the library says of the parts that are its own, by their section.
    fn checked_parts(&self) -> Vec<(&'static str, sbridge::Result<()>)> {
        let mut parts = vec![
            ("autoencoder.loss", self.autoencoder.loss.check()),
            ("autoencoder.fit", self.autoencoder.fit.check()),
        ];
        parts.extend(self.light_sb.iter().map(|light_sb| ("light_sb", light_sb.check())));
        if let Some(networks) = &self.networks {
            parts.push(("networks.net.mlp", networks.net.mlp.check()));
            parts
                .extend(networks.net.mixture.iter().map(|mixture| ("networks.net.mixture", mixture.check())));
            parts.push(("networks.net", networks.net.check()));
            parts.push(("networks.fit", networks.fit.check()));
            parts.push(("networks", networks.check()));
        }
        parts
    }

    fn check_encoder(&self) -> std::result::Result<(), Refusal> {
        if self.autoencoder.encoder == Encoder::Identity {
            let problem = "must be \"trained\" (leave --latent out to join the data as they are)";
            return Err(Refusal::new("autoencoder.encoder", problem));
        }
        if !self.is_latent() && self.autoencoder != AutoencoderConfig::default() {
            let problem = "has settings, and there is no encoder (give --latent N)";
            return Err(Refusal::new("autoencoder", problem));
        }
        if self.is_latent() && self.reference != ReferenceCovariance::Isotropic {
            let problem = "must be \"isotropic\" where codes are joined: an encoder makes their unit";
            return Err(Refusal::new("reference", problem));
        }
        Ok(())
    }

    fn check_snapshots(&self) -> std::result::Result<(), Refusal> {
        let refuse = |key, problem| Err(Refusal::new(key, problem));
        if self.snapshots.is_empty() {
            return match self.hold_out.is_empty() {
                true => Ok(()),
                false => {
                    refuse("hold_out", "holds out times of snapshots, and there are none (give --snapshots)")
                }
            };
        }
        if [&self.source, &self.target].iter().any(|set| **set != DataConfig::default()) {
            let problem =
                "stand beside settings of source or target (give --snapshots, or --source and --target)";
            return refuse("snapshots", problem);
        }
        if self.is_latent() {
            let problem = "cannot be given: legs would have codes of their own (encode the snapshots first)";
            return refuse("autoencoder.net.latent_dim", problem);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::settings::Overrides;

    fn of(method: PairMethod, text: &str, set: &[&str]) -> crate::Result<PairConfig> {
        PairConfig::resolved(method.name(), &Overrides { text: text.into(), ..Overrides::of(set) })
    }

    #[test]
    fn defaults_of_every_method_survive_a_round_trip() {
        for method in PairMethod::ALL {
            let config = PairConfig::of(method);
            assert_eq!(of(method, &config.to_toml(), &[]).unwrap(), config);
            let latent = of(method, "", &["autoencoder.net.latent_dim=2"]).unwrap();
            assert_eq!(of(method, &latent.to_toml(), &[]).unwrap(), latent);
            assert_eq!(PairMethod::of_name(method.name()), Some(method));
        }
    }

    #[test]
    fn wrong_settings_are_refused_with_key_value_and_line() {
        let refused = |method, text: &str, set: &[&str]| of(method, text, set).unwrap_err().to_string();
        let light_sb = |text: &str, set: &[&str]| refused(PairMethod::LightSb, text, set);
        assert!(light_sb("\nepsilon = -1", &[]).starts_with("line 2 of the settings: epsilon must be"));
        assert!(light_sb("", &["light_sb.component=3"]).contains("nearest setting is light_sb.components"));
        assert!(light_sb("", &["light_sb.steps=0"]).contains("light_sb.steps must be at least 1, got 0"));
        assert!(light_sb("", &["output.held_out=0.7"]).contains("output.held_out must be in [0, 0.5]"));
        assert!(light_sb("", &["networks.steps=10"]).contains("there is no setting networks.steps"));
        let dsbm = |set: &str| refused(PairMethod::Dsbm, "", &[set]);
        assert!(dsbm("light_sb.steps=10").contains("there is no setting light_sb.steps"));
        assert!(dsbm("networks.steps=1").contains("networks.steps must be at least 2, got 1"));
        assert!(dsbm("networks.fit.steps=0").contains("networks.fit.steps must be at least 1"));
        assert!(dsbm("networks.net.mlp.width=0").contains("networks.net.mlp.width must be at least 1"));
        assert!(dsbm("networks.target=\"means\"").contains("networks.target"));
        assert!(dsbm("networks.known_drift=no").contains("networks.known_drift"));
        assert!(dsbm("autoencoder.fit.steps=5").contains("give --latent"));
        let dsb = refused(PairMethod::Dsb, "", &["networks.step_variance=\"matched\""]);
        assert!(dsb.contains("networks.step_variance must be \"reference\""), "{dsb}");
        let latent = |set: &str| refused(PairMethod::Dsbm, "", &["autoencoder.net.latent_dim=2", set]);
        assert!(latent("autoencoder.encoder=\"identity\"").contains("leave --latent out"));
        assert!(latent("autoencoder.fit.steps=0").contains("autoencoder.fit.steps must be at least 1"));
        assert!(latent(r#"snapshots=[{source="a.npy",time=1}]"#).contains("encode the snapshots first"));
    }
}
