//! Groups of coordinates that move without the others.
//!
//! With any matrix of the forward score all coordinates are one part. With a diagonal one each is a part of its own: nothing
//! with as many entries as pairs of coordinates is ever kept.

use faer::{Mat, MatRef};
use sbridge_ot::Gaussian;

use crate::error::Result;
use crate::reference::{Kernel, LinearDiffusion};
use crate::tensor::{Device, Tensor, TensorData};

/// Coordinates that move without the others.
#[derive(Clone, Debug)]
pub struct Part {
    /// How they move.
    pub diffusion: LinearDiffusion,
    /// A Gaussian with the moments of the data there.
    pub data: Gaussian,
}

impl Part {
    /// The same with other nodes.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for nodes that do not rise to 1.
    pub fn with_nodes(&self, nodes: &[f64]) -> Result<Self> {
        Ok(Self { diffusion: self.diffusion.with_nodes(nodes.to_vec())?, data: self.data.clone() })
    }

    /// The kernel from t = 0 to the end.
    ///
    /// # Errors
    /// As [`LinearDiffusion::kernel`].
    pub fn whole(&self) -> Result<Kernel> {
        self.diffusion.kernel(0.0, self.diffusion.schedule.total())
    }
}

/// What rows are multiplied by from the right: a matrix, or a factor for each coordinate.
#[derive(Clone, Debug)]
pub(super) enum RowMap {
    /// `[dim, dim]`.
    Matrix(Tensor<2>),
    /// `[1, dim]`.
    Factors(Tensor<2>),
}

impl RowMap {
    /// From the matrix of each part.
    pub(super) fn of(parts: &[Mat<f64>], device: &Device) -> Self {
        match parts {
            [one] => Self::Matrix(tensor(one.as_ref(), device)),
            many => Self::Factors(row(&many.iter().map(|factor| factor[(0, 0)]).collect::<Vec<_>>(), device)),
        }
    }

    /// The product, `[count, dim]`.
    pub(super) fn apply(&self, rows: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Matrix(matrix) => rows.matmul(matrix.clone()),
            Self::Factors(factors) => rows * factors.clone(),
        }
    }
}

/// A row in f32 from the vector of each part, `[1, dim]`.
pub(super) fn joined<'a>(parts: impl Iterator<Item = &'a [f64]>, device: &Device) -> Tensor<2> {
    row(&parts.flatten().copied().collect::<Vec<_>>(), device)
}

/// A matrix in f32.
fn tensor(a: MatRef<'_, f64>, device: &Device) -> Tensor<2> {
    let values: Vec<f32> =
        (0..a.nrows()).flat_map(|i| (0..a.ncols()).map(move |j| a[(i, j)] as f32)).collect();
    Tensor::from_data(TensorData::new(values, [a.nrows(), a.ncols()]), device)
}

/// A row in f32, `[1, dim]`.
fn row(values: &[f64], device: &Device) -> Tensor<2> {
    tensor(Mat::from_fn(1, values.len(), |_, j| values[j]).as_ref(), device)
}
