//! The linear map between data and data without scales and correlations.

use faer::Mat;
use sbridge::tensor::{Tensor, from_rows_f64, points};
use sbridge_ot::Gaussian;
use sbridge_ot::matrix::{inv_sqrt_pd, log_det_pd, sqrt_psd};

use crate::error::Result;

/// The linear map that gives data mean zero and covariance one, and its inverse.
pub struct Whitening {
    mean: Tensor<2>,
    whiten: Tensor<2>,
    unwhiten: Tensor<2>,
    /// The root of the covariance, which rows are multiplied by on the way back.
    root: Mat<f64>,
    /// ln of what it multiplies volumes by.
    pub log_volume: f64,
}

impl Whitening {
    /// That of `rows`, `[count, dim]`.
    ///
    /// # Errors
    /// [`RunError::Library`](crate::RunError::Library) for data that do not vary along some direction.
    pub fn of(rows: &Tensor<2>) -> Result<Self> {
        let law = Gaussian::fit(&points(rows)?)?;
        let device = rows.device();
        let dim = law.dim();
        let tensor = |values: Vec<f64>| from_rows_f64(&values, dim, &device).cast(rows.dtype());
        let matrix = |a: Mat<f64>| tensor((0..dim * dim).map(|i| a[(i / dim, i % dim)]).collect());
        let root = sqrt_psd(law.cov())?;
        Ok(Self {
            mean: tensor(law.mean().to_vec()),
            whiten: matrix(inv_sqrt_pd(law.cov())?),
            unwhiten: matrix(root.clone()),
            root,
            log_volume: -0.5 * log_det_pd(law.cov())?,
        })
    }

    /// Rows as they are after it.
    pub fn apply(&self, rows: &Tensor<2>) -> Tensor<2> {
        (rows.clone() - self.mean.clone()).matmul(self.whiten.clone())
    }

    /// What a covariance of rows after it is in those before it, `[dim, dim]`.
    pub fn undo_covariance(&self, covariance: &Mat<f64>) -> Mat<f64> {
        &self.root * covariance * &self.root
    }

    /// And back.
    pub fn undo(&self, rows: &Tensor<2>) -> Tensor<2> {
        rows.clone().matmul(self.unwhiten.clone()) + self.mean.clone()
    }
}
