//! Matching of the paths on which pairs pay least: the drift along them, seen from a point on one.            \[GSBM\]
//!
//! v₊ ← μ′ + a₊(x − μ),   v₋ ← −μ′ + a₋(x − μ),   x ~ N(μₜ, γₜ² I), or drawn from weighted paths,
//!
//! in the mean over a step of length h, (E\[xₜ₊ₕ | xₜ, pair\] − xₜ)/h, so that the chain of steps keeps the marginals.
//!
//! A share of the examples lies farther out than paths do, with the drift of the mixture of paths as target, Σ w_b v_b(x) with
//! w_b ∝ N(x; μ_b, γ_b² I), so that what strays is led back.
//!
//! Ends and first paths come from the last half-bridge, simulated, and straight lines at first. Without a cost this is bridge
//! matching. As there, examples are weighted by the noise in their target, one over one plus ε t/(1−t) forward.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bridge::{Direction, PairBridge};
use crate::coupling::{Coupling as _, Independent, Pairs, drawn};
use crate::crowd::{BaseDrift, Descent, DescentSettings, GaussianPaths, Problem, WeightedPaths, resampled};
use crate::error::{Result, require_count};
use crate::objective::drift_regression::{Examples, Regression, Transition, rows_of_transition};
use crate::rng::Rng;
use crate::tensor::{DType, Device, Tensor, TensorData, from_rows_f64, to_vec_f64};

/// How the paths between pairs are found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PathSettings {
    /// The descent to Gaussian paths.
    pub descent: DescentSettings,
    /// Weighted paths of a pair that correct for what is not Gaussian, in [0, 10000]; 0, the default, does without.
    pub resampled: usize,
    /// Times at which they are kept, in [2, 10000]. Default 300.
    pub resampled_times: usize,
}

impl Default for PathSettings {
    fn default() -> Self {
        Self { descent: DescentSettings::default(), resampled: 0, resampled_times: 300 }
    }
}

impl PathSettings {
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a value outside its range.
    pub fn check(&self) -> Result<()> {
        require_count("resampled", self.resampled, 0..=10_000, "0, or 50 to 1000")?;
        if self.resampled > 0 {
            require_count("resampled_times", self.resampled_times, 2..=10_000, "300 is usual")?;
        }
        self.descent.check()
    }
}

/// Where pairs and their first paths come from.
#[allow(clippy::large_enum_variant)] // one of them is held
pub enum Walked {
    /// Independent samples of both ends, `[count, dim]`, along straight lines.
    Straight([Tensor<2>; 2]),
    /// Paths of a bridge in a direction from some starts, `[count, dim]`.
    Along(Arc<dyn PairBridge>, Direction, Tensor<2>),
}

/// Values of paths that are simulated at once.
const VALUES_AT_ONCE: usize = 1 << 24;

impl Walked {
    /// States of `count` paths at `knots` equal times from 0 to 1, `[count, knots, dim]`.
    fn states(&self, count: usize, knots: usize, rng: &mut Rng) -> Vec<f64> {
        match self {
            Self::Straight([source, target]) => {
                let independent = Independent { source: source.clone(), target: target.clone() };
                let Pairs { x0, x1 } = independent.pairs(count, rng);
                states_at_knots(&[x0, x1], knots, Direction::Forward)
            }
            Self::Along(bridge, direction, starts) => {
                let starts = drawn(starts, count, rng);
                let of_path = starts.dims()[1] * (bridge.step_noise(*direction).steps() + 1);
                let blocks = starts.split((VALUES_AT_ONCE / of_path).max(1), 0).into_iter();
                let states = |block| bridge.skeleton(*direction, &block, rng);
                let walked =
                    blocks.map(states).flat_map(|states| states_at_knots(&states, knots, *direction));
                let mut walked: Vec<f64> = walked.collect();
                let dim = walked.len() / (count * knots);
                let end = if *direction == Direction::Forward { knots - 1 } else { 0 };
                replace_strays(&mut walked, knots * dim, end * dim..(end + 1) * dim);
                walked
            }
        }
    }
}

