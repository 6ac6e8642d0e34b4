//! From data to a model: autoencoder, codes, score; each stage goes on where it stopped.

use sbridge::Codec as _;
use sbridge::fit::FitSettings;
use sbridge::latent::{DataScaling, LatentCodec, LatentModel, StartLaw};
use sbridge::net::{Autoencoder, AutoencoderKind, NoisePredictor};
use sbridge::objective::{DenoisingScore, DensityRatio, Objective, RatioNet};
use sbridge::rng::Rng;
use sbridge::tensor::Tensor;

use super::{LatentConfig, LatentData, MODEL_FILE, file};
use crate::data::{self, Split, autoencoder_kind};
use crate::error::Result;
use crate::settings::Encoder;
use crate::training::{Learning, Stage};

/// The score of the smoothed codes.
const SCORE: Stage<'static> = Stage { name: "score", learning_rate: "bridge.fit.learning_rate" };

/// Their density ratio.
const RATIO: Stage<'static> = Stage { name: "ratio", learning_rate: "bridge.ratio_fit.learning_rate" };

/// Trains what is not trained yet and writes the model.
///
/// # Errors
/// [`RunError`](crate::RunError) if training is interrupted, diverges, or cannot be saved.
pub(super) fn learn(run: &mut Learning<'_, LatentConfig>, data: &LatentData) -> Result<()> {
    let shares = run.settings.output.shares();
    let split = Split::new(&data.target, shares, &run.rng("target"), &run.device);
    let encoder = run.settings.autoencoder.encoder;
    let kind = autoencoder_kind(data.target.shape());
    let of_target = data::scaling(&data.target, &split.train, encoder, &run.device);
    let (autoencoder, scaling) = match (&data.pretrain, encoder) {
        (_, Encoder::Identity) => (Autoencoder::identity(data.target.shape().size()), of_target),
        (None, Encoder::Trained) => (autoencoder(run, &kind, &split, &of_target)?, of_target),
        (Some(pretrain), Encoder::Trained) => {
            let own = Split::new(pretrain, shares, &run.rng("pretrain"), &run.device);
            // The networks see the units they were trained in; samples keep the target's range.
            let of_pretrain = data::scaling(pretrain, &own.train, encoder, &run.device);
            let scaling = DataScaling { range: of_target.range, ..of_pretrain };
            (autoencoder(run, &kind, &own, &scaling)?, scaling)
        }
    };
    let model = bridge(run, autoencoder, scaling, &split)?;
    file::save(&run.file(MODEL_FILE), &model, &run.settings, &kind)
}

/// Stage A: encoder and decoder.
fn autoencoder(
    run: &mut Learning<'_, LatentConfig>,
    kind: &AutoencoderKind,
    split: &Split,
    scaling: &DataScaling,
) -> Result<Autoencoder> {
    let settings = run.settings.autoencoder.clone();
    run.train_autoencoder(
        Stage::AUTOENCODER,
        kind,
        &settings,
        scaling,
        (&split.train, split.validation.as_ref()),
    )
}

/// Stage B: codes of the target, and the score of their smoothed law.
fn bridge(
    run: &mut Learning<'_, LatentConfig>,
    autoencoder: Autoencoder,
    scaling: DataScaling,
    split: &Split,
) -> Result<LatentModel> {
    let settings = run.settings.bridge.score.clone();
    let (codec, codes) = LatentCodec::measured(autoencoder, scaling, settings.normalisation, &split.train);
    let held_out = split.validation.as_ref().map(|rows| codec.encode(rows));
    let epsilon = settings.epsilon;
    let v_min = run.settings.sampler.v_min(epsilon)?;
    let mut objective =
        DenoisingScore::new(codes.clone(), held_out.clone(), settings.noise_sampling, v_min, epsilon)?;
    let dim = codes.dims()[1];
    let net = |rng: &mut Rng| {
        NoisePredictor::new(dim, settings.parametrisation, &settings.net, rng, &codes.device())
    };
    let predictor = network(run, SCORE, net, &mut objective, run.settings.bridge.fit.clone())?;
    let ratio = density_ratio(run, &codes, held_out.as_ref())?;
    Ok(LatentModel { codec, predictor, ratio, codes, held_out, epsilon, v_min })
}

/// The density ratio, where the start law wants one.
fn density_ratio(
    run: &mut Learning<'_, LatentConfig>,
    codes: &Tensor<2>,
    held_out: Option<&Tensor<2>>,
) -> Result<Option<RatioNet>> {
    let StartLaw::DensityRatio { tau_over_epsilon, .. } = run.settings.sampler.start else {
        return Ok(None);
    };
    let settings = run.settings.bridge.score.clone();
    let centre = codes.clone().mean_dim(0);
    let held_out = held_out.map(|rows| rows.clone() - centre.clone());
    let codes = codes.clone() - centre;
    let tau = tau_over_epsilon * settings.epsilon;
    let (dim, device) = (codes.dims()[1], codes.device());
    let mut objective = DensityRatio::new(codes, held_out, settings.epsilon, tau);
    let net = |rng: &mut Rng| RatioNet::new(dim, &settings.net, rng, &device);
    network(run, RATIO, net, &mut objective, run.settings.bridge.ratio_fit.clone()).map(Some)
}

/// Trains one network, with the streams that its stage names.
fn network<O: Objective>(
    run: &mut Learning<'_, LatentConfig>,
    stage: Stage<'_>,
    make: impl FnOnce(&mut Rng) -> O::Model,
    objective: &mut O,
    fit: FitSettings,
) -> Result<O::Model> {
    let rng = run.rng(stage.name);
    run.train(stage, make(&mut rng.fork("init")), objective, fit, rng.fork("fit"))
}
