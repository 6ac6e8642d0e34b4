//! Solvers on the entropic transport benchmark, where the plan is known exactly.

mod table;

use std::time::Instant;

use faer::Mat;
use sbridge::reference::{Brownian, GaussianReference};
use sbridge::rng::Rng;
use sbridge::simulate::endpoints;
use sbridge::tensor::{Device, Tensor, TensorData, from_rows_f64, per_row, points, to_vec_f64};
use sbridge::{Bridge, Direction, PairBridge, StepNoise};
pub use sbridge_ot::Potential;
use sbridge_ot::matrix::symmetric_eigen;
use sbridge_ot::{EntropicBenchmark, Gaussian, OtError, Points, bures_wasserstein_uvp};

use sbridge_run::models::bridge::{PairConfig, PairMethod};
use sbridge_run::settings::Settings as _;
use sbridge_run::{Context, Overrides, Result, RunError};

use crate::problem::{Problem, stream};
pub use table::{Cell, EotTable, Score};

/// Ends drawn without regard to each other.
const INDEPENDENT: &str = "independent";

/// Samples of either law, at least.
const LEAST_SAMPLES: usize = 1000;

/// Values of the samples of a law, at most: each takes 8 bytes, and both laws are held once and by the solver.
const MOST_VALUES: usize = 1 << 29;

/// Draws at each where the moments of a plan are not known.
const DRAWS: usize = 1000;

/// Points at which plans are compared, at most.
const MOST_POINTS: usize = 100_000;

/// Dimension up to which draws are made at all points; beyond, at as many fewer as each is more expensive.
const DRAWN_IN_FULL: usize = 16;

/// So many times fewer for the exact drift, whose walks cost more than all else.
const SHARE_WALKED: usize = 20;

/// Draws whose law is compared with the target.
const CARRIED: usize = 10_000;

/// Times and paths at which drifts are compared.
const TIMES: usize = 20;
const PATHS: usize = 500;

/// Steps along the exact drift.
const EXACT_STEPS: usize = 200;

/// What solvers are given, and how they are compared.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    /// Samples of either law that a solver learns from.
    pub samples: usize,
    /// Points of the source at which plans are compared: errors gather where a plan divides, so few points say little.
    pub points: usize,
    /// Seed of data, fits and draws.
    pub seed: u64,
}

impl Protocol {
    fn check(&self, dims: &[usize]) -> Result<()> {
        let Self { samples, points, .. } = *self;
        let problem = if !(1..=MOST_POINTS).contains(&points) {
            format!("--points must be in 1 to {MOST_POINTS}, got {points} (1000 is the default)")
        } else if samples < LEAST_SAMPLES {
            format!(
                "{samples} samples of either law are too few to learn from, at least {LEAST_SAMPLES} are needed (400000 is \
                 the default)"
            )
        } else if let Some(dim) = dims.iter().find(|dim| dim.saturating_mul(samples) > MOST_VALUES) {
            format!(
                "{samples} samples of {dim} values are more than the {MOST_VALUES} values of a law that are held in memory \
                 (lower --samples or --dim)"
            )
        } else {
            return Ok(());
        };
        Err(RunError::Input(problem))
    }
}

