//! A decoder that stretches by c stretches the latent error by c.

use sbridge::Codec as _;
use sbridge::eval::decoder_lipschitz;
use sbridge::latent::{DataScaling, LatentCodec, LatentModel, Normaliser, SamplerSettings};
use sbridge::net::{Autoencoder, NoisePredictor, Parametrisation, ResidualMlpSettings};
use sbridge::rng::Rng;
use sbridge::simulate::{EndRule, StepRule, VarGrid};
use sbridge::tensor::{Device, Tensor, head, points};
use sbridge_ot::{Gaussian, bures_wasserstein2};

use super::laws::output_variance;
use super::training::codes;
use crate::reproduce::{Effort, Estimate, Result, Study, dashed, dots};

const DIM: usize = 2;
/// So few that the step error is seen.
const STEPS: usize = 5;
/// Codes, and samples.
const COUNT: usize = 100_000;
/// Codes about which the constant is looked for.
const LIPSCHITZ_CODES: usize = 2000;

/// What a decoder is spoiled by.
const STEEPER: f64 = 1.1;
const CONTROL: &str = "decoder 10 % steeper";

/// Codes N(0, I) with their exact score, and a decoder z ↦ c z.
fn model(scale: f64) -> LatentModel {
    let device = Device::flex();
    let row = |value: f64| Tensor::full([1, DIM], value, &device);
    let net = ResidualMlpSettings { width: 4, blocks: 1, time_features: 2 };
    // An untrained network adds nothing to the preconditioning, which is the score of N(0, I).
    let preconditioned = Parametrisation::Preconditioned;
    LatentModel {
        codec: LatentCodec {
            scaling: DataScaling { offset: row(0.0), scale: row(1.0), range: None },
            autoencoder: Autoencoder::identity(DIM),
            normaliser: Normaliser { mean: row(0.0), scale: row(scale) },
        },
        predictor: NoisePredictor::new(DIM, preconditioned, &net, &mut Rng::new(0), &device),
        ratio: None,
        codes: Rng::new(1).normal([COUNT, DIM], &device),
        held_out: None,
        epsilon: 1.0,
        v_min: 1e-3,
    }
}

pub(super) fn study(_effort: Effort, rng: &Rng) -> Result<Study> {
    let sampler = SamplerSettings {
        grid: VarGrid::Uniform,
        steps: STEPS,
        one_minus_t: 0.0,
        step: StepRule::Euler,
        end: EndRule::Plain,
        ..Default::default()
    };
    let variance = output_variance(&sampler.denoiser(1.0)?, 1.0, 0.0);
    let latent = (DIM as f64).sqrt() * (variance.sqrt() - 1.0);
    let mut study = Study::new(
        "The decoder's Lipschitz constant",
        format!(
            "Codes N(0, I) with their exact score, {STEPS} Euler steps, decoded by z ↦ c z. The latent error is \
             {latent:.4}, exactly; the error of the samples is L_D = c times that."
        ),
        "W2 of the Gaussians with the moments of the samples. Tolerances: 4.5 standard errors at \
         c = 1; rounding of f32 for the rest, which hear the same noise.",
    );
    // The same noise for every decoder, so that only the decoder differs.
    let w2 = |scale: f64, decoder: f64| -> Result<Estimate> {
        let model = model(decoder);
        let codes = codes(&model, COUNT, &sampler, &rng.fork("codes"))?;
        let fitted = Gaussian::fit(&points(&model.codec.decode(&codes))?)?;
        let target = Gaussian::isotropic(vec![0.0; DIM], scale * scale)?;
        Ok(Estimate::once(bures_wasserstein2(&fitted, &target)?.sqrt(), COUNT))
    };
    let lipschitz = |scale: f64| {
        let model = model(scale);
        let some = head(&model.codes, LIPSCHITZ_CODES);
        Estimate::once(decoder_lipschitz(&model.codec, &some, &mut rng.fork("constant")), LIPSCHITZ_CODES)
    };
    let unstretched = w2(1.0, 1.0)?;
    // A standard deviation from so many samples, begun from as many codes.
    let doubt = 4.5 * (1.0 / COUNT as f64).sqrt();
    study.near("W2 of the samples, c = 1", unstretched.beside(CONTROL, w2(1.0, STEEPER)?), latent, doubt);
    let mut measured = vec![(1.0, unstretched.measured)];
    for scale in [0.5, 2.0, 4.0, 8.0] {
        let constant = lipschitz(scale).beside(CONTROL, lipschitz(STEEPER * scale));
        study.near(format!("L_D, c = {scale}"), constant, scale, 1e-3 * scale);
        let (found, expected) = (w2(scale, scale)?, scale * unstretched.measured);
        let beside = found.beside(CONTROL, w2(scale, STEEPER * scale)?);
        study.near(format!("W2 of the samples, c = {scale}"), beside, expected, 1e-3 * expected);
        measured.push((scale, found.measured));
    }
    let exact = [0.5, 8.0].map(|c| (c, c * latent)).to_vec();
    study.log_plot(
        "W2 of decoded samples against the decoder's constant",
        ["L_D", "W2"],
        vec![dots("measured", measured), dashed("L_D × latent error", exact)],
    );
    Ok(study)
}
