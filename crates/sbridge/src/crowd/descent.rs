//! The Gaussian paths on which a pair pays least, by gradient descent on the knots of mean and width: CondSOC. \[GSBM, Alg. 3\]
//!
//! Each iteration draws particles xₜ = μₜ + γₜ z of every pair at every time of a grid. What they pay for their place has
//! its slope from the cost; what they pay for their motion is taken relative to the pinned bridge,
//!
//! \[|μ′ − (x₁ − μ)/(1−t)|² + d γ²(a₊ + 1/(1−t))²\]/(2σ²),   γ(a₊ + 1/(1−t)) = σ\[(c − 1/c)/(2√(t(1−t))) + √(t(1−t)) c′\],
//!
//! which differs from |u|²/(2σ²) by what the ends alone decide, is finite up to them and needs no samples. With a base drift
//! f there is (|f|² − 2v₊·f)/(2σ²) more. The `faithful` variant samples |u|²/(2σ²), and its width is ln 2 of the bridge's at
//! both ends, where the energy of that diverges.
//!
//! Pairs are worked on in micro-batches, which see each other alone, side by side on all cores.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::crowd::paths::{Place, Width, mean_at};
use crate::crowd::{Costs, Crowd, GaussianPaths, Mixture, Problem};
use crate::error::{Error, Result, require_count, require_positive};
use crate::rng::Rng;

/// How paths are fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DescentSettings {
    /// What is minimised: `fixed` (default) or `faithful`.
    pub variant: Variant,
    /// How: `adam` (default) or `sgd`.
    pub optimiser: Optimiser,
    /// Rate of the means' knots: of `sgd` in data units, of `adam` about the largest step, as a share of the spread of both
    /// ends together. Default 0.01.
    pub mean_rate: f64,
    /// Rate of the widths' knots; of `adam` the largest step. Default 0.05.
    pub width_rate: f64,
    /// Momentum of `sgd`. Default 0; in [0, 1).
    pub momentum: f64,
    /// Steps. Default 300.
    pub iterations: usize,
    /// Particles of a pair at a time. Default 4.
    pub samples: usize,
    /// Times at which they pay. Default 100.
    pub times: usize,
    /// Pairs in a micro-batch, which are each other's crowd. Default 256.
    pub crowd: usize,
    /// Knots of a mean. Default 15.
    pub mean_knots: usize,
    /// Knots of a width. Default 30.
    pub width_knots: usize,
}

/// What is minimised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// Motion relative to the pinned bridge, in closed form, between widths that are the bridge's at both ends.
    #[default]
    Fixed,
    /// Sampled motion, between widths of ln 2 of the bridge's.
    Faithful,
}

/// How it is minimised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimiser {
    /// Steps of bounded length along what motion would settle by, which fall to zero along a cosine: walls are steep, and what
    /// leads round them is flat.
    #[default]
    Adam,
    /// Plain steps along the slope of the mean over the micro-batch.
    Sgd,
}

impl Default for DescentSettings {
    fn default() -> Self {
        Self {
            variant: Variant::Fixed,
            optimiser: Optimiser::Adam,
            mean_rate: 0.01,
            width_rate: 0.05,
            momentum: 0.0,
            iterations: 300,
            samples: 4,
            times: 100,
            crowd: 256,
            mean_knots: 15,
            width_knots: 30,
        }
    }
}

impl DescentSettings {
    /// # Errors
    /// [`Error::Setting`] for a value outside its range.
    pub fn check(&self) -> Result<()> {
        for (name, value, range, usual) in [
            ("iterations", self.iterations, 0..=1_000_000, "300 to 3000 is usual"),
            ("samples", self.samples, 1..=10_000, "4 is usual"),
            ("times", self.times, 2..=10_000, "100 is usual"),
            ("crowd", self.crowd, 1..=100_000, "256 is usual"),
            ("mean_knots", self.mean_knots, 2..=1000, "15 is usual"),
            ("width_knots", self.width_knots, 2..=1000, "30 is usual"),
        ] {
            require_count(name, value, range, usual)?;
        }
        require_positive("mean_rate", self.mean_rate, "0.01 is usual with adam, 0.2 with sgd")?;
        require_positive("width_rate", self.width_rate, "0.05 is usual with adam, 0.1 with sgd")?;
        match (0.0..1.0).contains(&self.momentum) {
            true => Ok(()),
            false => Err(Error::setting("momentum", "in [0, 1)", self.momentum, "0 is usual")),
        }
    }