/// Solves every instance of `dims` × `epsilons` with all `solvers`, with their settings changed by `assignments`.
///
/// # Errors
/// [`RunError`] for a dimension, ε or setting out of range, or a fit that diverges.
pub fn run(
    potential: Potential,
    (dims, epsilons): (&[usize], &[f64]),
    solvers: &[PairMethod],
    assignments: &[String],
    protocol: Protocol,
    context: &Context,
) -> Result<Vec<Cell>> {
    protocol.check(dims)?;
    let instances = dims.iter().flat_map(|dim| epsilons.iter().map(|epsilon| (*dim, *epsilon)));
    let benchmarks = instances.map(|(dim, epsilon)| EntropicBenchmark::new(dim, epsilon, potential));
    let benchmarks = benchmarks.collect::<std::result::Result<Vec<_>, OtError>>()?;
    let settings = |method: &PairMethod| {
        let assignments = assignments_of(*method, solvers, assignments);
        Ok((*method, PairConfig::resolved(method.name(), &Overrides { text: String::new(), assignments })?))
    };
    let configs = solvers.iter().map(settings).collect::<Result<Vec<_>>>()?;
    let progress = context.progress("benchmark", 0, benchmarks.len() * configs.len());
    let mut cells = Vec::new();
    for benchmark in &benchmarks {
        let name = format!("d = {}, ε = {}", benchmark.dim(), benchmark.epsilon());
        let judge = Judge::new(benchmark, protocol, &Rng::new(protocol.seed).fork(&name))?;
        let mut scores = Vec::new();
        for (method, config) in &configs {
            progress.at(cells.len() * configs.len() + scores.len(), &format!("{name}, {}", method.name()));
            scores.push(judge.solver(*method, config)?);
        }
        progress.at(cells.len() * configs.len() + scores.len(), &format!("{name}, comparisons"));
        scores.extend(judge.comparisons()?);
        cells.push(Cell { dim: benchmark.dim(), epsilon: benchmark.epsilon(), scores });
    }
    progress.at(benchmarks.len() * configs.len(), "");
    Ok(cells)
}

/// Those of `assignments` that are for `method`: settings of the other kind of solver are for the others, if there are any.
fn assignments_of(method: PairMethod, solvers: &[PairMethod], assignments: &[String]) -> Vec<String> {
    let section = |method: PairMethod| match PairConfig::of(method).light_sb {
        Some(_) => "light_sb",
        None => "networks",
    };
    let is_meant = |assignment: &&String| {
        let meant = |other: PairMethod| assignment.trim_start().starts_with(&format!("{}.", section(other)));
        meant(method) || !solvers.iter().any(|other| meant(*other))
    };
    assignments.iter().filter(is_meant).cloned().collect()
}

/// An instance with samples of its laws, and what scores are measured by.
struct Judge<'a> {
    benchmark: &'a EntropicBenchmark,
    rng: Rng,
    source: Tensor<2>,
    target: Tensor<2>,
    /// The law of the target as its samples show it.
    whole: Gaussian,
    x: Points,
    /// Those of them at which plans are compared by draws.
    drawn_at: Points,
    /// cBW-UVP there of draws from the plan itself.
    floor: f64,
}

impl<'a> Judge<'a> {
    fn new(benchmark: &'a EntropicBenchmark, protocol: Protocol, rng: &Rng) -> Result<Self> {
        let Protocol { samples, points, .. } = protocol;
        let mut stream = stream(rng, "data");
        let source = benchmark.sample_source(samples, &mut stream)?;
        // Independent of the source: a solver sees no pairs.
        let target = benchmark.sample_target(&benchmark.sample_source(samples, &mut stream)?, &mut stream)?;
        let x = benchmark.sample_source(points, &mut stream)?;
        let whole = Gaussian::fit(&target)?;
        let drawn_at = first(&x, x.len() * DRAWN_IN_FULL / benchmark.dim().max(DRAWN_IN_FULL))?;
        let (source, target, rng) = (rows(&source), rows(&target), rng.clone());
        let judge = Self { benchmark, rng, source, target, whole, x, drawn_at, floor: 0.0 };
        Ok(Self { floor: judge.floor_at(&judge.drawn_at)?, ..judge })
    }

    /// cBW-UVP at the points `x` of draws from the plan itself.
    fn floor_at(&self, x: &Points) -> Result<f64> {
        self.benchmark.conditional_uvp(x, self.variance(), |k, x| {
            let same = Points::new(x.repeat(DRAWS), x.len())?;
            let drawn = self.benchmark.sample_target(&same, &mut stream(&self.rng, &format!("floor {k}")))?;
            Ok::<_, RunError>(Gaussian::fit(&drawn)?)
        })
    }

    fn variance(&self) -> f64 {
        (0..self.whole.dim()).map(|j| self.whole.cov()[(j, j)]).sum()
    }

