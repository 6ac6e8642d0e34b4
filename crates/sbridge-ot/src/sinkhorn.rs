//! Entropic optimal transport by Sinkhorn's iteration in the log domain.
//!
//! min_π ⟨½‖x−y‖², π⟩ + ε KL(π ‖ a⊗b), through its dual potentials                                           \[Cut13\]
//!
//! fᵢ ← −ε LSEⱼ[(gⱼ − cᵢⱼ)/ε + ln bⱼ],   gⱼ ← −ε LSEᵢ[(fᵢ − cᵢⱼ)/ε + ln aᵢ],   πᵢⱼ = aᵢ bⱼ e^{(fᵢ + gⱼ − cᵢⱼ)/ε}
//!
//! Costs are recomputed block by block, never stored: O(n·m) time per sweep, O(n + m) memory. The potentials start
//! from one sweep at each of a falling sequence of ε \[Sch19\], for many points from those of a part of them. Updates
//! overshoot by a factor learned from the error (see the module `relaxation`), which takes about the square root of
//! the number of sweeps where ε is small.
//!
//! Tests: tabulated plans; the Gaussian closed form on a grid; exact assignment as ε → 0; marginals.

use rayon::prelude::*;

use crate::error::{OtError, Result, require_positive, require_same_dim};
use crate::exp::exp;
use crate::pairwise::{Columns, Cost, HalfSquare};
use crate::points::Points;
use crate::relaxation::Relaxation;
use crate::simd::{LANES, greater, sum, vectorised};

/// Factor between successive values of ε in the start-up sequence.
const ANNEALING: f64 = 0.5;

/// When one of that sequence is left for the next.
const ANNEALING_STOP: Stop = Stop { error: 1e-2, sweeps: 50 };

/// Points of a cloud that is solved first to start a larger one.
const COARSE: usize = 1000;

/// Marginal error at which the start is near enough, and sweeps after which it has to be.
const COARSE_TOLERANCE: f64 = 1e-3;
const COARSE_SWEEPS: usize = 200;

/// The largest cost in units of ε: potentials are of its size, and known to a few units in the sixteenth digit.
const MAX_COST_OVER_EPSILON: f64 = 1e12;

/// When to stop, and the problem's one parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct SinkhornSettings {
    /// Entropic regularisation ε > 0 for the cost ½‖x−y‖²; default 1. A Brownian reference σW means ε = σ².
    pub epsilon: f64,
    /// Stop when the marginals are wrong by at most this in total, ‖π1 − a‖₁ (the other side is exact); default 10⁻⁹, > 0.
    pub tolerance: f64,
    /// Sweeps at the final ε after which to give up; default 1000, at least 1.
    pub max_iterations: usize,
}

impl Default for SinkhornSettings {
    fn default() -> Self {
        Self { epsilon: 1.0, tolerance: 1e-9, max_iterations: 1000 }
    }
}

/// An entropic plan, held as its potentials.
#[derive(Debug, Clone)]
pub struct SinkhornPlan<'a> {
    /// Potential of the source points, `[n]`.
    pub f: Vec<f64>,
    /// Potential of the target points, `[m]`.
    pub g: Vec<f64>,
    /// Dual value Σaf + Σbg: the entropic transport value.
    pub value: f64,
    /// ⟨½‖x−y‖², π⟩.
    pub transport_cost: f64,
    /// L1 error of the source marginal; the target marginal is exact.
    pub marginal_error: f64,
    /// Sweeps at the final ε.
    pub iterations: usize,
    /// Whether `marginal_error` reached the tolerance.
    pub converged: bool,
    problem: Problem<'a>,
}

impl SinkhornPlan<'_> {
    /// What the value may be off by, about: the error of the marginals times the range of the potentials, and rounding.
    pub fn resolution(&self) -> f64 {
        resolution(self.marginal_error, &self.f, &self.g)
    }

    /// Row `i` of the plan, `[m]`; it sums to the weight of point `i` up to the marginal error.
    ///
    /// # Panics
    /// If `i` is out of range.
    pub fn row(&self, i: usize) -> Vec<f64> {
        let Problem { x, y, a, b, epsilon } = &self.problem;
        let mass = |(j, point): (usize, &[f64])| {
            let cost = 0.5 * x.row(i).iter().zip(point).map(|(p, q)| (p - q) * (p - q)).sum::<f64>();
            a[i] * b[j] * ((self.f[i] + self.g[j] - cost) / epsilon).exp()
        };
        y.rows().enumerate().map(mass).collect()
    }
}