/// Quartile distances beyond the quartiles at which an end is that of a path that strayed.
const STRAYED: f64 = 10.0;

/// Puts the next path that did not stray in the place of each that did, by its `end`; `size` values of a path.
fn replace_strays(paths: &mut [f64], size: usize, end: Range<usize>) {
    let mut has_strayed = vec![false; paths.len() / size];
    for k in end {
        let mut sorted: Vec<f64> = paths.iter().skip(k).step_by(size).copied().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let [low, high] = [sorted[sorted.len() / 4], sorted[3 * sorted.len() / 4]];
        let room = STRAYED * (high - low);
        for (path, strayed) in paths.chunks_exact(size).zip(&mut has_strayed) {
            let is_near = path[k] >= low - room && path[k] <= high + room;
            *strayed |= !is_near || path.iter().any(|x| !x.is_finite());
        }
    }
    let Some(mut kept) = has_strayed.iter().rposition(|strayed| !strayed) else { return };
    for path in (0..has_strayed.len()).rev() {
        match has_strayed[path] {
            true => paths.copy_within(kept * size..(kept + 1) * size, path * size),
            false => kept = path,
        }
    }
}

/// States at equal times in the clock of `direction`, `[count, dim]` each, as `[count, knots, dim]` forward in time.
fn states_at_knots(states: &[Tensor<2>], knots: usize, direction: Direction) -> Vec<f64> {
    let [count, dim] = states[0].dims();
    let last = states.len() - 1;
    let mut result = vec![0.0; count * knots * dim];
    for knot in 0..knots {
        let elapsed = direction.time(knot as f64 / (knots - 1) as f64) * last as f64;
        let step = (elapsed as usize).min(last.saturating_sub(1));
        let share = elapsed - step as f64;
        let at = states[step].clone() * (1.0 - share) + states[(step + 1).min(last)].clone() * share;
        for (row, state) in to_vec_f64(at).chunks_exact(dim).enumerate() {
            let place = (row * knots + knot) * dim;
            result[place..place + dim].copy_from_slice(state);
        }
    }
    result
}

/// Points on the paths of pairs, and the drift there.
pub struct ConditionalMatching {
    walked: Walked,
    problem: Problem,
    epsilon: f64,
    scale: f64,
    settings: PathSettings,
    direction: Direction,
    steps: usize,
    count: usize,
    uses: usize,
    place: (Device, DType),
    generation: Option<Generation>,
}

struct Generation {
    paths: GaussianPaths,
    weighted: Option<WeightedPaths>,
}

/// How near to its ends a path is asked for.
const EDGE: f64 = 1e-4;

/// One of so many examples lies farther out, by as many deviations of its path, beside as many paths.
const OUTLYING: usize = 16;
const FARTHER: f64 = 4.0;
const BESIDE: usize = 256;

impl ConditionalMatching {
    /// Examples of the drift of `direction`, which will be walked in `steps` steps, on paths of variance ε = `epsilon` of
    /// least cost in `problem`, between `count` pairs, each used `uses` times; a length of one is `scale` in data units.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for settings out of range.
    pub fn new(
        walked: Walked,
        problem: Problem,
        (epsilon, scale): (f64, f64),
        settings: PathSettings,
        (direction, steps): (Direction, usize),
        (count, uses): (usize, usize),
    ) -> Result<Self> {
        settings.check()?;
        let like = match &walked {
            Walked::Straight([source, _]) => source,
            Walked::Along(_, _, starts) => starts,
        };
        let place = (like.device(), like.dtype());
        Ok(Self {
            walked,
            problem,
            epsilon,
            scale,
            settings,
            direction,
            steps,
            count,
            uses,
            place,
            generation: None,
        })
    }

    fn generation(&self) -> &Generation {
        self.generation.as_ref().expect("a generation is made before its examples are asked for")
    }

