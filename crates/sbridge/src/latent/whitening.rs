//! A Brownian reference that moves every axis by the same share of its variance.
//!
//! Brownian motion of covariance εC, for the cost ½(x − y)ᵀC⁻¹(x − y), is plain Brownian motion of variance ε in the
//! coordinates C^−½(x − m). So a bridge for it is a plain one between codes, and every solver, check and closed form there
//! is holds for it as it is. C is the mean of the covariances of both ends, each about a mean of its own: common to source
//! and target, and blind to how far apart they are.
//!
//! Tests: the mean covariance of codes is the identity; decoding restores; the Gaussian bridge between codes is, in data
//! units, the coupling whose precision has −(εC)⁻¹ between the ends.

use faer::Mat;
use sbridge_ot::Points;
use sbridge_ot::matrix::symmetric_eigen;
use serde::{Deserialize, Serialize};

use crate::error::{Result, require_count};
use crate::latent::{DataScaling, LatentCodec, Normaliser};
use crate::net::Autoencoder;
use crate::tensor::{Tensor, from_rows_f64, points};

/// The covariance C of the reference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReferenceCovariance {
    /// The identity: ε is a variance in data units, the same along every axis.
    #[default]
    Isotropic,
    /// Diagonal, the variances of the axes: ε is a share of each.
    Scaled,
    /// The covariance of the data: ε is a share of the variance in every direction.
    Covariance,
}

/// Most axes whose covariance is decomposed: time grows with the cube of them.
const MAX_AXES: usize = 4096;

/// Standard deviations below this share of the root mean square of all count as this: an axis that does not vary gets
/// noise that nobody sees, and a number that does not blow up where new data vary.
const LEAST_SPREAD: f64 = 1e-3;

impl ReferenceCovariance {
    /// Coordinates in which the reference of data with these ends is plain Brownian motion; nothing where it is so already.
    ///
    /// # Shapes
    /// `ends: [count, size]` each.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for the covariance of more than 4096 axes;
    /// [`Error::Transport`](crate::Error::Transport) for values that are not finite.
    pub fn codec(self, ends: [&Tensor<2>; 2]) -> Result<Option<LatentCodec>> {
        if self == Self::Isotropic {
            return Ok(None);
        }
        let size = ends[0].dims()[1];
        let [x, y] = [points(ends[0])?, points(ends[1])?];
        let spreads = spreads(&[&x, &y]);
        let device = ends[0].device();
        let row = |values: &[f64]| from_rows_f64(values, size, &device).cast(ends[0].dtype());
        let middle: Vec<f64> = x.mean().iter().zip(y.mean()).map(|(a, b)| 0.5 * (a + b)).collect();
        let scaling = DataScaling { offset: row(&middle), scale: row(&spreads), range: None };
        let autoencoder = match self {
            Self::Covariance => {
                require_count("axes of a covariance", size, 1..=MAX_AXES, "take the reference \"scaled\"")?;
                let [root, inverse] = roots_of_correlation(&[&x, &y], &spreads)?;
                Autoencoder::linear(row(&inverse), row(&root))
            }
            _ => Autoencoder::identity(size),
        };
        let (zero, one) = (vec![0.0; size], vec![1.0; size]);
        let normaliser = Normaliser { mean: row(&zero), scale: row(&one) };
        Ok(Some(LatentCodec { scaling, autoencoder, normaliser }))
    }
}

/// Root of the mean variance of each axis, over the ends.
fn spreads(ends: &[&Points]) -> Vec<f64> {
    let mut variances = vec![0.0; ends[0].dim()];
    for end in ends {
        let (mean, share) = (end.mean(), 1.0 / ((end.len().max(2) - 1) * ends.len()) as f64);
        for row in end.rows() {
            let axes = variances.iter_mut().zip(row).zip(&mean);
            axes.for_each(|((variance, x), mean)| *variance += share * (x - mean).powi(2));
        }
    }
    let total = variances.iter().sum::<f64>() / variances.len() as f64;
    let least = if total > 0.0 { LEAST_SPREAD * total.sqrt() } else { 1.0 };
    variances.into_iter().map(|variance| variance.sqrt().max(least)).collect()
}

