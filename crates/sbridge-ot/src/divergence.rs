//! The Sinkhorn divergence: the entropic value without its bias.
//!
//! S_ε(x, y) = OT_ε(x, y) − ½OT_ε(x, x) − ½OT_ε(y, y)                                                \[FSVATP19\]
//!
//! A cloud against itself has one potential, f = g, and the averaged update f ← ½(f + Tf), where T is the soft
//! minimum of a Sinkhorn sweep, reaches it in a few dozen rounds at any ε, where alternating updates crawl.
//!
//! Tests: zero on equal clouds; the cost of a shift; the alternating iteration, where that converges; repeated points are
//! weights; a difference below rounding is told.

use crate::error::Result;
use crate::pairwise::{Columns, HalfSquare};
use crate::points::Points;
use crate::sinkhorn::{
    SinkhornPlan, SinkhornSettings, annealing, check, largest_cost, normalised, resolution, sinkhorn,
    soft_minimum,
};

/// The entropic value of a cloud against itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SelfValue {
    /// OT_ε(x, x).
    pub value: f64,
    /// L1 error of either marginal.
    pub marginal_error: f64,
    /// Rounds at the final ε.
    pub iterations: usize,
    /// Whether `marginal_error` reached the tolerance.
    pub converged: bool,
    /// What the value may be off by, about: see [`SinkhornPlan::resolution`].
    pub resolution: f64,
}

/// OT_ε(x, x) for a cloud of uniform weight.
///
/// # Errors
/// If a setting is out of range.
pub fn self_value(x: &Points, settings: &SinkhornSettings) -> Result<SelfValue> {
    self_value_weighted(x, &vec![1.0 / x.len() as f64; x.len()], settings)
}

/// OT_ε(x, x) for a weighted cloud.
///
/// # Shapes
/// `weights`: `[n]`, with sum 1.
///
/// # Errors
/// If a setting is out of range; also if weights are negative, of the wrong number, or do not sum to 1 within 10⁻⁶.
pub fn self_value_weighted(x: &Points, weights: &[f64], settings: &SinkhornSettings) -> Result<SelfValue> {
    check(x, x, settings)?;
    let (columns, weights) = (Columns::new(x), normalised("a", weights, x.len())?);
    let update = |f: &[f64], epsilon| soft_minimum::<HalfSquare>(x, &columns, f, &weights, epsilon);
    let average = |f: &[f64], next: &[f64]| f.iter().zip(next).map(|(f, next)| 0.5 * (f + next)).collect();
    let mut f: Vec<f64> = vec![0.0; x.len()];
    for epsilon in annealing(largest_cost(x, x), settings.epsilon) {
        f = average(&f, &update(&f, epsilon));
    }
    let mut iterations = 0;
    let marginal_error = loop {
        iterations += 1;
        let next = update(&f, settings.epsilon);
        let excess = f.iter().zip(&next).map(|(f, next)| ((f - next) / settings.epsilon).exp_m1().abs());
        let error = weights.iter().zip(excess).map(|(w, excess)| w * excess).sum::<f64>();
        f = average(&f, &next);
        if error <= settings.tolerance || iterations >= settings.max_iterations {
            break error;
        }
    };
    let value = 2.0 * weights.iter().zip(&f).map(|(w, f)| w * f).sum::<f64>();
    let (converged, resolution) = (marginal_error <= settings.tolerance, resolution(marginal_error, &f, &f));
    Ok(SelfValue { value, marginal_error, iterations, converged, resolution })
}

/// S_ε and how far it can be believed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SinkhornDivergence {
    /// S_ε(x, y), which is never negative but for errors up to the resolution.
    pub value: f64,
    /// What rounding and unfinished iterations may have changed it by, about.
    pub resolution: f64,
    /// Whether all three plans converged.
    pub converged: bool,
}

impl SinkhornDivergence {
    /// From the plan between two clouds and the values of each against itself.
    pub fn of(across: &SinkhornPlan<'_>, own: &[SelfValue; 2]) -> Self {
        Self {
            value: across.value - 0.5 * own[0].value - 0.5 * own[1].value,
            resolution: across.resolution() + 0.5 * (own[0].resolution + own[1].resolution),
            converged: across.converged && own.iter().all(|own| own.converged),
        }
    }

