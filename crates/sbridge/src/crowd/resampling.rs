//! Paths that are drawn from Gaussian ones and weighted towards the optimal ones, which are not Gaussian.     \[GSBM, §3.3\]
//!
//! The law of the optimal path between two ends has the density exp(−∫V dt) by the pinned diffusion of the base drift. Paths
//! are drawn with the exact transitions of the Gaussian path q and have the weight
//!
//! ln w = ln N(x₁; x₀, σ²t₁) + Σ ln N(xₖ₊₁; xₖ + f dt, σ²dt) + ln N(end; x_K, σ²(1 − t_K)) − ln q(x₁) − Σ ln q(xₖ₊₁ | xₖ) − Σ V dt,
//!
//! so that without cost, on Brownian bridges, every path weighs the same.

use rayon::prelude::*;

use crate::crowd::descent::EDGE;
use crate::crowd::paths::Transition;
use crate::crowd::{Costs, Crowd, GaussianPaths, Mixture, Problem, squared_distance};
use crate::rng::Rng;

/// Paths of all pairs at stored times, with weights.
pub struct WeightedPaths {
    /// The times.
    pub times: Vec<f64>,
    /// `[pairs, times, paths, dim]`, in data units.
    pub states: Vec<f32>,
    /// Shares of the paths of each pair, `[pairs, paths]`.
    pub weights: Vec<f64>,
    /// Logarithms of the weights before they were shared out, `[pairs, paths]`.
    pub log_weights: Vec<f64>,
    /// Paths of a pair.
    pub paths: usize,
}

impl WeightedPaths {
    /// Paths that count, (Σw)²/Σw², as a share of all: the mean over pairs.
    pub fn effective_share(&self) -> f64 {
        let of = |weights: &[f64]| 1.0 / weights.iter().map(|w| w * w).sum::<f64>();
        let pairs = self.weights.chunks_exact(self.paths);
        let count = pairs.len() as f64;
        pairs.map(of).sum::<f64>() / (count * self.paths as f64)
    }

    /// The state of `pair` at the stored time `k` in a path that `share`, uniform on [0, 1), draws by the weights.
    pub fn drawn(&self, pair: usize, k: usize, share: f64, dim: usize) -> &[f32] {
        let weights = &self.weights[pair * self.paths..(pair + 1) * self.paths];
        let mut left = share;
        let path = weights.iter().position(|w| {
            left -= w;
            left < 0.0
        });
        let path = path.unwrap_or(self.paths - 1);
        let at = ((pair * self.times.len() + k) * self.paths + path) * dim;
        &self.states[at..at + dim]
    }
}

/// `count` paths of each pair of `paths` at `times` times, weighted for `problem`; pairs are each other's crowd `crowd` at a
/// time.
pub fn resampled(
    paths: &GaussianPaths,
    problem: &Problem,
    [count, times, crowd]: [usize; 3],
    rng: &Rng,
) -> WeightedPaths {
    let dt = (1.0 - 2.0 * EDGE) / (times - 1) as f64;
    let grid: Vec<f64> = (0..times).map(|k| EDGE + dt * k as f64).collect();
    let starts: Vec<usize> = (0..paths.pairs()).step_by(crowd).collect();
    let parts: Vec<(Vec<f32>, Vec<f64>)> = starts
        .into_par_iter()
        .map(|first| {
            let pairs = first..paths.pairs().min(first + crowd);
            let mut rng = rng.fork(&format!("crowd {}", first / crowd));
            Walk { paths, problem, count, grid: &grid, dt, pairs }.walked(&mut rng)
        })
        .collect();
    let (states, log_weights): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    let log_weights = log_weights.concat();
    let weights = log_weights.chunks_exact(count).flat_map(shares).collect();
    WeightedPaths { times: grid, states: states.concat(), weights, log_weights, paths: count }
}

/// Weights that add up to one; even ones where none is finite.
fn shares(logarithms: &[f64]) -> Vec<f64> {
    let most = logarithms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !most.is_finite() {
        return vec![1.0 / logarithms.len() as f64; logarithms.len()];
    }
    let weights: Vec<f64> = logarithms.iter().map(|w| (w - most).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|w| w / sum).collect()
}

struct Walk<'a> {
    paths: &'a GaussianPaths,
    problem: &'a Problem,
    count: usize,
    grid: &'a [f64],
    dt: f64,
    pairs: std::ops::Range<usize>,
}

