//! Sequential Monte Carlo along tempered densities.                                                                 \[DDJ06\]
//!
//! From a Gaussian q, at the mode or about the origin, to ρ: γ_β = q^{1−β} ρ^β. The next β is where the effective sample size of the step
//! is 0.9; then particles are drawn again by their weights, and moved by Hamiltonian Monte Carlo in the coordinates of q. Z is
//! the product of the mean weights.
//!
//! Tests: exact Gaussians; a law of two modes.

use std::f64::consts::TAU;

use super::laplace::LaplaceFit;
use super::{Baseline, Drawn, rows, systematic};
use crate::density::weights::Weights;
use crate::density::{LogDensity, normals};
use crate::error::Result;
use crate::rng::Rng;

/// Tempered sequential Monte Carlo.
#[derive(Clone, Copy, Debug)]
pub struct TemperedSmc {
    /// Particles.
    pub particles: usize,
    /// Moves after every temperature.
    pub moves: usize,
    /// Leapfrog steps of a move.
    pub leapfrogs: usize,
    /// Where particles start.
    pub start: Start,
}

/// The Gaussian that tempering starts from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// That of the curvature at the mode, its standard deviations widened by a factor. Where a scale among the coordinates is
    /// unknown nearly all the mass may be far from the mode.
    Mode(f64),
    /// About the origin, of this standard deviation along every axis.
    Origin(f64),
}

impl Default for TemperedSmc {
    fn default() -> Self {
        Self { particles: 1500, moves: 2, leapfrogs: 8, start: Start::Mode(1.15) }
    }
}

/// Effective sample size of the weights of one temperature.
const KEPT: f64 = 0.9;

/// Share of moves that a step size is adapted to have accepted.
const ACCEPTED: f64 = 0.8;

/// Particles on the way, in coordinates z of the start: x = m + s L z.
struct Particles<'a> {
    density: &'a dyn LogDensity,
    fit: LaplaceFit,
    widened: f64,
    dim: usize,
    z: Vec<f64>,
    /// ln ρ(x) + ln |dx/dz|, and its gradient in z.
    log_density: Vec<f64>,
    slopes: Vec<f64>,
    gradients: usize,
}

impl Particles<'_> {
    /// ln of the density of the coordinates under ρ, and its gradient.
    fn evaluate(&mut self, z: &[f64]) -> Result<(Vec<f64>, Vec<f64>)> {
        let (dim, s) = (self.dim, self.widened);
        let x = self.fit.at(&z.iter().map(|z| s * z).collect::<Vec<f64>>());
        let (values, gradients) = self.density.values_and_gradients(&x)?;
        self.gradients += values.len();
        let volume = self.fit.log_det() + dim as f64 * s.ln();
        let pulled = |slope: &[f64]| {
            let axis = |j: usize| s * (j..dim).map(|i| self.fit.factor[(i, j)] * slope[i]).sum::<f64>();
            (0..dim).map(axis).collect::<Vec<f64>>()
        };
        let slopes = gradients.chunks_exact(dim).flat_map(pulled).collect();
        Ok((values.into_iter().map(|value| value + volume).collect(), slopes))
    }

    /// ln γ₁ − ln γ₀ of every particle: what a temperature weighs.
    fn log_ratios(&self) -> Vec<f64> {
        let start = self.z.chunks_exact(self.dim).map(log_start);
        self.log_density.iter().zip(start).map(|(target, start)| target - start).collect()
    }

    fn choose(&mut self, chosen: &[usize]) {
        self.z = rows(&self.z, chosen, self.dim);
        self.slopes = rows(&self.slopes, chosen, self.dim);
        self.log_density = chosen.iter().map(|i| self.log_density[*i]).collect();
    }

    /// One move of every particle at temperature `beta`; the share that was accepted.
    fn hamiltonian(&mut self, beta: f64, step: f64, leapfrogs: usize, rng: &mut Rng) -> Result<f64> {
        let (dim, count) = (self.dim, self.log_density.len());
        let mut momentum = normals(count * dim, rng);
        let kinetic = |p: &[f64]| 0.5 * p.iter().map(|p| p * p).sum::<f64>();
        let energy = |z: &[f64], log_density: f64, p: &[f64]| {
            kinetic(p) - beta * log_density - (1.0 - beta) * log_start(z)
        };
        let before: Vec<f64> = (0..count)
            .map(|k| energy(row(&self.z, k, dim), self.log_density[k], row(&momentum, k, dim)))
            .collect();
        let (mut z, mut slopes, mut values) = (self.z.clone(), self.slopes.clone(), self.log_density.clone());
        let push = |momentum: &mut [f64], z: &[f64], slopes: &[f64], share: f64| {
            for ((p, z), slope) in momentum.iter_mut().zip(z).zip(slopes) {
                *p += share * step * (beta * slope - (1.0 - beta) * z);
            }
        };
        push(&mut momentum, &z, &slopes, 0.5);
        for k in 0..leapfrogs {
            z.iter_mut().zip(&momentum).for_each(|(z, p)| *z += step * p);
            (values, slopes) = self.evaluate(&z)?;
            push(&mut momentum, &z, &slopes, if k + 1 < leapfrogs { 1.0 } else { 0.5 });
        }
        let chances = rng.uniform(count, 0.0, 1.0);
        let mut accepted = 0;
        for k in 0..count {
            let after = energy(row(&z, k, dim), values[k], row(&momentum, k, dim));
            if chances[k] < (before[k] - after).exp() {
                accepted += 1;
                self.log_density[k] = values[k];
                self.z[k * dim..(k + 1) * dim].copy_from_slice(row(&z, k, dim));
                self.slopes[k * dim..(k + 1) * dim].copy_from_slice(row(&slopes, k, dim));
            }
        }
        Ok(accepted as f64 / count as f64)
    }
}

