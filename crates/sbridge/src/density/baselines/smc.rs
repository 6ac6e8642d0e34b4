//! Sequential Monte Carlo along tempered densities.                                                                 \[DDJ06\]
//!
//! From a Gaussian q to ρ: γ_β = q^{1−β} ρ^β. The next β is where the effective sample size of the step is 0.9; then
//! particles are drawn again by their weights, and moved by Hamiltonian Monte Carlo in the coordinates of q. Z is the product
//! of the mean weights. Particles live on islands: they are drawn again within their own, and only temperatures and step sizes
//! are common. So islands know Z independently of each other, and how far they are apart is its error.          \[VDDMM15\]
//!
//! A law of one mode is best approached from a Gaussian fitted to it, one of several from a Gaussian about them all. Which it
//! is is measured: see [`Start::Measured`]. Where a law narrows particles are too slow to follow, and islands agree on too
//! small a Z. So a second run starts from the Gaussian of what the first one found, and slower ones follow until two agree.
//!
//! Tests: exact Gaussians; laws of several modes; a funnel, whose neck takes slow runs; posteriors with known normalisers.

use super::gaussian::log_standard;
use super::{Baseline, Drawn, GaussVi, GaussViFit, Gaussian, LaplaceFit, rows, systematic};
use crate::density::weights::Weights;
use crate::density::{LogDensity, normals};
use crate::error::{Error, Result, require_count};
use crate::rng::Rng;

/// Tempered sequential Monte Carlo.
#[derive(Clone, Debug)]
pub struct TemperedSmc {
    /// Particles of an island.
    pub particles: usize,
    /// Islands: one alone cannot say how well it knows Z.
    pub islands: usize,
    /// Effective sample size of the weights of one temperature, as a share: nearer to one, temperatures are closer.
    pub kept: f64,
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
    /// The better of two by small runs: the Gaussian of variational inference, and one about all modes that climbs from far and
    /// near come to. The latter, and four times the particles, if its run finds more mass, or as much and a tenth of it or more
    /// far outside the former. Modes are looked for within about 100 of the origin. Another run follows from the Gaussian of
    /// what was found, and slower ones follow until two agree on Z, means and spreads; that the last two did not is said.
    Measured,
}

impl Default for TemperedSmc {
    fn default() -> Self {
        let start = Start::Measured;
        Self { particles: 200, islands: 8, kept: 0.9, moves: 2, leapfrogs: 8, step: 0.3, start }
    }
}

/// Share of moves that a step size is adapted to have accepted.
const ACCEPTED: f64 = 0.8;

/// The smallest step of a particle, in units of the largest: where a law narrows large ones are refused.
const SMALLEST: f64 = 1.0 / 64.0;

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
        let size = |u: f64| step * SMALLEST.powf(u * u);
        let sizes: Vec<f64> = rng.uniform(count, 0.0, 1.0).into_iter().map(size).collect();
        let kinetic = |p: &[f64]| 0.5 * p.iter().map(|p| p * p).sum::<f64>();
        let energy = |z: &[f64], log_density: f64, p: &[f64]| {
            kinetic(p) - beta * log_density - (1.0 - beta) * log_standard(z)
        };
        let before: Vec<f64> = (0..count)
            .map(|k| energy(row(&self.z, k, dim), self.log_density[k], row(&momentum, k, dim)))
            .collect();
        let (mut z, mut slopes, mut values) = (self.z.clone(), self.slopes.clone(), self.log_density.clone());
        let push = |momentum: &mut [f64], z: &[f64], slopes: &[f64], share: f64| {
            for (k, ((p, z), slope)) in momentum.iter_mut().zip(z).zip(slopes).enumerate() {
                *p += share * sizes[k / dim] * (beta * slope - (1.0 - beta) * z);
            }
        };
        push(&mut momentum, &z, &slopes, 0.5);
        for k in 0..leapfrogs {
            z.iter_mut().zip(&momentum).enumerate().for_each(|(i, (z, p))| *z += sizes[i / dim] * p);
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

/// The step of the temperature, at most `left`, whose weights have an effective sample size of `kept`.
fn next_step(ratios: &[f64], left: f64, kept: f64) -> f64 {
    if weigh(ratios, left).ess >= kept {
        return left;
    }
    let (mut low, mut high) = (0.0, left);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if weigh(ratios, middle).ess >= kept { low = middle } else { high = middle }
    }
    // Two points far apart may leave no step at all; a tiny one goes on.
    low.max(1e-9 * left)
}

