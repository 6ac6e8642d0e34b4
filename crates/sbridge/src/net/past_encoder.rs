//! What a past says: convolutions of width two and stride two, each of which halves it, and what stands last after each.
//!
//! So the last 2, 4, 8, … states are summed up, the recent ones in more detail than the old.

use sbridge_kernels::Activation::Silu;

use crate::net::layers::{Linear, RECTIFIER_GAIN};
use crate::rng::Rng;
use crate::tensor::{Device, Module, Tensor};

/// From `[batch, length, dim]`, and covariates, to `[batch, outputs]`.
#[derive(Module, Debug)]
pub struct PastEncoder {
    halvings: Vec<Linear>,
    summary: Linear,
}

impl PastEncoder {
    /// For pasts of `length` states of dimension `dim` with `covariates` numbers beside them.
    pub fn new(
        [length, dim, covariates]: [usize; 3],
        [width, outputs]: [usize; 2],
        rng: &mut Rng,
        device: &Device,
    ) -> Self {
        let levels = length.next_power_of_two().ilog2() as usize;
        let inputs = |level: usize| 2 * if level == 0 { dim } else { width };
        let halving = |level| Linear::new(inputs(level), width, RECTIFIER_GAIN, rng, device);
        Self {
            halvings: (0..levels).map(halving).collect(),
            summary: Linear::new(levels * width + covariates, outputs, RECTIFIER_GAIN, rng, device),
        }
    }

    /// # Shapes
    /// `past: [batch, length, dim]`, `covariates: [batch, covariates]`, result `[batch, outputs]`.
    pub fn forward(&self, past: Tensor<3>, covariates: Tensor<2>) -> Tensor<2> {
        let mut x = past;
        let mut summaries = vec![covariates];
        for halving in &self.halvings {
            let [batch, length, features] = x.dims();
            if length % 2 == 1 {
                x = Tensor::cat(vec![x.clone().narrow(1, 0, 1), x], 1);
            }
            let half = length.div_ceil(2);
            let pairs = x.reshape([batch * half, 2 * features]);
            let halved = halving.activated(pairs, Silu);
            let [_, width] = halved.dims();
            x = halved.reshape([batch, half, width]);
            summaries.push(x.clone().narrow(1, half - 1, 1).reshape([batch, width]));
        }
        self.summary.activated(Tensor::cat(summaries, 1), Silu)
    }
}
