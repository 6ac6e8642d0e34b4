//! What a learned sampler of a density has to beat, and what to use where it does not.

mod gauss_vi;
mod gaussian;
mod laplace;
mod nuts;
mod smc;

pub use gauss_vi::{GaussVi, GaussViFit};
pub use gaussian::Gaussian;
pub use laplace::{Laplace, LaplaceFit};
pub use nuts::Nuts;
pub use smc::{Start, TemperedSmc};

use crate::density::LogDensity;
use crate::density::weights::systematic;
use crate::error::Result;
use crate::rng::Rng;

/// A way to draw from a density without a network.
pub trait Baseline: Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Draws, and what it says of ln Z.
    ///
    /// # Errors
    /// What the density cannot be evaluated for, and a density the way is not made for.
    fn run(&self, density: &dyn LogDensity, rng: &Rng) -> Result<Drawn>;
}

/// Names that [`named`] knows.
pub const NAMES: [&str; 4] = ["laplace", "gauss-vi", "smc", "nuts"];

/// The baseline of a name, with settings for a density of which nothing is known.
pub fn named(name: &str) -> Option<Box<dyn Baseline>> {
    match name {
        "laplace" => Some(Box::new(Laplace::default())),
        "gauss-vi" => Some(Box::new(GaussVi::default())),
        "smc" => Some(Box::new(TemperedSmc::default())),
        "nuts" => Some(Box::new(Nuts::default())),
        _ => None,
    }
}

/// What a baseline found.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// `[count, dim]`, all of one weight.
    pub states: Vec<f64>,
    /// ln Z and its standard error, if it has one.
    pub log_z: Option<(f64, f64)>,
    /// Mean of ln ρ − ln q under the law q that was fitted, if one was, and its standard error: a lower bound of ln Z.
    pub elbo: Option<(f64, f64)>,
    /// Effective sample size as a share of the draws: of weights; of the weights of the worst temperature; of the worst
    /// coordinate of chains.
    pub ess: f64,
    /// States that the gradient was evaluated at.
    pub gradients: usize,
    /// What to know before using it, each in a few words: “2 divergences”.
    pub remarks: Vec<String>,
}

/// Rows `indices` of `states`.
fn rows(states: &[f64], indices: &[usize], dim: usize) -> Vec<f64> {
    indices.iter().flat_map(|i| states[i * dim..(i + 1) * dim].iter().copied()).collect()
}
