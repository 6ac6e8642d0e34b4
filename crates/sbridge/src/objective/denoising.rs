//! Denoising score matching over the noise levels of the bridge.
//!
//! L(θ) = E λ(v) ‖s_θ(z + √v ξ, v) + ξ/√v‖², which with λ = v is E ‖η_θ − ξ‖². Under `LogUniform`
//! the excess of the loss over its minimum is, times ½ ln(ε/v_min), the divergence of the model's
//! paths from the bridge's.                                                    [Vin11; Song21]

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::net::NoisePredictor;
use crate::objective::Objective;
use crate::rng::Rng;
use crate::tensor::{Tensor, TensorData, column, select_rows};

/// The law of the noise level v in training, and the weight that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoiseSampling {
    /// ln v uniform on [ln v_min, ln ε], λ = v: the objective that bounds the divergence of paths.
    LogUniform,
    /// v = ε (1 − t) with t uniform, λ = v: dwells on large noise.
    UniformTime,
    /// The same law with λ = 1: score errors count alike at every time.
    UniformTimeUnweighted,
    /// v = ε (1000 − k)/1000 with k uniform in 0..1000, in antithetic pairs (k, 999 − k), λ = v.
    Levels1000,
}

/// Levels of [`NoiseSampling::Levels1000`].
const LEVELS: usize = 1000;

impl NoiseSampling {
    /// The smallest noise variance that is trained at, where a sampler asks for `v_min` at least.
    pub fn smallest(self, v_min: f64, epsilon: f64) -> f64 {
        match self {
            Self::Levels1000 => epsilon / LEVELS as f64,
            Self::LogUniform | Self::UniformTime | Self::UniformTimeUnweighted => v_min,
        }
    }
}

/// A batch of noise levels, `[batch]` each.
struct Levels {
    variances: Vec<f64>,
    /// λ/v.
    weights: Vec<f64>,
}

/// The denoising loss on a sample of codes.
pub struct DenoisingScore {
    codes: Tensor<2>,
    held_out: Option<Tensor<2>>,
    sampling: NoiseSampling,
    v_min: f64,
    epsilon: f64,
}

impl DenoisingScore {
    /// Trains on `codes` and watches `held_out`, both `[count, dim]`, at noise variances from
    /// `v_min` to `epsilon`.
    ///
    /// # Errors
    /// [`Error::Setting`] unless `0 < v_min < epsilon`, and for levels that all lie above `v_min`.
    pub fn new(
        codes: Tensor<2>,
        held_out: Option<Tensor<2>>,
        sampling: NoiseSampling,
        v_min: f64,
        epsilon: f64,
    ) -> Result<Self> {
        if !(v_min > 0.0 && v_min < epsilon && epsilon.is_finite()) {
            let requirement = format!("above 0 and below epsilon = {epsilon}");
            return Err(Error::setting("v_min", requirement, v_min, "check the variance grid"));
        }
        let smallest = sampling.smallest(v_min, epsilon);
        // Steps of a grid are recomputed, and may differ in their last digits.
        if v_min < smallest * (1.0 - 1e-6) {
            let requirement = format!("at least {smallest}, the smallest of the {LEVELS} levels trained at");
            let fix = "raise one_minus_t to 0.001 or lower the steps of a uniform grid, or use log-uniform";
            return Err(Error::setting("v_min", requirement, v_min, fix));
        }
        Ok(Self { codes, held_out, sampling, v_min, epsilon })
    }

    fn levels(&self, count: usize, rng: &mut Rng) -> Levels {
        let Self { v_min, epsilon, .. } = *self;
        let variances: Vec<f64> = match self.sampling {
            NoiseSampling::LogUniform => {
                let logs = rng.uniform(count, v_min.ln(), epsilon.ln());
                logs.into_iter().map(f64::exp).collect()
            }
            NoiseSampling::UniformTime | NoiseSampling::UniformTimeUnweighted => {
                let rest = rng.uniform(count, v_min / epsilon, 1.0);
                rest.into_iter().map(|r| epsilon * r).collect()
            }
            NoiseSampling::Levels1000 => {
                let first = rng.indices(count.div_ceil(2), LEVELS);
                let pairs = first.into_iter().flat_map(|k| [k, LEVELS - 1 - k]);
                let level = |k: usize| epsilon * (LEVELS - k) as f64 / LEVELS as f64;
                pairs.take(count).map(level).collect()
            }
        };
        let weights = match self.sampling {
            NoiseSampling::UniformTimeUnweighted => variances.iter().map(|v| 1.0 / v).collect(),
            _ => vec![1.0; count],
        };
        Levels { variances, weights }
    }