    /// The base drift where the crowd is at `states`, `[count, knots, dim]`.
    fn base(&self, states: &[f64], knots: usize, dim: usize) -> Option<Arc<dyn BaseDrift>> {
        let base = self.problem.base.as_ref()?;
        let at = |knot: usize| {
            let rows = states.chunks_exact(dim).skip(knot).step_by(knots);
            rows.flatten().copied().collect::<Vec<f64>>()
        };
        let crowd: Vec<Vec<f64>> = (0..knots).map(at).collect();
        base.given(&crowd).or_else(|| Some(base.clone()))
    }

    fn tensor(&self, rows: &[f64], dim: usize) -> Tensor<2> {
        let (device, dtype) = &self.place;
        from_rows_f64(rows, dim, device).cast(*dtype)
    }

    fn times(&self, times: Vec<f64>) -> Tensor<1> {
        let count = times.len();
        Tensor::from_data(TensorData::new(times, [count]), (&self.place.0, self.place.1))
    }

    /// One over one plus the noise of a target at time `t`.
    fn weight(&self, t: f64) -> f64 {
        let left = (t - self.direction.ends()[1]).abs();
        left / (left + self.epsilon * (1.0 - left))
    }

    /// The mean over the next step of the drift at `x` on the path of `pair`, into `out`; both `[dim]`. The noise of the step.
    fn step_mean(&self, pair: usize, t: f64, x: &[f64], out: &mut [f64]) -> f64 {
        let (paths, h) = (&self.generation().paths, 1.0 / self.steps as f64);
        let (next, transition) = match self.direction {
            Direction::Forward => {
                let next = (t + h).min(1.0);
                (next, paths.transition(pair, t, next))
            }
            Direction::Backward => {
                let next = (t - h).max(0.0);
                (next, paths.transition_back(pair, t, next))
            }
        };
        let (here, there) = (paths.mean(pair, t).0, paths.mean(pair, next).0);
        for (k, out) in out.iter_mut().enumerate() {
            *out = (there[k] + transition.factor * (x[k] - here[k]) - x[k]) / (next - t).abs();
        }
        transition.variance
    }

    /// The same of the mixture of the paths from `pair` on.
    fn mixture_mean(&self, pair: usize, t: f64, x: &[f64], out: &mut [f64]) {
        let paths = &self.generation().paths;
        let beside: Vec<usize> = (0..BESIDE.min(self.count)).map(|k| (pair + k) % self.count).collect();
        let log_share = |b: &usize| {
            let (mean, deviation) = (paths.mean(*b, t).0, paths.deviation(*b, t));
            let squared: f64 = x.iter().zip(&mean).map(|(x, m)| (x - m).powi(2)).sum();
            -0.5 * squared / deviation.powi(2) - x.len() as f64 * deviation.ln()
        };
        let log_shares: Vec<f64> = beside.iter().map(log_share).collect();
        let most = log_shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (mut total, mut one) = (0.0, vec![0.0; out.len()]);
        out.fill(0.0);
        for (b, log_share) in beside.iter().zip(log_shares) {
            // Less would not be seen in f32.
            if log_share < most - 16.0 {
                continue;
            }
            let share = (log_share - most).exp();
            self.step_mean(*b, t, x, &mut one);
            out.iter_mut().zip(&one).for_each(|(sum, v)| *sum += share * v);
            total += share;
        }
        out.iter_mut().for_each(|sum| *sum /= total);
    }