/// The entropic plan between two clouds of uniform weight.
///
/// Not converging within `max_iterations` is no error: see [`SinkhornPlan::converged`].
///
/// # Errors
/// If the dimensions differ or a setting is out of range; also if ε is too small beside the costs to compute with.
pub fn sinkhorn<'a>(x: &'a Points, y: &'a Points, settings: &SinkhornSettings) -> Result<SinkhornPlan<'a>> {
    let uniform = |points: &Points| vec![1.0 / points.len() as f64; points.len()];
    sinkhorn_weighted(x, y, &uniform(x), &uniform(y), settings)
}

/// The entropic plan between two weighted clouds.
///
/// # Shapes
/// `a`: `[n]` weights of `x`; `b`: `[m]` weights of `y`.
///
/// # Errors
/// As [`sinkhorn`]; also if weights are negative, of the wrong number, or do not sum to 1 within 10⁻⁶.
pub fn sinkhorn_weighted<'a>(
    x: &'a Points,
    y: &'a Points,
    a: &[f64],
    b: &[f64],
    settings: &SinkhornSettings,
) -> Result<SinkhornPlan<'a>> {
    check(x, y, settings)?;
    let problem = Problem {
        x,
        y,
        a: normalised("a", a, x.len())?,
        b: normalised("b", b, y.len())?,
        epsilon: settings.epsilon,
    };
    Ok(problem.solve(settings).0)
}

pub(crate) fn check(x: &Points, y: &Points, settings: &SinkhornSettings) -> Result<()> {
    require_same_dim(x.dim(), y.dim())?;
    require_positive("epsilon", settings.epsilon, " (for ε = 0 use optimal_matching)")?;
    require_positive("tolerance", settings.tolerance, " (the default is 1e-9)")?;
    if settings.max_iterations == 0 {
        return Err(OtError::Setting {
            name: "max_iterations",
            requirement: "at least 1",
            value: 0.0,
            fix: "",
        });
    }
    if largest_cost(x, y) > MAX_COST_OVER_EPSILON * settings.epsilon {
        return Err(OtError::Setting {
            name: "epsilon",
            requirement: "at least a trillionth of the largest cost, or rounding hides the plan",
            value: settings.epsilon,
            fix: " (smaller is exact transport, which sbridge ot --exact and optimal_matching find)",
        });
    }
    Ok(())
}

/// Check weights and remove their rounding.
pub(crate) fn normalised(what: &'static str, weights: &[f64], expected: usize) -> Result<Vec<f64>> {
    if weights.len() != expected {
        return Err(OtError::Length { what, expected, got: weights.len() });
    }
    if let Some(i) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
        return Err(OtError::Weights { what, problem: format!("but weight {i} is {}", weights[i]) });
    }
    let total = sum(weights);
    if (total - 1.0).abs() > 1e-6 {
        return Err(OtError::Weights { what, problem: format!("but sum to {total}") });
    }
    Ok(weights.iter().map(|w| w / total).collect())
}

/// What a dual value may be off by, about.
pub(crate) fn resolution(marginal_error: f64, f: &[f64], g: &[f64]) -> f64 {
    /// Roundings of potentials and of their sums.
    const ROUNDING: f64 = 1e-14;
    let ends =
        |h: &[f64]| h.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(*x), b.max(*x)));
    let ((least_f, most_f), (least_g, most_g)) = (ends(f), ends(g));
    let size = [least_f, most_f, least_g, most_g].into_iter().fold(0.0, |size, x: f64| x.abs().max(size));
    marginal_error * (most_f - least_f).max(most_g - least_g) + ROUNDING * size
}

/// Where the iteration starts.
struct Start {
    /// Potential of the target points.
    g: Vec<f64>,
    /// Over-relaxation factor.
    omega: f64,
}

/// Where it ends at one ε.
struct Swept {
    f: Vec<f64>,
    g: Vec<f64>,
    /// L1 error of the source marginal.
    error: f64,
    sweeps: usize,
    /// The over-relaxation factor that was learned on the way.
    omega: f64,
}

