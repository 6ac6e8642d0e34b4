//! Sequential Monte Carlo along tempered densities.                                                                 \[DDJ06\]
//!
//! From a Gaussian q to ρ: γ_β = q^{1−β} ρ^β. The next β is where the effective sample size of the step is 0.9; then
//! particles are drawn again by their weights, and moved by Hamiltonian Monte Carlo in the coordinates of q. Z is the product
//! of the mean weights.
//!
//! A law of one mode is best approached from a Gaussian fitted to it, one of several from a Gaussian about them all. Which it
//! is is measured: see [`Start::Measured`].
//!
//! Tests: exact Gaussians; laws of several modes; posteriors with known normalisers; what a start is chosen for.

use super::gaussian::log_standard;
use super::{Baseline, Drawn, GaussVi, GaussViFit, Gaussian, LaplaceFit, rows, systematic};
use crate::density::weights::Weights;
use crate::density::{LogDensity, normals};
use crate::error::{Error, Result};
use crate::rng::Rng;

/// Tempered sequential Monte Carlo.
#[derive(Clone, Debug)]
pub struct TemperedSmc {
    /// Particles.
    pub particles: usize,
    /// Moves after every temperature.
    pub moves: usize,
    /// Leapfrog steps of a move.
    pub leapfrogs: usize,
    /// Size of the first of them, in standard deviations of the start; later ones are adapted.
    pub step: f64,
    /// Where particles start.
    pub start: Start,
}

/// The Gaussian that tempering starts from.
#[derive(Clone, Debug)]
pub enum Start {
    /// About the origin, of this standard deviation along every axis.
    Origin(f64),
    /// That of the curvature at the mode, its standard deviations widened by a factor. Where a scale among the coordinates is
    /// unknown nearly all the mass may be far from the mode.
    Mode(f64),
    /// That of variational inference, its standard deviations widened by a factor.
    Variational(f64),
    /// This one.
    Given(Gaussian),
    /// By a small run from a Gaussian about all modes that climbs from far and near come to. If it ends where the Gaussian of
    /// variational inference is, tempering starts there; if a tenth of its particles or more lie outside, where the small run
    /// started. Modes are looked for within about 100 of the origin.
    Measured,
}

impl Default for TemperedSmc {
    fn default() -> Self {
        Self { particles: 1500, moves: 2, leapfrogs: 8, step: 0.3, start: Start::Measured }
    }
}

/// Effective sample size of the weights of one temperature.
const KEPT: f64 = 0.9;

/// Share of moves that a step size is adapted to have accepted.
const ACCEPTED: f64 = 0.8;

