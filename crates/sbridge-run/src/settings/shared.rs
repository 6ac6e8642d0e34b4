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

impl OutputConfig {
    /// # Errors
    /// [`Refusal`] for a value out of range.
    pub fn check(&self) -> std::result::Result<(), Refusal> {
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