/// When sweeps at one ε end: at this error, or after so many.
#[derive(Clone, Copy)]
struct Stop {
    error: f64,
    sweeps: usize,
}

/// Two weighted clouds and ε.
#[derive(Debug, Clone)]
struct Problem<'a> {
    x: &'a Points,
    y: &'a Points,
    a: Vec<f64>,
    b: Vec<f64>,
    epsilon: f64,
}

impl<'a> Problem<'a> {
    /// The plan, and the over-relaxation factor that was learned on the way.
    fn solve(self, settings: &SinkhornSettings) -> (SinkhornPlan<'a>, f64) {
        let (to_x, to_y) = (Columns::new(self.x), Columns::new(self.y));
        let start = self.start(&to_x, &to_y);
        let stop = Stop { error: settings.tolerance, sweeps: settings.max_iterations };
        let Swept { f, g, error, sweeps, omega } = self.sweep(start, self.epsilon, stop, (&to_x, &to_y));
        let value = self.expectation(&self.a, &f) + self.expectation(&self.b, &g);
        let transport_cost = self.transport_cost(&to_y, &f, &g);
        let plan = SinkhornPlan {
            f,
            g,
            value,
            transport_cost,
            marginal_error: error,
            iterations: sweeps,
            converged: error <= settings.tolerance,
            problem: self,
        };
        (plan, omega)
    }

    /// Sweeps at one ε.
    fn sweep(&self, start: Start, epsilon: f64, stop: Stop, (to_x, to_y): (&Columns, &Columns)) -> Swept {
        let update_f = |g: &[f64]| soft_minimum::<HalfSquare>(self.x, to_y, g, &self.b, epsilon);
        let update_g = |f: &[f64]| soft_minimum::<HalfSquare>(self.y, to_x, f, &self.a, epsilon);
        let mut f = update_f(&start.g);
        let mut g = update_g(&f);
        let mut relaxation = Relaxation::new(start.omega);
        let (mut sweeps, mut omega) = (1, 1.0);
        let error = loop {
            let next = update_f(&g);
            let error = self.source_marginal_error(&f, &next, epsilon);
            // Only a plain sweep leaves the target marginal exact, so the last sweep is always plain.
            let is_near = error <= stop.error;
            if omega == 1.0 && (is_near || sweeps >= stop.sweeps) {
                break error;
            }
            relaxation.observe(error);
            sweeps += 1;
            omega = if is_near || sweeps >= stop.sweeps { 1.0 } else { relaxation.omega() };
            over_relax(&mut f, &next, omega);
            over_relax(&mut g, &update_g(&f), omega);
        };
        Swept { f, g, error, sweeps, omega: relaxation.omega() }
    }

    /// The potential g to start from: that of a small part of both clouds, which solves most of the problem in a
    /// hundredth of the time, or for small clouds that of a falling sequence of ε.
    fn start(&self, to_x: &Columns, to_y: &Columns) -> Start {
        if let (Some((x, a)), Some((y, b))) = (subsample(self.x, &self.a), subsample(self.y, &self.b)) {
            let coarse = Problem { x: &x, y: &y, a: a.clone(), b, epsilon: self.epsilon };
            let settings = SinkhornSettings {
                epsilon: self.epsilon,
                tolerance: COARSE_TOLERANCE,
                max_iterations: COARSE_SWEEPS,
            };
            let (plan, omega) = coarse.solve(&settings);
            let g = soft_minimum::<HalfSquare>(self.y, &Columns::new(&x), &plan.f, &a, self.epsilon);
            return Start { g, omega };
        }
        self.annealed((to_x, to_y))
    }

    /// The potential at the end of a falling sequence of ε, carried on to the last along the line through the two before:
    /// as ε → 0, potentials are linear in it but for what is exponentially small.
    fn annealed(&self, columns: (&Columns, &Columns)) -> Start {
        let mut start = Start { g: vec![0.0; self.y.len()], omega: 1.0 };
        let mut before: Option<(f64, Vec<f64>)> = None;
        for epsilon in annealing(largest_cost(self.x, self.y), self.epsilon) {
            let next = (ANNEALING * epsilon).max(self.epsilon);
            let Swept { g, omega, .. } = self.sweep(start, epsilon, ANNEALING_STOP, columns);
            let ahead = match &before {
                Some((earlier, h)) => {
                    let share = (epsilon - next) / (earlier - epsilon);
                    g.iter().zip(h).map(|(g, h)| g + share * (g - h)).collect()
                }
                None => g.clone(),
            };
            before = Some((epsilon, g));
            start = Start { g: ahead, omega };
        }
        start
    }

