//! The Gaussian at the mode, and importance sampling from a Student law of its shape.

use std::f64::consts::PI;

use faer::linalg::solvers::{Llt, Solve as _};
use faer::{Mat, Side};

use super::{Baseline, Drawn, rows, systematic};
use crate::density::weights::Weights;
use crate::density::{LogDensity, normals};
use crate::error::{Error, Result};
use crate::rng::Rng;

/// Laplace's approximation, whose ln Z is that of importance sampling with tails of 20 degrees of freedom.
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
    /// Where ln ρ is largest, `[dim]`.
    pub mode: Vec<f64>,
    /// L of L Lᵀ = −(∇² ln ρ)⁻¹, lower triangular.
    pub factor: Mat<f64>,
    /// States that the gradient was evaluated at.
    pub gradients: usize,
}

/// Newton steps, at most.
const STEPS: usize = 200;

/// Decrement of half a Newton step, in nats, below which the mode is found.
const CLOSE: f64 = 1e-10;

/// How far a search goes aside from a saddle, along every axis.
const ASIDE: f64 = 0.1;

/// Degrees of freedom of the proposal.
const FREEDOM: f64 = 20.0;

impl LaplaceFit {
    /// By damped Newton steps from the origin.
    ///
    /// # Errors
    /// What the density cannot be evaluated for; [`Error::Diverged`] where no mode with a curvature is found.
    pub fn of(density: &dyn LogDensity) -> Result<Self> {
        let dim = density.dim();
        let (mut mode, mut gradients) = (vec![0.0; dim], 0);
        for _ in 0..STEPS {
            let (value, gradient) = density.values_and_gradients(&mode)?;
            let (curvature, evaluated) = curvature(density, &mode)?;
            gradients += 1 + evaluated;
            let (factor, is_mode) = damped(curvature);
            let slope = Mat::from_fn(dim, 1, |i, _| gradient[i]);
            let step = factor.solve(&slope);
            let decrement: f64 = (0..dim).map(|i| 0.5 * step[(i, 0)] * gradient[i]).sum();
            if decrement < CLOSE && !is_mode {
                // A saddle: symmetric laws have one at the origin.
                mode.iter_mut().for_each(|x| *x += ASIDE);
                continue;
            }
            if decrement < CLOSE {
                let inverse = factor.solve(Mat::<f64>::identity(dim, dim));
                let inverse = inverse.llt(Side::Lower).map_err(|_| no_mode(&mode))?;
                return Ok(Self { mode, factor: inverse.L().to_owned(), gradients });
            }
            mode = uphill(density, &mode, &step, value[0])?.ok_or_else(|| no_mode(&mode))?;
        }
        Err(no_mode(&mode))
    }

    /// The standard normal law.
    pub(super) fn standard(dim: usize) -> Self {
        Self { mode: vec![0.0; dim], factor: Mat::identity(dim, dim), gradients: 0 }
    }

    /// States m + L z for `z`, `[count, dim]`.
    pub(super) fn at(&self, z: &[f64]) -> Vec<f64> {
        let dim = self.mode.len();
        let z = Mat::from_fn(dim, z.len() / dim, |i, k| z[k * dim + i]);
        let moved = &self.factor * z;
        (0..moved.ncols())
            .flat_map(|k| (0..dim).map(|i| self.mode[i] + moved[(i, k)]).collect::<Vec<_>>())
            .collect()
    }

    /// ln |det L|.
    pub(super) fn log_det(&self) -> f64 {
        (0..self.mode.len()).map(|i| self.factor[(i, i)].ln()).sum()
    }
}

fn no_mode(at: &[f64]) -> Error {
    Error::Diverged(format!("the search of the mode, at {:?}", &at[..at.len().min(4)]))
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

/// A factor of `curvature`, raised along the diagonal until it has one; and whether it had one as it was.
fn damped(curvature: Mat<f64>) -> (Llt<f64>, bool) {
    let dim = curvature.nrows();
    let mut raised = 0.0;
    loop {
        let matrix = Mat::from_fn(dim, dim, |i, j| curvature[(i, j)] + if i == j { raised } else { 0.0 });
        match matrix.llt(Side::Lower) {
            Ok(factor) => return (factor, raised == 0.0),
            Err(_) => raised = (4.0 * raised).max(1.5 * curvature.norm_max()),
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
        let (fit, dim) = (LaplaceFit::of(density)?, density.dim());
        let mut rng = rng.fork("laplace");
        let noise = normals(self.draws * dim, &mut rng);
        let squares = normals(self.draws * FREEDOM as usize, &mut rng);
        // z √(ν/χ²) has a Student law of ν degrees of freedom.
        let chi = squares.chunks_exact(FREEDOM as usize).map(|z| z.iter().map(|z| z * z).sum::<f64>());
        let scaled: Vec<f64> = noise
            .chunks_exact(dim)
            .zip(chi)
            .flat_map(|(z, chi)| z.iter().map(move |z| z * (FREEDOM / chi).sqrt()))
            .collect();
        let states = fit.at(&scaled);
        let log_proposal = scaled.chunks_exact(dim).map(|z| log_student(z) - fit.log_det());
        let logs: Vec<f64> =
            density.values(&states)?.into_iter().zip(log_proposal).map(|(p, q)| p - q).collect();
        let weights = Weights::of_logs(&logs);
        let chosen = systematic(&weights.relative, self.draws, &mut rng);
        Ok(Drawn {
            states: rows(&states, &chosen, dim),
            log_z: Some((weights.log_mean, weights.variance_of_log_mean().sqrt())),
            ess: weights.ess,
            gradients: fit.gradients,
        })
    }
}

/// ln of the density of a Student law of ν degrees of freedom and unit shape.
fn log_student(z: &[f64]) -> f64 {
    let dim = z.len();
    let square: f64 = z.iter().map(|z| z * z).sum();
    let half = 0.5 * FREEDOM;
    let volume = ln_gamma_ratio(dim) - 0.5 * dim as f64 * (FREEDOM * PI).ln();
    volume - (half + 0.5 * dim as f64) * (square / FREEDOM).ln_1p()
}

/// ln Γ((ν + d)/2) − ln Γ(ν/2) for an even ν: by steps of one, and for odd d from Γ(½ + n).
fn ln_gamma_ratio(dim: usize) -> f64 {
    let half = 0.5 * FREEDOM;
    let whole = (0..dim / 2).map(|k| (half + k as f64).ln()).sum::<f64>();
    if dim.is_multiple_of(2) {
        return whole;
    }
    // Γ(n + ½)/Γ(n) = √π Π (k − ½)/k · n … by Wallis: Γ(n + ½) = (2n)! √π/(4ⁿ n!).
    let n = half as usize + dim / 2;
    let ln_half = 0.5 * PI.ln() + (1..=n).map(|k| (k as f64 - 0.5).ln()).sum::<f64>();
    let ln_factorial = (1..n).map(|k| (k as f64).ln()).sum::<f64>();
    whole + ln_half - ln_factorial
}