    fn solver(&self, method: PairMethod, config: &PairConfig) -> Result<Score> {
        let (started, name, rng) = (Instant::now(), method.name(), self.rng.fork(method.name()));
        let epsilon = self.benchmark.epsilon();
        let problem = Problem { source: &self.source, target: &self.target, epsilon };
        if let Some(settings) = &config.light_sb {
            let fitted = problem.mixtures(settings, &rng)?;
            let seconds = Some(started.elapsed().as_secs_f64());
            // The plan's moments are known, so no draws blur them: the floor is 0.
            let conditional = self.benchmark.conditional_uvp(&self.x, self.variance(), |_, x| {
                let (mean, covariance) = fitted.conditional_moments(Direction::Forward, x);
                Gaussian::new(mean, covariance)
            })?;
            // It is drawn in one shot: no step leaves noise.
            return Ok(Score { seconds, last_step: None, ..self.score(name, &fitted, conditional)? });
        }
        let settings = config.networks.clone().expect("a method has settings of one kind");
        let fitted = problem.networks(settings, rng)?;
        let seconds = Some(started.elapsed().as_secs_f64());
        let conditional = self.conditional_by_draws(&fitted, &self.drawn_at)?;
        Ok(Score { seconds, floor: self.floor, ..self.score(name, &fitted, conditional)? })
    }

    /// cBW-UVP of draws from `bridge` at the points `x`.
    fn conditional_by_draws(&self, bridge: &dyn PairBridge, x: &Points) -> Result<f64> {
        self.benchmark.conditional_uvp(x, self.variance(), |k, x| {
            let mut rng = self.rng.fork(&format!("draws {k}"));
            let same = rows(&Points::new(x.repeat(DRAWS), x.len())?);
            let drawn = bridge.transport(Direction::Forward, &same, &mut rng);
            Ok::<_, RunError>(Gaussian::fit(&points(&drawn)?)?)
        })
    }

    /// A bridge, whose plan errs by `conditional`, by what it makes of samples.
    fn score(&self, name: &str, bridge: &dyn PairBridge, conditional: f64) -> Result<Score> {
        let start = rows(&self.benchmark.sample_source(CARRIED, &mut stream(&self.rng, "carried"))?);
        let carried = bridge.transport(Direction::Forward, &start, &mut self.rng.fork("carried"));
        let target = bures_wasserstein_uvp(&Gaussian::fit(&points(&carried)?)?, &self.whole)?;
        let path_kl = Some(self.path_kl(bridge)?);
        let noise = bridge.step_noise(Direction::Forward);
        let last_step = Some(self.cost_of_noise(noise.mean_variance(noise.steps() - 1))?);
        Ok(Score {
            name: name.into(),
            conditional,
            target: Some(target),
            path_kl,
            last_step,
            ..Score::default()
        })
    }

    /// cBW-UVP of the plan's own conditional law at the middle of the source, with `variance` more in every direction:
    /// Σ (√(λ + q) − √λ)² over the target's variance.
    fn cost_of_noise(&self, variance: f64) -> Result<f64> {
        let plan = self.benchmark.conditional(&vec![0.0; self.benchmark.dim()])?;
        let (spread, _) = symmetric_eigen("the plan's conditional covariance", plan.cov())?;
        let cost = |l: f64| ((l.max(0.0) + variance).sqrt() - l.max(0.0).sqrt()).powi(2);
        Ok(100.0 * spread.into_iter().map(cost).sum::<f64>() / self.variance())
    }