    /// ‖π1 − a‖₁: the next update f' of f says that row i holds aᵢ e^{(fᵢ − f'ᵢ)/ε}.
    fn source_marginal_error(&self, f: &[f64], next: &[f64], epsilon: f64) -> f64 {
        let excess = f.iter().zip(next).map(|(now, next)| ((now - next) / epsilon).exp_m1().abs());
        self.a.iter().zip(excess).map(|(a, excess)| a * excess).sum()
    }

    /// Σ wᵢ hᵢ.
    fn expectation(&self, weights: &[f64], values: &[f64]) -> f64 {
        weights.iter().zip(values).map(|(w, h)| w * h).sum()
    }

    /// ⟨c, π⟩ by one more pass over the costs.
    fn transport_cost(&self, to_y: &Columns, f: &[f64], g: &[f64]) -> f64 {
        mean_cost::<HalfSquare>((self.x, f, &self.a), (to_y, g, &self.b), self.epsilon)
    }
}

/// Points at even strides with their share of the weight, if a cloud is large enough to be worth it.
fn subsample(points: &Points, weights: &[f64]) -> Option<(Points, Vec<f64>)> {
    if points.len() < 2 * COARSE {
        return None;
    }
    let chosen: Vec<usize> = (0..COARSE).map(|i| i * points.len() / COARSE).collect();
    let total: f64 = chosen.iter().map(|&i| weights[i]).sum();
    let shares = chosen.iter().map(|&i| weights[i] / total).collect();
    (total > 0.0).then(|| (points.subset(&chosen).expect("indices in range"), shares))
}

/// A bound on ½‖x−y‖², from the box around both clouds.
pub(crate) fn largest_cost(x: &Points, y: &Points) -> f64 {
    let extent = |k: usize| {
        let coordinates = x.rows().chain(y.rows()).map(|row| row[k]);
        let (least, most) = coordinates
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), x| (least.min(x), most.max(x)));
        most - least
    };
    0.5 * (0..x.dim()).map(|k| extent(k).powi(2)).sum::<f64>()
}

/// h ← h + ω (next − h).
fn over_relax(h: &mut [f64], next: &[f64], omega: f64) {
    for (h, next) in h.iter_mut().zip(next) {
        // Written so that ω = 1 returns `next` to the bit.
        *h = *next + (omega - 1.0) * (*next - *h);
    }
}

/// ε falling from the largest cost to just above its final value.
pub(crate) fn annealing(largest: f64, last: f64) -> impl Iterator<Item = f64> {
    std::iter::successors(Some(largest), |epsilon| Some(epsilon * ANNEALING))
        .take_while(move |epsilon| *epsilon > last)
}

/// hⱼ/ε + ln wⱼ: what does not depend on the row.
fn dual_bias(h: &[f64], weights: &[f64], epsilon: f64) -> Vec<f64> {
    h.iter().zip(weights).map(|(h, w)| h / epsilon + w.ln()).collect()
}

/// −ε LSEⱼ[(hⱼ − cᵢⱼ)/ε + ln wⱼ] for every row i.
pub(crate) fn soft_minimum<C: Cost>(
    rows: &Points,
    columns: &Columns,
    h: &[f64],
    weights: &[f64],
    epsilon: f64,
) -> Vec<f64> {
    let bias = dual_bias(h, weights, epsilon);
    let row = |i: usize| {
        vectorised(
            #[inline(always)]
            || -epsilon * log_sum_exp::<C>(columns, rows.row(i), &bias, epsilon),
        )
    };
    (0..rows.len()).into_par_iter().map(row).collect()
}

/// Σ cᵢⱼ πᵢⱼ of the plan of these points, their potentials and weights.
pub(crate) fn mean_cost<C: Cost>(
    (x, f, a): (&Points, &[f64], &[f64]),
    (to_y, g, b): (&Columns, &[f64], &[f64]),
    epsilon: f64,
) -> f64 {
    let bias = dual_bias(g, b, epsilon);
    let row = |i: usize| {
        vectorised(
            #[inline(always)]
            || a[i] * expected_cost::<C>(to_y, x.row(i), &bias, f[i] / epsilon, epsilon),
        )
    };
    let rows: Vec<f64> = (0..x.len()).into_par_iter().map(row).collect();
    sum(&rows)
}

