//! The independent coupling of two samples.

use crate::coupling::{Coupling, Pairs, drawn};
use crate::rng::Rng;
use crate::tensor::Tensor;

/// Every source sample with any target sample.
#[derive(Clone, Debug)]
pub struct Independent {
    /// Samples at t = 0, `[count, dim]`.
    pub source: Tensor<2>,
    /// Samples at t = 1, `[count, dim]`.
    pub target: Tensor<2>,
}

impl Coupling for Independent {
    fn pairs(&self, count: usize, rng: &mut Rng) -> Pairs {
        Pairs { x0: drawn(&self.source, count, rng), x1: drawn(&self.target, count, rng) }
    }
}
