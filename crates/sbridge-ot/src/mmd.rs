//! Maximum mean discrepancy with a Gaussian kernel.
//!
//! MMD² = E k(X, X') + E k(Y, Y') − 2 E k(X, Y),   k(x, y) = exp(−‖x−y‖² / 2h²)                 [GBRSS12, eq. 3]
//!
//! The estimator is unbiased: pairs of a point with itself are left out, so it may be negative.
//! Tests: a hand-computed case; the closed form for Gaussians; the same number for any number of threads.

use crate::error::{OtError, Result, require_positive, require_same_dim};
use crate::exp::exp;
use crate::pairwise::{Kernel, mean_between, mean_within};
use crate::points::Points;

/// Points of the pooled sample, evenly strided, whose distances give the median.
const MEDIAN_POINTS: usize = 1000;

struct GaussianKernel {
    /// −1/2h².
    exponent: f64,
}

impl Kernel for GaussianKernel {
    #[inline(always)]
    fn apply(&self, squared_distances: &mut [f64]) {
        for d in squared_distances {
            *d = exp(*d * self.exponent);
        }
    }
}

/// Unbiased estimate of the squared MMD; O(n²) time, O(n) memory.
///
/// `bandwidth` is h, in the units of the points; see [`median_bandwidth`].
///
/// # Errors
/// If the dimensions differ, a cloud has one point, or `bandwidth` is not finite and positive.
pub fn mmd2(x: &Points, y: &Points, bandwidth: f64) -> Result<f64> {
    require_same_dim(x.dim(), y.dim())?;
    require_pairs("the unbiased MMD", x, y)?;
    require_positive("bandwidth", bandwidth, " (use median_bandwidth)")?;
    let kernel = GaussianKernel { exponent: -0.5 / (bandwidth * bandwidth) };
    Ok(mean_within(x, &kernel) + mean_within(y, &kernel) - 2.0 * mean_between(x, y, &kernel))
}

/// Median distance between points of the pooled sample, the usual bandwidth [GBRSS12, §8].
///
/// Taken over 1000 points at even strides of `x` followed by `y` (all of them, if fewer).
///
/// # Errors
/// If the dimensions differ, or the median is zero because most points coincide.
pub fn median_bandwidth(x: &Points, y: &Points) -> Result<f64> {
    require_same_dim(x.dim(), y.dim())?;
    let pooled: Vec<&[f64]> = x.rows().chain(y.rows()).collect();
    let used = pooled.len().min(MEDIAN_POINTS);
    let chosen: Vec<&[f64]> = (0..used).map(|i| pooled[i * pooled.len() / used]).collect();
    let mut squared: Vec<f64> = chosen
        .iter()
        .enumerate()
        .flat_map(|(i, p)| chosen[..i].iter().map(|q| squared_distance(p, q)))
        .collect();
    let middle = squared.len() / 2;
    let median = squared.select_nth_unstable_by(middle, f64::total_cmp).1.sqrt();
    require_positive("the median distance", median, " (most points coincide: choose a bandwidth)")?;
    Ok(median)
}

fn squared_distance(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// Check that both clouds have pairs.
pub(crate) fn require_pairs(what: &'static str, x: &Points, y: &Points) -> Result<()> {
    let got = x.len().min(y.len());
    if got < 2 {
        return Err(OtError::TooFewPoints { what, needed: 2, got });
    }
    Ok(())
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

    #[test]
    fn two_points_each_are_computed_by_hand() {
        let x = Points::new(vec![0.0, 1.0], 1).unwrap();
        let y = Points::new(vec![2.0, 4.0], 1).unwrap();
        let k = |d: f64| (-d * d / 8.0).exp(); // h = 2
        let expected = k(1.0) + k(2.0) - 0.5 * (k(2.0) + k(4.0) + k(1.0) + k(3.0));
        assert!((mmd2(&x, &y, 2.0).unwrap() - expected).abs() < 1e-15); // four terms below one
    }

    #[test]
    fn gaussians_match_their_closed_form() {
        // E exp(−|Z|²/2h²), Z ~ N(s, 2I) in the plane: a e^{−a|s|²/2h²}, a = h²/(h²+2); h = 1, |s| = 1.
        let a = 1.0 / 3.0;
        let expected = 2.0 * a * (1.0 - f64::exp(-a / 2.0));
        let estimates: Vec<f64> =
            (0..20).map(|k| mmd2(&normal(150, 0.0, k), &normal(150, 1.0, 100 + k), 1.0).unwrap()).collect();
        let estimates = Points::new(estimates, 1).unwrap();
        let std_error = (estimates.covariance().unwrap()[(0, 0)] / 20.0).sqrt();
        assert!((estimates.mean()[0] - expected).abs() < 4.5 * std_error);
    }

    #[test]
    fn the_median_distance_of_a_grid_is_known() {
        // Distances of {0, 1, 2, 3}: 1, 1, 1, 2, 2, 3; the upper median is 2.
        let [x, y] = [[0.0, 3.0], [1.0, 2.0]].map(|side| Points::new(side.to_vec(), 1).unwrap());
        assert_eq!(median_bandwidth(&x, &y).unwrap(), 2.0);
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let (x, y) = (normal(300, 0.0, 1), normal(200, 0.5, 2));
        let estimate = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| mmd2(&x, &y, 1.0).unwrap())
        };
        assert_eq!(estimate(1).to_bits(), estimate(3).to_bits());
    }
}
