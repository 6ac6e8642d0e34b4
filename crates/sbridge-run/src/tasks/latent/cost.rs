//! What a latent run will cost.

use sbridge::net::NoisePredictor;
use sbridge::objective::DenoisingScore;
use sbridge::rng::Rng;
use sbridge::tensor::Device;

use super::{LatentConfig, LatentData};
use crate::error::Result;
use crate::settings::Encoder;
use crate::training::cost::{BASE_BYTES, memory_of_autoencoder, seconds_of_autoencoder, trial};

/// Features of the judging classifier, in f64 and twice while they are converted.
const FEATURE_BYTES: usize = 2 * 128 * size_of::<f64>();

/// Seconds of training.
pub(super) fn seconds(config: &LatentConfig, data: &LatentData, device: &Device) -> Result<f64> {
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

/// Bytes held at the widest moment.
pub(super) fn memory(config: &LatentConfig, data: &LatentData) -> usize {
    BASE_BYTES + training_memory(config, data).max(evaluation_memory(config, data))
}

fn evaluation_memory(config: &LatentConfig, data: &LatentData) -> usize {
    let sample = data.target.shape().size() * size_of::<f32>();
    // As read, on the device, split, and compared.
    let target = data.target.len() * (4 * sample + FEATURE_BYTES);
    let pretrain = data.pretrain.as_ref().map_or(0, |d| 2 * d.len() * sample);
    // Samples, reference, and a baseline with its decoded values.
    target + pretrain + 4 * config.output.samples * sample
}

fn training_memory(config: &LatentConfig, data: &LatentData) -> usize {
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
