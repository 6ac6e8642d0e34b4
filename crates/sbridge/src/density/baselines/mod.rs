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

/// `count` indices with chances that go with `weights`, by one uniform number: none is drawn more than once more often than
/// its share.                                                                                       \[DCM05, Section 2.4\]
fn systematic(weights: &[f64], count: usize, rng: &mut Rng) -> Vec<usize> {
    let total: f64 = weights.iter().sum();
    let first = rng.uniform(1, 0.0, 1.0)[0];
    let (mut at, mut reached, mut chosen) = (0, weights[0] / total, Vec::with_capacity(count));
    for i in 0..count {
        while reached < (first + i as f64) / count as f64 && at + 1 < weights.len() {
            at += 1;
            reached += weights[at] / total;
        }
        chosen.push(at);
    }
    chosen
}

/// Rows `indices` of `states`.
fn rows(states: &[f64], indices: &[usize], dim: usize) -> Vec<f64> {
    indices.iter().flat_map(|i| states[i * dim..(i + 1) * dim].iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_drawn_more_than_once_more_often_than_the_share() {
        let weights = [0.5, 0.0, 2.0, 1.5];
        let chosen = systematic(&weights, 1000, &mut Rng::new(1));
        for (k, weight) in weights.iter().enumerate() {
            let times = chosen.iter().filter(|i| **i == k).count() as f64;
            assert!((times - 250.0 * weight).abs() <= 1.0, "{k}: {times}");
        }
    }
}
