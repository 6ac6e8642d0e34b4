//! Quality of generated samples from nearest neighbours: precision, recall and the copying ratio.
//!
//! A cloud's manifold is the union of balls around its points that reach their k-th neighbours. Precision is
//! the share of generated points inside the real manifold, recall of real points inside the generated one \[KKLLA19\].
//!
//! Tests: a cloud covers itself; distant clouds share nothing; dropping a mode costs recall and not precision.

use crate::error::Result;
use crate::neighbours::{nearest_neighbours, nearest_neighbours_within, scan};
use crate::points::Points;

/// Precision and recall, each in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PrecisionRecall {
    /// Share of generated points inside the real manifold: realism.
    pub precision: f64,
    /// Share of real points inside the generated manifold: coverage.
    pub recall: f64,
}

/// k-nearest-neighbour precision and recall; the reference uses k = 3 and equal sizes.
///
/// # Errors
/// If the dimensions differ, `k` is 0, or a cloud has no more than `k` points.
pub fn precision_recall(real: &Points, generated: &Points, k: usize) -> Result<PrecisionRecall> {
    crate::error::require_same_dim(real.dim(), generated.dim())?;
    Ok(PrecisionRecall {
        precision: share_covered(generated, real, k)?,
        recall: share_covered(real, generated, k)?,
    })
}

/// Median distance generated → nearest training point over median distance test → nearest training point.
///
/// Near 1 for samples like the test set; well below 1 when training points are copied.
///
/// # Errors
/// If the dimensions differ or the median test distance is zero.
pub fn nearest_neighbour_ratio(generated: &Points, test: &Points, train: &Points) -> Result<f64> {
    let reference = median_nearest_distance(test, train)?;
    crate::error::require_positive(
        "the median test distance",
        reference,
        " (test points repeat training points)",
    )?;
    Ok(median_nearest_distance(generated, train)? / reference)
}

/// Median distance from `points` to their nearest neighbours in `base`.
///
/// # Errors
/// If the dimensions differ.
pub fn median_nearest_distance(points: &Points, base: &Points) -> Result<f64> {
    nearest_neighbours(points, base, 1).map(|nearest| median(nearest.distances))
}

/// Share of `points` inside the union of k-neighbour balls of `manifold`.
fn share_covered(points: &Points, manifold: &Points, k: usize) -> Result<f64> {
    let radii = nearest_neighbours_within(manifold, k)?.farthest_distances();
    // Squared distances from matrix products round by about dim · 2⁻⁵² of the squared norms: without this slack
    // a ball of radius zero would miss its own centre.
    let slack = rounding_of_squares(points, manifold);
    let reach: Vec<f64> = radii.iter().map(|radius| radius * radius + slack).collect();
    let covered = scan(
        points,
        manifold,
        |_| false,
        |covered, _, first, squared| {
            *covered = *covered || squared.iter().zip(&reach[first..]).any(|(d, reach)| d <= reach);
        },
    );
    Ok(covered.iter().filter(|covered| **covered).count() as f64 / points.len() as f64)
}

fn rounding_of_squares(points: &Points, manifold: &Points) -> f64 {
    let centre = manifold.mean();
    let squared_norm = |row: &[f64]| row.iter().zip(&centre).map(|(x, c)| (x - c) * (x - c)).sum::<f64>();
    let largest = points.rows().chain(manifold.rows()).map(squared_norm).fold(0.0, f64::max);
    8.0 * points.dim() as f64 * f64::EPSILON * largest
}

/// The upper median.
fn median(mut values: Vec<f64>) -> f64 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::gaussian::Gaussian;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn normal(n: usize, mean: f64, seed: u64) -> Points {
        let law = Gaussian::isotropic(vec![mean, 0.0], 1.0).unwrap();
        law.sample(n, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap()
    }

    fn union(x: &Points, y: &Points) -> Points {
        Points::new([x.as_slice(), y.as_slice()].concat(), x.dim()).unwrap()
    }

    #[test]
    fn a_cloud_covers_itself_and_nothing_far_away() {
        let (x, y) = (normal(200, 0.0, 1), normal(200, 1e3, 2));
        assert_eq!(precision_recall(&x, &x, 3).unwrap(), PrecisionRecall { precision: 1.0, recall: 1.0 });
        assert_eq!(precision_recall(&x, &y, 3).unwrap(), PrecisionRecall { precision: 0.0, recall: 0.0 });
    }

    #[test]
    fn copies_are_inside_balls_of_radius_zero() {
        let points = Points::new(vec![1e3, 0.1, 1e3, 0.1, -7.0, 3.3, -7.0, 3.3], 2).unwrap();
        assert_eq!(precision_recall(&points, &points, 1).unwrap().precision, 1.0);
    }

    #[test]
    fn a_lost_mode_costs_recall_and_not_precision() {
        let real = union(&normal(300, 0.0, 1), &normal(300, 50.0, 2));
        let scores = precision_recall(&real, &normal(600, 0.0, 3), 3).unwrap();
        // Half of the real points are out of reach; of the rest nearly all are covered.
        assert!(scores.precision > 0.9 && (0.4..=0.5).contains(&scores.recall), "{scores:?}");
    }

    #[test]
    fn copying_lowers_the_ratio_and_fresh_samples_do_not() {
        let (train, test) = (normal(400, 0.0, 1), normal(400, 0.0, 2));
        assert_eq!(nearest_neighbour_ratio(&train, &test, &train).unwrap(), 0.0);
        // Medians of 400 distances with relative spread ½: standard error of the ratio about 0.05.
        assert!((nearest_neighbour_ratio(&normal(400, 0.0, 3), &test, &train).unwrap() - 1.0).abs() < 0.25);
    }
}