/// R^½ and R^−½ for the mean correlation R of the ends in units of `spreads`, row by row: symmetric, so that an axis stays
/// as near to itself as may be, and an image an image.
fn roots_of_correlation(ends: &[&Points], spreads: &[f64]) -> Result<[Vec<f64>; 2]> {
    let dim = spreads.len();
    let mut correlation = Mat::<f64>::zeros(dim, dim);
    for end in ends {
        let covariance = end.covariance()?;
        let share = |i: usize, j: usize| covariance[(i, j)] / (spreads[i] * spreads[j] * ends.len() as f64);
        correlation += Mat::from_fn(dim, dim, share);
    }
    let (values, vectors) = symmetric_eigen("correlation", correlation.as_ref())?;
    let root = |j: usize| values[j].sqrt().max(LEAST_SPREAD);
    let of = |power: i32| {
        let scaled = Mat::from_fn(dim, dim, |i, j| vectors[(i, j)] * root(j).powi(power));
        let product = scaled * vectors.transpose();
        (0..dim * dim).map(|k| product[(k / dim, k % dim)]).collect()
    };
    Ok([of(1), of(-1)])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use faer::linalg::solvers::DenseSolveCore as _;
    use sbridge_ot::{Gaussian, GaussianBridge};

    use super::*;
    use crate::codec::Codec as _;
    use crate::rng::Rng;
    use crate::tensor::{DType, Device};

    /// Two clouds in three dimensions, of spreads 30, 1 and 0.05, turned and moved.
    fn ends() -> [Tensor<2>; 2] {
        let device = Device::flex();
        let mut rng = Rng::new(4);
        let mut cloud = |map: [f64; 9], shift: [f64; 3]| {
            let rows = rng.normal([400, 3], &device).cast(DType::F64);
            rows.matmul(from_rows_f64(&map, 3, &device)) + from_rows_f64(&shift, 3, &device)
        };
        let x = cloud([30.0, 0.3, 0.0, 0.0, 1.0, 0.02, 0.0, 0.0, 0.05], [5.0, 0.0, 1.0]);
        [x, cloud([20.0, 0.0, 0.01, 5.0, 2.0, 0.0, 0.0, 0.0, 0.08], [90.0, -3.0, 1.0])]
    }

    fn covariance(rows: &Tensor<2>) -> Mat<f64> {
        points(rows).unwrap().covariance().unwrap()
    }

    #[test]
    fn the_mean_covariance_of_codes_is_the_identity() {
        let [x, y] = ends();
        for reference in [ReferenceCovariance::Scaled, ReferenceCovariance::Covariance] {
            let codec = reference.codec([&x, &y]).unwrap().unwrap();
            let codes = [&x, &y].map(|rows| codec.encode(rows));
            let mean = (covariance(&codes[0]) + covariance(&codes[1])) * faer::Scale(0.5);
            let is_identity = |i: usize, j: usize| (mean[(i, j)] - f64::from(u8::from(i == j))).abs() < 1e-12;
            assert!((0..3).all(|i| is_identity(i, i)), "{mean:?}");
            let off_diagonal = is_identity(0, 1) && is_identity(0, 2) && is_identity(1, 2);
            assert_eq!(off_diagonal, reference == ReferenceCovariance::Covariance);
            let back = (codec.decode(&codes[0]) - x.clone()).abs().max();
            // Rounding of values of 100 in f64.
            assert!(back.into_scalar::<f64>() < 1e-11);
        }
        assert!(ReferenceCovariance::Isotropic.codec([&x, &y]).unwrap().is_none());
    }

    #[test]
    fn a_bridge_between_codes_is_that_of_the_reference_with_their_covariance() {
        let (epsilon, [x, y]) = (0.4, ends());
        let codec = ReferenceCovariance::Covariance.codec([&x, &y]).unwrap().unwrap();
        let gaussian = |rows: &Tensor<2>| Gaussian::fit(&points(rows).unwrap()).unwrap();
        let codes = [&x, &y].map(|rows| gaussian(&codec.encode(rows)));
        let bridge = GaussianBridge::new(&codes[0], &codes[1], epsilon).unwrap();
        // Codes are z = (x − m) W with rows; back they are z W⁻¹.
        let unit = |k: usize| {
            let axis: Vec<f64> = (0..3).map(|j| f64::from(u8::from(j == k))).collect();
            let at =
                |rows: &[f64]| crate::tensor::to_vec_f64(codec.decode(&from_rows_f64(rows, 3, &x.device())));
            let (from, to) = (at(&[0.0; 3]), at(&axis));
            to.iter().zip(&from).map(|(a, b)| a - b).collect::<Vec<f64>>()
        };
        let rows: Vec<Vec<f64>> = (0..3).map(unit).collect();
        let back = Mat::from_fn(3, 3, |i, j| rows[j][i]);
        let cross = &back * bridge.cross_covariance() * back.transpose();
        let (a, b) = (covariance(&x), covariance(&y));
        let joint = Mat::from_fn(6, 6, |i, j| match (i < 3, j < 3) {
            (true, true) => a[(i, j)],
            (false, false) => b[(i - 3, j - 3)],
            (true, false) => cross[(i, j - 3)],
            (false, true) => cross[(j, i - 3)],
        });
        let precision = joint.partial_piv_lu().inverse();
        let reference = ((a + b) * faer::Scale(0.5 * epsilon)).partial_piv_lu().inverse();
        for (i, j) in (0..3).flat_map(|i| (0..3).map(move |j| (i, j))) {
            let (found, known) = (-precision[(i, j + 3)], reference[(i, j)]);
            // Relative to the largest entry of the row: the condition of the joint covariance is 10⁶.
            let scale = (reference[(i, i)] * reference[(j, j)]).sqrt();
            assert!((found - known).abs() < 1e-8 * scale, "{i} {j}: {found} {known}");
        }
    }

    #[test]
    fn axes_that_do_not_vary_stay_where_they_are() {
        let device = Device::flex();
        let rows = Tensor::cat(vec![Rng::new(1).normal([50, 1], &device), Tensor::ones([50, 1], &device)], 1);
        for reference in [ReferenceCovariance::Scaled, ReferenceCovariance::Covariance] {
            let codec = reference.codec([&rows, &rows]).unwrap().unwrap();
            let moved = codec.decode(&(codec.encode(&rows) + 1.0)) - rows.clone();
            let shift = crate::tensor::to_vec_f64(moved.narrow(0, 0, 1));
            assert!(shift[0] > 0.5 && shift[1].abs() < 2.0 * LEAST_SPREAD, "{shift:?}");
        }
    }
}
