//! What a learned sampler of a density has to beat, and what to use where it does not.

mod laplace;
mod smc;

pub use laplace::{Laplace, LaplaceFit};
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

/// What a baseline found.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// `[count, dim]`, all of one weight.
    pub states: Vec<f64>,
    /// ln Z and its standard error, if it has one.
    pub log_z: Option<(f64, f64)>,
    /// Effective sample size as a share of the draws that were made, or the least on the way.
    pub ess: f64,
    /// States that the gradient was evaluated at.
    pub gradients: usize,
}

/// Rows `indices` of `states`.
fn rows(states: &[f64], indices: &[usize], dim: usize) -> Vec<f64> {
    indices.iter().flat_map(|i| states[i * dim..(i + 1) * dim].iter().copied()).collect()
}
