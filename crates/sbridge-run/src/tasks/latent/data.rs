//! Target and pre-training data of a latent run.

use sbridge::latent::StartLaw;
use sbridge_data::Dataset;

use super::LatentConfig;
use crate::context::Context;
use crate::data::MIN_SAMPLES;
use crate::error::{Result, RunError};
use crate::quality::samples::MIN_REFERENCE;
use crate::settings::{DataConfig, Encoder};

/// Samples that it takes to judge by.
const FEWEST_TO_JUDGE_BY: usize = 4;

/// Samples to judge by below which a word is said about errors.
const FEW_TO_JUDGE_BY: usize = 100;

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
        let [held_out, validation, left] = self.counts(config);
        if left < MIN_SAMPLES {
            let or = if held_out + validation == 0 {
                ""
            } else {
                ", or lower output.held_out or output.validation"
            };
            return Err(RunError::Input(format!(
                "{} has {left} training samples, with {held_out} held out and {validation} for validation; at least \
                 {MIN_SAMPLES} are needed (bring more data{or})",
                self.target.source()
            )));
        }
        Ok(())
    }

    /// Samples of the target that are held out, for validation, and left to train on.
    fn counts(&self, config: &LatentConfig) -> [usize; 3] {
        config.output.shares().counts(self.target.len())
    }

    /// Sees to it that enough is set aside for what is asked for, and says what is lost by having few samples.
    ///
    /// # Errors
    /// [`RunError::Input`] for a start law that there will be no codes for.
    pub(super) fn prepare(&self, config: &mut LatentConfig, context: &Context) -> Result<()> {
        self.hold_enough_out(config);
        end_where_training_ends(config, context)?;
        let [held_out, validation, left] = self.counts(config);
        if config.sampler.start == StartLaw::ConvolveHeldout && validation == 0 {
            return Err(RunError::Input(
                "sampler.start convolve-heldout starts from the samples for validation, and there are none (raise \
                 output.validation, or leave sampler.start out)"
                    .into(),
            ));
        }
        if (1..FEWEST_TO_JUDGE_BY).contains(&held_out) {
            return Err(RunError::Input(format!(
                "{} has {} samples, of which {held_out} can be held out; {FEWEST_TO_JUDGE_BY} are needed to judge by (bring \
                 more data, or set output.held_out to 0 to judge by training samples)",
                self.target.source(),
                self.target.len()
            )));
        }
        self.doubts(config, [held_out, validation, left]).iter().for_each(|doubt| context.warn(doubt));
        Ok(())
    }

    /// Raises the share that is held out where it leaves fewer than it takes to judge by: a fifth at most.
    fn hold_enough_out(&self, config: &mut LatentConfig) {
        let ([held_out, validation, _], count) = (self.counts(config), self.target.len());
        let spared = count.saturating_sub(validation + MIN_SAMPLES);
        let wanted = MIN_REFERENCE.min(count / 5).min(spared);
        if (1..wanted).contains(&held_out) {
            config.output.held_out = wanted as f64 / count as f64;
        }
    }

    /// What speaks against the settings, and what small sets lose.
    fn doubts(&self, config: &LatentConfig, [held_out, validation, left]: [usize; 3]) -> Vec<String> {
        let mut doubts = Vec::new();
        if held_out == 0 {
            doubts.push(
                "no samples are held out, so the run is judged by halves of those it was trained on".into(),
            );
        } else if held_out < FEW_TO_JUDGE_BY {
            doubts.push(format!(
                "{} samples: {left} to train on, {validation} for validation, {held_out} to judge by, so its numbers \
                 come with wide errors",
                self.target.len()
            ));
        }
        let trains_encoder = config.autoencoder.encoder == Encoder::Trained;
        let fits = [
            (trains_encoder, "autoencoder.fit", &config.autoencoder.fit),
            (true, "bridge.fit", &config.bridge.fit),
        ];
        for (_, name, fit) in fits.into_iter().filter(|(is_trained, ..)| *is_trained) {
            if fit.patience > 0 && validation == 0 {
                doubts.push(format!(
                    "{name}.patience has nothing to watch, so all steps are taken (raise output.validation)"
                ));
            }
            // Drawn with replacement, so that is legal.
            if left < fit.batch_size {
                let batch = fit.batch_size;
                doubts.push(format!(
                    "{left} training samples are fewer than a batch of {batch} ({name}.batch_size): samples repeat within it"
                ));
            }
        }
        doubts
    }
}

/// Keeps the sampler from noise levels below those trained at, with a word.
fn end_where_training_ends(config: &mut LatentConfig, context: &Context) -> Result<()> {
    let score = &config.bridge.score;
    let asked = config.sampler.v_min(score.epsilon)?;
    let least = score.noise_sampling.smallest(asked, score.epsilon);
    // A grid recomputed in f64 may differ from it in the last digits.
    if asked < least * (1.0 - 1e-6) {
        let share = least / score.epsilon;
        let before = std::mem::replace(&mut config.sampler.one_minus_t, share);
        context.warn(&format!(
            "sampler.one_minus_t raised from {before} to {share}: {share} of epsilon is the least noise that \
             bridge.score.noise_sampling trains at"
        ));
    }
    Ok(())
}
