//! Distance between Gaussian laws: Bures–Wasserstein, also known as the Fréchet distance.
//!
//! W₂²(N(a, A), N(b, B)) = |a − b|² + tr A + tr B − 2 tr (A^½ B A^½)^½                                    \[DL82\]
//!
//! The last trace is the nuclear norm of FᵀG for any factors A = F Fᵀ, B = G Gᵀ. Singular values are accurate to
//! rounding where square roots of eigenvalues are not, so rank-deficient covariances are no special case.
//!
//! Tests: zero on itself, singular or not; the textbook product on commuting covariances; the exact matching in 1-D.

use faer::Mat;

use crate::error::{OtError, Result, require_same_dim};
use crate::gaussian::Gaussian;
use crate::matrix::trace;
use crate::points::Points;

/// Squared 2-Wasserstein distance of two Gaussian laws.
///
/// # Errors
/// If the dimensions differ.
pub fn bures_wasserstein2(a: &Gaussian, b: &Gaussian) -> Result<f64> {
    require_same_dim(a.dim(), b.dim())?;
    let shift: f64 = a.mean().iter().zip(b.mean()).map(|(x, y)| (x - y).powi(2)).sum();
    let overlap = a.spectrum().factor().transpose() * b.spectrum().factor();
    let singular_values =
        overlap.singular_values().map_err(|_| OtError::Eigenvalues { what: "the covariance overlap" })?;
    let spread = trace(a.cov()) + trace(b.cov()) - 2.0 * singular_values.iter().sum::<f64>();
    // Equal laws cancel to rounding, which may fall below zero.
    Ok(shift + spread.max(0.0))
}

/// Fréchet distance in the convention of FID: the *squared* distance [`bures_wasserstein2`], under the name the
/// generative-model literature uses for fitted feature Gaussians \[HRUNH17\].
///
/// # Errors
/// If the dimensions differ.
pub fn frechet_distance(a: &Gaussian, b: &Gaussian) -> Result<f64> {
    bures_wasserstein2(a, b)
}

/// [`frechet_distance`] of the Gaussians fitted to two samples, by the samples themselves: rows about their mean, over
/// √(n − 1), are factors of the covariances. For samples that are fewer than their coordinates.
///
/// # Errors
/// If the dimensions differ, or a sample has fewer than two points.
pub fn frechet_distance_of_samples(x: &Points, y: &Points) -> Result<f64> {
    require_same_dim(x.dim(), y.dim())?;
    let shift: f64 = x.mean().iter().zip(y.mean()).map(|(a, b)| (a - b).powi(2)).sum();
    let (x, y) = (factor(x)?, factor(y)?);
    let overlap = (&x * y.transpose())
        .singular_values()
        .map_err(|_| OtError::Eigenvalues { what: "the covariance overlap" })?;
    let spread = x.squared_norm_l2() + y.squared_norm_l2() - 2.0 * overlap.iter().sum::<f64>();
    Ok(shift + spread.max(0.0))
}

/// F with FᵀF the sample covariance, `[len, dim]`.
fn factor(points: &Points) -> Result<Mat<f64>> {
    if points.len() < 2 {
        return Err(OtError::TooFewPoints { what: "a covariance", needed: 2, got: points.len() });
    }
    let (mean, scale) = (points.mean(), ((points.len() - 1) as f64).sqrt().recip());
    Ok(Mat::from_fn(points.len(), points.dim(), |i, j| (points.row(i)[j] - mean[j]) * scale))
}