impl Walk<'_> {
    /// States `[pairs, times, paths, dim]` and log-weights `[pairs, paths]`.
    fn walked(&self, rng: &mut Rng) -> (Vec<f32>, Vec<f64>) {
        let (dim, sigma) = (self.paths.dim(), self.paths.sigma);
        let (pairs, count, times) = (self.pairs.len(), self.count, self.grid.len());
        let (last, ln_step) = (times - 1, (sigma * sigma * self.dt).ln());
        let mut states = vec![0f32; pairs * times * count * dim];
        let (mut x, mut noise) = (vec![0.0; pairs * count * dim], vec![0f32; pairs * count * dim]);
        let (mut log_weights, mut f) = (vec![0.0; pairs * count], vec![0.0; dim]);
        let mut before: Vec<(Vec<f64>, f64)> = Vec::new();
        for (k, &t) in self.grid.iter().enumerate() {
            rng.fill_normal(&mut noise);
            let now: Vec<(Vec<f64>, f64)> =
                self.pairs.clone().map(|b| (self.paths.mean(b, t).0, self.paths.deviation(b, t))).collect();
            for b in 0..pairs {
                let pair = self.pairs.start + b;
                let (mean, deviation) = &now[b];
                let step = (k > 0).then(|| self.paths.transition(pair, self.grid[k - 1], t));
                for n in 0..count {
                    let row = (b * count + n) * dim..(b * count + n + 1) * dim;
                    let (z, state) = (&noise[row.clone()], &mut x[row]);
                    let squares: f64 = z.iter().map(|z| f64::from(*z).powi(2)).sum();
                    let log_weight = &mut log_weights[b * count + n];
                    match step {
                        None => {
                            for i in 0..dim {
                                state[i] = mean[i] + deviation * f64::from(z[i]);
                            }
                            let start = self.paths.end(pair, 0.0);
                            *log_weight += log_normal(squared_distance(state, start), sigma * sigma * t, dim)
                                - log_normal(deviation * deviation * squares, deviation * deviation, dim);
                        }
                        Some(Transition { factor, variance }) => {
                            let expected = self.expected(self.grid[k - 1], state, &mut f);
                            for i in 0..dim {
                                state[i] = mean[i]
                                    + factor * (state[i] - before[b].0[i])
                                    + variance.sqrt() * f64::from(z[i]);
                            }
                            let off = squared_distance(state, &expected) / (sigma * sigma * self.dt);
                            *log_weight +=
                                0.5 * (squares - off) + 0.5 * dim as f64 * (variance.ln() - ln_step);
                        }
                    }
                    if k == last {
                        let end = self.paths.end(pair, 1.0);
                        *log_weight +=
                            log_normal(squared_distance(state, end), sigma * sigma * (1.0 - t), dim);
                    }
                    let at = ((b * times + k) * count + n) * dim;
                    states[at..at + dim].iter_mut().zip(state.iter()).for_each(|(to, x)| *to = *x as f32);
                }
            }
            self.evaluate(t, &x, &now, &mut log_weights, rng);
            before = now;
        }
        (states, log_weights)
    }

    /// Where the base drift leads from `state` in a step.
    fn expected(&self, t: f64, state: &[f64], f: &mut [f64]) -> Vec<f64> {
        match &self.problem.base {
            None => state.to_vec(),
            Some(base) => {
                base.drift(t, state, f);
                state.iter().zip(f.iter()).map(|(x, f)| x + f * self.dt).collect()
            }
        }
    }

    fn evaluate(&self, t: f64, x: &[f64], now: &[(Vec<f64>, f64)], log_weights: &mut [f64], rng: &mut Rng) {
        let means: Vec<f64> = now.iter().flat_map(|(mean, _)| mean.iter().copied()).collect();
        let deviations: Vec<f64> = now.iter().map(|(_, deviation)| *deviation).collect();
        let law = Mixture { means: &means, deviations: &deviations };
        let (mut values, mut slopes) = (vec![0.0; log_weights.len()], vec![0.0; x.len()]);
        let crowd = Crowd { t, x, dim: self.paths.dim(), law };
        self.problem.cost.evaluate(&crowd, rng, &mut Costs { values: &mut values, slopes: &mut slopes });
        log_weights.iter_mut().zip(values).for_each(|(w, v)| *w -= v * self.dt);
    }
}

/// ln N(x; m, variance) by the squared distance of x from m.
fn log_normal(squared: f64, variance: f64, dim: usize) -> f64 {
    -0.5 * squared / variance - 0.5 * dim as f64 * (2.0 * std::f64::consts::PI * variance).ln()
}
