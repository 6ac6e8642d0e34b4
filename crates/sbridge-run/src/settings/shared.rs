//! Settings that several tasks have: a data set, an encoder, what is left in the run folder.

use sbridge::fit::FitSettings;
use sbridge::net::AutoencoderSettings;
use sbridge::objective::ReconstructionSettings;
use serde::{Deserialize, Serialize};

use super::keys::Refusal;

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

/// Shares of a sample that are not trained on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shares {
    /// What a run is judged by, and by nothing else.
    pub held_out: f64,
    /// What stops training, and what `convolve-heldout` starts from.
    pub validation: f64,
}

impl Shares {
    /// # Errors
    /// [`Refusal`] for a share out of range.
    pub fn check(&self) -> std::result::Result<(), Refusal> {
        let parts =
            [("output.held_out", self.held_out, 0.5, 0.1), ("output.validation", self.validation, 0.4, 0.05)];
        for (key, share, most, usual) in parts {
            if !(0.0..=most).contains(&share) {
                let problem = format!("must be in [0, {most}], got {share} ({usual} is usual)");
                return Err(Refusal::new(key, problem));
            }
        }
        Ok(())
    }
}

/// Samples drawn at the end, at most.
const MAX_SAMPLES: usize = 100_000_000;

/// What a run leaves in its folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutputConfig {
    /// Samples drawn at the end. Default 10000.
    pub samples: usize,
    /// Seconds between checkpoints. Default 60.
    pub checkpoint_seconds: u64,
    /// Share of the target that the run is judged by, and that nothing else sees. Default 0.05, in `fit vsdm` 0.1; in
    /// [0, 0.5].
    pub held_out: f64,
    /// Share of the target that stops training where there is patience, and that `convolve-heldout` starts from. Default
    /// 0.05, in `fit vsdm` 0; in [0, 0.4].
    pub validation: f64,
}

impl Default for OutputConfig {
    fn default() -> Self {
        Self { samples: 10_000, checkpoint_seconds: 60, held_out: 0.05, validation: 0.05 }
    }
}

impl OutputConfig {
    /// What is not trained on.
    pub fn shares(&self) -> Shares {
        Shares { held_out: self.held_out, validation: self.validation }
    }

    /// # Errors
    /// [`Refusal`] for a value out of range.
    pub fn check(&self) -> std::result::Result<(), Refusal> {
        let Self { samples, .. } = *self;
        self.shares().check()?;
        let bound = match samples {
            0 => "at least 1".into(),
            1..=MAX_SAMPLES => return Ok(()),
            _ => format!("at most {MAX_SAMPLES}"),
        };
        Err(Refusal::new("output.samples", format!("must be {bound}, got {samples} (10000 is the default)")))
    }
}
