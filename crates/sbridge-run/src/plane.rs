//! The plane in which clouds of many dimensions are drawn.

use sbridge_ot::Points;

use crate::error::{Result, RunError};
use crate::report::{Block, Plot, Series};

/// The two principal axes of a cloud.
pub(crate) struct Plane {
    axes: [Vec<f64>; 2],
}

impl Plane {
    /// The widest two directions of `cloud`.
    ///
    /// # Errors
    /// [`RunError::Input`] if it has none.
    pub(crate) fn of(cloud: &Points) -> Result<Self> {
        let dim = cloud.dim();
        if dim == 1 {
            return Ok(Self { axes: [vec![1.0], vec![1.0]] });
        }
        let covariance = cloud.covariance()?;
        let eigen = covariance
            .self_adjoint_eigen(faer::Side::Lower)
            .map_err(|e| RunError::Input(format!("the points have no principal axes: {e:?}")))?;
        // Eigenvalues come in rising order.
        let axis = |j: usize| (0..dim).map(|i| eigen.U()[(i, j)]).collect();
        Ok(Self { axes: [axis(dim - 1), axis(dim - 2)] })
    }

    /// Row-major rows along both axes.
    pub(crate) fn project(&self, rows: &[f64]) -> Vec<(f64, f64)> {
        let dot = |row: &[f64], axis: &[f64]| row.iter().zip(axis).map(|(x, a)| x * a).sum();
        let rows = rows.chunks_exact(self.axes[0].len());
        rows.map(|row| (dot(row, &self.axes[0]), dot(row, &self.axes[1]))).collect()
    }
}

/// A drawing of `series` along the principal axes.
pub(crate) fn plot(caption: &str, series: Vec<Series>) -> Block {
    Block::Plot(Plot {
        caption: caption.into(),
        x_label: "first principal axis".into(),
        y_label: "second principal axis".into(),
        series,
        ..Plot::default()
    })
}
