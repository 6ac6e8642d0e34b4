//! What a run will cost, said before it starts.
//!
//! Time: a few steps of each stage are taken on the real batch sizes and thrown away. Memory: the
//! arrays held at the widest moment of training or of the evaluation after it.

use std::fmt;
use std::time::Instant;

use sbridge::fit::{FitSettings, Trainer};
use sbridge::net::Autoencoder;
use sbridge::objective::{Objective, Reconstruction};
use sbridge::rng::Rng;
use sbridge::tensor::Device;
use sbridge_data::Dataset;
use sbridge_report::human_time;

use crate::data;
use crate::error::Result;
use crate::settings::AutoencoderConfig;

/// Steps taken to time a stage, after one to warm up.
pub const TRIAL_STEPS: usize = 4;

/// Bytes of the program itself, its thread pools and allocator.
pub const BASE_BYTES: usize = 60 << 20;

/// What a run is expected to take.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Seconds of training, at most.
    pub seconds: f64,
    /// Bytes held at the widest moment.
    pub bytes: usize,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (time, gigabytes) = (human_time(self.seconds), self.bytes as f64 / 1e9);
        write!(f, "about {time} of training and {gigabytes:.1} GB of memory")
    }
}

/// Seconds encoder and decoder will take to train on samples like those of `data`.
///
/// # Errors
/// Settings that the stage itself would refuse.
pub fn seconds_of_autoencoder(settings: &AutoencoderConfig, data: &Dataset, device: &Device) -> Result<f64> {
    let rng = Rng::new(0);
    let few = data.take(settings.fit.batch_size.min(data.len()));
    let rows = data::rows(&few, device);
    let rows = data::scaling(&few, &rows, settings.encoder, device).apply(rows);
    let mut objective = Reconstruction::new(rows, None, settings.loss.clone());
    let kind = data::autoencoder_kind(data.shape());
    let net = Autoencoder::new(&kind, &settings.net, &mut rng.fork("autoencoder"), device);
    trial(net, &mut objective, &settings.fit, &rng)
}

/// Bytes held while encoder and decoder are trained on samples of `size` values, beside the samples.
pub fn memory_of_autoencoder(settings: &AutoencoderConfig, size: usize) -> usize {
    // Kept for the backward pass: about ten arrays as large as the first convolution's output.
    10 * settings.fit.batch_size * settings.net.channels * size / 4 * size_of::<f32>()
}

/// Seconds a stage will take, by a few steps of it.
///
/// # Errors
/// Settings that the stage itself would refuse.
pub fn trial<O: Objective>(net: O::Model, objective: &mut O, fit: &FitSettings, rng: &Rng) -> Result<f64> {
    let mut trainer = Trainer::new(net, fit.clone(), rng.clone())?;
    trainer.step(objective);
    let started = Instant::now();
    for _ in 0..TRIAL_STEPS {
        trainer.step(objective);
    }
    Ok(started.elapsed().as_secs_f64() / TRIAL_STEPS as f64 * fit.steps as f64)
}
