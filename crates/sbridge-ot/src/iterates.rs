//! What iterative fitting does between Gaussians on the line, step by step, in closed form.
//!
//! Proportional fitting starts from Brownian motion out of one end and restarts from the other end and back. A half
//! iteration leaves the cross-precision 1/ε alone, so with s_n the variance of the end it is held to, r_n that of the free
//! end given the other, and V_n that of the free end,
//!
//! r₀ = ε,   r_{n+1} = s_n r_n / V_n,   V_n = r_n + r_n² s_n / ε²,   covariance r_n s_n / ε.
//!
//! Between unit Gaussians, Markovian fitting takes the coupling c to that of its Markov projection,
//!
//! c ← exp(−½ ε I(2 − 2c − ε)),   I(β) = ∫₀¹ dt/(1 − β t(1 − t)),
//!
//! and both tend to the Schrödinger bridge, ½(√(4 + ε²) − ε).
//!
//! Tests: tabulated values; the limits, also of other variances; quadrature for I.

/// A half iteration of proportional fitting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProportionalIterate {
    /// Covariance of both ends.
    pub covariance: f64,
    /// Variance of the end that is not fitted.
    pub free_variance: f64,
}

/// The iterates of proportional fitting between Gaussians of variances `source` and `target` for `epsilon`, the reference
/// out of the source first.
pub fn proportional_fitting(
    [source, target]: [f64; 2],
    epsilon: f64,
) -> impl Iterator<Item = ProportionalIterate> {
    let free_variance = move |left: f64, held: f64| left + (left / epsilon).powi(2) * held;
    let halves = std::iter::successors(Some((epsilon, [source, target])), move |&(left, [held, free])| {
        Some((held * left / free_variance(left, held), [free, held]))
    });
    halves.map(move |(left, [held, _])| ProportionalIterate {
        covariance: left * held / epsilon,
        free_variance: free_variance(left, held),
    })
}

/// The covariances of both ends in Markovian fitting between unit Gaussians for `epsilon`, from `start` on.
pub fn markovian_fitting(epsilon: f64, start: f64) -> impl Iterator<Item = f64> {
    std::iter::successors(Some(start), move |c| {
        Some((-0.5 * epsilon * occupation(2.0 - 2.0 * c - epsilon)).exp())
    })
}

/// I(β) = ∫₀¹ dt/(1 − β t(1 − t)), for β < 4.
fn occupation(beta: f64) -> f64 {
    let root = |x: f64| x.abs().sqrt();
    match beta {
        // The series, where both closed forms divide zero by zero.
        b if b.abs() < 1e-6 => 1.0 + b / 6.0,
        b if b > 0.0 => 4.0 / root(b * (4.0 - b)) * (root(b) / root(4.0 - b)).atan(),
        b => 4.0 / root(b * (4.0 - b)) * (root(b) / root(4.0 - b)).atanh(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Gaussian, GaussianBridge};

    /// Tables are printed to six digits.
    const TABLE: f64 = 6e-7;

    #[test]
    fn proportional_fitting_goes_through_the_quotients_of_fibonacci_numbers() {
        let table = [
            (1.0, 2.0),
            (0.5, 0.75),
            (0.666667, 1.111111),
            (0.6, 0.96),
            (0.625, 1.015625),
            (0.615385, 0.994083),
            (0.619048, 1.002268),
        ];
        for (iterate, (covariance, free_variance)) in proportional_fitting([1.0; 2], 1.0).zip(table) {
            assert!((iterate.covariance - covariance).abs() < TABLE, "{iterate:?}");
            assert!((iterate.free_variance - free_variance).abs() < TABLE, "{iterate:?}");
        }
    }

    #[test]
    fn proportional_fitting_between_other_variances_ends_in_their_bridge() {
        let (source, target, epsilon) = (0.3, 2.0, 0.4);
        let laws = [source, target].map(|variance| Gaussian::isotropic(vec![0.0], variance));
        let [x, y] = laws.map(|law| law.expect("positive variances"));
        let bridge = GaussianBridge::new(&x, &y, epsilon).expect("one dimension");
        let covariance = bridge.cross_covariance()[(0, 0)];
        for (n, free) in [(200, target), (201, source)] {
            let iterate = proportional_fitting([source, target], epsilon).nth(n).expect("it has no end");
            // Fixed points are met to rounding after so many contractions.
            assert!((iterate.covariance - covariance).abs() < 1e-12, "{iterate:?}");
            assert!((iterate.free_variance - free).abs() < 1e-12, "{iterate:?}");
        }
    }

    #[test]
    fn markovian_fitting_matches_the_table() {
        let table = [
            (0.1, [0.926692, 0.950856, 0.951243]),
            (1.0, [0.546293, 0.611143, 0.617385]),
            (4.0, [0.218561, 0.234797, 0.235976]),
            (10.0, [0.096356, 0.098948, 0.099018]),
        ];
        for (epsilon, expected) in table {
            for (iterate, expected) in markovian_fitting(epsilon, 0.0).skip(1).zip(expected) {
                assert!((iterate - expected).abs() < TABLE, "ε = {epsilon}: {iterate} {expected}");
            }
        }
    }

    #[test]
    fn both_end_in_the_schroedinger_bridge() {
        for epsilon in [0.3, 1.0, 4.0] {
            let limit = 0.5 * ((4.0f64 + epsilon * epsilon).sqrt() - epsilon);
            let proportional =
                proportional_fitting([1.0; 2], epsilon).nth(200).map(|iterate| iterate.covariance);
            let markovian = markovian_fitting(epsilon, 0.0).nth(200);
            for iterate in [proportional, markovian] {
                // Fixed points are met to rounding after so many contractions.
                assert!(iterate.is_some_and(|c| (c - limit).abs() < 1e-12), "{iterate:?} {limit}");
            }
        }
    }

    #[test]
    fn the_closed_integral_agrees_with_quadrature() {
        for beta in [-8.0, -0.5, -1e-7, 0.0, 1e-7, 0.5, 3.5] {
            let n = 20_000;
            let at = |k: usize| (k as f64 + 0.5) / n as f64;
            let sum: f64 = (0..n).map(|k| 1.0 / (1.0 - beta * at(k) * (1.0 - at(k)))).sum();
            // The midpoint rule: h²/24 times a second derivative below 500.
            assert!((occupation(beta) - sum / n as f64).abs() < 1e-7, "{beta}");
        }
    }
}
