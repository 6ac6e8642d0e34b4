//! Target and pre-training data of a latent run.

use sbridge_data::Dataset;

use super::LatentConfig;
use crate::context::Context;
use crate::data::{MIN_SAMPLES, held_out_count};
use crate::error::{Result, RunError};
use crate::settings::{DataConfig, Encoder};

/// Target and pre-training data of a run.
pub struct LatentData {
    /// What to generate.
    pub target: Dataset,
    /// What to train encoder and decoder on, if not the target.
    pub pretrain: Option<Dataset>,
}

impl LatentData {
    /// Reads what `config` asks for, and resolves the settings that depend on the data.
    ///
    /// # Errors
    /// [`RunError::Data`] or [`RunError::Input`] for data that cannot be used together.
    pub(super) fn read(config: &mut LatentConfig, context: &Context) -> Result<Self> {
        if config.target.source.is_empty() {
            return Err(RunError::Input("no target (give --target DATA)".into()));
        }
        let unused = DataConfig { source: String::new(), ..config.pretrain.clone() };
        if config.pretrain.source.is_empty() && unused != DataConfig::default() {
            return Err(RunError::Input(
                "pretrain.labels and pretrain.limit select from a pre-training set, and there is none \
                 (give --pretrain DATA)"
                    .into(),
            ));
        }
        let target = context.sources.load(&config.target)?;
        let pretrain = match config.pretrain.source.as_str() {
            "" => None,
            _ => Some(context.sources.load(&config.pretrain)?),
        };
        let data = Self { target, pretrain };
        config.autoencoder.net = config.autoencoder.net.clone().resolved(data.target.shape().size());
        data.check(config)?;
        Ok(data)
    }

    fn check(&self, config: &LatentConfig) -> Result<()> {
        let shape = self.target.shape();
        if let Some(pretrain) = &self.pretrain
            && pretrain.shape() != shape
        {
            return Err(RunError::Input(format!(
                "samples of the pre-training data are {}, those of the target {shape} (bring both to one shape)",
                pretrain.shape()
            )));
        }
        match config.autoencoder.encoder {
            Encoder::Identity if shape.is_image() => Err(RunError::Input(format!(
                "--encoder identity wants vectors, the target holds images {shape} (leave --encoder out)"
            )))?,
            Encoder::Identity if self.pretrain.is_some() => Err(RunError::Input(
                "--encoder identity trains no encoder, so --pretrain has no use (leave one of them out)"
                    .into(),
            ))?,
            Encoder::Identity => {}
            Encoder::Trained => config.autoencoder.net.check(shape.size())?,
        }
        let (held_out, left) = self.set_aside(config);
        if left < MIN_SAMPLES {
            return Err(RunError::Input(format!(
                "{} has {left} training samples after {held_out} were set aside; at least {MIN_SAMPLES} are needed",
                self.target.source()
            )));
        }
        Ok(())
    }

    /// Samples of the target that are set aside, and those that are left to train on.
    fn set_aside(&self, config: &LatentConfig) -> (usize, usize) {
        let held_out = held_out_count(self.target.len(), config.output.held_out);
        (held_out, self.target.len() - held_out)
    }

    /// A word on batches larger than what is trained on: they are drawn with replacement, so that is legal.
    pub(super) fn doubt(&self, config: &LatentConfig) -> Option<String> {
        let (_, left) = self.set_aside(config);
        let needed = config.autoencoder.fit.batch_size.max(config.bridge.fit.batch_size);
        (left < needed).then(|| {
            format!(
                "{left} training samples are fewer than a batch of {needed}: samples repeat within a batch"
            )
        })
    }
}