/// Particles on the way, in coordinates z of the start: x = m + L z.
struct Particles<'a> {
    density: &'a dyn LogDensity,
    start: Gaussian,
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
        let (values, gradients) = self.density.values_and_gradients(&self.start.at(z))?;
        self.gradients += values.len();
        let volume = self.start.log_det();
        Ok((values.into_iter().map(|value| value + volume).collect(), self.start.pulled(&gradients)))
    }

    /// ln γ₁ − ln γ₀ of every particle: what a temperature weighs.
    fn log_ratios(&self) -> Vec<f64> {
        let start = self.z.chunks_exact(self.dim).map(log_standard);
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
            kinetic(p) - beta * log_density - (1.0 - beta) * log_standard(z)
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

/// Temperatures, at most: with so many the law is not one to come near.
const TEMPERATURES: usize = 5000;

/// What tempering came to.
struct Tempered {
    states: Vec<f64>,
    log_z: (f64, f64),
    least: f64,
    gradients: usize,
}

impl TemperedSmc {
    /// From `start` to the density.
    fn temper(&self, density: &dyn LogDensity, start: Gaussian, rng: &mut Rng) -> Result<Tempered> {
        let (dim, mut step) = (density.dim(), self.step);
        let z = normals(self.particles * dim, rng);
        let (log_density, slopes) = (Vec::new(), Vec::new());
        let mut particles =
            Particles { density, start, dim, z: z.clone(), log_density, slopes, gradients: 0 };
        (particles.log_density, particles.slopes) = particles.evaluate(&z)?;
        let (mut beta, mut log_z, mut variance, mut least) = (0.0, 0.0, 0.0, 1.0f64);
        for _ in 0..TEMPERATURES {
            let ratios = particles.log_ratios();
            if !ratios.iter().any(|ratio| ratio.is_finite()) {
                let got = "of no particle";
                return Err(Error::setting("ln ρ", "finite", got, "start where the density is positive"));
            }
            let raised = next_step(&ratios, 1.0 - beta);
            let weights = weigh(&ratios, raised);
            log_z += weights.log_mean;
            variance += weights.variance_of_log_mean();
            least = least.min(weights.ess);
            beta = if raised >= 1.0 - beta { 1.0 } else { beta + raised };
            particles.choose(&systematic(&weights.relative, self.particles, rng));
            for _ in 0..self.moves {
                let accepted = particles.hamiltonian(beta, step, self.leapfrogs, rng)?;
                step *= (accepted - ACCEPTED).exp();
            }
            if beta >= 1.0 {
                let states = particles.start.at(&particles.z);
                let log_z = (log_z, variance.sqrt());
                return Ok(Tempered { states, log_z, least, gradients: particles.gradients });
            }
        }
        let fix = "start nearer to the law, or scale its coordinates";
        Err(Error::setting(
            "temperatures",
            format!("at most {TEMPERATURES}"),
            format!("more, at β = {beta:.1e}"),
            fix,
        ))
    }

    /// The Gaussian to start from, the states that the gradient was evaluated at for it, and what to know of it.
    fn start(&self, density: &dyn LogDensity, rng: &Rng) -> Result<(Gaussian, usize, Vec<String>)> {
        match &self.start {
            Start::Origin(spread) => Ok((Gaussian::standard(density.dim()).widened(*spread), 0, Vec::new())),
            Start::Mode(widened) => {
                let fit = LaplaceFit::of(density)?;
                Ok((fit.law.widened(*widened), fit.gradients, Vec::new()))
            }
            Start::Variational(widened) => {
                let fit = GaussViFit::of(density, &GaussVi::default(), rng)?;
                Ok((fit.law.widened(*widened), fit.gradients, fit.remarks))
            }
            Start::Given(law) => Ok((law.clone(), 0, Vec::new())),
            Start::Measured => {
                let (law, gradients) = measured(density, rng)?;
                Ok((law, gradients, Vec::new()))
            }
        }
    }
}

/// Particles of the small run that a start is chosen by.
const SCOUTS: usize = 300;

/// Share of them outside a fitted Gaussian that makes it the wrong one.
const OUTSIDE: f64 = 0.1;

/// How much a fitted Gaussian is widened: tails are cheap, and narrow starts have heavy weights.
const WIDENED: f64 = 1.15;

/// What [`Start::Measured`] comes to, and the states that the gradient was evaluated at.
fn measured(density: &dyn LogDensity, rng: &Rng) -> Result<(Gaussian, usize)> {
    let dim = density.dim();
    let (broad, climbed) = about_all_modes(density, &mut rng.fork("climbs"))?;
    let Ok(fit) = GaussViFit::of(density, &GaussVi::default(), rng) else { return Ok((broad, climbed)) };
    let scouts = TemperedSmc { particles: SCOUTS, moves: 1, ..TemperedSmc::default() };
    let found = scouts.temper(density, broad.clone(), &mut rng.fork("scouts"))?;
    // Five standard deviations of a χ² above its mean.
    let reach = dim as f64 + 5.0 * (2.0 * dim as f64).sqrt();
    let z = fit.law.whitened(&found.states);
    let outside = z.chunks_exact(dim).filter(|z| z.iter().map(|z| z * z).sum::<f64>() > reach).count();
    let one_mode = (outside as f64) < OUTSIDE * SCOUTS as f64;
    let law = if one_mode { fit.law.widened(WIDENED) } else { broad };
    Ok((law, climbed + fit.gradients + found.gradients))
}

/// Climbs, their steps, and the distances from the origin that they start at, the last tenfold the one before.
const CLIMBS: usize = 96;
const CLIMB: usize = 250;
const DISTANCES: [f64; 3] = [1.0, 10.0, 100.0];

/// The Gaussian of the spread of what climbs come to, of a standard deviation of 1 at least along every axis.
fn about_all_modes(density: &dyn LogDensity, rng: &mut Rng) -> Result<(Gaussian, usize)> {
    let dim = density.dim();
    let mut states = normals(CLIMBS * dim, rng);
    for (k, row) in states.chunks_exact_mut(dim).enumerate() {
        row.iter_mut().for_each(|x| *x *= DISTANCES[k % DISTANCES.len()]);
    }
    for k in 0..CLIMB {
        // From a tenth of the distance to a hundredth of a unit.
        let fallen = (k as f64 / CLIMB as f64 * f64::ln(1e-3)).exp();
        let (_, gradients) = density.values_and_gradients(&states)?;
        for (i, (row, slope)) in states.chunks_exact_mut(dim).zip(gradients.chunks_exact(dim)).enumerate() {
            let size = slope.iter().map(|g| g * g).sum::<f64>().sqrt() / (dim as f64).sqrt();
            let step = (0.1 * DISTANCES[i % DISTANCES.len()] * fallen).max(0.01);
            if size > 0.0 && size.is_finite() {
                row.iter_mut().zip(slope).for_each(|(x, g)| *x += step * g / size);
            }
        }
    }
    let column = |axis: usize| states.iter().skip(axis).step_by(dim);
    let mean: Vec<f64> = (0..dim).map(|axis| column(axis).sum::<f64>() / CLIMBS as f64).collect();
    let std = |axis: usize| {
        let var = column(axis).map(|x| (x - mean[axis]).powi(2)).sum::<f64>() / CLIMBS as f64;
        var.sqrt().max(1.0)
    };
    let stds: Vec<f64> = (0..dim).map(std).collect();
    Ok((Gaussian::diagonal(mean, &stds), CLIMBS * CLIMB))
}

impl Baseline for TemperedSmc {
    fn name(&self) -> &'static str {
        "smc"
    }

    fn run(&self, density: &dyn LogDensity, rng: &Rng) -> Result<Drawn> {
        let rng = rng.fork("smc");
        let (start, before, remarks) = self.start(density, &rng)?;
        let found = self.temper(density, start, &mut rng.fork("temper"))?;
        Ok(Drawn {
            states: found.states,
            log_z: Some(found.log_z),
            elbo: None,
            ess: found.least,
            gradients: before + found.gradients,
            remarks,
        })
    }
}