    /// Knots of mean and width.
    pub fn knots(&self) -> [usize; 2] {
        [self.mean_knots, self.width_knots]
    }

    /// The times at which particles pay.
    fn grid(&self) -> Vec<f64> {
        let step = (1.0 - 2.0 * EDGE) / (self.times - 1) as f64;
        (0..self.times).map(|k| EDGE + step * k as f64).collect()
    }
}

/// How near to an end particles pay.
pub(super) const EDGE: f64 = 1e-3;

/// Bounds of y: widths from 3·10⁻⁴ to 8 of the bridge's.
const MOST_WIDTH: f64 = 8.0;

/// A descent for one problem.
pub struct Descent<'a> {
    settings: &'a DescentSettings,
    problem: &'a Problem,
    scale: f64,
}

impl<'a> Descent<'a> {
    /// For `problem`, where a length of one is `scale` in data units.
    ///
    /// # Errors
    /// As [`DescentSettings::check`].
    pub fn new(settings: &'a DescentSettings, problem: &'a Problem, scale: f64) -> Result<Self> {
        settings.check()?;
        Ok(Self { settings, problem, scale })
    }

    /// `paths` after the descent, and the mean loss of every iteration, `[iterations]`, before its step.
    pub fn minimise(&self, mut paths: GaussianPaths, rng: &Rng) -> (GaussianPaths, Vec<f64>) {
        if self.settings.variant == Variant::Faithful {
            paths.widths.fill(0.0);
        }
        let crowd = self.settings.crowd;
        let of_means = crowd * paths.mean_knots * paths.dim;
        let shape = Shape { dim: paths.dim, sigma: paths.sigma, knots: self.settings.knots() };
        assert_eq!(shape.knots, [paths.mean_knots, paths.width_knots], "knots as in the settings");
        let losses: Vec<(usize, Vec<f64>)> = paths
            .means
            .par_chunks_mut(of_means)
            .zip(paths.widths.par_chunks_mut(crowd * paths.width_knots))
            .enumerate()
            .map(|(k, (means, widths))| {
                let mut rng = rng.fork(&format!("crowd {k}"));
                let pairs = widths.len() / shape.knots[1];
                (pairs, Crew::new(self, shape, pairs).descend(means, widths, &mut rng))
            })
            .collect();
        let all: usize = losses.iter().map(|(pairs, _)| pairs).sum();
        let mean = |i: usize| losses.iter().map(|(n, loss)| *n as f64 * loss[i]).sum::<f64>() / all as f64;
        let mean_losses = (0..self.settings.iterations).map(mean).collect();
        (paths, mean_losses)
    }

    /// The loss of `paths` as they are, and its slopes in all knots of means and of widths, `[pairs, knots, dim]` and
    /// `[pairs, knots]`, for one draw of particles: each pair's own, not divided by their number.
    pub fn slopes(&self, paths: &GaussianPaths, rng: &Rng) -> (f64, Vec<f64>, Vec<f64>) {
        let shape = Shape { dim: paths.dim, sigma: paths.sigma, knots: self.settings.knots() };
        let mut crew = Crew::new(self, shape, paths.pairs());
        let loss = crew.pass(&paths.means, &paths.widths, &mut rng.fork("crowd 0"));
        (loss, crew.slope_means, crew.slope_widths)
    }
}

#[derive(Clone, Copy)]
struct Shape {
    dim: usize,
    sigma: f64,
    knots: [usize; 2],
}

/// One micro-batch, with what it needs again and again.
struct Crew<'a> {
    descent: &'a Descent<'a>,
    shape: Shape,
    pairs: usize,
    grid: Vec<f64>,
    slope_means: Vec<f64>,
    slope_widths: Vec<f64>,
    mean: Vec<f64>,
    velocity: Vec<f64>,
    width: Vec<Width>,
    deviation: Vec<f64>,
    noise: Vec<f32>,
    x: Vec<f64>,
    values: Vec<f64>,
    slopes: Vec<f64>,
    of_pair: [Vec<f64>; 2],
}

