//! The empirical law of a sample, and the score that memorises it.
//!
//! p̂ * N(0, vI) has score (Σ_i γ_i(z) z_i − z)/v with γ = softmax(−‖z − z_i‖²/2v). Sampling with
//! it returns the sample itself plus noise: the baseline every learned score is compared with.
//! Tests: one point gives (z_1 − z)/v; agreement with a mixture of narrow Gaussians.

use crate::marginal::{Marginal, SmoothedScore};
use crate::rng::Rng;
use crate::tensor::{Tensor, activation, column, select_rows};

/// The uniform law on the rows of a sample.
#[derive(Clone, Debug)]
pub struct Empirical {
    rows: Tensor<2>,
}

/// States scored at once, so that the kernel matrix stays small.
const BLOCK: usize = 256;

impl Empirical {
    /// The uniform law on `rows`, `[count, dim]`.
    pub fn new(rows: Tensor<2>) -> Self {
        Self { rows }
    }

    /// The sample, `[count, dim]`.
    pub fn rows(&self) -> &Tensor<2> {
        &self.rows
    }

    fn block_score(&self, z: Tensor<2>, v: Tensor<1>) -> Tensor<2> {
        let var = column(v);
        let norms = self.rows.clone().powi_scalar(2).sum_dim(1).transpose();
        // ‖z − z_i‖² up to ‖z‖², which the softmax does not see.
        let inner = z.clone().matmul(self.rows.clone().transpose());
        let logits = (inner * 2.0 - norms) / (var.clone() * 2.0);
        let mean = activation::softmax(logits, 1).matmul(self.rows.clone());
        (mean - z) / var
    }
}

impl Marginal for Empirical {
    fn dim(&self) -> usize {
        self.rows.dims()[1]
    }

    fn sample(&self, batch: usize, rng: &mut Rng) -> Tensor<2> {
        select_rows(&self.rows, &rng.indices(batch, self.rows.dims()[0]))
    }
}

impl SmoothedScore for Empirical {
    fn dim(&self) -> usize {
        self.rows.dims()[1]
    }

    fn score(&self, z: Tensor<2>, v: Tensor<1>) -> Tensor<2> {
        let states = z.split(BLOCK, 0).into_iter();
        let variances = v.split(BLOCK, 0);
        let blocks = states.zip(variances).map(|(z, v)| self.block_score(z, v));
        Tensor::cat(blocks.collect(), 0)
    }
}
