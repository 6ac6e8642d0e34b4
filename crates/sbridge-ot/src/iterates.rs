//! What iterative fitting does between unit Gaussians on the line, step by step, in closed form.
//!
//! Proportional fitting starts from Brownian motion out of one end and restarts from the other end and back. A half
//! iteration leaves the cross-precision alone, so with g_n the covariance of both ends and V_n the variance of the free one
//!
//! g₀ = 1,   g_{n+1} = 1/(g_n + ε),   V_n = g_n (g_n + ε)
//!
//! Markovian fitting takes the coupling c to that of its Markov projection,
//!
//! c ← exp(−½ ε I(2 − 2c − ε)),   I(β) = ∫₀¹ dt/(1 − β t(1 − t))
//!
//! Both tend to the Schrödinger bridge, ½(√(4 + ε²) − ε).
//! Tests: tabulated values; the limit; quadrature for I.

/// A half iteration of proportional fitting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProportionalIterate {
    /// Covariance of both ends.
    pub covariance: f64,
    /// Variance of the end that is not fitted.
    pub free_variance: f64,
}

/// The iterates of proportional fitting between unit Gaussians for `epsilon`, the reference first.
pub fn proportional_fitting(epsilon: f64) -> impl Iterator<Item = ProportionalIterate> {
    let slopes = std::iter::successors(Some(1.0), move |g| Some(1.0 / (g + epsilon)));
    slopes.map(move |g| ProportionalIterate { covariance: g, free_variance: g * (g + epsilon) })
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
        for (found, (covariance, free_variance)) in proportional_fitting(1.0).zip(table) {
            assert!((found.covariance - covariance).abs() < TABLE, "{found:?}");
            assert!((found.free_variance - free_variance).abs() < TABLE, "{found:?}");
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
            for (found, expected) in markovian_fitting(epsilon, 0.0).skip(1).zip(expected) {
                assert!((found - expected).abs() < TABLE, "ε = {epsilon}: {found} {expected}");
            }
        }
    }

    #[test]
    fn both_end_in_the_schroedinger_bridge() {
        for epsilon in [0.3, 1.0, 4.0] {
            let limit = 0.5 * ((4.0f64 + epsilon * epsilon).sqrt() - epsilon);
            let proportional = proportional_fitting(epsilon).nth(200).map(|iterate| iterate.covariance);
            let markovian = markovian_fitting(epsilon, 0.0).nth(200);
            for found in [proportional, markovian] {
                // Fixed points are met to rounding after so many contractions.
                assert!(found.is_some_and(|c| (c - limit).abs() < 1e-12), "{found:?} {limit}");
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
