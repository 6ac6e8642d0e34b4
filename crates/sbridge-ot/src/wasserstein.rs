//! Exact Wasserstein distances between clouds of equal size.
//!
//! W₁ = min_σ mean ‖xᵢ − y_σ(i)‖,   W₂ = √ min_σ mean ‖xᵢ − y_σ(i)‖²
//!
//! By assignment; in one dimension by sorting, which is optimal for every convex cost [San15, Prop. 2.17].
//! Tests: a shift is its length; sorting agrees with assignment; metric axioms on random clouds.

use rayon::prelude::*;

use crate::assignment::{Assignment, MAX_ASSIGNMENT, assignment};
use crate::error::{OtError, Result, require_same_dim};
use crate::line::line_cost;
use crate::pairwise::Columns;
use crate::points::Points;
use crate::simd::vectorised;

/// Least mean Euclidean distance over all matchings, exactly.
///
/// # Errors
/// If the dimensions or sizes differ, or there are more than [`MAX_ASSIGNMENT`] points in two or more dimensions.
pub fn wasserstein1(x: &Points, y: &Points) -> Result<f64> {
    check(x, y)?;
    if x.dim() == 1 {
        return Ok(line_cost(x.as_slice(), y.as_slice(), f64::abs));
    }
    let mut cost = squared_distance_matrix(x, y)?;
    cost.par_iter_mut().for_each(|c| *c = c.sqrt());
    Ok(assignment(&cost, x.len())?.cost / x.len() as f64)
}

/// Root of the least mean squared Euclidean distance over all matchings, exactly.
///
/// # Errors
/// As [`wasserstein1`].
pub fn wasserstein2(x: &Points, y: &Points) -> Result<f64> {
    check(x, y)?;
    if x.dim() == 1 {
        return Ok(line_cost(x.as_slice(), y.as_slice(), |difference| difference * difference).sqrt());
    }
    Ok((optimal_matching(x, y)?.cost / x.len() as f64).sqrt())
}

/// The matching of least total squared distance: the plan behind [`wasserstein2`], as row i of `x` → row of `y`.
///
/// # Errors
/// If the dimensions or sizes differ, or there are more than [`MAX_ASSIGNMENT`] points.
pub fn optimal_matching(x: &Points, y: &Points) -> Result<Assignment> {
    check(x, y)?;
    assignment(&squared_distance_matrix(x, y)?, x.len())
}

fn check(x: &Points, y: &Points) -> Result<()> {
    require_same_dim(x.dim(), y.dim())?;
    if x.len() != y.len() {
        return Err(OtError::SizeMismatch { left: x.len(), right: y.len() });
    }
    Ok(())
}

/// ‖xᵢ − yⱼ‖², `[n, n]`, row-major.
fn squared_distance_matrix(x: &Points, y: &Points) -> Result<Vec<f64>> {
    let n = x.len();
    if n > MAX_ASSIGNMENT {
        return Err(OtError::TooManyPoints { n, max: MAX_ASSIGNMENT });
    }
    let columns = Columns::new(y);
    let mut cost = vec![0.0; n * n];
    cost.par_chunks_mut(n).enumerate().for_each(|(i, row)| {
        vectorised(
            #[inline(always)]
            || columns.squared_distances(x.row(i), 0, row),
        );
    });
    Ok(cost)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// Cloud of `n` points in the plane with coordinates in [−10, 10].
    fn cloud(n: usize) -> impl Strategy<Value = Points> {
        prop::collection::vec(-10.0..10.0, 2 * n).prop_map(|data| Points::new(data, 2).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn metric_axioms_hold(x in cloud(12), y in cloud(12), z in cloud(12)) {
            for distance in [wasserstein1, wasserstein2] {
                let [xy, yz, xz] = [(&x, &y), (&y, &z), (&x, &z)].map(|(a, b)| distance(a, b).unwrap());
                // Sums of 12 costs of order 100: roundings of 1e-14, which W₂ takes the root of only at zero.
                prop_assert!(distance(&x, &x).unwrap() == 0.0);
                prop_assert!((distance(&y, &x).unwrap() - xy).abs() < 1e-12);
                prop_assert!(xz <= xy + yz + 1e-12);
            }
            prop_assert!(wasserstein1(&x, &y).unwrap() <= wasserstein2(&x, &y).unwrap() + 1e-12);
        }

        #[test]
        fn the_order_of_points_does_not_matter(x in cloud(15), y in cloud(15), turn in 1_usize..15) {
            let turned: Vec<usize> = (0..15).map(|i| (i + turn) % 15).collect();
            let difference = wasserstein2(&x, &y).unwrap() - wasserstein2(&x.subset(&turned).unwrap(), &y).unwrap();
            prop_assert!(difference.abs() < 1e-12); // the same 15 costs summed in another order
        }

        #[test]
        fn a_shift_costs_its_length(x in cloud(20), dx in -5.0..5.0_f64, dy in -5.0..5.0_f64) {
            let data = x.rows().flat_map(|p| [p[0] + dx, p[1] + dy]).collect();
            let shifted = Points::new(data, 2).unwrap();
            prop_assert!((wasserstein2(&x, &shifted).unwrap() - dx.hypot(dy)).abs() < 1e-12);
            prop_assert!((wasserstein1(&x, &shifted).unwrap() - dx.hypot(dy)).abs() < 1e-12);
        }

        #[test]
        fn sorting_and_assignment_agree_on_the_line(data in prop::collection::vec(-10.0..10.0_f64, 60)) {
            let (x, y) = data.split_at(30);
            let cost: Vec<f64> = x.iter().flat_map(|a| y.iter().map(move |b| (a - b).powi(2))).collect();
            let exact = (assignment(&cost, 30).unwrap().cost / 30.0).sqrt();
            let [x, y] = [x, y].map(|side| Points::new(side.to_vec(), 1).unwrap());
            prop_assert!((wasserstein2(&x, &y).unwrap() - exact).abs() < 1e-12);
        }
    }

    #[test]
    fn unequal_and_oversized_clouds_are_refused() {
        let cloud = |n: usize| Points::new(vec![0.0; 2 * n], 2).unwrap();
        assert_eq!(wasserstein2(&cloud(3), &cloud(4)), Err(OtError::SizeMismatch { left: 3, right: 4 }));
        let error = wasserstein1(&cloud(10_001), &cloud(10_001)).unwrap_err();
        assert!(error.to_string().contains("limit of 10000"), "{error}");
    }
}
