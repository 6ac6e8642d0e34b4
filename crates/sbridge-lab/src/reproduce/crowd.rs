//! Bridges that pay for where they go: the two closed forms of a quadratic cost, and the environments that methods are compared
//! in. Published numbers state no σ and no error; orderings alone can be read from them.

use std::sync::Arc;

use sbridge::crowd::{
    Descent, DescentSettings, GaussianPaths, Problem, Quadratic, Terms, directional_similarity, gmm, lidar,
    opinion, stunnel, vneck,
};
use sbridge::eval::Journey;
use sbridge::rng::Rng;
use sbridge::solver::alternation::{Alternation, AlternationMethod as _, AlternationSettings};
use sbridge::solver::{Gsbm, NeuralBridge};
use sbridge::tensor::{Device, Tensor, from_rows, head, points, to_vec_f64};
use sbridge::{Direction, PairBridge as _};
use sbridge_ot::wasserstein2;

use super::OwnQuestions;
use crate::reproduce::check::{Listing, dashed, line};
use crate::reproduce::{Effort, Estimate, Result, Study};

pub(super) const STUDIES: OwnQuestions = &[
    ("quadratic path", |_, rng| quadratic_path(rng)),
    ("quadratic bridge", quadratic_bridge),
    ("stunnel", |effort, rng| environment(&STUNNEL, effort, rng)),
    ("vneck", |effort, rng| environment(&VNECK, effort, rng)),
    ("gmm", |effort, rng| environment(&GMM, effort, rng)),
    ("lidar", hills),
    ("opinion", opinions),
];

/// Start and end of a path, and what a prototype found of the error of the fully minimised loss: α, mean, relative width.
const ENDS_OF_PATH: [f64; 2] = [-1.0, 2.0];
const PROTOTYPE: [(f64, f64, f64); 3] = [(1.0, 0.0024, 0.0028), (5.0, 0.012, 0.0098), (20.0, 0.043, 0.021)];

fn quadratic(alpha: f64) -> Result<Problem> {
    let cost = Terms::default().with("quadratic", alpha, Quadratic { centre: None })?;
    Ok(Problem { cost: Arc::new(cost), base: None })
}

/// The path between two ends, by descent.
fn quadratic_path(rng: &Rng) -> Result<Study> {
    let mut study = Study::new(
        "The path between two ends under a quadratic cost",
        "V = αx², σ = 1, from −1 to 2; splines of 15 and 30 knots, 100 times, 400 particles, 800 steps. Largest errors at 99 times \
         against the closed form.",
        "Once and a half of what the fully minimised loss is off by, and 0.001 for the noise of particles.",
    );
    let errors = |alpha: f64, settings: &DescentSettings| -> Result<[f64; 2]> {
        let problem = quadratic(alpha)?;
        let start = GaussianPaths::straight(&[ENDS_OF_PATH[0]], &[ENDS_OF_PATH[1]], 1, settings.knots(), 1.0);
        let (paths, _) = Descent::new(settings, &problem, 1.0)?.minimise(start, rng);
        let off = |t: f64| {
            let [mean, var] = Quadratic::optimal_path(alpha, 1.0, ENDS_OF_PATH, t);
            [(paths.mean(0, t).0[0] - mean).abs(), (paths.deviation(0, t) / var.sqrt() - 1.0).abs()]
        };
        let all = (1..100).map(|k| off(k as f64 / 100.0));
        Ok(all.fold([0.0; 2], |[a, b], [c, d]: [f64; 2]| [f64::max(a, c), f64::max(b, d)]))
    };
    let settings = DescentSettings { samples: 400, iterations: 800, ..DescentSettings::default() };
    let unmoved = DescentSettings { iterations: 0, ..settings.clone() };
    for (alpha, mean, width) in PROTOTYPE {
        let ([of_mean, of_width], [no_mean, no_width]) =
            (errors(alpha, &settings)?, errors(alpha, &unmoved)?);
        let what = "the path it starts from";
        study.at_most(
            format!("α = {alpha}: error of the mean"),
            Estimate::exact(of_mean).beside(what, Estimate::exact(no_mean)),
            1.5 * mean,
        );
        let bound = 1.5 * width + 1e-3;
        study.at_most(
            format!("α = {alpha}: error of the width"),
            Estimate::exact(of_width).beside(what, Estimate::exact(no_width)),
            bound,
        );
    }
    Ok(study)
}

