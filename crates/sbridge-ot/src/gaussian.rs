//! Gaussian laws N(m, S): fitting, density, sampling, Kullback–Leibler divergence.
//!
//! The covariance may be singular; what needs its inverse says so in its errors.
//! Tests: the divergence agrees with the mean log-ratio of densities over samples; samples have the stated moments.

use faer::{Mat, MatRef};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::error::{OtError, Result, require_same_dim};
use crate::matrix::{Spectrum, symmetric_part, trace};
use crate::points::Points;

/// The law N(mean, cov).
#[derive(Debug, Clone)]
pub struct Gaussian {
    mean: Vec<f64>,
    cov: Mat<f64>,
    spectrum: Spectrum,
}

impl Gaussian {
    /// The law with this mean and covariance.
    ///
    /// # Shapes
    /// `mean`: `[dim]`; `cov`: `[dim, dim]`.
    ///
    /// # Errors
    /// If the shapes disagree, a value is not finite, or `cov` is not symmetric positive semi-definite; an asymmetry
    /// or negative eigenvalue below 10⁻⁶ of the norm passes as rounding and is removed.
    pub fn new(mean: Vec<f64>, cov: Mat<f64>) -> Result<Self> {
        if mean.is_empty() {
            return Err(OtError::ZeroDim);
        }
        let dim = mean.len();
        if cov.shape() != (dim, dim) {
            let (got_rows, got_columns) = cov.shape();
            return Err(OtError::Shape { what: "cov", rows: dim, columns: dim, got_rows, got_columns });
        }
        if let Some(column) = mean.iter().position(|x| !x.is_finite()) {
            return Err(OtError::NotFinite { what: "mean", row: 0, column, value: mean[column] });
        }
        let spectrum = Spectrum::new("cov", cov.as_ref())?;
        Ok(Self { mean, cov: symmetric_part(cov.as_ref()), spectrum })
    }

    /// N(mean, var·I), with `mean: [dim]`.
    ///
    /// # Errors
    /// As [`Gaussian::new`].
    pub fn isotropic(mean: Vec<f64>, var: f64) -> Result<Self> {
        let cov = crate::matrix::scaled_identity(mean.len(), var);
        Self::new(mean, cov)
    }

    /// The law with the sample mean and covariance (divisor n − 1) of a cloud.
    ///
    /// # Errors
    /// If there is only one point.
    pub fn fit(points: &Points) -> Result<Self> {
        Self::new(points.mean(), points.covariance()?)
    }

    /// Number of coordinates.
    pub fn dim(&self) -> usize {
        self.mean.len()
    }