impl<'a> Crew<'a> {
    fn new(descent: &'a Descent<'a>, shape: Shape, pairs: usize) -> Self {
        let Shape { dim, knots: [mean_knots, width_knots], .. } = shape;
        let particles = pairs * descent.settings.samples;
        let still = Width { c: 1.0, dc: 0.0, dy: 0.0, steepness: 0.0 };
        Self {
            grid: descent.settings.grid(),
            slope_means: vec![0.0; pairs * mean_knots * dim],
            slope_widths: vec![0.0; pairs * width_knots],
            mean: vec![0.0; pairs * dim],
            velocity: vec![0.0; pairs * dim],
            width: vec![still; pairs],
            deviation: vec![0.0; pairs],
            noise: vec![0.0; particles * dim],
            x: vec![0.0; particles * dim],
            values: vec![0.0; particles],
            slopes: vec![0.0; particles * dim],
            of_pair: [vec![0.0; dim], vec![0.0; dim]],
            descent,
            shape,
            pairs,
        }
    }

    fn descend(&mut self, means: &mut [f64], widths: &mut [f64], rng: &mut Rng) -> Vec<f64> {
        let settings = self.descent.settings;
        let rates = [settings.mean_rate, settings.width_rate];
        // A slope by a length in data units is that by one here over the scale, and so is the step.
        let per_data = if settings.optimiser == Optimiser::Sgd { self.descent.scale.powi(-2) } else { 1.0 };
        let mut of_means = Steps::new(settings, rates[0] * per_data, means.len(), self.pairs);
        let mut of_widths = Steps::new(settings, rates[1], widths.len(), self.pairs);
        (0..settings.iterations)
            .map(|_| {
                let loss = self.pass(means, widths, rng);
                if settings.optimiser == Optimiser::Adam {
                    self.relax();
                }
                of_means.step(means, &self.slope_means);
                of_widths.step(widths, &self.slope_widths);
                widths.iter_mut().for_each(|y| *y = y.clamp(-MOST_WIDTH, MOST_WIDTH));
                loss
            })
            .collect()
    }

    /// Slopes of means become displacements: divided by the curvature that motion alone has between knots, so that rough and
    /// smooth shapes of a path settle equally fast.
    fn relax(&mut self) {
        let Shape { dim, sigma, knots: [knots, _] } = self.shape;
        let unit = sigma * sigma / (knots - 1) as f64;
        let inner = knots - 2;
        // 2, −1, −1 eliminated from the first inner knot on: what is left of the diagonal is (k + 2)/(k + 1).
        let pivot = |k: usize| (k + 2) as f64 / (k + 1) as f64;
        for path in self.slope_means.chunks_exact_mut(knots * dim) {
            for i in 0..dim {
                let at = |k: usize| (k + 1) * dim + i;
                for k in 1..inner {
                    path[at(k)] += path[at(k - 1)] / pivot(k - 1);
                }
                for k in (0..inner).rev() {
                    let next = if k + 1 < inner { path[at(k + 1)] } else { 0.0 };
                    path[at(k)] = (path[at(k)] + next) / pivot(k);
                }
            }
            path.iter_mut().for_each(|slope| *slope *= unit);
        }
    }

    /// The loss for one draw of particles; its slopes are left in `slope_means` and `slope_widths`.
    fn pass(&mut self, means: &[f64], widths: &[f64], rng: &mut Rng) -> f64 {
        self.slope_means.fill(0.0);
        self.slope_widths.fill(0.0);
        let mut total = 0.0;
        for k in 0..self.grid.len() {
            total += self.pay(self.grid[k], means, widths, rng);
        }
        let share = 1.0 / self.grid.len() as f64;
        let size = self.shape.knots[0] * self.shape.dim;
        fix_ends(&mut self.slope_means, size, self.shape.dim, share);
        fix_ends(&mut self.slope_widths, self.shape.knots[1], 1, share);
        total * share / self.pairs as f64
    }