    /// KL(P* ‖ P) = (1/2ε) ∫ E*|v* − v|² dt, at times spread evenly over [0, 1).
    fn path_kl(&self, bridge: &dyn PairBridge) -> Result<f64> {
        let (mut stream, mut rng) = (stream(&self.rng, "paths"), self.rng.fork("paths"));
        let epsilon = self.benchmark.epsilon();
        let x = self.benchmark.sample_source(PATHS, &mut stream)?;
        let y = self.benchmark.sample_target(&x, &mut stream)?;
        let (x, y) = (rows(&x), rows(&y));
        let mut total = 0.0;
        for k in 0..TIMES {
            let t = (k as f64 + 0.5) / TIMES as f64;
            let noise = rng.normal_like(&x) * (epsilon * t * (1.0 - t)).sqrt();
            let at = x.clone() * (1.0 - t) + y.clone() * t + noise;
            let model = to_vec_f64(bridge.drift(Direction::Forward, per_row(t, &at), at.clone()));
            let exact = to_vec_f64(Exact(self.benchmark).drift(Direction::Forward, per_row(t, &at), at));
            total += model.iter().zip(&exact).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        }
        Ok(total / (2.0 * epsilon * (TIMES * PATHS) as f64))
    }

    /// What no solver beats, and what every solver should.
    fn comparisons(&self) -> Result<Vec<Score>> {
        let of = |model: &Gaussian| {
            self.benchmark.conditional_uvp(&self.x, self.variance(), |_, _| Ok::<_, OtError>(model.clone()))
        };
        let dim = self.whole.dim();
        let constant = Gaussian::new(self.whole.mean().to_vec(), Mat::zeros(dim, dim))?;
        let plain = |name: &str, conditional| Score { name: name.into(), conditional, ..Score::default() };
        let exact = Exact(self.benchmark);
        let few = first(&self.drawn_at, self.drawn_at.len().div_ceil(SHARE_WALKED))?;
        let walked = self.score("exact drift", &exact, self.conditional_by_draws(&exact, &few)?)?;
        Ok(vec![
            Score { floor: self.floor_at(&few)?, ..walked },
            Score { floor: self.floor, ..plain("exact sampler", self.floor) },
            plain(INDEPENDENT, of(&self.whole)?),
            plain("constant map", of(&constant)?),
        ])
    }
}

/// The first of `points`, at least one.
fn first(points: &Points, count: usize) -> Result<Points> {
    Ok(points.subset(&(0..count.max(1)).collect::<Vec<_>>())?)
}

fn rows(points: &Points) -> Tensor<2> {
    from_rows_f64(points.as_slice(), points.dim(), &Device::flex())
}

/// The bridge of the benchmark itself, walked along its drift.
struct Exact<'a>(&'a EntropicBenchmark);

impl Bridge for Exact<'_> {
    fn dim(&self) -> usize {
        self.0.dim()
    }

    /// # Panics
    /// Backward, which the benchmark does not know.
    fn drift(&self, direction: Direction, t: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        assert_eq!(direction, Direction::Forward, "the benchmark knows one direction");
        let [count, dim] = x.dims();
        let values = to_vec_f64(x.clone());
        let states = faer::MatRef::from_column_major_slice(&values, dim, count);
        let drift = self.0.drift(to_vec_f64(t)[0], states);
        let values: Vec<f64> = drift.col_iter().flat_map(|column| column.iter().copied()).collect();
        Tensor::from_data(TensorData::new(values, [count, dim]), (&x.device(), x.dtype()))
    }

    fn diffusion(&self, t: Tensor<1>) -> Tensor<1> {
        t.full_like(self.0.epsilon().sqrt())
    }
}

impl PairBridge for Exact<'_> {
    fn reference(&self) -> Box<dyn GaussianReference> {
        Box::new(Brownian::with_epsilon(self.0.epsilon()).expect("instances have a positive ε"))
    }

    fn transport(&self, direction: Direction, x: &Tensor<2>, rng: &mut Rng) -> Tensor<2> {
        endpoints(self, direction, x, &self.step_noise(direction), rng)
    }

    fn skeleton(&self, direction: Direction, x: &Tensor<2>, rng: &mut Rng) -> Vec<Tensor<2>> {
        sbridge::simulate::paths(self, direction, x, &self.step_noise(direction), rng)
    }

    fn step_noise(&self, _direction: Direction) -> StepNoise {
        StepNoise::of_reference(self.reference().as_ref(), EXACT_STEPS)
    }
}
