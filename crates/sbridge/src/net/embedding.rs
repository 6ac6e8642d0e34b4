//! Embedding of a number: its Fourier features, at frequencies spaced geometrically.

use crate::tensor::{DType, Device, Module, Tensor, TensorData, column};

/// sin and cos of ω_j s, for a number s that places a state: the logarithm of its noise, or its time.
#[derive(Module, Debug)]
pub struct FourierEmbedding {
    #[module(skip)]
    frequencies: Vec<f64>,
}

/// Lowest and highest frequency of ln v, which spans about ten units: one turns at most once over the
/// whole range and the other resolves a tenth of a unit.
const OF_LOG_VARIANCE: (f64, f64) = (0.25, 8.0);

/// The same of a time in [0, 1], down to a fiftieth of it.
const OF_TIME: (f64, f64) = (1.5, 50.0);

/// The same of the number of a step, counted from zero.                                              \[VSP17\]
const OF_INDEX: (f64, f64) = (1e-4, 1.0);

impl FourierEmbedding {
    /// `features / 2` frequencies for ln v: levels a factor apart are equally far from each other whatever
    /// their size.
    pub fn of_log_variance(features: usize) -> Self {
        Self::between(OF_LOG_VARIANCE, features)
    }

    /// `features / 2` frequencies for a time in [0, 1].
    pub fn of_time(features: usize) -> Self {
        Self::between(OF_TIME, features)
    }

    /// `features / 2` frequencies for the number of a step, up to a thousand of them.
    pub fn of_index(features: usize) -> Self {
        Self::between(OF_INDEX, features)
    }

    fn between((low, high): (f64, f64), features: usize) -> Self {
        let count = features / 2;
        let ratio = |j: usize| j as f64 / (count.max(2) - 1) as f64;
        let frequencies = (0..count).map(|j| low * f64::powf(high / low, ratio(j))).collect();
        Self { frequencies }
    }

    /// Number of features given out.
    pub fn features(&self) -> usize {
        2 * self.frequencies.len()
    }

    /// # Shapes
    /// `s: [batch]`, result `[batch, features]`.
    pub fn forward(&self, s: Tensor<1>) -> Tensor<2> {
        let angles = column(s.clone()) * self.row(&s.device(), s.dtype());
        sbridge_kernels::sin_cos(angles)
    }

    fn row(&self, device: &Device, dtype: DType) -> Tensor<2> {
        let shape = [1, self.frequencies.len()];
        Tensor::from_data(TensorData::new(self.frequencies.clone(), shape), (device, dtype))
    }
}