/// LSEⱼ[biasⱼ − cⱼ/ε], in one pass with a running maximum.
#[inline(always)]
fn log_sum_exp<C: Cost>(columns: &Columns, x: &[f64], bias: &[f64], epsilon: f64) -> f64 {
    let scale = -1.0 / epsilon;
    let (mut most, mut total) = (f64::NEG_INFINITY, 0.0);
    columns.for_each_block(
        x,
        columns.len(),
        #[inline(always)]
        |first, block| {
            for (score, bias) in block.iter_mut().zip(&bias[first..]) {
                *score = bias + C::of(*score) * scale;
            }
            let block_most = maximum(block);
            if block_most > most {
                total *= exp(most - block_most);
                most = block_most;
            }
            // A block of weight zero has only −∞ and adds nothing.
            if block_most > f64::NEG_INFINITY {
                for score in block.iter_mut() {
                    *score = exp(*score - most);
                }
                total += sum(block);
            }
        },
    );
    most + total.ln()
}

/// Σⱼ cⱼ e^{offset + biasⱼ − cⱼ/ε}.
#[inline(always)]
fn expected_cost<C: Cost>(columns: &Columns, x: &[f64], bias: &[f64], offset: f64, epsilon: f64) -> f64 {
    let mut total = 0.0;
    columns.for_each_block(
        x,
        columns.len(),
        #[inline(always)]
        |first, block| {
            for (d, bias) in block.iter_mut().zip(&bias[first..]) {
                let cost = C::of(*d);
                *d = cost * exp(offset + bias - cost / epsilon);
            }
            total += sum(block);
        },
    );
    total
}

