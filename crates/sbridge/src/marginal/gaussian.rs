//! Gaussian laws N(m, Σ), kept in the eigenbasis of Σ.
//!
//! With Σ = Q diag(λ) Qᵀ the smoothed score is −Q diag(1/(λ + v)) Qᵀ (z − m), for any v per row.
//! Tests: moments of samples; the score is the gradient of the smoothed log-density.

use sbridge_ot::matrix::symmetric_eigen;

use crate::error::Result;
use crate::marginal::{Marginal, SmoothedScore};
use crate::rng::Rng;
use crate::tensor::{DType, Device, Tensor, TensorData, column};

/// A Gaussian law.
#[derive(Clone, Debug)]
pub struct Gaussian {
    /// m, `[1, dim]`.
    mean: Tensor<2>,
    /// λ, `[1, dim]`.
    variances: Tensor<2>,
    /// Q, `[dim, dim]`, eigenvectors in columns.
    axes: Tensor<2>,
}

impl Gaussian {
    /// N(mean, var I), with `mean: [dim]`, computing in the type of `dtype`.
    pub fn isotropic(mean: &[f64], var: f64, dtype: DType, device: &Device) -> Self {
        let dim = mean.len();
        let options = (device, dtype);
        Self {
            mean: Tensor::from_data(TensorData::new(mean.to_vec(), [1, dim]), options),
            variances: Tensor::full([1, dim], var, options),
            axes: Tensor::<2>::eye(dim, device).cast(dtype),
        }
    }

    /// N(mean, covariance), computing in the type of `dtype`.
    ///
    /// # Errors
    /// [`Error::Transport`](crate::Error::Transport) if the covariance has no eigenvalues to rounding.
    pub fn new(law: &sbridge_ot::Gaussian, dtype: DType, device: &Device) -> Result<Self> {
        let dim = law.mean().len();
        let (variances, axes) = symmetric_eigen("the covariance", law.cov())?;
        let variances: Vec<f64> = variances.into_iter().map(|variance| variance.max(0.0)).collect();
        let axes: Vec<f64> = (0..dim * dim).map(|k| axes[(k / dim, k % dim)]).collect();
        let tensor =
            |values, shape: [usize; 2]| Tensor::from_data(TensorData::new(values, shape), (device, dtype));
        Ok(Self {
            mean: tensor(law.mean().to_vec(), [1, dim]),
            variances: tensor(variances, [1, dim]),
            axes: tensor(axes, [dim, dim]),
        })
    }

    /// This law convolved with N(0, var I).
    #[must_use]
    pub fn smoothed(mut self, var: f64) -> Self {
        self.variances = self.variances + var;
        self
    }
}

impl Marginal for Gaussian {
    fn dim(&self) -> usize {
        self.mean.dims()[1]
    }

    fn sample(&self, batch: usize, rng: &mut Rng) -> Tensor<2> {
        let noise = rng.normal_like(&self.mean.clone().expand([batch, self.mean.dims()[1]]));
        let scaled = noise * self.variances.clone().sqrt();
        scaled.matmul(self.axes.clone().transpose()) + self.mean.clone()
    }
}

impl SmoothedScore for Gaussian {
    fn dim(&self) -> usize {
        self.mean.dims()[1]
    }

    fn score(&self, z: Tensor<2>, v: Tensor<1>) -> Tensor<2> {
        let along_axes = (z - self.mean.clone()).matmul(self.axes.clone());
        let whitened = along_axes / (self.variances.clone() + column(v));
        whitened.matmul(self.axes.clone().transpose()).neg()
    }
}