/// Particles, at most, on all islands.
const MAX_PARTICLES: usize = 1 << 24;

/// Temperatures, at most: with so many the law is not one to come near.
const TEMPERATURES: usize = 5000;

/// What tempering came to.
struct Tempered {
    states: Vec<f64>,
    log_z: (f64, f64),
    least: f64,
    gradients: usize,
}

/// A start, and what it took.
struct Chosen {
    law: Gaussian,
    /// Times as many particles as otherwise.
    times: usize,
    gradients: usize,
    remarks: Vec<String>,
}

impl Chosen {
    fn plain(law: Gaussian) -> Self {
        Self { law, times: 1, gradients: 0, remarks: Vec::new() }
    }
}

/// Weights of islands by the logarithms of what each knows Z to be, ln of their mean, and its standard error.
fn islands(logs: &[f64]) -> (Vec<f64>, (f64, f64)) {
    let (weights, count) = (Weights::of_logs(logs), logs.len() as f64);
    let mean = weights.relative.iter().sum::<f64>() / count;
    let var = weights.relative.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (weights.relative, (weights.log_mean, (var / count).sqrt() / mean))
}

/// By how much two runs may disagree: nats of Z, standard deviations of the mean along an axis, logarithms of its spread.
const AGREED: f64 = 0.1;

/// Whether a run found more mass than the one before, or mass elsewhere.
fn moved(before: &Tempered, found: &Tempered, dim: usize) -> bool {
    let risen = found.log_z.0 - before.log_z.0;
    let axes = axes(&before.states, dim).into_iter().zip(axes(&found.states, dim));
    let apart = |((mean, std), (its_mean, its_std)): ((f64, f64), (f64, f64))| {
        ((its_mean - mean) / std).abs().max((its_std / std).ln().abs())
    };
    risen > found.log_z.1.hypot(before.log_z.1).max(AGREED) || axes.map(apart).fold(0.0, f64::max) > AGREED
}

/// Numbers in the gradients of all runs, at most, for another to follow.
const MOST: usize = 400_000_000;

impl TemperedSmc {
    /// With temperatures closer and more moves.
    fn slower(&self) -> Self {
        Self { kept: 1.0 - (1.0 - self.kept) / 3.0, moves: 2 * self.moves, ..self.clone() }
    }

    /// Runs from the Gaussian of the particles of the one before, slower and slower, until two agree. What was found is
    /// replaced; what is to be said where the last two did not.
    fn until_two_agree(
        &self,
        density: &dyn LogDensity,
        found: &mut Tempered,
        rng: &mut Rng,
    ) -> Option<String> {
        let (dim, mut run, mut still) = (density.dim(), self.clone(), false);
        while found.gradients * dim < MOST {
            let Some(law) = Gaussian::of_draws(&found.states, dim) else { break };
            let Ok(mut next) = run.temper(density, law.widened(WIDENED), rng) else { break };
            still = moved(found, &next, dim);
            next.gradients += found.gradients;
            *found = next;
            if !still {
                break;
            }
            run = run.slower();
        }
        still.then(|| {
            "the last two of several runs still found other parts of the law: more may be missed".to_owned()
        })
    }