fn row(values: &[f64], k: usize, dim: usize) -> &[f64] {
    &values[k * dim..(k + 1) * dim]
}

/// ln N(z; 0, I).
fn log_start(z: &[f64]) -> f64 {
    -0.5 * (z.len() as f64 * TAU.ln() + z.iter().map(|z| z * z).sum::<f64>())
}

/// Weights e^{δ r} of a step δ.
fn weigh(ratios: &[f64], step: f64) -> Weights {
    Weights::of_logs(&ratios.iter().map(|ratio| step * ratio).collect::<Vec<f64>>())
}

/// The step of the temperature, at most `left`, whose weights have the effective sample size [`KEPT`].
fn next_step(ratios: &[f64], left: f64) -> f64 {
    if weigh(ratios, left).ess >= KEPT {
        return left;
    }
    let (mut low, mut high) = (0.0, left);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if weigh(ratios, middle).ess >= KEPT { low = middle } else { high = middle }
    }
    // Two points far apart may leave no step at all; a tiny one goes on.
    low.max(1e-9 * left)
}

impl Baseline for TemperedSmc {
    fn name(&self) -> &'static str {
        "smc"
    }

    fn run(&self, density: &dyn LogDensity, rng: &Rng) -> Result<Drawn> {
        let dim = density.dim();
        let (fit, widened) = match self.start {
            Start::Mode(widened) => (LaplaceFit::of(density)?, widened),
            Start::Origin(spread) => (LaplaceFit::standard(dim), spread),
        };
        let mut rng = rng.fork("smc");
        let z = normals(self.particles * dim, &mut rng);
        let gradients = fit.gradients;
        let (log_density, slopes) = (Vec::new(), Vec::new());
        let mut particles =
            Particles { density, fit, widened, dim, z: z.clone(), log_density, slopes, gradients };
        (particles.log_density, particles.slopes) = particles.evaluate(&z)?;
        let (mut beta, mut log_z, mut variance, mut least, mut step) = (0.0, 0.0, 0.0, 1.0f64, 0.3);
        while beta < 1.0 {
            let ratios = particles.log_ratios();
            let raised = next_step(&ratios, 1.0 - beta);
            let weights = weigh(&ratios, raised);
            log_z += weights.log_mean;
            variance += weights.variance_of_log_mean();
            least = least.min(weights.ess);
            beta = if raised >= 1.0 - beta { 1.0 } else { beta + raised };
            particles.choose(&systematic(&weights.relative, self.particles, &mut rng));
            for _ in 0..self.moves {
                let accepted = particles.hamiltonian(beta, step, self.leapfrogs, &mut rng)?;
                step *= (accepted - ACCEPTED).exp();
            }
        }
        let scaled: Vec<f64> = particles.z.iter().map(|z| widened * z).collect();
        Ok(Drawn {
            states: particles.fit.at(&scaled),
            log_z: Some((log_z, variance.sqrt())),
            ess: least,
            gradients: particles.gradients,
        })
    }
}
