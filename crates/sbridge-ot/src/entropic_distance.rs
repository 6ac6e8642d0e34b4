//! The distance that points travel under an entropic plan of a fixed number of plain sweeps.
//!
//! Σ πᵢⱼ ‖xᵢ − yⱼ‖ with the distance itself for a cost, from potentials of zero                        \[LV, Section 4\]
//!
//! This is how samplers of densities are compared in print. At the ε in use a hundred sweeps end far from the plan: draws
//! then go to near ones whatever the shares of far groups are, so that the number says how well groups are filled and little of
//! how much lies in each. For that see [`wasserstein1`](crate::wasserstein1), and [`sinkhorn`](crate::sinkhorn()) for plans.
//!
//! Tests: two points; clouds apart on the line, where all plans cost the same; the exact distance between converged ones.

use crate::error::{OtError, Result, require_positive, require_same_dim};
use crate::pairwise::{Columns, Distance};
use crate::points::Points;
use crate::sinkhorn::{mean_cost, soft_minimum};

/// How far plain sweeps go.
#[derive(Debug, Clone, PartialEq)]
pub struct PlainSweeps {
    /// Entropic regularisation ε > 0, in units of the distance; default 10⁻³.
    pub epsilon: f64,
    /// Stop when no potential changes by more, > 0; default 10⁻⁵.
    pub tolerance: f64,
    /// Sweeps at most, at least 1; default 100.
    pub sweeps: usize,
}

impl Default for PlainSweeps {
    fn default() -> Self {
        Self { epsilon: 1e-3, tolerance: 1e-5, sweeps: 100 }
    }
}

/// Mean distance between the points of `x` and of `y` that the sweeps join; both clouds are of uniform weight, and every point
/// of `y` is joined to all of its weight.
///
/// # Errors
/// If the dimensions differ or a setting is out of range.
pub fn entropic_distance(x: &Points, y: &Points, settings: &PlainSweeps) -> Result<f64> {
    require_same_dim(x.dim(), y.dim())?;
    require_positive("epsilon", settings.epsilon, " (for ε = 0 use wasserstein1)")?;
    require_positive("tolerance", settings.tolerance, " (the default is 1e-5)")?;
    if settings.sweeps == 0 {
        return Err(OtError::Setting { name: "sweeps", requirement: "at least 1", value: 0.0, fix: "" });
    }
    let uniform = |points: &Points| vec![1.0 / points.len() as f64; points.len()];
    let (a, b, to_x, to_y) = (uniform(x), uniform(y), Columns::new(x), Columns::new(y));
    let (mut f, mut g) = (vec![0.0; x.len()], vec![0.0; y.len()]);
    for _ in 0..settings.sweeps {
        let next_f = soft_minimum::<Distance>(x, &to_y, &g, &b, settings.epsilon);
        let next_g = soft_minimum::<Distance>(y, &to_x, &next_f, &a, settings.epsilon);
        let change = largest_change(&f, &next_f).max(largest_change(&g, &next_g));
        (f, g) = (next_f, next_g);
        if change < settings.tolerance {
            break;
        }
    }
    Ok(mean_cost::<Distance>((x, &f, &a), (&to_y, &g, &b), settings.epsilon))
}

fn largest_change(before: &[f64], after: &[f64]) -> f64 {
    before.iter().zip(after).fold(0.0, |most, (x, y)| (x - y).abs().max(most))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::gaussian::Gaussian;
    use crate::wasserstein::wasserstein1;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn normal(n: usize, seed: u64) -> Points {
        let law = Gaussian::isotropic(vec![0.0, 0.0], 1.0).unwrap();
        law.sample(n, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap()
    }

    fn at(epsilon: f64, sweeps: usize) -> PlainSweeps {
        PlainSweeps { epsilon, tolerance: 1e-9, sweeps }
    }

    #[test]
    fn two_points_are_exchanged_as_often_as_a_logistic_law_says() {
        let points = Points::new(vec![0.0, 0.0, 3.0, 4.0], 2).unwrap();
        for epsilon in [1.0, 5.0, 20.0] {
            let found = entropic_distance(&points, &points, &at(epsilon, 100)).unwrap();
            // Both points are five apart and change places with chance 1/(1 + e^{5/ε}).
            let expected = 5.0 / (1.0 + (5.0f64 / epsilon).exp());
            assert!((found - expected).abs() < 1e-12, "{epsilon}: {found} {expected}"); // roundings
        }
    }

    #[test]
    fn clouds_apart_on_the_line_are_as_far_as_their_means_whatever_the_plan() {
        let x = Points::new(vec![0.3, 1.0, 2.0, 0.1], 1).unwrap();
        let y = Points::new(vec![9.0, 7.5, 11.0], 1).unwrap();
        // One sweep leaves the marginal of y exact and that of x not: distances are then exact for many sweeps alone.
        let found = entropic_distance(&x, &y, &at(0.5, 500)).unwrap();
        let expected = y.mean()[0] - x.mean()[0];
        assert!((found - expected).abs() < 1e-8, "{found} {expected}"); // potentials stand still to 1e-9
    }

    #[test]
    fn converged_it_is_the_exact_distance_and_an_entropy() {
        let (x, y) = (normal(60, 1), normal(60, 2));
        let exact = wasserstein1(&x, &y).unwrap();
        let found = entropic_distance(&x, &y, &at(0.01, 5000)).unwrap();
        // No plan costs less, and the entropy of a plan is ln n at most; marginals are off by 1e-9/ε of lengths below 10.
        assert!(found > exact - 1e-5 && found < exact + 0.01 * 60f64.ln(), "{found} {exact}");
    }

    #[test]
    fn a_hundred_sweeps_do_not_see_the_shares_of_far_groups() {
        // Of two points fifty apart, one has a fifth of the mass on one side and half on the other: exactly, 15.
        let group = |share: usize| {
            let values = (0..20).flat_map(|i| [if i < share { 0.0 } else { 50.0 } + 1e-3 * i as f64, 0.0]);
            Points::new(values.collect(), 2).unwrap()
        };
        let (x, y) = (group(4), group(10));
        let (printed, exact) =
            (entropic_distance(&x, &y, &PlainSweeps::default()).unwrap(), wasserstein1(&x, &y).unwrap());
        assert!(printed < 1.0 && exact > 14.9, "{printed} {exact}");
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let x = normal(5, 1);
        for settings in [at(0.0, 1), at(1.0, 0), PlainSweeps { tolerance: 0.0, ..PlainSweeps::default() }] {
            assert!(entropic_distance(&x, &x, &settings).is_err(), "{settings:?}");
        }
    }
}