    /// From `start` to the density.
    fn temper(&self, density: &dyn LogDensity, start: Gaussian, rng: &mut Rng) -> Result<Tempered> {
        let (dim, mut step, count) = (density.dim(), self.step, self.particles * self.islands);
        let z = normals(count * dim, rng);
        let (log_density, slopes) = (Vec::new(), Vec::new());
        let mut particles =
            Particles { density, start, dim, z: z.clone(), log_density, slopes, gradients: 0 };
        (particles.log_density, particles.slopes) = particles.evaluate(&z)?;
        let (mut beta, mut least, mut log_z) = (0.0, 1.0f64, vec![0.0; self.islands]);
        for _ in 0..TEMPERATURES {
            let ratios = particles.log_ratios();
            let raised = next_step(&ratios, 1.0 - beta, self.kept);
            least = least.min(weigh(&ratios, raised).ess);
            beta = if raised >= 1.0 - beta { 1.0 } else { beta + raised };
            let mut chosen = Vec::with_capacity(count);
            for (k, ratios) in ratios.chunks_exact(self.particles).enumerate() {
                if !ratios.iter().any(|ratio| ratio.is_finite()) {
                    let fix = "start where the density is positive";
                    return Err(Error::setting("ln ρ", "finite", "not at any particle", fix));
                }
                let weights = weigh(ratios, raised);
                log_z[k] += weights.log_mean;
                let first = k * self.particles;
                chosen.extend(systematic(&weights.relative, self.particles, rng).iter().map(|i| first + i));
            }
            particles.choose(&chosen);
            for _ in 0..self.moves {
                let accepted = particles.hamiltonian(beta, step, self.leapfrogs, rng)?;
                step *= (accepted - ACCEPTED).exp();
            }
            if beta >= 1.0 {
                let (shares, log_z) = islands(&log_z);
                let weights: Vec<f64> = (0..count).map(|i| shares[i / self.particles]).collect();
                let states = particles.start.at(&particles.z);
                let states = rows(&states, &systematic(&weights, count, rng), dim);
                return Ok(Tempered { states, log_z, least, gradients: particles.gradients });
            }
        }
        let (most, got) = (format!("at most {TEMPERATURES}"), format!("more, up to β = {beta:.1e}"));
        Err(Error::setting("temperatures", most, got, "start nearer to the law, or scale its coordinates"))
    }

    fn chosen(&self, density: &dyn LogDensity, rng: &Rng) -> Result<Chosen> {
        match &self.start {
            Start::Origin(spread) => Ok(Chosen::plain(Gaussian::standard(density.dim()).widened(*spread))),
            Start::Mode(widened) => {
                let LaplaceFit { law, gradients } = LaplaceFit::of(density)?;
                Ok(Chosen { gradients, ..Chosen::plain(law.widened(*widened)) })
            }
            Start::Variational(widened) => {
                let GaussViFit { law, gradients, remarks } =
                    GaussViFit::of(density, &GaussVi::default(), rng)?;
                Ok(Chosen { gradients, remarks, ..Chosen::plain(law.widened(*widened)) })
            }
            Start::Given(law) => Ok(Chosen::plain(law.clone())),
            Start::Measured => measured(density, rng),
        }
    }
}

/// The small runs that a start is chosen by.
const SCOUTS: TemperedSmc = TemperedSmc {
    particles: 80,
    islands: 4,
    kept: 0.9,
    moves: 1,
    leapfrogs: 8,
    step: 0.3,
    start: Start::Measured,
};

/// Standard errors that say that one small run found more mass than another, and nats at least.
const ERRORS: f64 = 3.0;
const LEAST_DIFFERENCE: f64 = 0.3;

/// Share of the mass outside a fitted Gaussian that makes it the wrong one.
const OUTSIDE: f64 = 0.1;

/// How much a fitted Gaussian is widened: narrow starts have heavy weights.
const WIDENED: f64 = 1.15;

/// Times as many particles for a law of several modes, to have enough of them at each.
const TIMES: usize = 4;

