//! A Föllmer bridge from the origin to q_ε, the data-free start of two-stage sampling.
//!
//! With reference √τ W on its own clock t ∈ [0, 1], f = q_ε/N(0, τI) and y = x + √(τ(1−t)) ξ,
//!
//! b(x, t) = E[f(y) (s(y, ε) + y/τ)] / E[f(y)],      x += τ b/N + √(τ/N) ξ′.      \[DGLSB\]
//!
//! Both expectations use the same draws: with separate ones the ratio has no finite mean where f
//! varies much. Tests: Euler's exact variance for Gaussian q; quadrature for a mixture.

use crate::marginal::{Marginal, SmoothedScore};
use crate::rng::Rng;
use crate::simulate::Noise;
use crate::tensor::{Tensor, activation, column, per_row};

/// ln f, the log-density ratio of the smoothed law to N(0, τI).
pub trait LogRatio {
    /// # Shapes
    /// `x: [batch, dim]`, result `[batch]`.
    fn log_ratio(&self, x: Tensor<2>) -> Tensor<1>;
}

impl LogRatio for crate::objective::RatioNet {
    fn log_ratio(&self, x: Tensor<2>) -> Tensor<1> {
        self.forward(x)
    }
}

/// The start law that the bridge ends in.
pub struct FoellmerStart<R, S> {
    /// ln q_ε/N(0, τI), of centred states.
    pub ratio: R,
    /// The smoothed score, of centred states.
    pub score: S,
    /// ε.
    pub epsilon: f64,
    /// τ.
    pub tau: f64,
    /// Draws per drift.
    pub draws: usize,
    /// Steps N.
    pub steps: usize,
    /// Added to the result: the mean of the codes, `[1, dim]`.
    pub centre: Tensor<2>,
}

impl<R: LogRatio, S: SmoothedScore> FoellmerStart<R, S> {
    /// b(x, t), `[batch, dim]`.
    pub fn drift(&self, x: &Tensor<2>, t: f64, noise: &mut dyn Noise) -> Tensor<2> {
        let [batch, dim] = x.dims();
        let spread = (self.tau * (1.0 - t)).sqrt();
        let repeated = x.clone().repeat(&[self.draws, 1]);
        let y = repeated.clone() + noise.draw(&repeated) * spread;
        let log_f = self.ratio.log_ratio(y.clone()).reshape([self.draws, batch]);
        let weight = activation::softmax(log_f, 0).reshape([self.draws * batch]);
        let slope = self.score.score(y.clone(), per_row(self.epsilon, &y)) + y / self.tau;
        (slope * column(weight)).reshape([self.draws, batch, dim]).sum_dim(0).reshape([batch, dim])
    }

    /// Runs the bridge from the origin with the given noise, `[batch, dim]`, centred.
    pub fn run(&self, origin: Tensor<2>, noise: &mut dyn Noise) -> Tensor<2> {
        let dt = 1.0 / self.steps as f64;
        (0..self.steps).fold(origin, |x, k| {
            let drift = self.drift(&x, k as f64 * dt, noise);
            let xi = noise.draw(&x);
            x + drift * (self.tau * dt) + xi * (self.tau * dt).sqrt()
        })
    }
}

impl<R: LogRatio, S: SmoothedScore> Marginal for FoellmerStart<R, S> {
    fn dim(&self) -> usize {
        self.score.dim()
    }

    fn sample(&self, batch: usize, rng: &mut Rng) -> Tensor<2> {
        let origin = self.centre.zeros_like().expand([batch, self.dim()]);
        self.run(origin, rng) + self.centre.clone()
    }
}
