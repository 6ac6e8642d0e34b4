//! The drift of a bridge whose potential is a Gaussian mixture, as a module whose weights are the mixture's.      \[LSBM\]
//!
//! With v(y) = Σ_k a_k N(y | r_k, ε S_k), S_k diagonal, and s the share of the way that is behind,
//!
//! drift = (Σ_k ω_k A_k⁻¹ c_k − x)/(1 − s),   A_k = s/(ε(1 − s)) + 1/(ε S_k),   c_k = x/(ε(1 − s)) + r_k/(ε S_k)
//! ω = softmax_k[ ln a_k − ½ ln|S_k| − ½ ln|A_k| − ½ r_kᵀr_k/(ε S_k) + ½ c_kᵀA_k⁻¹c_k ]
//!
//! Tests: the drift of `solver/light_sb/potential.rs`, which is written in f64 and for full covariances.

use serde::{Deserialize, Serialize};

use crate::bridge::Direction;
use crate::error::{Error, Result, require_positive};
use crate::tensor::{Module, Param, Tensor, activation};

/// Size of a mixture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MixtureSettings {
    /// Number K of Gaussians. Default 20; 1 to 500.
    pub components: usize,
    /// Variance of the S_k at the start, in units of the data's variance. Default 0.1.
    pub initial_variance: f64,
}

impl Default for MixtureSettings {
    fn default() -> Self {
        Self { components: 20, initial_variance: 0.1 }
    }
}

impl MixtureSettings {
    /// # Errors
    /// [`Error::Setting`] for a value outside its range.
    pub fn check(&self) -> Result<()> {
        if !(1..=500).contains(&self.components) {
            return Err(Error::setting("components", "in 1 to 500", self.components, "20 is a good start"));
        }
        require_positive("initial_variance", self.initial_variance, "0.1 is usual")
    }
}

/// The drift of one direction.
#[derive(Module, Debug)]
pub struct MixtureDrift {
    /// ln a, `[components]`.
    ln_weights: Param<Tensor<1>>,
    /// r, `[components, dim]`.
    centres: Param<Tensor<2>>,
    /// ln S, `[components, dim]`.
    ln_variances: Param<Tensor<2>>,
    #[module(skip)]
    epsilon: f64,
    #[module(skip)]
    direction: Direction,
}

impl MixtureDrift {
    /// Equal weights about `centres`, `[components, dim]`, for a bridge of `epsilon` walked in `direction`.
    pub fn new(centres: Tensor<2>, initial_variance: f64, epsilon: f64, direction: Direction) -> Self {
        let [components, _] = centres.dims();
        let (device, dtype) = (centres.device(), centres.dtype());
        let level = -(components as f64).ln();
        Self {
            ln_weights: Param::from_tensor(Tensor::full([components], level, (&device, dtype))),
            ln_variances: Param::from_tensor(centres.full_like(initial_variance.ln())),
            centres: Param::from_tensor(centres),
            epsilon,
            direction,
        }
    }

    /// # Shapes
    /// `t: [batch]`, `x: [batch, dim]`, result `[batch, dim]`.
    pub fn forward(&self, t: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        let behind = match self.direction {
            Direction::Forward => t,
            Direction::Backward => -t + 1.0,
        };
        let left = -behind.clone() + 1.0;
        let per_row = |values: Tensor<1>| values.unsqueeze_dims::<3>(&[1, 2]);
        let per_component = |values: Tensor<2>| values.unsqueeze_dim::<3>(0);
        // 1/(ε S_k), `[1, components, dim]`.
        let ln_variances = self.ln_variances.val();
        let precision = (-ln_variances.clone()).exp() / self.epsilon;
        let pull = self.centres.val() * precision.clone();
        let a = per_row(behind / left.clone() / self.epsilon) + per_component(precision);
        let c = x.clone().unsqueeze_dim::<3>(1) / per_row(left.clone() * self.epsilon)
            + per_component(pull.clone());
        let mean = c.clone() / a.clone();
        let of_component = self.ln_weights.val()
            - (ln_variances + self.centres.val() * pull).sum_dim(1).squeeze_dim(1) * 0.5;
        let of_row = (c * mean.clone() - a.log()).sum_dim(2).squeeze_dim::<2>(2) * 0.5;
        let weights = activation::softmax(of_row + of_component.unsqueeze_dim(0), 1);
        let end = (mean * weights.unsqueeze_dim::<3>(2)).sum_dim(1).squeeze_dim::<2>(1);
        (end - x) / left.unsqueeze_dim(1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::solver::light_sb::LightPotential;
    use crate::tensor::{Device, from_rows_f64, to_vec_f64};
    use faer::Mat;

    #[test]
    fn the_drift_is_that_of_the_potential() {
        let (epsilon, device) = (0.7, Device::flex());
        let centres = [[0.4, -1.0], [-0.8, 0.3], [1.5, 0.9]];
        let drift = MixtureDrift::new(
            from_rows_f64(&centres.concat(), 2, &device),
            0.3,
            epsilon,
            Direction::Backward,
        );
        let factor = Mat::from_fn(2, 2, |i, j| if i == j { 0.3f64.sqrt() } else { 0.0 });
        let potential = LightPotential::from_factors(
            epsilon,
            vec![-(3f64.ln()); 3],
            centres.iter().map(|r| r.to_vec()).collect(),
            vec![factor; 3],
        )
        .unwrap();
        let x = [0.2, -0.4, 1.0, 2.0];
        for behind in [0.0, 0.4, 0.97] {
            let rows = from_rows_f64(&x, 2, &device);
            let t = crate::tensor::per_row(1.0 - behind, &rows);
            let found = to_vec_f64(drift.forward(t, rows));
            for (a, b) in found.iter().zip(potential.drift(behind, &x)) {
                assert!((a - b).abs() < 1e-9 / (1.0 - behind), "{a} {b}"); // rounding over the time left
            }
        }
    }
}
