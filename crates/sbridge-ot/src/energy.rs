//! Energy distance between samples.
//!
//! E‖X − Y‖ − ½E‖X − X'‖ − ½E‖Y − Y'‖, half of the distance of \[SR13\]
//!
//! The estimator is unbiased: pairs of a point with itself are left out, so it may be negative.
//! Tests: a hand-computed case; the closed form for Gaussians on the line; shift and order invariance.

use crate::error::{Result, require_same_dim};
use crate::mmd::require_pairs;
use crate::pairwise::{Kernel, mean_between, mean_within};
use crate::points::Points;

struct EuclideanDistance;

impl Kernel for EuclideanDistance {
    #[inline(always)]
    fn apply(&self, squared_distances: &mut [f64]) {
        for d in squared_distances {
            *d = d.sqrt();
        }
    }
}

/// Unbiased estimate of the energy distance, in the units of the points; O(n²) time, O(n) memory.
///
/// # Errors
/// If the dimensions differ or a cloud has one point.
pub fn energy_distance(x: &Points, y: &Points) -> Result<f64> {
    require_same_dim(x.dim(), y.dim())?;
    require_pairs("the unbiased energy distance", x, y)?;
    let within = mean_within(x, &EuclideanDistance) + mean_within(y, &EuclideanDistance);
    Ok(mean_between(x, y, &EuclideanDistance) - 0.5 * within)
}

/// The energy score E‖X − y‖ − ½E‖X − X'‖ of draws X of a vector that turned out to be `truth`: on average nothing scores
/// less than draws of its law.                                                                \[GR07\]
///
/// # Errors
/// If the dimensions differ, there is one draw, or the truth is not finite.
pub fn energy_score(draws: &Points, truth: &[f64]) -> Result<f64> {
    require_same_dim(draws.dim(), truth.len())?;
    require_pairs("the energy score", draws, draws)?;
    let truth = Points::new(truth.to_vec(), truth.len())?;
    Ok(mean_between(draws, &truth, &EuclideanDistance) - 0.5 * mean_within(draws, &EuclideanDistance))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_points_each_are_computed_by_hand() {
        let x = Points::new(vec![0.0, 0.0, 3.0, 4.0], 2).unwrap();
        let y = Points::new(vec![0.0, 4.0, 3.0, 0.0], 2).unwrap();
        // Sides 4, 3, 3, 4 between the clouds, diagonals 5 within.
        assert_eq!(energy_distance(&x, &y).unwrap(), 3.5 - 5.0);
    }

    #[test]
    fn the_energy_score_is_its_definition() {
        let draws = Points::new(vec![0.0, 0.0, 3.0, 4.0], 2).unwrap();
        let known = 0.5 * (1.0 + 18f64.sqrt()) - 0.5 * 5.0;
        assert!((energy_score(&draws, &[0.0, 1.0]).unwrap() - known).abs() < 1e-12);
    }

    #[test]
    fn normal_quantiles_match_the_closed_form() {
        // Laws N(0,1), N(2,1): E|N(2,2)| − E|N(0,2)|; E|N(m,2)| = (2/√π) e^{−m²/4} + m·erf(m/2), erf(1) = .842700793.
        let root_pi = std::f64::consts::PI.sqrt();
        let expected = 2.0 / root_pi * (-1.0_f64).exp() + 2.0 * 0.842_700_793 - 2.0 / root_pi;
        let law = crate::gaussian::Gaussian::isotropic(vec![0.0], 1.0).unwrap();
        let sample = |seed| {
            use rand::SeedableRng;
            law.sample(400, &mut rand_chacha::ChaCha8Rng::seed_from_u64(seed)).unwrap()
        };
        let estimates: Vec<f64> = (0..20)
            .map(|k| {
                let shifted = sample(100 + k).as_slice().iter().map(|x| x + 2.0).collect();
                energy_distance(&sample(k), &Points::new(shifted, 1).unwrap()).unwrap()
            })
            .collect();
        let estimates = Points::new(estimates, 1).unwrap();
        let std_error = (estimates.covariance().unwrap()[(0, 0)] / 20.0).sqrt();
        assert!((estimates.mean()[0] - expected).abs() < 4.5 * std_error);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn order_and_common_shifts_do_not_matter(data in prop::collection::vec(-5.0..5.0_f64, 60), s in -9.0..9.0_f64) {
            let [x, y] = [&data[..24], &data[24..]].map(|side| Points::new(side.to_vec(), 2).unwrap());
            let moved = |cloud: &Points| {
                let data = cloud.rows().rev().flat_map(|p| [p[0] + s, p[1] - s]).collect();
                Points::new(data, 2).unwrap()
            };
            let difference = energy_distance(&x, &y).unwrap() - energy_distance(&moved(&x), &moved(&y)).unwrap();
            prop_assert!(difference.abs() < 1e-12); // coordinates of order 10, roundings of 1e-15
        }
    }
}
