//! Brownian reference σW and its bridges.
//!
//! Xₜ | x₀, x₁ ~ N((1−t) x₀ + t x₁, σ² t(1−t) I), with forward drift (x₁ − x)/(1 − t).   [KS91, §5.6.B]
//! Tests: both ends are hit; a simulated bridge has these moments.

use crate::error::{Result, require_positive};
use crate::reference::{GaussianReference, Moments, Reference};
use crate::tensor::{Tensor, column, per_row};

/// Brownian motion σW, by its ε = σ².
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Brownian {
    epsilon: f64,
}

impl Brownian {
    /// That of variance `epsilon`, in units of the state squared.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless `epsilon` is finite and positive.
    pub fn with_epsilon(epsilon: f64) -> Result<Self> {
        require_positive("epsilon", epsilon, "set a variance in data units")?;
        Ok(Self { epsilon })
    }

    /// That of standard deviation `sigma`, in units of the state.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless `sigma` is finite and positive.
    pub fn with_sigma(sigma: f64) -> Result<Self> {
        require_positive("sigma", sigma, "set a standard deviation in data units")?;
        Ok(Self { epsilon: sigma.powi(2) })
    }

    /// No motion at all: what the paths of a probability flow are noised with.
    pub fn still() -> Self {
        Self { epsilon: 0.0 }
    }

    /// The same motion in space stretched by `factor`.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self { epsilon: self.epsilon * factor.powi(2) }
    }

    /// σ = √ε.
    pub fn sigma(&self) -> f64 {
        self.epsilon.sqrt()
    }
}

impl Reference for Brownian {
    fn drift(&self, _t: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        x.zeros_like()
    }

    fn diffusion(&self, t: Tensor<1>) -> Tensor<1> {
        t.full_like(self.sigma())
    }
}

impl GaussianReference for Brownian {
    fn epsilon(&self) -> f64 {
        self.epsilon
    }

    fn bridge(&self, t: Tensor<1>, x0: Tensor<2>, x1: Tensor<2>) -> Moments {
        let left = -t.clone() + 1.0;
        let mean = x0 * column(left.clone()) + x1 * column(t.clone());
        let var = left * t * self.sigma().powi(2);
        Moments { mean, var }
    }

    fn bridge_drift(&self, t: Tensor<1>, x: Tensor<2>, x1: Tensor<2>) -> Tensor<2> {
        (x1 - x) / column(-t + 1.0)
    }

    /// x + s v(0, x): where no noise has passed, v(0, x) = E\[X_1 | X_0 = x\] − x, and bridges are straight on average.
    fn mean_from_drift(&self, s: f64, x: Tensor<2>, drift: Tensor<2>) -> Tensor<2> {
        x + drift * s
    }

    fn step_variances(&self, steps: usize) -> Vec<Vec<f64>> {
        vec![vec![self.epsilon / steps as f64]; steps]
    }

    fn within_step(
        &self,
        [_, steps]: [usize; 2],
        share: f64,
        x: Tensor<2>,
        y: Tensor<2>,
    ) -> (Tensor<2>, Vec<f64>) {
        let variance = self.epsilon / steps as f64 * share * (1.0 - share);
        (x * (1.0 - share) + y * share, vec![variance])
    }

    /// The bridge over the steps that are left, of as much of ε.
    fn next_step(&self, [k, steps]: [usize; 2], x: Tensor<2>, x1: Tensor<2>) -> Moments {
        let left = (steps - k) as f64;
        let Moments { mean, var } = self.bridge(per_row(1.0 / left, &x), x, x1);
        Moments { mean, var: var * (left / steps as f64) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::rng::Rng;
    use crate::tensor::{Device, from_rows_f64, per_row, to_vec_f64};

    #[test]
    fn bridge_hits_both_ends() {
        let device = Device::flex();
        let x0 = from_rows_f64(&[1.0, -2.0], 2, &device);
        let x1 = from_rows_f64(&[0.5, 3.0], 2, &device);
        let reference = Brownian::with_epsilon(2.0).unwrap();
        for (t, end) in [(0.0, &x0), (1.0, &x1)] {
            let moments = reference.bridge(per_row(t, &x0), x0.clone(), x1.clone());
            assert_eq!(to_vec_f64(moments.mean), to_vec_f64(end.clone()));
            assert_eq!(to_vec_f64(moments.var), [0.0]);
        }
    }

    #[test]
    fn simulated_bridge_drift_gives_the_closed_form_moments() {
        let (epsilon, steps, paths) = (0.7, 200, 20_000);
        let reference = Brownian::with_epsilon(epsilon).unwrap();
        let device = Device::flex();
        let mut x = Tensor::<2>::zeros([paths, 1], &device);
        let x1 = x.full_like(1.5);
        let mut rng = Rng::new(11);
        let dt = 1.0 / steps as f64;
        for k in 0..steps / 2 {
            let drift = reference.bridge_drift(per_row(k as f64 * dt, &x), x.clone(), x1.clone());
            let noise = rng.normal_like(&x);
            x = x + drift * dt + noise * (epsilon * dt).sqrt();
        }
        let moments = reference.bridge(per_row(0.5, &x), x.zeros_like(), x1);
        let (mean, var) = (to_vec_f64(moments.mean)[0], to_vec_f64(moments.var)[0]);
        let values = to_vec_f64(x);
        let n = paths as f64;
        let sample_mean = values.iter().sum::<f64>() / n;
        let sample_var = values.iter().map(|v| (v - sample_mean).powi(2)).sum::<f64>() / n;
        // 4.5 standard errors; Euler's bias at 200 steps is below one of them.
        assert!((sample_mean - mean).abs() < 4.5 * (var / n).sqrt());
        assert!((sample_var - var).abs() < 4.5 * var * (2.0 / n).sqrt() + var / steps as f64);
    }

    #[test]
    fn epsilon_must_be_positive() {
        let message = Brownian::with_epsilon(-0.1).unwrap_err().to_string();
        assert!(message.starts_with("epsilon must be a finite number > 0, got -0.1"));
    }
}
