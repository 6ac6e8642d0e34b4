//! The Sinkhorn divergence: the entropic value without its bias.
//!
//! S_ε(x, y) = OT_ε(x, y) − ½OT_ε(x, x) − ½OT_ε(y, y)                                                \[FSVATP19\]
//!
//! A cloud against itself has one potential, f = g, and the averaged update f ← ½(f + Tf), where T is the soft
//! minimum of a Sinkhorn sweep, reaches it in a few dozen rounds at any ε, where alternating updates crawl.
//!
//! Tests: zero on equal clouds; the cost of a shift; the alternating iteration, where that converges.

use crate::error::Result;
use crate::pairwise::Columns;
use crate::points::Points;
use crate::sinkhorn::{SinkhornSettings, annealing, check, largest_cost, sinkhorn, soft_minimum};

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
}

/// OT_ε(x, x) for a cloud of uniform weight.
///
/// # Errors
/// If a setting is out of range.
pub fn self_value(x: &Points, settings: &SinkhornSettings) -> Result<SelfValue> {
    check(x, x, settings)?;
    let (columns, weight) = (Columns::new(x), 1.0 / x.len() as f64);
    let weights = vec![weight; x.len()];
    let update = |f: &[f64], epsilon| soft_minimum(x, &columns, f, &weights, epsilon);
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
        let error = weight * excess.sum::<f64>();
        f = average(&f, &next);
        if error <= settings.tolerance || iterations >= settings.max_iterations {
            break error;
        }
    };
    let value = 2.0 * weight * f.iter().sum::<f64>();
    Ok(SelfValue { value, marginal_error, iterations, converged: marginal_error <= settings.tolerance })
}

/// S_ε(x, y).
///
/// # Errors
/// As [`sinkhorn`].
pub fn sinkhorn_divergence(x: &Points, y: &Points, settings: &SinkhornSettings) -> Result<f64> {
    let across = sinkhorn(x, y, settings)?.value;
    Ok(across - 0.5 * self_value(x, settings)?.value - 0.5 * self_value(y, settings)?.value)
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
        assert!(sinkhorn_divergence(&x, &x, &at(0.5)).unwrap().abs() < 1e-8);
        // The divergence of a shift is exactly its cost; values are right to the tolerance 1e-9.
        assert!((sinkhorn_divergence(&x, &shifted, &at(0.5)).unwrap() - 0.5).abs() < 1e-8);
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
}
