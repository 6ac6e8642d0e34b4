//! Denoising diffusion samplers: from N(0, s²I), which the diffusion without control keeps.                          \[DDS\]
//!
//! The exponential scheme solves the linear part exactly: a = √(1 − b²), b = min(α √dt, 1), so that its end without control is
//! N(0, s²) to the last digit. Its control is what is added to that of the stationary diffusion.

use std::f64::consts::PI;

use super::chain::{Base, Chain, Knot, Step};
use super::euler;

/// The exponential scheme.
#[derive(Clone, Copy, Debug)]
pub struct Dds {
    /// s: standard deviation of the start.
    pub spread: f64,
    /// α: how much noise a unit of time has.
    pub rate: f64,
}

impl Dds {
    /// Steps of these lengths.
    pub fn chain(&self, lengths: &[f64]) -> Chain {
        let whole: f64 = lengths.iter().sum();
        let knot = |time: f64| Knot { time, share: time / whole, diffusion: self.spread };
        let reached = lengths.iter().scan(0.0, |time, dt| {
            *time += dt;
            Some(*time)
        });
        let step = |dt: &f64| {
            let b = (self.rate * dt.sqrt()).min(1.0);
            Step { kept: (1.0 - b * b).sqrt(), moved: b * b * self.spread.powi(2), noise: self.spread * b }
        };
        let var = self.spread.powi(2);
        Chain {
            start_var: var,
            knots: std::iter::once(0.0).chain(reached).map(knot).collect(),
            steps: lengths.iter().map(step).collect(),
            base: Base::OfEnd { var },
        }
    }
}

/// Lengths of steps that sum to `end`, by the square of a cosine's square: K₀ = end/0.05 of them and one.     \[DDS, App. C\]
pub fn cosine_grid(end: f64) -> Vec<f64> {
    let count = (end / 0.05).round().max(1.0);
    let length = |j: usize| (0.5 * PI * (j as f64 / count + 0.008) / 1.008).cos().powi(4);
    let lengths: Vec<f64> = (0..=count as usize).map(length).collect();
    let total: f64 = lengths.iter().sum();
    lengths.into_iter().map(|length| length * end / total).collect()
}

/// Lengths of `steps` steps that sum to `end`, such that the time that is left falls in even ratios, from `end` to `last` before the
/// last step. A step's kernel is no Gaussian where many modes, or none, are still open, and how much is open goes with the
/// logarithm of the noise that is left: on nine Gaussians a path of 100 such steps has the least possible Var A of 0.16, one of
/// the cosine's steps 0.27.
pub fn ratio_grid(steps: usize, end: f64, last: f64) -> Vec<f64> {
    let ratio = (last / end).powf(1.0 / (steps.max(2) - 1) as f64);
    let left = |k: usize| if k < steps { end * ratio.powi(k as i32) } else { 0.0 };
    (0..steps).map(|k| left(k) - left(k + 1)).collect()
}

/// `steps` even steps of Euler and Maruyama, β from 10 to 0.1 over T = 1: the end without control has a variance of its own,
/// which is what A is against.
pub fn dds_euler(steps: usize, spread: f64) -> Chain {
    let start_var = spread.powi(2);
    let chain = euler(steps, spread, -0.5, Base::OfEnd { var: start_var });
    Chain { base: Base::OfEnd { var: Chain::end_var(start_var, &chain.steps) }, ..chain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_sum_to_their_end_and_fall_in_even_ratios() {
        let sum = |lengths: &[f64]| lengths.iter().sum::<f64>();
        assert!((sum(&cosine_grid(6.4)) - 6.4).abs() < 1e-12);
        assert_eq!(cosine_grid(6.4).len(), 129);
        let lengths = ratio_grid(100, 5.0, 1e-3);
        assert!((sum(&lengths) - 5.0).abs() < 1e-12 && (lengths[99] - 1e-3).abs() < 1e-15);
        let ratios: Vec<f64> = lengths[..99].windows(2).map(|pair| pair[1] / pair[0]).collect();
        assert!(ratios.iter().all(|ratio| (ratio - ratios[0]).abs() < 1e-9), "{ratios:?}");
        assert_eq!(ratio_grid(1, 5.0, 1e-3), [5.0]);
    }
}
