//! A law convolved with isotropic Gaussian noise, p * N(0, vI).

use crate::marginal::Marginal;
use crate::rng::Rng;
use crate::tensor::Tensor;

/// `law * N(0, var I)`.
pub struct Convolved<L> {
    law: L,
    var: f64,
}

impl<L: Marginal> Convolved<L> {
    /// Convolves `law` with noise of variance `var`.
    pub fn new(law: L, var: f64) -> Self {
        Self { law, var }
    }
}

impl<L: Marginal> Marginal for Convolved<L> {
    fn dim(&self) -> usize {
        self.law.dim()
    }

    fn sample(&self, batch: usize, rng: &mut Rng) -> Tensor<2> {
        let clean = self.law.sample(batch, rng);
        let noise = rng.normal_like(&clean);
        clean + noise * self.var.sqrt()
    }
}
