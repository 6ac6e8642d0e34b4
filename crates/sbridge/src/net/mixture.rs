//! The drift of a bridge whose potential is a Gaussian mixture, as a module whose weights are the mixture's.      \[LSBM\]
//!
//! With v(y) = Σ_k a_k N(y | r_k, ε S_k), S_k diagonal, and s the share of the way that is behind,
//!
//! drift = Σ_k ω_k ((S_k − 1) x + r_k)/b_k,   b_k = 1 − s + s S_k
//! ω = softmax_k[ ln a_k + Σ ((S_k − 1) x² + 2 r_k x − s r_k²)/(2 ε b_k) − ½ ln b_k ]
//!
//! which is the paper's drift with the common factors of all weights left out: nothing is divided by 1 − s.
//!
//! Tests: the drift of `solver/light_sb/potential.rs`, which is written in f64 and for full covariances.

use serde::{Deserialize, Serialize};

use crate::bridge::Direction;
use crate::error::{Result, require_count, require_positive};
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
    /// [`Error::Setting`](crate::Error::Setting) for a value outside its range.
    pub fn check(&self) -> Result<()> {
        require_count("components", self.components, 1..=500, "20 is a good start")?;
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
        let behind = behind.unsqueeze_dims::<3>(&[1, 2]);
        let x = x.unsqueeze_dim::<3>(1);
        // S_k and r_k, `[1, components, dim]`.
        let variances = self.ln_variances.val().exp().unsqueeze_dim::<3>(0);
        let centres = self.centres.val().unsqueeze_dim::<3>(0);
        let b = behind.clone() * variances.clone() + (-behind.clone() + 1.0);
        let pull = x.clone() * (variances - 1.0) + centres.clone();
        let square = x * (pull.clone() + centres.clone()) - behind * centres.powi_scalar(2);
        let of_row =
            (square / b.clone() / self.epsilon - b.clone().log()).sum_dim(2).squeeze_dim::<2>(2) * 0.5;
        let weights = activation::softmax(of_row + self.ln_weights.val().unsqueeze_dim(0), 1);
        (pull / b * weights.unsqueeze_dim::<3>(2)).sum_dim(1).squeeze_dim::<2>(1)
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
        for behind in [0.0, 0.4, 0.97, 1.0] {
            let rows = from_rows_f64(&x, 2, &device);
            let t = crate::tensor::per_row(1.0 - behind, &rows);
            let computed = to_vec_f64(drift.forward(t, rows));
            for (a, b) in computed.iter().zip(potential.drift(behind, &x)) {
                assert!((a - b).abs() < 1e-11, "{a} {b}"); // rounding
            }
        }
    }
}