/// BW-UVP in percent: 100 · ½W₂² / (½ tr cov target), the unexplained variance of the benchmark literature \[KLGSB21\].
///
/// # Errors
/// If the dimensions differ or the target has no variance.
pub fn bures_wasserstein_uvp(model: &Gaussian, target: &Gaussian) -> Result<f64> {
    let var = trace(target.cov());
    crate::error::require_positive(
        "the target's total variance",
        var,
        " (a constant target explains nothing)",
    )?;
    Ok(100.0 * bures_wasserstein2(model, target)? / var)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use faer::mat;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn the_distance_to_itself_is_zero_even_at_low_rank() {
        // 20 points in 64 dimensions: rank 19.
        let cloud = Gaussian::isotropic(vec![0.0; 64], 1.0).unwrap();
        let law = Gaussian::fit(&cloud.sample(20, &mut ChaCha8Rng::seed_from_u64(1)).unwrap()).unwrap();
        // 64 eigenvalues of order 1–10, each with a rounding of 1e-15.
        assert!(frechet_distance(&law, &law).unwrap() < 1e-12);
    }

    #[test]
    fn commuting_covariances_give_the_distance_of_standard_deviations() {
        let a = Gaussian::new(vec![0.0, 1.0], mat![[4.0, 0.0], [0.0, 0.0]]).unwrap();
        let b = Gaussian::new(vec![3.0, 1.0], mat![[1.0, 0.0], [0.0, 9.0]]).unwrap();
        // 3² + (2−1)² + (0−3)²
        assert!((bures_wasserstein2(&a, &b).unwrap() - 19.0).abs() < 1e-13);
    }

    #[test]
    fn the_trace_agrees_with_the_square_root_formula() {
        let a = mat![[1.0, 0.0], [0.0, 0.25]];
        let b = mat![[1.0, 0.5], [0.5, 1.0]];
        let law = |cov: &Mat<f64>| Gaussian::new(vec![0.0; 2], cov.clone()).unwrap();
        let root = crate::matrix::sqrt_psd(a.as_ref()).unwrap();
        let cross = trace(crate::matrix::sqrt_psd((&root * &b * &root).as_ref()).unwrap().as_ref());
        let expected = trace(a.as_ref()) + trace(b.as_ref()) - 2.0 * cross;
        assert!((bures_wasserstein2(&law(&a), &law(&b)).unwrap() - expected).abs() < 1e-14);
    }

    #[test]
    fn uvp_of_the_constant_mean_map_is_one_hundred() {
        let target = Gaussian::isotropic(vec![1.0, 2.0, 3.0], 0.7).unwrap();
        let constant = Gaussian::isotropic(vec![1.0, 2.0, 3.0], 0.0).unwrap();
        assert!((bures_wasserstein_uvp(&constant, &target).unwrap() - 100.0).abs() < 1e-12);
    }

    #[test]
    fn it_bounds_the_exact_distance_of_samples_from_below() {
        // Gelbrich's bound: fitted Gaussians are never further apart than the samples, with divisor n.
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let x = Gaussian::isotropic(vec![0.0, 0.0], 1.0).unwrap().sample(60, &mut rng).unwrap();
        let y = Gaussian::isotropic(vec![1.0, 0.0], 2.0).unwrap().sample(60, &mut rng).unwrap();
        let biased = |points: &Points| {
            let cov = points.covariance().unwrap() * faer::Scale(59.0 / 60.0);
            Gaussian::new(points.mean(), cov).unwrap()
        };
        let bound = bures_wasserstein2(&biased(&x), &biased(&y)).unwrap();
        let exact = crate::wasserstein::wasserstein2(&x, &y).unwrap().powi(2);
        assert!(bound <= exact && exact < 2.0 * bound, "{bound} {exact}");
    }

    #[test]
    fn samples_are_as_far_apart_as_the_gaussians_fitted_to_them() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut cloud = |count: usize, mean: f64| {
            let law = Gaussian::isotropic(vec![mean; 12], 2.0).unwrap();
            law.sample(count, &mut rng).unwrap()
        };
        // More coordinates than points, and fewer.
        for (n, m) in [(6, 9), (40, 30)] {
            let (x, y) = (cloud(n, 0.0), cloud(m, 1.0));
            let fitted = frechet_distance(&Gaussian::fit(&x).unwrap(), &Gaussian::fit(&y).unwrap()).unwrap();
            let found = frechet_distance_of_samples(&x, &y).unwrap();
            // Sums of a few hundred squares in f64, and roots of eigenvalues that are zero.
            assert!((found - fitted).abs() < 1e-6 * fitted, "{found} {fitted}");
        }
    }
}
