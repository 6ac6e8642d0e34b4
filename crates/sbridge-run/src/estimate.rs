//! What a run will cost, said before it starts.
//!
//! Time: a few steps of each stage are taken on the real batch sizes and thrown away. Memory: the
//! arrays held at the widest moment of training or of the evaluation after it.

use std::time::Instant;

use sbridge::fit::{FitSettings, Trainer};
use sbridge::net::{Autoencoder, NoisePredictor};
use sbridge::objective::{DenoisingScore, Objective, Reconstruction};
use sbridge::rng::Rng;
use sbridge::tensor::{Device, from_rows};
use sbridge_data::Dataset;

use crate::config::{AutoencoderConfig, Config, Encoder};
use crate::data::{self, RunData};
use crate::error::Result;
use crate::manifest::autoencoder_kind;

/// Steps taken to time a stage, after one to warm up.
pub(crate) const TRIAL_STEPS: usize = 4;

/// Bytes of the program itself, its thread pools and allocator.
pub(crate) const BASE_BYTES: usize = 60 << 20;

/// Takes a few trial steps and prints the expected time and memory.
///
/// # Errors
/// Settings that the stages themselves would refuse.
pub fn announce(config: &Config, data: &RunData, device: &Device) -> Result<()> {
    let seconds = seconds(config, data, device)?;
    let gigabytes = memory(config, data) as f64 / 1e9;
    eprintln!(
        "about {} of training and {gigabytes:.1} GB of memory for {} samples of {}",
        human_time(seconds),
        data.target.len(),
        data.target.shape()
    );
    Ok(())
}

fn seconds(config: &Config, data: &RunData, device: &Device) -> Result<f64> {
    let rng = Rng::new(0);
    let mut total = 0.0;
    let mut dim = data.target.shape().size();
    if config.autoencoder.encoder == Encoder::Trained {
        dim = config.autoencoder.net.latent_dim;
        total += seconds_of_autoencoder(&config.autoencoder, &data.target, device)?;
    }
    let score = &config.bridge.score;
    let codes = rng.fork("codes").normal([config.bridge.fit.batch_size, dim], device);
    let v_min = config.sampler.v_min(score.epsilon)?;
    let mut objective = DenoisingScore::new(codes, None, score.noise_sampling, v_min, score.epsilon)?;
    let net = NoisePredictor::new(dim, score.parametrisation, &score.net, &mut rng.fork("score"), device);
    Ok(total + trial(net, &mut objective, &config.bridge.fit, &rng)?)
}

/// Seconds encoder and decoder will take to train on samples like those of `data`.
pub(crate) fn seconds_of_autoencoder(
    settings: &AutoencoderConfig,
    data: &Dataset,
    device: &Device,
) -> Result<f64> {
    let rng = Rng::new(0);
    let few = data.take(settings.fit.batch_size.min(data.len()));
    let rows = from_rows(few.values(), few.shape().size(), device);
    let rows = data::scaling(&few, &rows, settings.encoder, device).apply(rows);
    let mut objective = Reconstruction::new(rows, None, settings.loss.clone());
    let kind = autoencoder_kind(data.shape());
    let net = Autoencoder::new(&kind, &settings.net, &mut rng.fork("autoencoder"), device);
    trial(net, &mut objective, &settings.fit, &rng)
}

/// Bytes held while encoder and decoder are trained on samples of `size` values, beside the samples.
pub(crate) fn memory_of_autoencoder(settings: &AutoencoderConfig, size: usize) -> usize {
    // Kept for the backward pass: about ten arrays as large as the first convolution's output.
    10 * settings.fit.batch_size * settings.net.channels * size / 4 * size_of::<f32>()
}

/// Seconds a stage will take.
fn trial<O: Objective>(net: O::Model, objective: &mut O, fit: &FitSettings, rng: &Rng) -> Result<f64> {
    let mut trainer = Trainer::new(net, fit.clone(), rng.clone())?;
    trainer.step(objective);
    let started = Instant::now();
    for _ in 0..TRIAL_STEPS {
        trainer.step(objective);
    }
    Ok(started.elapsed().as_secs_f64() / TRIAL_STEPS as f64 * fit.steps as f64)
}

/// Features of the judging classifier, in f64 and twice while they are converted.
const FEATURE_BYTES: usize = 2 * 128 * size_of::<f64>();

/// Bytes held at the widest moment.
fn memory(config: &Config, data: &RunData) -> usize {
    BASE_BYTES + training_memory(config, data).max(evaluation_memory(config, data))
}

fn evaluation_memory(config: &Config, data: &RunData) -> usize {
    let sample = data.target.shape().size() * size_of::<f32>();
    let target = data.target.len() * (3 * sample + FEATURE_BYTES);
    let pretrain = data.pretrain.as_ref().map_or(0, |d| d.len() * sample);
    // Samples, reference, and a baseline with its decoded values.
    target + pretrain + 4 * config.output.samples * sample
}

fn training_memory(config: &Config, data: &RunData) -> usize {
    let float = size_of::<f32>();
    let size = data.target.shape().size();
    let target = data.target.len() * size * float;
    let pretrain = data.pretrain.as_ref().map_or(0, |d| d.len() * size * float);
    // Each set exists as read, split, and scaled for the stage that trains on it.
    let sets = 2 * (target + pretrain) + target.max(pretrain);
    let activations = match config.autoencoder.encoder {
        Encoder::Trained => memory_of_autoencoder(&config.autoencoder, size),
        Encoder::Identity => 0,
    };
    let net = &config.bridge.score.net;
    let stream = 16 * config.bridge.fit.batch_size * net.width * net.blocks * float;
    sets + activations.max(stream)
}

/// Seconds in the unit a person would use.
pub fn human_time(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}
