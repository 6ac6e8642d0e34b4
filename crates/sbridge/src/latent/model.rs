//! A trained latent bridge: what is needed to sample, and nothing of how it was trained.

use std::ops::ControlFlow;

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::latent::codec::LatentCodec;
use crate::latent::foellmer::FoellmerStart;
use crate::latent::settings::SamplerSettings;
use crate::latent::start::StartLaw;
use crate::marginal::{Convolved, Empirical, Gaussian, Marginal, Mixture, SmoothedScore};
use crate::net::NoisePredictor;
use crate::objective::RatioNet;
use crate::reference::Brownian;
use crate::rng::Rng;
use crate::solver::SmoothingBridge;
use crate::tensor::{Tensor, points};

/// Codes simulated at once.
const BLOCK: usize = 500;

/// Iterations of the mixture fit; it is a start law, so near enough is enough.
const MIXTURE_ITERATIONS: usize = 50;

/// An encoder, a decoder and the bridge between smoothed and clean codes.
pub struct LatentModel {
    /// From samples to codes, and back.
    pub codec: LatentCodec,
    /// The learned score of smoothed codes.
    pub predictor: NoisePredictor,
    /// The learned density ratio, where the start law wants one.
    pub ratio: Option<RatioNet>,
    /// Normalised training codes, `[count, dim]`.
    pub codes: Tensor<2>,
    /// Normalised codes that were not trained on, `[count, dim]`, if some were set aside to stop training by.
    pub held_out: Option<Tensor<2>>,
    /// ε.
    pub epsilon: f64,
    /// Smallest noise variance the score was trained at.
    pub v_min: f64,
}

impl LatentModel {
    /// The bridge itself, from the smoothed law of codes at t = 0 to the clean one at t = 1.
    ///
    /// # Errors
    /// [`Error::Setting`] if ε is not positive.
    pub fn bridge(&self) -> Result<SmoothingBridge<NoisePredictor>> {
        let reference = Brownian::with_epsilon(self.epsilon)?;
        Ok(SmoothingBridge::new(self.predictor.clone(), reference))
    }

    /// `count` normalised codes, `[count, dim]`, simulated in blocks; `after_block(done)` is called after some of them
    /// with the number of codes so far, and may stop the simulation.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings out of range, or that ask for noise levels the score was not
    /// trained at; [`Error::Interrupted`] if `after_block` stops it.
    pub fn sample_codes(
        &self,
        count: usize,
        settings: &SamplerSettings,
        rng: &Rng,
        after_block: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Tensor<2>> {
        let denoiser = settings.denoiser(self.epsilon)?;
        self.check_levels(denoiser.smallest_query())?;
        let start = start_law(self, settings.start, &mut rng.fork("start-law"))?;
        let block = &|index: usize| {
            let batch = BLOCK.min(count - index * BLOCK);
            let mut stream = rng.fork(&format!("block={index}"));
            let z0 = start.sample(batch, &mut stream);
            denoiser.run(&self.predictor, z0, &mut stream)
        };
        let indices: Vec<usize> = (0..count.div_ceil(BLOCK)).collect();
        let mut blocks = Vec::new();
        // Every block has its own stream, so how many run side by side changes no result.
        for together in indices.chunks(rayon::current_num_threads()) {
            blocks.par_extend(together.par_iter().map(|&index| block(index)));
            if after_block(count.min(blocks.len() * BLOCK)).is_break() {
                return Err(Error::Interrupted);
            }
        }
        Ok(Tensor::cat(blocks, 0))
    }

    fn check_levels(&self, smallest: f64) -> Result<()> {
        // A grid recomputed in f64 may differ from the stored one in the last digits.
        if smallest >= self.v_min * (1.0 - 1e-6) {
            return Ok(());
        }
        Err(Error::setting(
            "smallest noise variance of the grid",
            format!("at least the {} the score was trained at", self.v_min),
            smallest,
            "raise sampler.one_minus_t or lower sampler.steps, or train again with these settings",
        ))
    }
}

/// The law of the first state, for a trained model.
///
/// # Errors
/// [`Error::Setting`] if the model lacks what the law needs: held-out codes, enough codes for the
/// mixture, a density ratio.
pub fn start_law(model: &LatentModel, law: StartLaw, rng: &mut Rng) -> Result<Box<dyn Marginal + Sync>> {
    let (codes, epsilon) = (&model.codes, model.epsilon);
    let (device, dtype) = (codes.device(), codes.dtype());
    match law {
        StartLaw::ConvolveTrain => Ok(Box::new(Convolved::new(Empirical::new(codes.clone()), epsilon))),
        StartLaw::ConvolveHeldout => {
            let held_out = model.held_out.clone().ok_or_else(|| {
                let fix = "the model was trained without held-out samples; use gaussian-moment";
                Error::setting("start", "a law this model can give", "convolve-heldout", fix)
            })?;
            Ok(Box::new(Convolved::new(Empirical::new(held_out), epsilon)))
        }
        StartLaw::GaussianIso => {
            let zero = vec![0.0; codes.dims()[1]];
            Ok(Box::new(Gaussian::isotropic(&zero, epsilon, dtype, &device)))
        }
        StartLaw::GaussianMoment => {
            Ok(Box::new(Gaussian::new(&moments(codes)?, dtype, &device)?.smoothed(epsilon)))
        }
        StartLaw::Mixture { components } => {
            let fitted = Mixture::fit(codes, components, MIXTURE_ITERATIONS, rng)?;
            Ok(Box::new(Convolved::new(fitted, epsilon)))
        }
        StartLaw::DensityRatio { tau_over_epsilon, draws, steps } => {
            let ratio = model.ratio.clone().ok_or_else(|| {
                let fix = "train again with sampler.start.kind = \"density-ratio\"";
                Error::setting("start", "a law this model can give", "density-ratio", fix)
            })?;
            let centre = codes.clone().mean_dim(0);
            let score = Centred { score: model.predictor.clone(), centre: centre.clone() };
            let tau = tau_over_epsilon * epsilon;
            Ok(Box::new(FoellmerStart { ratio, score, epsilon, tau, draws, steps, centre }))
        }
    }
}

/// Mean and covariance of codes, in f64.
pub(crate) fn moments(codes: &Tensor<2>) -> Result<sbridge_ot::Gaussian> {
    Ok(sbridge_ot::Gaussian::fit(&points(codes)?)?)
}

/// The score of a law moved so that its mean is zero.
struct Centred<S> {
    score: S,
    centre: Tensor<2>,
}

impl<S: SmoothedScore> SmoothedScore for Centred<S> {
    fn dim(&self) -> usize {
        self.score.dim()
    }

    fn score(&self, z: Tensor<2>, v: Tensor<1>) -> Tensor<2> {
        self.score.score(z + self.centre.clone(), v)
    }
}