/// Ends of the bridge on the line: mean and variance.
const LINE: [[f64; 2]; 2] = [[-1.0, 0.3], [1.0, 0.5]];

/// The whole bridge of a quadratic cost, whose kernel is that of the harmonic oscillator.
fn quadratic_bridge(effort: Effort, rng: &Rng) -> Result<Study> {
    let (alpha, count) = (3.0, 10_000);
    let mut study = Study::new(
        "The bridge between two Gaussians under a quadratic cost",
        "V = 3x², σ = 1, from N(−1, 0.3) to N(1, 0.5). Moments at 21 times of 10,000 paths, against Sinkhorn on a grid with the \
         kernel of Mehler; the divergence of Gaussians of these moments.",
        "10⁻³, of which chance is a tenth.",
    );
    let mut draws = rng.fork("samples");
    let [x, y] = LINE.map(|[mean, var]| draws.normal([count, 1], &Device::flex()) * var.sqrt() + mean);
    let mut settings = AlternationSettings { half_bridges: effort.pick(6, 10), ..Gsbm.defaults() };
    (settings.cache.rows, settings.fit.steps) = (effort.pick(4096, 8192), 3000);
    let times: Vec<f64> = (0..=20).map(|k| f64::from(k) / 20.0).collect();
    let known = moments_on_a_grid(alpha, &times);
    let divergence = |weight: f64| -> Result<f64> {
        let alternation = Alternation::new(&x, &y, None, 1.0, settings.clone(), rng.fork("fit"))?;
        let bridge = alternation.with_problem(&quadratic(weight)?)?.run()?;
        let states = bridge.skeleton(Direction::Forward, &x, &mut rng.fork("walk"));
        let steps = states.len() - 1;
        let of = |(k, [mean, var]): (usize, &[f64; 2])| {
            let x = to_vec_f64(states[k * steps / 20].clone());
            let found = x.iter().sum::<f64>() / count as f64;
            let spread = x.iter().map(|x| (x - found).powi(2)).sum::<f64>() / count as f64;
            0.5 * (spread / var - 1.0 - (spread / var).ln() + (found - mean).powi(2) / var)
        };
        Ok(known.iter().enumerate().map(of).fold(0.0, f64::max))
    };
    let found = Estimate::exact(divergence(alpha)?);
    study.at_most(
        "largest divergence at 21 times",
        found.beside("the plain bridge", Estimate::exact(divergence(0.0)?)),
        1e-3,
    );
    Ok(study)
}

/// Mean and variance at `times` of the bridge of V = `alpha` x² between the ends on the line.
fn moments_on_a_grid(alpha: f64, times: &[f64]) -> Vec<[f64; 2]> {
    let (count, h) = (301, (2.0 * alpha).sqrt());
    let grid: Vec<f64> = (0..count).map(|k| -5.0 + 10.0 * k as f64 / (count - 1) as f64).collect();
    let law = |[mean, var]: [f64; 2]| {
        let density: Vec<f64> = grid.iter().map(|x| (-(x - mean).powi(2) / (2.0 * var)).exp()).collect();
        let sum: f64 = density.iter().sum();
        density.into_iter().map(|p| p / sum).collect::<Vec<f64>>()
    };
    let kernel = |x: f64, y: f64| (-h / (2.0 * h.sinh()) * ((x * x + y * y) * h.cosh() - 2.0 * x * y)).exp();
    let matrix: Vec<f64> = grid.iter().flat_map(|x| grid.iter().map(move |y| kernel(*x, *y))).collect();
    let ([p, q], mut u, mut v) = (LINE.map(law), vec![1.0; count], vec![1.0; count]);
    for _ in 0..500 {
        for i in 0..count {
            u[i] = p[i] / (0..count).map(|j| matrix[i * count + j] * v[j]).sum::<f64>();
        }
        for j in 0..count {
            v[j] = q[j] / (0..count).map(|i| matrix[i * count + j] * u[i]).sum::<f64>();
        }
    }
    let moments = |t: &f64| {
        let (mut mean, mut square) = (0.0, 0.0);
        for i in 0..count {
            for j in 0..count {
                let mass = u[i] * matrix[i * count + j] * v[j];
                let [m, var] = Quadratic::optimal_path(alpha, 1.0, [grid[i], grid[j]], *t);
                mean += mass * m;
                square += mass * (m * m + var);
            }
        }
        [mean, square - mean * mean]
    };
    times.iter().map(moments).collect()
}