    fn loss_on(&self, model: &NoisePredictor, codes: Tensor<2>, rng: &mut Rng) -> Tensor<1> {
        let [batch, dim] = codes.dims();
        let levels = self.levels(batch, rng);
        let options = (&codes.device(), codes.dtype());
        let vector = |values| Tensor::<1>::from_data(TensorData::new(values, [batch]), options);
        let (v, weight) = (vector(levels.variances), vector(levels.weights));
        let xi = rng.normal_like(&codes);
        let noisy = codes + column(v.clone().sqrt()) * xi.clone();
        let error = (model.noise(noisy, v) - xi).powi_scalar(2);
        (error * column(weight)).sum_dim(1).mean() / dim as f64
    }
}

impl Objective for DenoisingScore {
    type Model = NoisePredictor;

    fn loss(&self, model: &NoisePredictor, rows: Range<usize>, rng: &mut Rng) -> Tensor<1> {
        let chosen = rng.indices(rows.len(), self.codes.dims()[0]);
        self.loss_on(model, select_rows(&self.codes, &chosen).autodiff(), rng)
    }

    fn held_out_loss(&self, model: &NoisePredictor, rng: &mut Rng) -> Option<f64> {
        let codes = self.held_out.clone()?;
        Some(f64::from(self.loss_on(model, codes, rng).into_scalar::<f32>()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::net::{Parametrisation, ResidualMlpSettings};
    use crate::tensor::Device;

    fn objective(sampling: NoiseSampling, codes: Tensor<2>) -> DenoisingScore {
        DenoisingScore::new(codes, None, sampling, sampling.smallest(1e-3, 4.0), 4.0).unwrap()
    }

    /// The smallest denoising loss per dimension any model can have on N(0, s²) codes under
    /// `LogUniform`: the mean of s²/(s² + v), ln(1 + …) in closed form.
    fn bayes_loss_of_gaussian(var: f64, v_min: f64, epsilon: f64) -> f64 {
        // ∫ s²/(s²+v) dv/v = ln(v/(s²+v))
        let antiderivative = |v: f64| (v / (var + v)).ln();
        (antiderivative(epsilon) - antiderivative(v_min)) / (epsilon / v_min).ln()
    }

    #[test]
    fn untrained_preconditioned_net_is_optimal_for_unit_normal_codes() {
        let device = Device::flex();
        let mut rng = Rng::new(4);
        let codes = rng.normal([20_000, 2], &device);
        let settings = ResidualMlpSettings { width: 8, blocks: 1, time_features: 4 };
        let net = NoisePredictor::new(2, Parametrisation::Preconditioned, &settings, &mut rng, &device);
        let loss = objective(NoiseSampling::LogUniform, codes.clone()).loss_on(&net, codes, &mut rng);
        let expected = bayes_loss_of_gaussian(1.0, 1e-3, 4.0);
        // 40 000 squared errors of variance at most 2: a standard error of 0.007 at most.
        assert!((f64::from(loss.into_scalar::<f32>()) - expected).abs() < 4.5 * 0.007);
    }

    #[test]
    fn levels_stay_between_the_smallest_variance_and_epsilon() {
        let codes = Tensor::zeros([4, 1], &Device::flex());
        for sampling in [NoiseSampling::LogUniform, NoiseSampling::UniformTime, NoiseSampling::Levels1000] {
            let levels = objective(sampling, codes.clone()).levels(999, &mut Rng::new(1));
            assert_eq!(levels.variances.len(), 999);
            assert!(levels.variances.iter().all(|v| (1e-3..=4.0).contains(v)), "{sampling:?}");
        }
    }

    #[test]
    fn thousand_levels_come_in_antithetic_pairs() {
        let codes = Tensor::zeros([4, 1], &Device::flex());
        let levels = objective(NoiseSampling::Levels1000, codes).levels(10, &mut Rng::new(1));
        for pair in levels.variances.chunks(2) {
            // k and 999 − k: the two variances add up to 4 · 1001/1000, to rounding.
            assert!((pair[0] + pair[1] - 4.004).abs() < 1e-12);
        }
    }

    #[test]
    fn v_min_must_lie_below_epsilon() {
        let codes = Tensor::zeros([4, 1], &Device::flex());
        let made = DenoisingScore::new(codes, None, NoiseSampling::LogUniform, 5.0, 4.0);
        assert!(made.err().unwrap().to_string().contains("below epsilon = 4"));
    }

    #[test]
    fn levels_above_what_a_sampler_asks_for_are_refused() {
        let codes = Tensor::zeros([4, 1], &Device::flex());
        let made = DenoisingScore::new(codes, None, NoiseSampling::Levels1000, 4e-4, 4.0);
        assert!(made.err().unwrap().to_string().contains("at least 0.004, the smallest of the 1000 levels"));
    }
}