    /// What all pairs pay at one time, summed over them; its slopes are added to those of the knots.
    fn pay(&mut self, t: f64, means: &[f64], widths: &[f64], rng: &mut Rng) -> f64 {
        let Shape { dim, sigma, knots: [mean_knots, width_knots] } = self.shape;
        let (of_mean, of_width) = (Place::of(t, mean_knots), Place::of(t, width_knots));
        let (samples, root) = (self.descent.settings.samples, (t * (1.0 - t)).sqrt());
        rng.fill_normal(&mut self.noise);
        for b in 0..self.pairs {
            let row = b * dim..(b + 1) * dim;
            let knots = &means[b * mean_knots * dim..(b + 1) * mean_knots * dim];
            mean_at(of_mean, knots, &mut self.mean[row.clone()], &mut self.velocity[row.clone()]);
            self.width[b] = Width::of(of_width, &widths[b * width_knots..(b + 1) * width_knots]);
            self.deviation[b] = sigma * root * self.width[b].c;
            let particles = b * samples * dim..(b + 1) * samples * dim;
            let places = self.x[particles.clone()].iter_mut().zip(&self.noise[particles]);
            for ((x, z), m) in places.zip(self.mean[row].iter().cycle()) {
                *x = m + self.deviation[b] * f64::from(*z);
            }
        }
        self.values.fill(0.0);
        self.slopes.fill(0.0);
        let law = Mixture { means: &self.mean, deviations: &self.deviation };
        let crowd = Crowd { t, x: &self.x, dim, law };
        let mut costs = Costs { values: &mut self.values, slopes: &mut self.slopes };
        self.descent.problem.cost.evaluate(&crowd, rng, &mut costs);
        let places = [of_mean, of_width];
        (0..self.pairs).map(|b| self.pay_of(b, t, places, &means[b * mean_knots * dim..])).sum()
    }

    /// What one pair pays, with the slopes of its knots.
    fn pay_of(&mut self, b: usize, t: f64, [of_mean, of_width]: [Place; 2], knots: &[f64]) -> f64 {
        let Shape { dim, sigma, knots: [mean_knots, width_knots] } = self.shape;
        let (samples, root, variance) =
            (self.descent.settings.samples, (t * (1.0 - t)).sqrt(), sigma * sigma);
        let Width { c, dc, dy, steepness } = self.width[b];
        let share = 1.0 / samples as f64;
        // Slopes in mean, velocity, γ, c, c′, and in γ a₊, of which the drift is μ′ + γ a₊ z.
        let [mut by_mean, mut by_velocity] = std::mem::take(&mut self.of_pair);
        by_mean.fill(0.0);
        by_velocity.fill(0.0);
        let (mut by_deviation, mut by_c, mut by_dc, mut by_stretch) = (0.0, 0.0, 0.0, 0.0);
        let stretch = sigma * (((1.0 - 2.0 * t) * c - 1.0 / c) / (2.0 * root) + root * dc);
        let mut paid = self.values[b * samples..(b + 1) * samples].iter().sum::<f64>() * share;
        let velocity = &self.velocity[b * dim..(b + 1) * dim];
        let mut base = self.descent.problem.base.as_ref().map(|base| (base, vec![0.0; dim], vec![0.0; dim]));
        for n in 0..samples {
            let row = (b * samples + n) * dim..(b * samples + n + 1) * dim;
            let noise = &self.noise[row.clone()];
            if let Some((base, f, lead)) = &mut base {
                base.drift(t, &self.x[row.clone()], f);
                for k in 0..dim {
                    let z = f64::from(noise[k]);
                    let v = velocity[k] + stretch * z;
                    paid += share * (f[k] - 2.0 * v) * f[k] / (2.0 * variance);
                    by_velocity[k] -= share * f[k] / variance;
                    by_stretch -= share * f[k] * z / variance;
                    lead[k] = (f[k] - v) / variance;
                }
                base.pull(t, &self.x[row.clone()], lead, &mut self.slopes[row.clone()]);
            }
            for k in 0..dim {
                let (z, slope) = (f64::from(noise[k]), self.slopes[row.start + k]);
                by_mean[k] += share * slope;
                by_deviation += share * slope * z;
                if self.descent.settings.variant == Variant::Faithful {
                    let u = velocity[k] + stretch * z;
                    paid += share * u * u / (2.0 * variance);
                    by_velocity[k] += share * u / variance;
                    by_stretch += share * u * z / variance;
                }
            }
        }
        if self.descent.settings.variant == Variant::Fixed {
            let end = &knots[(mean_knots - 1) * dim..mean_knots * dim];
            let mean = &self.mean[b * dim..(b + 1) * dim];
            for k in 0..dim {
                let excess = velocity[k] - (end[k] - mean[k]) / (1.0 - t);
                paid += excess * excess / (2.0 * variance);
                by_velocity[k] += excess / variance;
                by_mean[k] += excess / ((1.0 - t) * variance);
            }
            let excess = (c - 1.0 / c) / (2.0 * root) + root * dc;
            paid += 0.5 * dim as f64 * excess * excess;
            by_c += dim as f64 * excess * (1.0 + 1.0 / (c * c)) / (2.0 * root);
            by_dc += dim as f64 * excess * root;
        }
        by_c += by_deviation * sigma * root;
        by_c += by_stretch * sigma * ((1.0 - 2.0 * t) + 1.0 / (c * c)) / (2.0 * root);
        by_dc += by_stretch * sigma * root;
        let by_y = by_c * steepness + by_dc * steepness * (1.0 - steepness) * dy;
        let by_dy = by_dc * steepness;
        let own = &mut self.slope_widths[b * width_knots + of_width.left..];
        own[0] += (1.0 - of_width.share) * by_y - of_width.per_time * by_dy;
        own[1] += of_width.share * by_y + of_width.per_time * by_dy;
        let own = &mut self.slope_means[(b * mean_knots + of_mean.left) * dim..];
        for k in 0..dim {
            own[k] += (1.0 - of_mean.share) * by_mean[k] - of_mean.per_time * by_velocity[k];
            own[dim + k] += of_mean.share * by_mean[k] + of_mean.per_time * by_velocity[k];
        }
        self.of_pair = [by_mean, by_velocity];
        paid
    }
}