    /// Whether the value is of the size of its errors: it then says only that the clouds are about equal.
    pub fn is_rounding(&self) -> bool {
        self.value.abs() <= self.resolution
    }
}

/// S_ε(x, y).
///
/// Not converging is no error: see [`SinkhornDivergence::converged`].
///
/// # Errors
/// As [`sinkhorn`].
pub fn sinkhorn_divergence(
    x: &Points,
    y: &Points,
    settings: &SinkhornSettings,
) -> Result<SinkhornDivergence> {
    let across = sinkhorn(x, y, settings)?;
    Ok(SinkhornDivergence::of(&across, &[self_value(x, settings)?, self_value(y, settings)?]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::gaussian::Gaussian;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn normal(n: usize, seed: u64) -> Points {
        let law = Gaussian::isotropic(vec![0.0, 0.0], 1.0).unwrap();
        law.sample(n, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap()
    }

    fn at(epsilon: f64) -> SinkhornSettings {
        SinkhornSettings { epsilon, ..Default::default() }
    }

    #[test]
    fn the_divergence_vanishes_on_equal_clouds_and_tends_to_half_the_squared_shift() {
        let x = normal(40, 5);
        let shifted = Points::new(x.rows().flat_map(|p| [p[0] + 1.0, p[1]]).collect(), 2).unwrap();
        // Two iterations that stop at marginal errors of 1e-9.
        assert!(sinkhorn_divergence(&x, &x, &at(0.5)).unwrap().value.abs() < 1e-8);
        // The divergence of a shift is exactly its cost; values are right to the tolerance 1e-9.
        assert!((sinkhorn_divergence(&x, &shifted, &at(0.5)).unwrap().value - 0.5).abs() < 1e-8);
    }

    #[test]
    fn averaged_and_alternating_updates_find_one_value() {
        let x = normal(40, 8);
        for epsilon in [2.0, 0.3] {
            let (own, plan) =
                (self_value(&x, &at(epsilon)).unwrap(), sinkhorn(&x, &x, &at(epsilon)).unwrap());
            assert!(own.converged && plan.converged);
            // Marginals wrong by 1e-9 of potentials of order one.
            assert!((own.value - plan.value).abs() < 1e-8, "{} {}", own.value, plan.value);
        }
    }

    #[test]
    fn a_small_epsilon_takes_no_more_than_a_few_dozen_rounds() {
        let own = self_value(&normal(200, 9), &at(1e-3)).unwrap();
        assert!(own.converged && own.iterations < 100, "{own:?}");
        // Every point goes to itself: the value is ε ln n.
        assert!((own.value - 1e-3 * 200f64.ln()).abs() < 1e-4);
    }

    #[test]
    fn repeated_points_are_weights() {
        let (x, y) = (normal(20, 5), normal(30, 6));
        let repeated = x.subset(&(0..40).map(|i| i / 4 + 10 * (i % 2)).collect::<Vec<usize>>()).unwrap();
        let mut weights = vec![0.0; 20];
        (0..40).for_each(|i| weights[i / 4 + 10 * (i % 2)] += 1.0 / 40.0);
        let [own, own_repeated] =
            [self_value_weighted(&x, &weights, &at(0.5)).unwrap(), self_value(&repeated, &at(0.5)).unwrap()];
        assert!((own.value - own_repeated.value).abs() < 1e-8); // marginals wrong by 1e-9 of potentials of order one
        assert!(!sinkhorn_divergence(&x, &y, &at(0.5)).unwrap().is_rounding());
    }

    #[test]
    fn a_difference_below_rounding_is_told() {
        // Points at 10¹⁶ and 10²⁵: the values are 10³¹ and 10⁴⁹ with sixteen digits each.
        for far in [1e16, 1e25] {
            let [x, y] =
                [0.0, 1.0].map(|shift| Points::new(vec![shift, 0.0, 3.0, 1.0 + shift, 0.5, far], 2).unwrap());
            let divergence = sinkhorn_divergence(&x, &y, &at(0.05 * far * far)).unwrap();
            assert!(divergence.converged && divergence.is_rounding(), "{divergence:?}");
        }
        let x = normal(40, 5);
        let turned = x.subset(&(0..40).rev().collect::<Vec<usize>>()).unwrap();
        assert!(sinkhorn_divergence(&x, &turned, &at(0.5)).unwrap().is_rounding());
    }
}
