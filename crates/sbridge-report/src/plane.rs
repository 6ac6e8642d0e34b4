//! The plane in which clouds of many dimensions are drawn.

use sbridge_ot::matrix::symmetric_eigen;
use sbridge_ot::{OtError, Points};

use crate::{Block, Plot, Series, SeriesStyle};

/// The two principal axes of a cloud.
pub struct Plane {
    axes: [Vec<f64>; 2],
}

impl Plane {
    /// The widest two directions of `cloud`.
    ///
    /// # Errors
    /// [`OtError`] if it has none.
    pub fn of(cloud: &Points) -> Result<Self, OtError> {
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
    pub fn project(&self, rows: &[f64]) -> Vec<(f64, f64)> {
        let dot = |row: &[f64], axis: &[f64]| row.iter().zip(axis).map(|(x, a)| x * a).sum();
        let rows = rows.chunks_exact(self.axes[0].len());
        rows.map(|row| (dot(row, &self.axes[0]), dot(row, &self.axes[1]))).collect()
    }

    /// Row-major rows as dots called `name`.
    pub fn dots(&self, name: &str, rows: &[f64]) -> Series {
        Series { name: name.into(), style: SeriesStyle::Points, points: self.project(rows) }
    }

    /// Paths to be drawn as their states come.
    pub fn paths(&self) -> PlanePaths<'_> {
        PlanePaths { plane: self, paths: Vec::new() }
    }

    /// A drawing of `series` along the axes.
    pub fn plot(caption: &str, series: Vec<Series>) -> Block {
        Block::Plot(Plot {
            caption: caption.into(),
            x_label: "first principal axis".into(),
            y_label: "second principal axis".into(),
            series,
            ..Plot::default()
        })
    }
}

/// Paths in a plane, state by state.
pub struct PlanePaths<'a> {
    plane: &'a Plane,
    paths: Vec<Vec<(f64, f64)>>,
}

impl PlanePaths<'_> {
    /// Goes on to the next states: row-major rows, one for each path.
    pub fn pass(&mut self, rows: &[f64]) {
        let points = self.plane.project(rows);
        self.paths.resize(points.len(), Vec::new());
        self.paths.iter_mut().zip(points).for_each(|(path, point)| path.push(point));
    }

    /// A thin line for each path.
    pub fn lines(self) -> impl Iterator<Item = Series> {
        let line = |points| Series { name: "paths".into(), style: SeriesStyle::PathLine, points };
        self.paths.into_iter().map(line)
    }
}
