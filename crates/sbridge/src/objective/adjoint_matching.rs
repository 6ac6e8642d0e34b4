//! Adjoint matching: the drift that a pull at the end of paths makes earlier on them.
//!
//! v₊(t, xₜ) ← ε a(x₁),   xₜ = (1−t) x₀ + t x₁ + √(ε t(1−t)) z,
//!
//! with a the slope of what a path is worth at its end. The mean of a given xₜ is that slope carried back along Brownian bridges,
//! so nothing is differentiated along a path.                                                              \[AS\]

use std::ops::Range;

use crate::coupling::Pairs;
use crate::net::DriftNet;
use crate::objective::Objective;
use crate::reference::{Brownian, GaussianReference as _, Moments};
use crate::rng::Rng;
use crate::tensor::{Tensor, TensorData, column};

/// Ends of paths, and what pulls at the later ones.
pub struct AdjointMatching {
    /// Ends, `[count, dim]` each.
    pub pairs: Pairs,
    /// ε a, `[count, dim]`.
    pub pulls: Tensor<2>,
    /// What paths are between two ends.
    pub reference: Brownian,
    /// Steps that the drift will be walked in: nobody asks for it later than at the last.
    pub steps: usize,
}

impl Objective for AdjointMatching {
    type Model = DriftNet;

    fn loss(&self, model: &DriftNet, rows: Range<usize>, rng: &mut Rng) -> Tensor<1> {
        let (all, count) = (self.pulls.dims()[0], rows.len());
        let part = |of: &Tensor<2>| of.clone().narrow(0, rows.start % all, count);
        let (x0, x1) = (part(&self.pairs.x0), part(&self.pairs.x1));
        let times = rng.uniform(count, 0.0, 1.0 - 0.5 / self.steps as f64);
        let t = Tensor::from_data(TensorData::new(times, [count]), (&x0.device(), x0.dtype()));
        let Moments { mean, var } = self.reference.bridge(t.clone(), x0, x1);
        let x = mean.clone() + rng.normal_like(&mean) * column(var.sqrt());
        let error = model.forward(t.autodiff(), x.autodiff()) - part(&self.pulls).autodiff();
        (error.clone() * error).mean()
    }

    fn held_out_loss(&self, _model: &DriftNet, _rng: &mut Rng) -> Option<f64> {
        None
    }
}
