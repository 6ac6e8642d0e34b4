//! A small network, and the score it learns: that of the two bumps.

use sbridge::Rng;
use sbridge::fit::FitSettings;
use sbridge::marginal::Marginal as _;
use sbridge::net::{NoisePredictor, Parametrisation, ResidualMlpSettings};
use sbridge::objective::{DenoisingScore, NoiseSampling};
use sbridge::tensor::{DType, Tensor};

use super::{device, two_bumps};

pub fn net(seed: u64, width: usize) -> NoisePredictor {
    let settings = ResidualMlpSettings { width, blocks: 2, time_features: 16 };
    NoisePredictor::new(1, Parametrisation::Preconditioned, &settings, &mut Rng::new(seed), &device())
}

pub fn bump_samples(count: usize, seed: u64) -> Tensor<2> {
    two_bumps().sample(count, &mut Rng::new(seed)).cast(DType::F32)
}

pub const EPSILON: f64 = 2.0;
pub const V_MIN: f64 = 1e-3;

pub fn denoising(codes: usize) -> DenoisingScore {
    let held_out = Some(bump_samples(500, 21));
    DenoisingScore::new(bump_samples(codes, 20), held_out, NoiseSampling::LogUniform, V_MIN, EPSILON)
        .expect("the variances are in range")
}

pub fn short_fit(patience: usize) -> FitSettings {
    FitSettings {
        steps: 40,
        batch_size: 32,
        learning_rate: 2e-3,
        weight_decay: 1e-2,
        clip_norm: 1.0,
        ema_decay: 0.9,
        patience,
    }
}
