//! The bridge from a smoothed law back to the law itself, known in closed form.
//!
//! For the reference √ε W with Lebesgue initial measure, the potentials f* ≡ 1 and g* = p solve the
//! Schrödinger system between q_ε = p * N(0, εI) and p exactly, so
//!
//! dZ = ε s(Z, ε(1−t)) dt + √ε dW,   Z₀ ~ q_ε   ⇒   Z_t ~ q_{ε(1−t)},   Z₁ ~ p,
//!
//! and the reversed process is Brownian: its drift is zero. One score regression, no iteration.
//! Schrödinger systems: \[Léo14\]; the two-stage sampler that ends with this SDE: \[DGLSB\].

use crate::bridge::{Bridge, Direction};
use crate::marginal::SmoothedScore;
use crate::reference::{Brownian, GaussianReference as _, Reference as _};
use crate::tensor::{Tensor, column};

/// The bridge from `p * N(0, εI)` at t = 0 to `p` at t = 1, given the smoothed score of `p`.
#[derive(Clone, Debug)]
pub struct SmoothingBridge<S> {
    score: S,
    reference: Brownian,
}

impl<S: SmoothedScore> SmoothingBridge<S> {
    /// The bridge over `reference` that `score` drives.
    pub fn new(score: S, reference: Brownian) -> Self {
        Self { score, reference }
    }

    /// The smoothed score that drives it.
    pub fn smoothed_score(&self) -> &S {
        &self.score
    }

    /// v(t) = ε (1 − t), the variance of the noise left at time t; `[batch]` both.
    pub fn variance(&self, t: Tensor<1>) -> Tensor<1> {
        (-t + 1.0) * self.reference.epsilon()
    }
}

impl<S: SmoothedScore> Bridge for SmoothingBridge<S> {
    fn dim(&self) -> usize {
        self.score.dim()
    }

    fn drift(&self, direction: Direction, t: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        match direction {
            Direction::Forward => self.score.score(x, self.variance(t)) * self.reference.epsilon(),
            Direction::Backward => x.zeros_like(),
        }
    }

    fn diffusion(&self, t: Tensor<1>) -> Tensor<1> {
        self.reference.diffusion(t)
    }

    fn score(&self, t: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        // Nelson's identity with a vanishing backward drift; spelled out to skip its evaluation.
        let g2 = column(self.diffusion(t.clone()).powi_scalar(2));
        self.drift(Direction::Forward, t, x) / g2
    }
}