    /// Mean, `[dim]`.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Covariance, `[dim, dim]`.
    pub fn cov(&self) -> MatRef<'_, f64> {
        self.cov.as_ref()
    }

    /// Eigenvalues and eigenvectors of the covariance.
    pub(crate) fn spectrum(&self) -> &Spectrum {
        &self.spectrum
    }

    /// Natural logarithm of the density at each point, `[n]`.
    ///
    /// # Errors
    /// If the dimensions differ or the covariance is singular (there is no density).
    pub fn log_density(&self, points: &Points) -> Result<Vec<f64>> {
        require_same_dim(self.dim(), points.dim())?;
        self.spectrum.require_definite()?;
        let whitening = self.spectrum.map(|value| value.sqrt().recip());
        let centred = Mat::from_fn(self.dim(), points.len(), |k, i| points.row(i)[k] - self.mean[k]);
        let whitened = whitening * centred;
        let log_norm = self.dim() as f64 * std::f64::consts::TAU.ln() + self.spectrum.log_det();
        Ok(whitened.col_iter().map(|z| -0.5 * (z.squared_norm_l2() + log_norm)).collect())
    }

    /// `n` independent samples.
    ///
    /// # Errors
    /// If `n` is 0.
    pub fn sample(&self, n: usize, rng: &mut impl Rng) -> Result<Points> {
        let factor = self.spectrum.factor();
        let normals: Vec<f64> = (0..n * factor.ncols()).map(|_| StandardNormal.sample(rng)).collect();
        let normals = MatRef::from_column_major_slice(&normals, factor.ncols(), n);
        let noise = factor * normals;
        let data =
            (0..n).flat_map(|i| self.mean.iter().zip(noise.col(i).iter()).map(|(m, z)| m + z)).collect();
        Points::new(data, self.dim())
    }

    /// KL(self ‖ other) = ½ [ tr S₂⁻¹S₁ + (m₁−m₂)ᵀ S₂⁻¹ (m₁−m₂) − d + ln det S₂ − ln det S₁ ], in nats.
    ///
    /// Infinite if `self` is singular.
    ///
    /// # Errors
    /// If the dimensions differ or `other` is singular.
    pub fn kl(&self, other: &Self) -> Result<f64> {
        require_same_dim(self.dim(), other.dim())?;
        other.spectrum.require_definite()?;
        let whitening = other.spectrum.map(|value| value.sqrt().recip());
        let shift = &whitening * Mat::from_fn(self.dim(), 1, |i, _| self.mean[i] - other.mean[i]);
        let spread = trace((&whitening * &self.cov * &whitening).as_ref());
        let log_ratio = other.spectrum.log_det() - self.spectrum.log_det();
        Ok(0.5 * (spread + shift.squared_norm_l2() - self.dim() as f64 + log_ratio))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use faer::mat;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn tilted() -> Gaussian {
        Gaussian::new(vec![1.0, -2.0], mat![[2.0, 0.6], [0.6, 0.5]]).unwrap()
    }

    #[test]
    fn samples_have_the_stated_moments() {
        let n = 20_000;
        let fitted = Gaussian::fit(&tilted().sample(n, &mut ChaCha8Rng::seed_from_u64(3)).unwrap()).unwrap();
        let law = tilted();
        for i in 0..2 {
            // Five standard errors √(Sᵢᵢ/n).
            assert!((fitted.mean()[i] - law.mean()[i]).abs() < 5.0 * (law.cov()[(i, i)] / n as f64).sqrt());
            for j in 0..2 {
                let var = law.cov()[(i, i)] * law.cov()[(j, j)] + law.cov()[(i, j)].powi(2);
                assert!((fitted.cov()[(i, j)] - law.cov()[(i, j)]).abs() < 5.0 * (var / n as f64).sqrt());
            }
        }
    }

    #[test]
    fn kl_is_the_mean_log_ratio_of_densities() {
        let (p, q) = (tilted(), Gaussian::isotropic(vec![0.5, -1.5], 1.5).unwrap());
        let n = 20_000;
        let samples = p.sample(n, &mut ChaCha8Rng::seed_from_u64(4)).unwrap();
        let (log_p, log_q) = (p.log_density(&samples).unwrap(), q.log_density(&samples).unwrap());
        let ratios = Points::new(log_p.iter().zip(&log_q).map(|(a, b)| a - b).collect(), 1).unwrap();
        let std_error = (ratios.covariance().unwrap()[(0, 0)] / n as f64).sqrt();
        assert!((ratios.mean()[0] - p.kl(&q).unwrap()).abs() < 5.0 * std_error);
    }

    #[test]
    fn a_density_of_a_singular_law_is_refused_but_sampling_is_not() {
        let line = Gaussian::new(vec![0.0, 0.0], mat![[1.0, 1.0], [1.0, 1.0]]).unwrap();
        let samples = line.sample(50, &mut ChaCha8Rng::seed_from_u64(5)).unwrap();
        assert!(samples.rows().all(|x| (x[0] - x[1]).abs() < 1e-14)); // one rounding of the eigenvectors
        assert!(matches!(line.log_density(&samples), Err(OtError::NotPositiveDefinite { .. })));
        assert_eq!(line.kl(&tilted()).unwrap(), f64::INFINITY);
    }

    #[test]
    fn one_dimensional_density_is_the_textbook_value() {
        let law = Gaussian::isotropic(vec![1.0], 4.0).unwrap();
        let log_density = law.log_density(&Points::new(vec![3.0], 1).unwrap()).unwrap()[0];
        // −½ − ln 2 − ½ ln 2π
        assert!((log_density + 0.5 + 2.0_f64.ln() + 0.918_938_533_204_672_7).abs() < 1e-15);
    }
}
