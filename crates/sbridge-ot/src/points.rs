//! Clouds of points: `n` rows of `dim` finite coordinates.
//!
//! Tests: what the constructor refuses is named by row and column; moments agree with hand calculation.

use faer::Mat;

use crate::error::{OtError, Result};

/// A cloud of `n ≥ 1` points in ℝᵈ, row-major, every coordinate finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Points {
    data: Vec<f64>,
    dim: usize,
}

impl Points {
    /// The cloud whose rows are consecutive runs of `dim` values of `data`.
    ///
    /// # Shapes
    /// `data`: `n · dim` values, row by row.
    ///
    /// # Errors
    /// If `dim` is 0, `data` is empty or no multiple of `dim`, or a value is NaN or infinite.
    pub fn new(data: Vec<f64>, dim: usize) -> Result<Self> {
        if dim == 0 {
            return Err(OtError::ZeroDim);
        }
        if data.is_empty() {
            return Err(OtError::NoPoints);
        }
        if !data.len().is_multiple_of(dim) {
            return Err(OtError::Ragged { len: data.len(), dim });
        }
        if let Some(at) = data.iter().position(|x| !x.is_finite()) {
            return Err(OtError::NotFinite {
                what: "points",
                row: at / dim,
                column: at % dim,
                value: data[at],
            });
        }
        Ok(Self { data, dim })
    }

    /// The same from single-precision values, converted exactly.
    ///
    /// # Errors
    /// As [`Points::new`].
    pub fn from_f32(data: &[f32], dim: usize) -> Result<Self> {
        Self::new(data.iter().map(|x| f64::from(*x)).collect(), dim)
    }

    /// Number of points.
    #[allow(clippy::len_without_is_empty)] // a cloud is never empty
    pub fn len(&self) -> usize {
        self.data.len() / self.dim
    }

    /// Number of coordinates per point.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Point `i`, `[dim]`.
    ///
    /// # Panics
    /// If `i` is out of range.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.data[i * self.dim..(i + 1) * self.dim]
    }

    /// All points, in order.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f64> {
        self.data.chunks_exact(self.dim)
    }

    /// All coordinates, `[n, dim]`, row by row.
    pub fn as_slice(&self) -> &[f64] {
        &self.data
    }

    /// The points at `indices`, in that order; repetition is allowed.
    ///
    /// # Errors
    /// If `indices` is empty.
    ///
    /// # Panics
    /// If an index is out of range.
    pub fn subset(&self, indices: &[usize]) -> Result<Self> {
        let data = indices.iter().flat_map(|i| self.row(*i)).copied().collect();
        Self::new(data, self.dim)
    }

    /// Mean of the points, `[dim]`.
    pub fn mean(&self) -> Vec<f64> {
        let mut mean = vec![0.0; self.dim];
        for row in self.rows() {
            for (sum, x) in mean.iter_mut().zip(row) {
                *sum += x;
            }
        }
        let n = self.len() as f64;
        mean.iter_mut().for_each(|sum| *sum /= n);
        mean
    }

    /// Sample covariance, `[dim, dim]`, divisor `n − 1`.
    ///
    /// # Errors
    /// If there is only one point: its covariance is undefined, and NaN would travel far before it is noticed.
    pub fn covariance(&self) -> Result<Mat<f64>> {
        let n = self.len();
        if n < 2 {
            return Err(OtError::TooFewPoints { what: "a covariance", needed: 2, got: n });
        }
        let mean = self.mean();
        let centred = Mat::from_fn(n, self.dim, |i, j| self.row(i)[j] - mean[j]);
        let scatter = centred.transpose() * &centred;
        // The product rounds the two triangles differently; a covariance is symmetric to the bit.
        Ok(Mat::from_fn(self.dim, self.dim, |i, j| scatter[(i.max(j), i.min(j))] / (n - 1) as f64))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bad_clouds_are_refused_with_the_place_named() {
        assert_eq!(Points::new(vec![1.0], 0), Err(OtError::ZeroDim));
        assert_eq!(Points::new(vec![], 2), Err(OtError::NoPoints));
        assert_eq!(Points::new(vec![1.0; 5], 2), Err(OtError::Ragged { len: 5, dim: 2 }));
        let error = Points::new(vec![0.0, 1.0, 2.0, f64::INFINITY], 2).unwrap_err();
        assert!(error.to_string().contains("points[1, 1] is inf"), "{error}");
    }

    #[test]
    fn rows_are_those_of_the_data() {
        let points = Points::from_f32(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3).unwrap();
        assert_eq!((points.len(), points.dim()), (2, 3));
        assert_eq!(points.rows().collect::<Vec<_>>(), [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        assert_eq!(points.row(1), [4.0, 5.0, 6.0]);
        assert_eq!(points.subset(&[1, 1]).unwrap().as_slice(), [4.0, 5.0, 6.0, 4.0, 5.0, 6.0]);
    }

    #[test]
    fn moments_of_a_square_are_known() {
        let corners = Points::new(vec![0.0, 0.0, 2.0, 0.0, 0.0, 4.0, 2.0, 4.0], 2).unwrap();
        assert_eq!(corners.mean(), [1.0, 2.0]);
        let cov = corners.covariance().unwrap();
        // Integers below 2⁵³ and one division each: equal up to that division.
        assert!((cov[(0, 0)] - 4.0 / 3.0).abs() < 1e-15);
        assert!((cov[(1, 1)] - 16.0 / 3.0).abs() < 1e-15);
        assert_eq!(cov[(0, 1)], 0.0);
    }

    #[test]
    fn one_point_has_no_covariance() {
        let point = Points::new(vec![1.0, 2.0], 2).unwrap();
        assert_eq!(
            point.covariance(),
            Err(OtError::TooFewPoints { what: "a covariance", needed: 2, got: 1 })
        );
    }
}
