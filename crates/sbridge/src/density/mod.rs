//! Unnormalised densities: laws known by ln ρ and its gradient alone, of which there are no samples.
//!
//! A density is evaluated a batch at a time, in f64, and may fail: whoever evaluates it may be a compiled model or another
//! language. [`targets`] has those that samplers are measured on, [`baselines`] what draws from a density without a network,
//! [`quality`] judges draws.

mod affine;
pub mod baselines;
pub mod quality;
pub mod targets;
pub(crate) mod weights;

pub use affine::{Affine, Coordinates};
pub use weights::{log_mean_weight, resampled};

use rayon::prelude::*;

use crate::error::Result;
use crate::rng::Rng;

/// ln ρ of a law π = ρ/Z on ℝᵈ, not normalised.
pub trait LogDensity: Send + Sync {
    /// Dimension d of a state.
    fn dim(&self) -> usize;

    /// ln ρ of every state, `[count]`; −∞ outside the support.
    ///
    /// # Shapes
    /// `states: [count, dim]`, row by row.
    ///
    /// # Errors
    /// What the density cannot be evaluated for.
    fn values(&self, states: &[f64]) -> Result<Vec<f64>>;

    /// ln ρ of every state, `[count]`, and its gradient, `[count, dim]`. Where it is not written for the density it is taken by
    /// central differences, 2d values a state: for prototypes.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    fn values_and_gradients(&self, states: &[f64]) -> Result<(Vec<f64>, Vec<f64>)> {
        Ok((self.values(states)?, central_differences(self, states)?))
    }

    /// Whether the gradient is the density's own, and not one of differences.
    fn has_gradient(&self) -> bool {
        false
    }

    /// Names of the coordinates.
    fn names(&self) -> Vec<String> {
        numbered(self.dim())
    }

    /// Names of what [`outputs`](Self::outputs) gives.
    fn output_names(&self) -> Vec<String> {
        self.names()
    }

    /// States as people read them, `[count, outputs]`: on the scale that a model was written in, with what follows from them.
    /// The states themselves, unless the density says otherwise.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    fn outputs(&self, states: &[f64]) -> Result<Vec<f64>> {
        Ok(states.to_vec())
    }
}

/// x1, x2, … for coordinates without a name.
fn numbered(dim: usize) -> Vec<String> {
    (1..=dim).map(|k| format!("x{k}")).collect()
}

/// Step of a central difference, in units of a coordinate or of 1 if that is larger: the root of rounding's third.
const DIFFERENCE: f64 = 6e-6;

/// The gradient of ln ρ by central differences, `[count, dim]`: off by 10⁻¹⁰ of third derivatives and of values.
///
/// # Errors
/// As [`LogDensity::values`].
pub fn central_differences<D: LogDensity + ?Sized>(density: &D, states: &[f64]) -> Result<Vec<f64>> {
    let dim = density.dim();
    let mut gradients = vec![0.0; states.len()];
    for axis in 0..dim {
        let step = |row: &[f64]| DIFFERENCE * row[axis].abs().max(1.0);
        let moved = |sign: f64| {
            let mut moved = states.to_vec();
            moved.chunks_exact_mut(dim).for_each(|row| row[axis] += sign * step(row));
            density.values(&moved)
        };
        let (above, below) = (moved(1.0)?, moved(-1.0)?);
        for (k, row) in states.chunks_exact(dim).enumerate() {
            gradients[k * dim + axis] = (above[k] - below[k]) / (2.0 * step(row));
        }
    }
    Ok(gradients)
}

/// `count` standard normal numbers.
fn normals(count: usize, rng: &mut Rng) -> Vec<f64> {
    let mut values = vec![0f32; count];
    rng.fill_normal(&mut values);
    values.into_iter().map(f64::from).collect()
}

/// A density that is evaluated a point at a time and never fails; a batch is evaluated on all cores.
pub trait PointDensity: Send + Sync {
    /// Dimension of a state.
    fn dim(&self) -> usize;

    /// ln ρ at `x`, `[dim]`, and its gradient into `gradient`, `[dim]`.
    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64;

    /// Names of the coordinates.
    fn names(&self) -> Vec<String> {
        numbered(self.dim())
    }
}

impl<D: PointDensity> LogDensity for D {
    fn dim(&self) -> usize {
        PointDensity::dim(self)
    }

    fn values(&self, states: &[f64]) -> Result<Vec<f64>> {
        Ok(self.values_and_gradients(states)?.0)
    }

    fn values_and_gradients(&self, states: &[f64]) -> Result<(Vec<f64>, Vec<f64>)> {
        let dim = PointDensity::dim(self);
        let mut gradients = vec![0.0; states.len()];
        let rows = states.par_chunks_exact(dim).zip(gradients.par_chunks_exact_mut(dim));
        let values = rows.map(|(x, gradient)| self.value_and_gradient(x, gradient)).collect();
        Ok((values, gradients))
    }

    fn has_gradient(&self) -> bool {
        true
    }

    fn names(&self) -> Vec<String> {
        PointDensity::names(self)
    }
}

/// A density that samplers are measured on: more is known of it than ln ρ.
pub trait Target: LogDensity {
    /// ln Z, where it is known, with the error that it is known to; 0 where it is exact.
    fn log_normaliser(&self) -> Option<(f64, f64)> {
        None
    }

    /// Independent draws of π, `[count, dim]`, where there is a way.
    fn sample(&self, _count: usize, _rng: &mut Rng) -> Option<Vec<f64>> {
        None
    }

    /// The modes, where they are known.
    fn modes(&self) -> Option<Modes> {
        None
    }
}

/// Which mode each state belongs to: `[count, dim]` to `[count]`.
pub type ModeOf = dyn Fn(&[f64]) -> Vec<usize> + Send + Sync;

/// The modes of a law, and how much of it lies at each.
pub struct Modes {
    /// Share of every mode, `[count]`.
    pub shares: Vec<f64>,
    /// Where a state belongs.
    pub of: Box<ModeOf>,
}
