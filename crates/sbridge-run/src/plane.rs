//! The plane in which clouds of many dimensions are drawn.

use sbridge_ot::Points;
use sbridge_ot::matrix::symmetric_eigen;

use crate::error::Result;
use crate::report::{Block, Plot, Series};

/// The two principal axes of a cloud.
pub(crate) struct Plane {
    axes: [Vec<f64>; 2],
}

impl Plane {
    /// The widest two directions of `cloud`.
    ///
    /// # Errors
    /// [`RunError::Transport`](crate::error::RunError::Transport) if it has none.
    pub(crate) fn of(cloud: &Points) -> Result<Self> {
        let dim = cloud.dim();
        if dim == 1 {
            return Ok(Self { axes: [vec![1.0], vec![1.0]] });
        }
        // Axes of rising variance.
        let (_, axes) = symmetric_eigen("the covariance of the points", cloud.covariance()?.as_ref())?;
        let axis = |j: usize| (0..dim).map(|i| axes[(i, j)]).collect();
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