/// What [`Start::Measured`] comes to.
fn measured(density: &dyn LogDensity, rng: &Rng) -> Result<Chosen> {
    let dim = density.dim();
    let (broad, climbed) = about_all_modes(density, &mut rng.fork("climbs"))?;
    let about_all = |gradients| {
        let remarks = vec![format!("started about all modes, with {TIMES} times the particles")];
        Chosen { law: broad.clone(), times: TIMES, gradients: climbed + gradients, remarks }
    };
    let Ok(fit) = GaussViFit::of(density, &GaussVi::default(), rng) else { return Ok(about_all(0)) };
    let near = fit.law.clone().widened(WIDENED);
    let far = SCOUTS.temper(density, broad.clone(), &mut rng.fork("scouts from afar"));
    let close = SCOUTS.temper(density, near.clone(), &mut rng.fork("scouts"));
    let (far, close) = match (far, close) {
        (Ok(far), Ok(close)) => (far, close),
        (Ok(far), Err(_)) => return Ok(about_all(fit.gradients + far.gradients)),
        (Err(_), _) => return Ok(Chosen { gradients: climbed + fit.gradients, ..Chosen::plain(near) }),
    };
    let gradients = fit.gradients + far.gradients + close.gradients;
    // Five standard deviations of a χ² above its mean.
    let reach = dim as f64 + 5.0 * (2.0 * dim as f64).sqrt();
    let z = fit.law.whitened(&far.states);
    let outside = z.chunks_exact(dim).filter(|z| z.iter().map(|z| z * z).sum::<f64>() > reach).count();
    let outside = outside as f64 / (SCOUTS.particles * SCOUTS.islands) as f64;
    let more = far.log_z.0 - close.log_z.0;
    let difference = (ERRORS * far.log_z.1.hypot(close.log_z.1)).max(LEAST_DIFFERENCE);
    if more > difference || (more > -LEAST_DIFFERENCE && outside > OUTSIDE) {
        return Ok(about_all(gradients));
    }
    Ok(Chosen { law: near, times: 1, gradients: climbed + gradients, remarks: fit.remarks })
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
    let (mean, stds): (Vec<f64>, Vec<f64>) = axes(&states, dim).into_iter().unzip();
    let stds: Vec<f64> = stds.into_iter().map(|std| std.max(1.0)).collect();
    Ok((Gaussian::diagonal(mean, &stds), CLIMBS * CLIMB))
}

/// Mean and standard deviation of `states`, `[count, dim]`, along every axis.
fn axes(states: &[f64], dim: usize) -> Vec<(f64, f64)> {
    let count = (states.len() / dim) as f64;
    let column = |axis: usize| states.iter().skip(axis).step_by(dim);
    let of = |axis: usize| {
        let mean = column(axis).sum::<f64>() / count;
        let var = column(axis).map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        (mean, var.sqrt())
    };
    (0..dim).map(of).collect()
}

impl Baseline for TemperedSmc {
    fn name(&self) -> &'static str {
        "smc"
    }

    fn run(&self, density: &dyn LogDensity, rng: &Rng) -> Result<Drawn> {
        require_count("particles", self.particles, 2..=MAX_PARTICLES, "200 are usual")?;
        require_count("islands", self.islands, 2..=MAX_PARTICLES / self.particles, "8 are usual")?;
        let rng = rng.fork("smc");
        let Chosen { law, times, gradients, mut remarks } = self.chosen(density, &rng)?;
        let run = Self { particles: times * self.particles, ..self.clone() };
        let mut stream = rng.fork("temper");
        let mut found = run.temper(density, law, &mut stream)?;
        if let Start::Measured = self.start {
            remarks.extend(run.until_two_agree(density, &mut found, &mut stream));
        }
        let gradients = gradients + found.gradients;
        let Tempered { states, log_z, least: ess, .. } = found;
        Ok(Drawn { states, log_z: Some(log_z), elbo: None, ess, gradients, remarks })
    }
}
