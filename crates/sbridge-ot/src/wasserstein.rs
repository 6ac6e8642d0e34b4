//! Exact Wasserstein distances between clouds of any sizes and weights.
//!
//! W₁ = min_π Σ πᵢⱼ ‖xᵢ − yⱼ‖,   W₂ = √ min_π Σ πᵢⱼ ‖xᵢ − yⱼ‖²
//!
//! By assignment where all weights are equal, by the network simplex elsewhere; in one dimension by sorting, which is
//! optimal for every convex cost [San15, Prop. 2.17]. Groups of points far from each other are transported one by one.
//! Tests: a shift is its length; three methods agree; metric axioms on random clouds; a weight is a repetition.

use rayon::prelude::*;

use crate::assignment::{Assignment, MAX_ASSIGNMENT, assignment};
use crate::error::{OtError, Result, require_same_dim};
use crate::far_groups::{Group, far_groups};
use crate::line::weighted_line_cost;
use crate::masses::Masses;
use crate::pairwise::Columns;
use crate::points::Points;
use crate::simd::vectorised;
use crate::transport::{require_few, solve};

/// Least mean Euclidean distance over all plans, exactly; sizes may differ.
///
/// # Errors
/// If the dimensions differ, or in two or more dimensions there are more than [`MAX_COSTS`](crate::MAX_COSTS) pairs.
pub fn wasserstein1(x: &Points, y: &Points) -> Result<f64> {
    wasserstein1_weighted(x, y, &vec![1.0; x.len()], &vec![1.0; y.len()])
}

/// Root of the least mean squared Euclidean distance over all plans, exactly; sizes may differ.
///
/// # Errors
/// As [`wasserstein1`].
pub fn wasserstein2(x: &Points, y: &Points) -> Result<f64> {
    wasserstein2_weighted(x, y, &vec![1.0; x.len()], &vec![1.0; y.len()])
}

/// W₁ between weighted clouds.
///
/// # Shapes
/// `a`: `[n]` weights of `x`; `b`: `[m]` weights of `y`; of any positive sum: what counts is each one's share.
///
/// # Errors
/// As [`wasserstein1`]; also if weights are negative, all zero or of the wrong number.
pub fn wasserstein1_weighted(x: &Points, y: &Points, a: &[f64], b: &[f64]) -> Result<f64> {
    least_cost(x, y, (a, b), f64::sqrt)
}

/// W₂ between weighted clouds.
///
/// # Shapes
/// As [`wasserstein1_weighted`].
///
/// # Errors
/// As [`wasserstein1_weighted`].
pub fn wasserstein2_weighted(x: &Points, y: &Points, a: &[f64], b: &[f64]) -> Result<f64> {
    Ok(least_cost(x, y, (a, b), |squared| squared)?.sqrt())
}

/// The matching of least total squared distance, as row i of `x` → row of `y`.
///
/// # Errors
/// If the dimensions or sizes differ, or there are more than [`MAX_ASSIGNMENT`] points.
pub fn optimal_matching(x: &Points, y: &Points) -> Result<Assignment> {
    require_same_dim(x.dim(), y.dim())?;
    if x.len() != y.len() {
        return Err(OtError::SizeMismatch { left: x.len(), right: y.len() });
    }
    if x.len() > MAX_ASSIGNMENT {
        return Err(OtError::TooManyPoints { n: x.len(), max: MAX_ASSIGNMENT });
    }
    assignment(&costs(x, y, |squared| squared), x.len())
}

/// Least mean of a cost, given as a function of the squared distance.
fn least_cost(x: &Points, y: &Points, (a, b): (&[f64], &[f64]), cost: fn(f64) -> f64) -> Result<f64> {
    require_same_dim(x.dim(), y.dim())?;
    for (what, weights, points) in [("a", a, x), ("b", b, y)] {
        if weights.len() != points.len() {
            return Err(OtError::Length { what, expected: points.len(), got: weights.len() });
        }
    }
    let masses = Masses::new(a, b)?;
    if x.dim() == 1 {
        let (x, y) = ((x.as_slice(), &masses.a[..]), (y.as_slice(), &masses.b[..]));
        return Ok(weighted_line_cost(x, y, |difference| cost(difference * difference)));
    }
    let groups = far_groups(x, y, &masses.a, &masses.b);
    groups.iter().map(|group| group_cost(x, y, &masses, group, cost)).sum()
}

/// What a group adds to the mean.
fn group_cost(x: &Points, y: &Points, masses: &Masses, group: &Group, cost: fn(f64) -> f64) -> Result<f64> {
    let (n, m) = (group.rows.len(), group.columns.len());
    let of = |side: &[i128], places: &[usize]| places.iter().map(|&i| side[i]).collect::<Vec<i128>>();
    let (a, b) = (of(&masses.a, &group.rows), of(&masses.b, &group.columns));
    let (x, y) = (x.subset(&group.rows)?, y.subset(&group.columns)?);
    let share = |mass: i128| mass as f64 / masses.total as f64;
    if n == m && a.iter().chain(&b).all(|mass| *mass == a[0]) {
        require_few(n, m)?;
        return Ok(assignment(&costs(&x, &y, cost), n)?.cost * share(a[0]));
    }
    require_few(n, m)?;
    let chosen = |rows: &[usize], columns: &[usize], is_turned: bool| {
        let (x, y) =
            (x.subset(rows).expect("mass on both sides"), y.subset(columns).expect("mass on both sides"));
        if is_turned { costs(&y, &x, cost) } else { costs(&x, &y, cost) }
    };
    let of_pair =
        |i: usize, j: usize| cost(x.row(i).iter().zip(y.row(j)).map(|(p, q)| (p - q) * (p - q)).sum::<f64>());
    let mut flows = solve(chosen, &a, &b)?.flows;
    flows.sort_unstable();
    Ok(flows.into_iter().map(|(i, j, mass)| share(mass) * of_pair(i, j)).sum())
}