    /// Points of the paths `pairs` at `times`, and the drift there.
    fn on_paths(&self, pairs: Range<usize>, times: Vec<f64>, rng: &mut Rng) -> Regression {
        let Generation { paths, weighted } = self.generation();
        let dim = paths.dim();
        let mut noise = vec![0f32; pairs.len() * dim];
        rng.fill_normal(&mut noise);
        let shares = weighted.as_ref().map(|_| rng.uniform(pairs.len(), 0.0, 1.0));
        let (mut states, mut targets) = (vec![0.0; noise.len()], vec![0.0; noise.len()]);
        let mut times = times;
        for (i, pair) in pairs.enumerate() {
            let is_outlying = weighted.is_none() && i % OUTLYING == OUTLYING - 1;
            let row = i * dim..(i + 1) * dim;
            let x = &mut states[row.clone()];
            match (weighted, &shares) {
                (Some(weighted), Some(shares)) => {
                    let last = (weighted.times.len() - 1) as f64;
                    let k = (times[i] * last).round() as usize;
                    times[i] = weighted.times[k];
                    let state = weighted.drawn(pair, k, shares[i], dim);
                    x.iter_mut().zip(state).for_each(|(x, state)| *x = f64::from(*state));
                }
                _ => {
                    let (mean, deviation) = (paths.mean(pair, times[i]).0, paths.deviation(pair, times[i]));
                    for ((x, m), z) in x.iter_mut().zip(&mean).zip(&noise[row.clone()]) {
                        let farther = if is_outlying { FARTHER } else { 1.0 };
                        *x = m + farther * deviation * f64::from(*z);
                    }
                }
            }
            match is_outlying {
                true => self.mixture_mean(pair, times[i], x, &mut targets[row]),
                false => {
                    self.step_mean(pair, times[i], x, &mut targets[row]);
                }
            }
        }
        let weight = times.iter().map(|t| self.weight(*t)).collect();
        Regression {
            t: self.times(times),
            x: self.tensor(&states, dim),
            target: self.tensor(&targets, dim),
            weight: self.times(weight),
        }
    }
}

impl Examples for ConditionalMatching {
    fn count(&self) -> usize {
        self.count * self.uses
    }

    fn renew(&mut self, rng: &mut Rng) {
        let PathSettings { descent, resampled: paths_of_pair, resampled_times } = &self.settings;
        let [knots, _] = descent.knots();
        let states = self.walked.states(self.count, knots, &mut rng.fork("walk"));
        let dim = states.len() / (self.count * knots);
        let problem = Problem { base: self.base(&states, knots, dim), ..self.problem.clone() };
        let paths = GaussianPaths::through(states, dim, descent.knots(), self.epsilon.sqrt());
        let descent = Descent::new(descent, &problem, self.scale).expect("settings were checked");
        let (paths, _) = descent.minimise(paths, &rng.fork("descent"));
        let weighted = (*paths_of_pair > 0).then(|| {
            let sizes = [*paths_of_pair, *resampled_times, self.settings.descent.crowd];
            resampled(&paths, &problem, sizes, &rng.fork("weighted"))
        });
        self.generation = Some(Generation { paths, weighted });
    }

    fn is_costly(&self) -> bool {
        true
    }

    fn regression(&self, rows: Range<usize>, rng: &mut Rng) -> Regression {
        let (first, count) = (rows.start % self.count, rows.len());
        // No path asks for the drift later than one step before its end.
        let elapsed = rng.uniform(count, EDGE, 1.0 - 0.5 / self.steps as f64);
        let times = elapsed.into_iter().map(|s| self.direction.time(s)).collect();
        self.on_paths(first..first + count, times, rng)
    }

    /// The noise of a step is its mean over pairs.
    fn transition(&self, step: usize, rng: &mut Rng) -> Transition {
        let paths = &self.generation().paths;
        let (dim, count) = (paths.dim(), rows_of_transition(self.count, paths.dim()));
        let now = self.direction.time(step as f64 / self.steps as f64);
        let mut noise = vec![0f32; count * dim];
        rng.fill_normal(&mut noise);
        let (mut states, mut targets, mut variance) = (vec![0.0; count * dim], vec![0.0; count * dim], 0.0);
        for pair in 0..count {
            let (row, mean) = (pair * dim..(pair + 1) * dim, paths.mean(pair, now).0);
            let (deviation, x) = (paths.deviation(pair, now), &mut states[row.clone()]);
            for ((x, m), z) in x.iter_mut().zip(&mean).zip(&noise[row.clone()]) {
                *x = m + deviation * f64::from(*z);
            }
            variance += self.step_mean(pair, now, x, &mut targets[row]) / count as f64;
        }
        let examples = Regression {
            t: self.times(vec![now; count]),
            x: self.tensor(&states, dim),
            target: self.tensor(&targets, dim),
            weight: self.times(vec![1.0; count]),
        };
        Transition { examples, bridge_variance: variance }
    }
}
