//! Logistic estimation of a log-density ratio, ln q_ε / N(0, τI).
//!
//! min E softplus(−D(z + √ε ξ)) + E softplus(D(√τ ξ)); the minimiser is the log-ratio.
//! \[DGLSB\]

use std::ops::Range;

use crate::net::{ResidualMlp, ResidualMlpSettings};
use crate::objective::Objective;
use crate::rng::Rng;
use crate::tensor::{Device, Module, Tensor, activation, select_rows};

/// A scalar network x ↦ D(x), the sum of a residual network's outputs.
#[derive(Module, Debug)]
pub struct RatioNet {
    net: ResidualMlp,
}

impl RatioNet {
    /// A network on states of dimension `dim`.
    pub fn new(dim: usize, settings: &ResidualMlpSettings, rng: &mut Rng, device: &Device) -> Self {
        Self { net: ResidualMlp::new(dim, settings, rng, device) }
    }

    /// The log-ratio at `x`.
    ///
    /// # Shapes
    /// `x: [batch, dim]`, result `[batch]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<1> {
        let [batch, _] = x.dims();
        // The network takes a noise level; the ratio is needed at one only.
        let level = Tensor::ones([batch], (&x.device(), x.dtype()));
        self.net.forward(x, level).sum_dim(1).reshape([batch])
    }
}

/// The logistic loss between smoothed codes and the wide Gaussian.
pub struct DensityRatio {
    codes: Tensor<2>,
    held_out: Option<Tensor<2>>,
    epsilon: f64,
    tau: f64,
}

impl DensityRatio {
    /// Trains on centred `codes` and watches `held_out`, both `[count, dim]`.
    pub fn new(codes: Tensor<2>, held_out: Option<Tensor<2>>, epsilon: f64, tau: f64) -> Self {
        Self { codes, held_out, epsilon, tau }
    }

    fn loss_on(&self, model: &RatioNet, codes: Tensor<2>, rng: &mut Rng) -> Tensor<1> {
        let wide = rng.normal_like(&codes) * self.tau.sqrt();
        let noise = rng.normal_like(&codes) * self.epsilon.sqrt();
        let smoothed = codes + noise;
        let miss = activation::softplus(model.forward(smoothed).neg(), 1.0);
        let false_alarm = activation::softplus(model.forward(wide), 1.0);
        (miss + false_alarm).mean()
    }
}

impl Objective for DensityRatio {
    type Model = RatioNet;

    fn loss(&self, model: &RatioNet, rows: Range<usize>, rng: &mut Rng) -> Tensor<1> {
        let chosen = rng.indices(rows.len(), self.codes.dims()[0]);
        self.loss_on(model, select_rows(&self.codes, &chosen).autodiff(), rng)
    }

    fn held_out_loss(&self, model: &RatioNet, rng: &mut Rng) -> Option<f64> {
        let codes = self.held_out.clone()?;
        Some(f64::from(self.loss_on(model, codes, rng).into_scalar::<f32>()))
    }
}