/// Costs of all pairs, `[n, m]`, row-major.
fn costs(x: &Points, y: &Points, cost: fn(f64) -> f64) -> Vec<f64> {
    let (n, m) = (x.len(), y.len());
    let columns = Columns::new(y);
    let mut costs = vec![0.0; n * m];
    costs.par_chunks_mut(m).enumerate().for_each(|(i, row)| {
        vectorised(
            #[inline(always)]
            || columns.squared_distances(x.row(i), 0, row),
        );
        row.iter_mut().for_each(|squared| *squared = cost(*squared));
    });
    costs
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
        fn a_weight_is_a_number_of_repetitions(x in cloud(8), y in cloud(9), a in prop::collection::vec(0..4_usize, 8)) {
            let repeated: Vec<usize> = (0..8).flat_map(|i| vec![i; a[i] + 1]).collect();
            let weights: Vec<f64> = a.iter().map(|repetitions| *repetitions as f64 + 1.0).collect();
            let expected = wasserstein2(&x.subset(&repeated).unwrap(), &y).unwrap();
            let weighted = wasserstein2_weighted(&x, &y, &weights, &[0.3; 9]).unwrap();
            prop_assert!((weighted - expected).abs() < 1e-12); // costs of order 100, summed in two orders
        }

        #[test]
        fn sorting_and_the_network_simplex_agree_on_the_line(
            x in prop::collection::vec(-10.0..10.0_f64, 20),
            y in prop::collection::vec(-10.0..10.0_f64, 31),
            weights in prop::collection::vec(0.0..1.0_f64, 20),
        ) {
            let (a, b) = (weights.iter().map(|w| w + 0.01).collect::<Vec<f64>>(), vec![1.0; 31]);
            let cost: Vec<f64> = x.iter().flat_map(|p| y.iter().map(move |q| (p - q).powi(2))).collect();
            let plan = crate::transport::optimal_plan(&cost, &a, &b).unwrap();
            let [x, y] = [x, y].map(|side| Points::new(side, 1).unwrap());
            prop_assert!((wasserstein2_weighted(&x, &y, &a, &b).unwrap() - plan.cost.sqrt()).abs() < 1e-12);
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
    fn clouds_that_are_too_large_are_refused() {
        let cloud = |n: usize, shift: f64| {
            Points::new((0..2 * n).map(|i| (i % 7919) as f64 + shift).collect(), 2).unwrap()
        };
        let refused = Err(OtError::SizeMismatch { left: 3, right: 4 });
        assert_eq!(optimal_matching(&cloud(3, 0.0), &cloud(4, 0.0)), refused);
        let error = wasserstein1(&cloud(10_001, 0.0), &cloud(10_001, 0.5)).unwrap_err();
        assert!(error.to_string().contains("10001 × 10001 costs"), "{error}");
    }

    #[test]
    fn points_that_are_far_from_all_others_hide_nothing_of_them() {
        for far in [1e16, 1e25] {
            let x = [[1.0, 2.0], [3.0, 4.5], [0.9, 4.1], [0.5, far], [7.0, far]];
            let y = [[1.25, 2.5], [3.5, 4.0], [1.1, 4.3], [6.0, far], [2.5, far], [2.5, far]];
            let [x, y] = [x.concat(), y.concat()].map(|data| Points::new(data, 2).unwrap());
            let own = 0.25_f64.powi(2) + 0.25 + 0.25 + 0.25 + 0.08 + 1.0 + 4.0; // each point with its namesake
            let weighted = wasserstein2_weighted(&x, &y, &[1.0; 5], &[1.0, 1.0, 1.0, 1.0, 0.3, 0.7]).unwrap();
            assert!((weighted - (own / 5.0).sqrt()).abs() < 1e-14, "{weighted}");
            let equal = wasserstein2(&x, &y.subset(&[0, 1, 2, 3, 4]).unwrap()).unwrap();
            assert!((equal - (own / 5.0).sqrt()).abs() < 1e-14, "{equal}");
        }
    }

    #[test]
    fn a_cloud_is_at_no_distance_from_itself_with_points_repeated() {
        let x = Points::new((0..50).map(|i| (i as f64).sin()).collect(), 2).unwrap();
        let repeated = x.subset(&(0..125).map(|i| i % 25).collect::<Vec<usize>>()).unwrap();
        assert_eq!(wasserstein2(&x, &repeated), Ok(0.0));
        let weights: Vec<f64> = (0..25).map(|i| 0.1 * f64::from(i + 1)).collect();
        assert_eq!(wasserstein1_weighted(&x, &x, &weights, &weights), Ok(0.0));
    }
}