/// Largest value over fixed lanes.
#[inline(always)]
fn maximum(values: &[f64]) -> f64 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [f64::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = greater(*value, *lane);
        }
    }
    lanes.iter().chain(rest).fold(f64::NEG_INFINITY, |most, x| greater(*x, most))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::bridge::GaussianBridge;
    use crate::gaussian::Gaussian;
    use crate::wasserstein::optimal_matching;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// Tables are printed to six digits.
    const TABLE: f64 = 6e-7;

    fn line(data: &[f64]) -> Points {
        Points::new(data.to_vec(), 1).unwrap()
    }

    fn at(epsilon: f64) -> SinkhornSettings {
        SinkhornSettings { epsilon, ..Default::default() }
    }

    fn normal(n: usize, seed: u64) -> Points {
        let law = Gaussian::isotropic(vec![0.0, 0.0], 1.0).unwrap();
        law.sample(n, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap()
    }

    #[test]
    fn the_uniform_two_point_plan_is_logistic() {
        let points = line(&[0.0, 1.0]);
        for (epsilon, expected) in [(1.0, 0.311230), (0.5, 0.365529), (0.1, 0.496654)] {
            let plan = sinkhorn(&points, &points, &at(epsilon)).unwrap();
            assert!(plan.converged);
            assert!((plan.row(0)[0] - expected).abs() < TABLE);
            assert!((plan.row(1)[1] - expected).abs() < TABLE);
        }
    }

    #[test]
    fn weighted_two_point_plans_match_the_table() {
        let points = line(&[0.0, 1.0]);
        for (epsilon, corner, value) in [(1.0, 0.226879, 0.245853), (0.5, 0.262018, 0.225110)] {
            let plan = sinkhorn_weighted(&points, &points, &[0.3, 0.7], &[0.6, 0.4], &at(epsilon)).unwrap();
            assert!((plan.row(0)[0] - corner).abs() < TABLE);
            assert!((plan.value - value).abs() < TABLE);
        }
        let cold = sinkhorn_weighted(&points, &points, &[0.3, 0.7], &[0.6, 0.4], &at(0.1)).unwrap();
        assert!((cold.value - 0.169496).abs() < TABLE);
    }

    #[test]
    fn a_rectangular_plan_matches_the_table() {
        let (x, y) = (line(&[-1.0, 0.0, 2.0]), line(&[0.0, 1.0, 1.5, 3.0]));
        let (a, b) = ([0.2, 0.5, 0.3], [0.1, 0.4, 0.2, 0.3]);
        for (epsilon, value, cost) in [(1.0, 1.350223, 1.034724), (0.1, 0.855426, 0.775237)] {
            // At ε = 0.1 the plan nearly splits into blocks: a plain sweep shrinks the error by a factor 1 − 10⁻⁶.
            // The values there are from Newton's method on the dual.
            let settings = SinkhornSettings { max_iterations: 20_000, ..at(epsilon) };
            let plan = sinkhorn_weighted(&x, &y, &a, &b, &settings).unwrap();
            assert!(plan.converged);
            assert!((plan.value - value).abs() < TABLE);
            assert!((plan.transport_cost - cost).abs() < TABLE);
        }
        let plan = sinkhorn_weighted(&x, &y, &a, &b, &at(1.0)).unwrap();
        for (mass, expected) in plan.row(0).iter().zip([0.052700, 0.110518, 0.033858, 0.002924]) {
            assert!((mass - expected).abs() < TABLE);
        }
    }

    #[test]
    fn a_fine_grid_recovers_the_gaussian_closed_form() {
        let grid: Vec<f64> = (0..241).map(|i| -6.0 + 0.05 * f64::from(i)).collect();
        let density: Vec<f64> = grid.iter().map(|x| (-0.5 * x * x).exp()).collect();
        let total: f64 = density.iter().sum();
        let weights: Vec<f64> = density.iter().map(|d| d / total).collect();
        let points = line(&grid);
        let law = Gaussian::isotropic(vec![0.0], 1.0).unwrap();
        for epsilon in [1.0, 0.1] {
            let plan = sinkhorn_weighted(&points, &points, &weights, &weights, &at(epsilon)).unwrap();
            let row_moment = |i: usize| plan.row(i).iter().zip(&grid).map(|(mass, y)| mass * y).sum::<f64>();
            let covariance: f64 = grid.iter().enumerate().map(|(i, x)| x * row_moment(i)).sum();
            let bridge = GaussianBridge::new(&law, &law, epsilon).unwrap();
            // Cutting at six standard deviations loses 2e-9 of mass, 7e-8 of variance; the grid itself is exact.
            assert!((covariance - bridge.cross_covariance()[(0, 0)]).abs() < 2e-7);
            assert!((plan.value - bridge.value().unwrap()).abs() < 2e-7);
        }
    }

    #[test]
    fn small_epsilon_approaches_the_exact_matching() {
        let (x, y) = (normal(30, 1), normal(30, 2));
        let exact = 0.5 * optimal_matching(&x, &y).unwrap().cost / 30.0;
        let settings = SinkhornSettings { epsilon: 0.01, tolerance: 1e-4, max_iterations: 5000 };
        let plan = sinkhorn(&x, &y, &settings).unwrap();
        assert!(plan.converged, "{}", plan.marginal_error);
        // Between the exact cost and that of the exact plan, which adds ε ln n; marginals wrong by 1e-4 of costs ≤ 10.
        assert!(plan.transport_cost > exact - 1e-3);
        assert!(plan.value <= exact + 0.01 * 30.0_f64.ln() + 1e-3);
        assert!(plan.transport_cost < exact + 0.01 * 30.0_f64.ln() + 1e-3);
    }

    #[test]
    fn an_epsilon_far_below_the_costs_converges_along_a_falling_sequence() {
        let (x, y) = (normal(100, 1), normal(100, 2));
        for epsilon in [1e-2, 1e-4, 1e-6] {
            let settings = SinkhornSettings { epsilon, tolerance: 1e-4, max_iterations: 2000 };
            let plan = sinkhorn(&x, &y, &settings).unwrap();
            assert!(plan.converged, "{epsilon} {}", plan.marginal_error);
            let exact = 0.5 * optimal_matching(&x, &y).unwrap().cost / 100.0;
            // Between the exact cost and ε ln n more; marginals wrong by 1e-4 of costs ≤ 10.
            assert!(plan.value > exact - 1e-3 && plan.value < exact + epsilon * 100.0_f64.ln() + 1e-3);
        }
    }

    #[test]
    fn the_target_marginal_is_exact_even_when_giving_up() {
        let (x, y) = (normal(30, 1), normal(30, 2));
        let settings = SinkhornSettings { epsilon: 0.01, max_iterations: 45, ..Default::default() };
        let plan = sinkhorn(&x, &y, &settings).unwrap();
        let column = |j: usize| (0..30).map(|i| plan.row(i)[j]).sum::<f64>();
        assert!(!plan.converged && plan.iterations == 45);
        assert!((0..30).all(|j| (column(j) - 1.0 / 30.0).abs() < 1e-13)); // thirty roundings of exponents ~ 100
    }

    #[test]
    fn marginals_and_value_are_consistent() {
        let (x, y) = (normal(300, 3), normal(70, 4)); // more than one block of columns
        let plan = sinkhorn(&x, &y, &at(0.3)).unwrap();
        let rows: Vec<Vec<f64>> = (0..300).map(|i| plan.row(i)).collect();
        let row_error: f64 = rows.iter().map(|row| (row.iter().sum::<f64>() - 1.0 / 300.0).abs()).sum();
        let column = |j: usize| rows.iter().map(|row| row[j]).sum::<f64>();
        let column_error: f64 = (0..70).map(|j| (column(j) - 1.0 / 70.0).abs()).sum();
        assert!(plan.converged && row_error < 1.1e-9); // the tolerance, and the roundings of f/ε ~ 10
        assert!(column_error < 1e-12);
        let entropy: f64 = rows.iter().flatten().map(|p| p * (p * 21_000.0).ln()).sum();
        // Primal and dual value differ by the marginal error times potentials of order 1.
        assert!((plan.transport_cost + 0.3 * entropy - plan.value).abs() < 1e-8);
    }

    #[test]
    fn a_start_from_part_of_the_points_leads_to_the_same_plan() {
        // Just above and just below the size at which a part is solved first, with the odd ones out of no weight.
        let (x, y) = (normal(2 * COARSE, 8), normal(2 * COARSE - 1, 9));
        let longer = Points::new([y.as_slice(), &[9.0, 9.0]].concat(), 2).unwrap();
        let uniform = |n: usize| vec![1.0 / n as f64; n];
        let mut weights = uniform(2 * COARSE - 1);
        weights.push(0.0);
        let settings = SinkhornSettings { epsilon: 0.2, tolerance: 1e-7, ..Default::default() };
        let a = uniform(2 * COARSE);
        let whole = sinkhorn_weighted(&x, &y, &a, &uniform(2 * COARSE - 1), &settings).unwrap();
        let started = sinkhorn_weighted(&x, &longer, &a, &weights, &settings).unwrap();
        assert!(whole.converged && started.converged);
        // Both marginals are wrong by 1e-7 of potentials of order ten.
        assert!((whole.value - started.value).abs() < 2e-6, "{} {}", whole.value, started.value);
        // Two windows in which the over-relaxation may learn anew.
        assert!(started.iterations <= whole.iterations + 40);
    }

    #[test]
    fn points_without_weight_receive_nothing() {
        let x = line(&[0.0, 1.0]);
        let mut far = vec![9.0; 300];
        far.extend([0.0, 1.0]);
        let mut weights = vec![0.0; 300];
        weights.extend([0.5, 0.5]);
        let y = line(&far);
        let plan = sinkhorn_weighted(&x, &y, &[0.5, 0.5], &weights, &at(0.5)).unwrap();
        assert!(plan.converged && (plan.row(0)[300] - 0.365529).abs() < TABLE && plan.row(0)[0] == 0.0);
    }

    #[test]
    fn giving_up_is_reported_not_hidden() {
        let settings = SinkhornSettings { epsilon: 1e-3, max_iterations: 1, ..Default::default() };
        let (x, y) = (normal(20, 6), normal(20, 7));
        let plan = sinkhorn(&x, &y, &settings).unwrap();
        assert!(!plan.converged && plan.iterations == 1 && plan.marginal_error > 1e-9);
    }

    #[test]
    fn weights_must_be_a_probability() {
        let x = line(&[0.0, 1.0]);
        let error = sinkhorn_weighted(&x, &x, &[0.5, 0.6], &[0.5, 0.5], &at(1.0)).unwrap_err();
        assert!(error.to_string().contains("weights a must be ≥ 0 and sum to 1, but sum to 1.1"), "{error}");
    }
}