/// An environment in the plane, and what is in print of it: W2 at the end and objective of three methods.
struct Environment {
    name: &'static str,
    terms: fn() -> sbridge::Result<Terms>,
    published: [(&'static str, [f64; 2]); 3],
}

const STUNNEL: Environment = Environment {
    name: "stunnel",
    terms: stunnel,
    published: [("GSBM", [0.03, 460.88]), ("NLSB", [30.54, 207.06]), ("HOTA", [0.006, 320.90])],
};
const VNECK: Environment = Environment {
    name: "vneck",
    terms: vneck,
    published: [("GSBM", [0.01, 155.53]), ("NLSB", [0.02, 147.85]), ("HOTA", [0.002, 115.09])],
};
const GMM: Environment = Environment {
    name: "gmm",
    terms: gmm,
    published: [("GSBM", [4.13, 229.12]), ("NLSB", [67.76, 4202.71]), ("HOTA", [0.19, 80.44])],
};

/// Deviation by which the law of a crowd is blurred, as in print.
const BLUR: f64 = 0.2;

/// Samples of an end that are learned from, and that judge.
const LEARNED_FROM: usize = 10_000;
const JUDGES: usize = 1000;

/// Samples of a built-in set.
fn rows(name: &str, count: usize, seed: u64) -> Result<Tensor<2>> {
    let data = sbridge_data::load(&format!("builtin:{name}?n={count}&seed={seed}"))?;
    Ok(from_rows(data.values(), data.shape().size(), &Device::flex()))
}

/// Ends of a crowd, to learn from and to judge by.
struct Crossing {
    source: Tensor<2>,
    target: Tensor<2>,
    judges: [Tensor<2>; 2],
    problem: Problem,
}

impl Crossing {
    fn of(name: &str, problem: Problem, count: usize) -> Result<Self> {
        let judges =
            [rows(&format!("{name}-source"), JUDGES, 1)?, rows(&format!("{name}-target"), JUDGES, 1)?];
        let (source, target) =
            (rows(&format!("{name}-source"), count, 0)?, rows(&format!("{name}-target"), count, 0)?);
        Ok(Self { source, target, judges, problem })
    }

    /// What is learned after every half-bridge forward, with the cost or without.
    fn learned(
        &self,
        epsilon: f64,
        settings: AlternationSettings,
        rng: &Rng,
        mut after: impl FnMut(&NeuralBridge) -> Result<()>,
    ) -> Result<NeuralBridge> {
        let is_charged = settings.paths.is_some();
        let mut alternation =
            Alternation::new(&self.source, &self.target, None, epsilon, settings, rng.fork("fit"))?;
        if is_charged {
            alternation = alternation.with_problem(&self.problem)?;
        }
        while let Some(half) = alternation.next() {
            alternation.learn_silently()?;
            if half.direction == Direction::Forward {
                after(&alternation.bridge())?;
            }
        }
        Ok(alternation.bridge())
    }

    fn journey(&self, bridge: &NeuralBridge, rng: &Rng) -> Journey {
        Journey::along(bridge, &self.problem, &self.judges[0], BLUR, &mut rng.fork("journey"))
    }

    /// W2 of what arrives at the far end over that of two samples of it.
    fn excess(&self, bridge: &NeuralBridge, rng: &Rng) -> Result<f64> {
        let end = bridge.transport(Direction::Forward, &self.judges[0], &mut rng.fork("end"));
        self.over_floor(&end)
    }

    fn over_floor(&self, end: &Tensor<2>) -> Result<f64> {
        let there = points(&self.judges[1])?;
        let floor = wasserstein2(&points(&head(&self.target, JUDGES))?, &there)?;
        Ok(wasserstein2(&points(end)?, &there)? / floor)
    }

    /// Share of 10,000 paths that touch an obstacle.
    fn collided(&self, bridge: &NeuralBridge, rng: &Rng) -> f64 {
        let [count, dim] = self.source.dims();
        let mut has_collided = vec![false; count];
        for x in bridge.skeleton(Direction::Forward, &self.source, &mut rng.fork("collisions")) {
            for (x, collided) in to_vec_f64(x).chunks_exact(dim).zip(&mut has_collided) {
                *collided |= self.problem.cost.depth(x) > 0.0;
            }
        }
        has_collided.into_iter().filter(|collided| *collided).count() as f64 / count as f64
    }
}

fn settings_of(effort: Effort) -> AlternationSettings {
    let mut settings = AlternationSettings { half_bridges: effort.pick(6, 10), ..Gsbm.defaults() };
    (settings.cache.rows, settings.fit.steps) = (effort.pick(1024, 2048), effort.pick(2000, 3000));
    settings
}

/// The same without a cost.
fn plain(settings: &AlternationSettings) -> AlternationSettings {
    AlternationSettings { paths: None, half_bridges: 4, known_drift: true, ..settings.clone() }
}

/// Far end, collisions and objective in an environment, at several σ.
fn environment(environment: &Environment, effort: Effort, rng: &Rng) -> Result<Study> {
    let Environment { name, terms, published } = environment;
    let sigmas: &[f64] = effort.pick(&[1.0], &[0.5, 1.0, 2.0]);
    let mut study = Study::new(
        format!("{name}: the far end, obstacles, and what is paid"),
        "Objective E ∫ |u|²/(2σ²) + V dt of a thousand paths, the law of the crowd that of its particles blurred by 0.2; obstacles on \
         10,000 paths in 100 steps. Published numbers state no σ: orderings alone can be compared.",
        "W2 at most 1.3 of that of two samples. No path may touch an obstacle but one in a thousand. The last objective is at most \
         1.02 of the first.",
    );
    let mut listing = Vec::new();
    for sigma in sigmas {
        let rng = rng.fork(&format!("{name} {sigma}"));
        let crossing = Crossing::of(name, Problem { cost: Arc::new(terms()?), base: None }, LEARNED_FROM)?;
        let settings = settings_of(effort);
        let (mut curve, mut excesses) = (Vec::new(), Vec::new());
        let bridge = crossing.learned(sigma * sigma, settings.clone(), &rng, |bridge| {
            let journey = crossing.journey(bridge, &rng);
            curve.push((2.0 * (curve.len() + 1) as f64, journey.objective()));
            excesses.push(crossing.excess(bridge, &rng)?);
            Ok(())
        })?;
        let none = crossing.learned(sigma * sigma, plain(&settings), &rng.fork("plain"), |_| Ok(()))?;
        let worst = excesses.iter().copied().fold(0.0, f64::max);
        let untouched = crossing.over_floor(&crossing.judges[0])?;
        study.at_most(
            format!("σ = {sigma}: W2 at the far end over two samples', the largest of all half-bridges"),
            Estimate::exact(worst).beside("the source as it is", Estimate::exact(untouched)),
            1.3,
        );
        let (collided, of_plain) = (crossing.collided(&bridge, &rng), crossing.collided(&none, &rng));
        study.at_most(
            format!("σ = {sigma}: share of paths that touch an obstacle"),
            Estimate::exact(collided).beside("the plain bridge", Estimate::exact(of_plain)),
            1e-3,
        );
        let (journey, without) = (crossing.journey(&bridge, &rng), crossing.journey(&none, &rng));
        let first = curve.first().map_or(f64::NAN, |(_, y)| *y);
        study.at_most(
            format!("σ = {sigma}: objective over that after the first half-bridge forward"),
            Estimate::exact(journey.objective() / first)
                .beside("the plain bridge", Estimate::exact(without.objective() / first)),
            1.02,
        );
        let row = |who: &str, journey: &Journey, collided: f64| {
            let numbers = vec![journey.objective(), journey.kinetic, journey.state, collided, journey.inside];
            (format!("{who}, σ = {sigma}"), numbers)
        };
        listing.extend([row("crowd", &journey, collided), row("plain bridge", &without, of_plain)]);
        let times = |journey: &Journey| {
            let last = (journey.spreads.len() - 1) as f64;
            journey.spreads.iter().enumerate().map(|(k, s)| (k as f64 / last, *s)).collect::<Vec<_>>()
        };
        let axes = ["half-bridge", "objective"];
        study.plot(format!("Objective, σ = {sigma}"), axes, vec![line("objective", curve)]);
        study.plot(
            format!("Spread on the way, σ = {sigma}"),
            ["time", "deviation"],
            vec![line("crowd", times(&journey)), dashed("plain bridge", times(&without))],
        );
        if *name == "vneck" {
            let [start, middle, end] = spread_across(&journey);
            study.at_most(
                format!("σ = {sigma}: deviation across the neck at half time over the larger of both ends'"),
                Estimate::exact(middle / start.max(end)).beside("the plain bridge", {
                    let [start, middle, end] = spread_across(&without);
                    Estimate::exact(middle / start.max(end))
                }),
                0.8,
            );
        }
    }
    study.listings.push(Listing {
        caption: "What is paid".into(),
        columns: ["objective", "kinetic", "state", "paths inside", "time inside"].map(String::from).to_vec(),
        rows: listing,
        note: String::new(),
    });
    study.listings.push(Listing {
        caption: "Published, unverified, σ not stated".into(),
        columns: ["W2 at the end", "objective"].map(String::from).to_vec(),
        rows: published.iter().map(|(who, numbers)| ((*who).to_owned(), numbers.to_vec())).collect(),
        note: "W2 is by another estimate (sliced, of a thousand samples).".into(),
    });
    Ok(study)
}

/// Deviation of the second coordinate at the start, at half time and at the end.
fn spread_across(journey: &Journey) -> [f64; 3] {
    let last = journey.states.len() - 1;
    [0, last / 2, last].map(|k| {
        let y: Vec<f64> = journey.states[k].iter().skip(1).step_by(2).copied().collect();
        let mean = y.iter().sum::<f64>() / y.len() as f64;
        (y.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / y.len() as f64).sqrt()
    })
}

/// Settings for costs that are slow at every place.
fn slow(effort: Effort) -> AlternationSettings {
    let mut settings = AlternationSettings { half_bridges: effort.pick(2, 6), ..Gsbm.defaults() };
    settings.cache.rows = 512;
    if let Some(paths) = &mut settings.paths {
        (paths.descent.iterations, paths.descent.samples) = (effort.pick(80, 150), 2);
        (paths.descent.times, paths.descent.mean_knots) = (40, 30);
    }
    settings
}

/// Paths over hills.
fn hills(effort: Effort, rng: &Rng) -> Result<Study> {
    let points = to_vec_f64(rows("hills", 30_000, 0)?);
    let crossing = Crossing::of("lidar", Problem { cost: Arc::new(lidar(&points)?), base: None }, 5000)?;
    let mut study = Study::new(
        "Hills: paths on a surface",
        "Two Gaussian hills in place of a scanned landscape, σ = 1, 30,000 points. Mean distance of paths from the surface.",
        "0.02.",
    );
    let settings = slow(effort);
    let bridge = crossing.learned(1.0, settings.clone(), rng, |_| Ok(()))?;
    let none = crossing.learned(1.0, plain(&settings), &rng.fork("plain"), |_| Ok(()))?;
    let distance = |bridge: &NeuralBridge| {
        let journey = crossing.journey(bridge, rng);
        let places = journey.states.iter().flat_map(|x| x.chunks_exact(3));
        let all: Vec<f64> = places.filter_map(|x| crossing.problem.cost.distance(x)).collect();
        (all.iter().sum::<f64>() / all.len() as f64, journey.objective())
    };
    let ((found, objective), (of_plain, plain_objective)) = (distance(&bridge), distance(&none));
    study.at_most(
        "mean distance from the surface",
        Estimate::exact(found).beside("the plain bridge", Estimate::exact(of_plain)),
        0.02,
    );
    study.listings.push(Listing {
        caption: "Objective".into(),
        columns: vec!["objective".into()],
        rows: vec![
            ("crowd".into(), vec![objective]),
            ("plain bridge".into(), vec![plain_objective]),
            ("GSBM, on a scanned landscape, unverified".into(), vec![6209.0]),
        ],
        note: String::new(),
    });
    Ok(study)
}

/// Opinions with and without control.
fn opinions(effort: Effort, rng: &Rng) -> Result<Study> {
    let (name, dim) = effort.pick(("opinion-2", 2), ("opinion", 1000));
    let mut study = Study::new(
        format!("Opinions in {dim} dimensions"),
        "Share of a thousand pairs of opinions whose directions are within an eighth of the same or the opposite one, at the end of the \
         way.",
        "In high dimension mixed opinions have no such pairs, and in the plane a quarter of all; a tenth more is admitted.",
    );
    let crossing = Crossing::of(name, opinion(dim, rng)?, effort.pick(5000, 2000))?;
    let settings = slow(effort);
    let bridge = crossing.learned(0.25, settings, rng, |_| Ok(()))?;
    let end = bridge.transport(Direction::Forward, &crossing.judges[0], &mut rng.fork("end"));
    let share = |x: &[f64]| {
        let found = directional_similarity(x, dim, 1000, &mut rng.fork("pairs"));
        let near = found.iter().filter(|s| (**s - 0.5).abs() > 0.375).count();
        near as f64 / found.len() as f64
    };
    let found = share(&to_vec_f64(end));
    let free = share(&without_control(&crossing, dim, rng));
    let bound = if dim > 2 { 0.1 } else { 0.35 };
    study.at_most(
        "share of polarised pairs",
        Estimate::exact(found).beside("without control", Estimate::exact(free)),
        bound,
    );
    Ok(study)
}

/// Where the crowd goes by its own drift.
fn without_control(crossing: &Crossing, dim: usize, rng: &Rng) -> Vec<f64> {
    let (steps, sigma) = (200, 0.5);
    let (mut x, mut noise) = (to_vec_f64(crossing.judges[0].clone()), rng.fork("free"));
    let (mut f, mut z) = (vec![0.0; dim], vec![0f32; x.len()]);
    let Some(base) = &crossing.problem.base else { return x };
    for k in 0..steps {
        let t = f64::from(k) / f64::from(steps);
        // The crowd as it is now, whatever the time.
        let now = base.given(&vec![x.clone(); steps as usize + 1]);
        noise.fill_normal(&mut z);
        for (x, z) in x.chunks_exact_mut(dim).zip(z.chunks_exact(dim)) {
            now.as_ref().unwrap_or(base).drift(t, x, &mut f);
            for i in 0..dim {
                x[i] += f[i] / f64::from(steps) + sigma / f64::from(steps).sqrt() * f64::from(z[i]);
            }
        }
    }
    x
}
