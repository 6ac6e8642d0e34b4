//! Networks of the size the studies need, and the models made of them.

use std::ops::ControlFlow;

use sbridge::Codec as _;
use sbridge::executor::run_silently;
use sbridge::fit::{FitSettings, Trainer};
use sbridge::latent::{
    BridgeSettings, DataScaling, LatentCodec, LatentModel, Normalisation, SamplerSettings, StartLaw,
};
use sbridge::net::{Autoencoder, AutoencoderKind, AutoencoderSettings, NoisePredictor, ResidualMlpSettings};
use sbridge::objective::{DenoisingScore, Objective, Reconstruction, ReconstructionSettings};
use sbridge::rng::Rng;
use sbridge::simulate::EndRule;
use sbridge::tensor::Tensor;
use sbridge_run::Result;

/// ε in units of the codes' variance.
const EPSILON: f64 = 4.0;

/// Features of hidden layers.
const WIDTH: usize = 64;

/// Euler steps from codes that were set aside, and no step at the end: what the theory speaks of.
pub(super) fn sampler() -> SamplerSettings {
    SamplerSettings {
        start: StartLaw::ConvolveHeldout,
        end: EndRule::Plain,
        steps: 100,
        ..Default::default()
    }
}

fn fit_settings(steps: usize) -> FitSettings {
    FitSettings {
        steps,
        batch_size: 256,
        learning_rate: 1e-3,
        weight_decay: 0.0,
        clip_norm: 1.0,
        ema_decay: 0.999,
        patience: 8,
    }
}

/// Rows to learn from, and others that say when to stop and that sampling starts from. What judges is drawn apart from both.
pub(super) struct Rows {
    pub(super) train: Tensor<2>,
    pub(super) held_out: Tensor<2>,
}

/// Steps of what stays as it begins: the control of what is learned.
pub(super) const UNTRAINED_STEPS: usize = 0;

/// `net` after so many steps, or as it is after none.
fn fitted<O: Objective>(net: O::Model, steps: usize, objective: &mut O, rng: Rng) -> Result<O::Model> {
    if steps == UNTRAINED_STEPS {
        return Ok(net);
    }
    Ok(run_silently(Trainer::new(net, fit_settings(steps), rng)?, objective)?)
}

/// Encoder and decoder for `rows`, with codes of `dim` numbers, and the scaling they live in.
pub(super) fn autoencoder(
    rows: &Rows,
    dim: usize,
    steps: usize,
    rng: &Rng,
) -> Result<(Autoencoder, DataScaling)> {
    let scaling = DataScaling::of_vectors(&rows.train);
    let kind = AutoencoderKind::Vector { dim: rows.train.dims()[1] };
    let settings = AutoencoderSettings { latent_dim: dim, hidden: WIDTH, ..Default::default() };
    let net = Autoencoder::new(&kind, &settings, &mut rng.fork("init"), &rows.train.device());
    let loss = ReconstructionSettings { kl_weight: 0.0, latent_noise: 0.0 };
    let scaled = |rows: &Tensor<2>| scaling.apply(rows.clone());
    let mut objective = Reconstruction::new(scaled(&rows.train), Some(scaled(&rows.held_out)), loss);
    Ok((fitted(net, steps, &mut objective, rng.fork("fit"))?, scaling))
}

/// A whole model of `rows`: encoder and decoder, and a bridge to codes of `dim` numbers.
pub(super) fn latent_model(rows: &Rows, dim: usize, steps: usize, rng: &Rng) -> Result<LatentModel> {
    let pair = autoencoder(rows, dim, steps, &rng.fork("autoencoder"))?;
    bridge(pair, rows, steps, &rng.fork("score"))
}

/// The bridge to the codes of `rows` between a trained encoder and decoder.
fn bridge(
    (autoencoder, scaling): (Autoencoder, DataScaling),
    rows: &Rows,
    steps: usize,
    rng: &Rng,
) -> Result<LatentModel> {
    let (codec, codes) =
        LatentCodec::measured(autoencoder, scaling, Normalisation::PerDimension, &rows.train);
    let held_out = codec.encode(&rows.held_out);
    let settings = BridgeSettings { epsilon: EPSILON, ..Default::default() };
    let net = ResidualMlpSettings { width: WIDTH, blocks: 2, time_features: 16 };
    let v_min = sampler().v_min(EPSILON)?;
    let (dim, device) = (codes.dims()[1], codes.device());
    let net = NoisePredictor::new(dim, settings.parametrisation, &net, &mut rng.fork("init"), &device);
    let mut objective =
        DenoisingScore::new(codes.clone(), Some(held_out.clone()), settings.noise_sampling, v_min, EPSILON)?;
    let predictor = fitted(net, steps, &mut objective, rng.fork("fit"))?;
    Ok(LatentModel {
        codec,
        predictor,
        ratio: None,
        codes,
        held_out: Some(held_out),
        epsilon: EPSILON,
        v_min,
    })
}

/// Codes that `model` draws with `settings`, `[count, dim]`.
pub(super) fn codes(
    model: &LatentModel,
    count: usize,
    settings: &SamplerSettings,
    rng: &Rng,
) -> Result<Tensor<2>> {
    Ok(model.sample_codes(count, settings, rng, &mut |_| ControlFlow::Continue(()))?)
}

/// A bridge in the space of the rows themselves: encoder and decoder do nothing.
pub(super) fn plain_bridge(rows: &Rows, steps: usize, rng: &Rng) -> Result<LatentModel> {
    let dim = rows.train.dims()[1];
    let unscaled = DataScaling::of_vectors(&rows.train);
    let (zero, one) = (unscaled.offset.zeros_like(), unscaled.scale.ones_like());
    let scaling = DataScaling { offset: zero, scale: one, ..unscaled };
    bridge((Autoencoder::identity(dim), scaling), rows, steps, rng)
}
