//! Embedding of a noise level: Fourier features of ln v.
//!
//! Sines and cosines of ω ln v with ω spaced geometrically, so that levels a factor apart are
//! equally far from each other whatever their size.

use crate::tensor::{DType, Device, Module, Tensor, TensorData, column};

/// sin and cos of ω_j ln v.
#[derive(Module, Debug)]
pub struct LogVarianceEmbedding {
    #[module(skip)]
    frequencies: Vec<f64>,
}

/// Lowest and highest frequency: ln v spans about ten units, so one turns at most once over the
/// whole range and the other resolves a tenth of a unit.
const FREQUENCIES: (f64, f64) = (0.25, 8.0);

impl LogVarianceEmbedding {
    /// `features / 2` frequencies.
    pub fn new(features: usize) -> Self {
        let count = features / 2;
        let (low, high) = FREQUENCIES;
        let ratio = |j: usize| j as f64 / (count.max(2) - 1) as f64;
        let frequencies = (0..count).map(|j| low * f64::powf(high / low, ratio(j))).collect();
        Self { frequencies }
    }

    /// Number of features given out.
    pub fn features(&self) -> usize {
        2 * self.frequencies.len()
    }

    /// # Shapes
    /// `v: [batch]`, result `[batch, features]`.
    pub fn forward(&self, v: Tensor<1>) -> Tensor<2> {
        let angles = column(v.clone().log()) * self.row(&v.device(), v.dtype());
        sbridge_kernels::sin_cos(angles)
    }

    fn row(&self, device: &Device, dtype: DType) -> Tensor<2> {
        let shape = [1, self.frequencies.len()];
        Tensor::from_data(TensorData::new(self.frequencies.clone(), shape), (device, dtype))
    }
}