/// Divides slopes by the number of times, and takes those of the outer knots away; `size` values of a path, `dim` of a knot.
fn fix_ends(slopes: &mut [f64], size: usize, dim: usize, share: f64) {
    for path in slopes.chunks_exact_mut(size) {
        path.iter_mut().for_each(|slope| *slope *= share);
        path[..dim].fill(0.0);
        path[size - dim..].fill(0.0);
    }
}

/// Steps of an optimiser over the knots of a micro-batch.
struct Steps<'a> {
    settings: &'a DescentSettings,
    rate: f64,
    pairs: usize,
    taken: usize,
    first: Vec<f64>,
    second: Vec<f64>,
}

/// Decay of the moments: the second forgets a wall in a hundred steps.
const DECAYS: [f64; 2] = [0.9, 0.99];

/// Slopes that are no reason to move: below the rounding of what they are sums of.
const NO_SLOPE: f64 = 1e-7;

impl<'a> Steps<'a> {
    fn new(settings: &'a DescentSettings, rate: f64, count: usize, pairs: usize) -> Self {
        let second = if settings.optimiser == Optimiser::Adam { vec![0.0; count] } else { Vec::new() };
        Self { settings, rate, pairs, taken: 0, first: vec![0.0; count], second }
    }

    fn step(&mut self, knots: &mut [f64], slopes: &[f64]) {
        match self.settings.optimiser {
            Optimiser::Sgd => {
                let share = 1.0 / self.pairs as f64;
                for ((knot, slope), speed) in knots.iter_mut().zip(slopes).zip(&mut self.first) {
                    *speed = self.settings.momentum * *speed + slope * share;
                    *knot -= self.rate * *speed;
                }
            }
            Optimiser::Adam => {
                let done = self.taken as f64 / self.settings.iterations as f64;
                let rate = self.rate * 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
                let [b1, b2] = DECAYS;
                let [left1, left2] = DECAYS.map(|b| 1.0 - b.powi(self.taken as i32 + 1));
                let moments = self.first.iter_mut().zip(&mut self.second);
                for ((knot, slope), (m, v)) in knots.iter_mut().zip(slopes).zip(moments) {
                    *m = b1 * *m + (1.0 - b1) * slope;
                    *v = b2 * *v + (1.0 - b2) * slope * slope;
                    *knot -= rate * (*m / left1) / ((*v / left2).sqrt() + NO_SLOPE);
                }
            }
        }
        self.taken += 1;
    }
}
