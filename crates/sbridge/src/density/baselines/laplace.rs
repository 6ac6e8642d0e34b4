//! The Gaussian at the mode, and importance sampling from a Student law of its shape.

use faer::linalg::solvers::{Llt, Solve as _};
use faer::{Mat, MatRef, Side};

use super::{Baseline, Drawn, Gaussian};
use crate::density::LogDensity;
use crate::error::{Error, Result};
use crate::rng::Rng;

/// Laplace's approximation, whose ln Z is that of importance sampling with the tails of a Student law.
#[derive(Clone, Copy, Debug)]
pub struct Laplace {
    /// Draws.
    pub draws: usize,
}

impl Default for Laplace {
    fn default() -> Self {
        Self { draws: 40_000 }
    }
}

/// The mode, and the curvature there.
pub struct LaplaceFit {
    /// About the mode, with the covariance −(∇² ln ρ)⁻¹.
    pub law: Gaussian,
    /// States that the gradient was evaluated at.
    pub gradients: usize,
}

/// Newton steps, at most.
const STEPS: usize = 200;

/// Decrement of half a Newton step, in nats, below which the mode is found.
const CLOSE: f64 = 1e-10;

/// How far a search goes aside from a saddle, along every axis.
const ASIDE: f64 = 0.1;

impl LaplaceFit {
    /// By damped Newton steps from the origin.
    ///
    /// # Errors
    /// What the density cannot be evaluated for; [`Error::Setting`] where no mode with a curvature is found.
    pub fn of(density: &dyn LogDensity) -> Result<Self> {
        let dim = density.dim();
        let (mut mode, mut gradients) = (vec![0.0; dim], 0);
        for _ in 0..STEPS {
            let (value, gradient) = density.values_and_gradients(&mode)?;
            let (curvature, evaluated) = curvature(density, &mode)?;
            gradients += 1 + evaluated;
            let (factor, is_mode) = damped(curvature.as_ref()).ok_or_else(|| no_mode(&mode))?;
            let slope = Mat::from_fn(dim, 1, |i, _| gradient[i]);
            let step = factor.solve(&slope);
            let decrement: f64 = (0..dim).map(|i| 0.5 * step[(i, 0)] * gradient[i]).sum();
            if decrement < CLOSE && !is_mode {
                // A saddle: symmetric laws have one at the origin.
                mode.iter_mut().for_each(|x| *x += ASIDE);
                continue;
            }
            if decrement < CLOSE {
                let failed = no_mode(&mode);
                let law = Gaussian::of_precision(mode, curvature.as_ref());
                return law.map(|law| Self { law, gradients }).ok_or(failed);
            }
            mode = uphill(density, &mode, &step, value[0])?.ok_or_else(|| no_mode(&mode))?;
        }
        Err(no_mode(&mode))
    }
}

fn no_mode(at: &[f64]) -> Error {
    let got = format!("none found from the origin, the last state {:.4?} …", &at[..at.len().min(4)]);
    let fix = "use gauss-vi, smc or nuts";
    Error::setting("the density", "one with a mode where ln ρ is curved in every direction", got, fix)
}

/// −∇² ln ρ by central differences of the gradient, and how many there were.
fn curvature(density: &dyn LogDensity, at: &[f64]) -> Result<(Mat<f64>, usize)> {
    let dim = at.len();
    let step = |axis: usize| 1e-5 * at[axis].abs().max(1.0);
    let moved = |axis: usize, sign: f64| {
        let mut moved = at.to_vec();
        moved[axis] += sign * step(axis);
        moved
    };
    let states: Vec<f64> = (0..dim).flat_map(|axis| [moved(axis, 1.0), moved(axis, -1.0)].concat()).collect();
    let (_, slopes) = density.values_and_gradients(&states)?;
    let slope = |row: usize, i: usize| slopes[row * dim + i];
    let one = |i: usize, j: usize| (slope(2 * j + 1, i) - slope(2 * j, i)) / (2.0 * step(j));
    Ok((Mat::from_fn(dim, dim, |i, j| 0.5 * (one(i, j) + one(j, i))), 2 * dim))
}

/// A factor of `curvature`, raised along the diagonal until it has one; and whether it had one as it was. Nothing where the
/// curvature is zero or not finite.
fn damped(curvature: MatRef<'_, f64>) -> Option<(Llt<f64>, bool)> {
    let (dim, mut raised) = (curvature.nrows(), 0.0);
    loop {
        let matrix = Mat::from_fn(dim, dim, |i, j| curvature[(i, j)] + if i == j { raised } else { 0.0 });
        if let Ok(factor) = matrix.llt(Side::Lower) {
            return Some((factor, raised == 0.0));
        }
        raised = f64::max(4.0 * raised, 1.5 * curvature.norm_max());
        if !(raised > 0.0 && raised.is_finite()) {
            return None;
        }
    }
}

/// The first of halved steps from `at` that raises ln ρ above `value`.
fn uphill(density: &dyn LogDensity, at: &[f64], step: &Mat<f64>, value: f64) -> Result<Option<Vec<f64>>> {
    for halvings in 0..40 {
        let share = 0.5f64.powi(halvings);
        let moved: Vec<f64> = at.iter().enumerate().map(|(i, x)| x + share * step[(i, 0)]).collect();
        if density.values(&moved)?[0] > value {
            return Ok(Some(moved));
        }
    }
    Ok(None)
}

impl Baseline for Laplace {
    fn name(&self) -> &'static str {
        "laplace"
    }

    fn run(&self, density: &dyn LogDensity, rng: &Rng) -> Result<Drawn> {
        let fit = LaplaceFit::of(density)?;
        let drawn = fit.law.importance(density, self.draws, &mut rng.fork("laplace"))?;
        Ok(Drawn { gradients: fit.gradients, ..drawn })
    }
}
