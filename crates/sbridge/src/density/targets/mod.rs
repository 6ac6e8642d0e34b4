//! Targets: densities on which samplers are measured, with what is known of them.

mod brownian;
mod cox;
mod funnel;
mod gaussian_mixture;
mod logistic;
mod mixture;
mod rings;
mod seeds;
mod wells;

pub use brownian::Brownian;
pub use cox::{Field, LogGaussianCox};
pub use funnel::Funnel;
pub use gaussian_mixture::GaussianMixture;
pub use logistic::{Design, LogisticRegression, Prior};
pub use mixture::Mixture;
pub use rings::Rings;
pub use seeds::Seeds;
pub use wells::{DoubleWell, ManyWell};

use std::f64::consts::TAU;

/// ln N(x; 0, var), and its derivative in x.
fn log_normal(x: f64, var: f64) -> (f64, f64) {
    (-0.5 * (x * x / var + (TAU * var).ln()), -x / var)
}

/// ln(1 + eˣ), without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// 1/(1 + e⁻ˣ), its derivative.
fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
