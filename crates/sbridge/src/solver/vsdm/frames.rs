//! What a backward score needs of the forward process at a node: its kernel, and the Gaussian it makes of Gaussian data.
//!
//! With x = M x₀ + h + L ε, L Lᵀ = Σ, and the law N(m, P) of x for data with the moments of ours, the noise is predicted as
//!
//! ε̂ = Lᵀ P⁻¹ (x − m) + c · net(P^−½ (x − m), u),   c² = 1 − tr(Lᵀ P⁻¹ L)/d,   s = −L⁻ᵀ ε̂.
//!
//! The first term is exact for Gaussian data, and c is what is left of the noise. A network that starts at zero starts
//! there. When D changes, only these matrices do.
//!
//! So s + P⁻¹(x − m) = −c L⁻ᵀ net(…): what the network adds to the Gaussian score.

use faer::{Mat, MatRef};
use sbridge_ot::Gaussian;
use sbridge_ot::matrix::{inv_sqrt_pd, sqrt_psd};

use crate::error::Result;
use crate::reference::{Kernel, LinearDiffusion};
use crate::tensor::{Device, Tensor, TensorData, per_row};

/// What adds to the Gaussian score: of whitened states `[count, dim]` and levels `[count]`.
pub type Correction<'a> = dyn Fn(Tensor<2>, Tensor<1>) -> Tensor<2> + 'a;

/// The least share of the noise that the network is given.
const LEAST_SHARE: f64 = 1e-4;

/// One node.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Mᵀ, L and P^−½, `[dim, dim]`: rows are multiplied from the right.
    map: Tensor<2>,
    root: Tensor<2>,
    whitening: Tensor<2>,
    /// P⁻¹ L, `[dim, dim]`.
    skip: Tensor<2>,
    /// c L⁻¹, `[dim, dim]`.
    correction: Tensor<2>,
    /// h and m, `[1, dim]`.
    shift: Tensor<2>,
    mean: Tensor<2>,
    share: f64,
    /// Noise over signal of the plain process, what the network knows of the time.
    level: f64,
    /// The law of Gaussian data here.
    pub law: Gaussian,
}

impl Frame {
    /// Those of all nodes of `diffusion`, for data with the moments of `data`.
    ///
    /// # Errors
    /// [`Error::Transport`](crate::Error::Transport) for a covariance that is singular to rounding.
    pub fn of(diffusion: &LinearDiffusion, data: &Gaussian, device: &Device) -> Result<Vec<Self>> {
        let kernels = diffusion.kernels()?;
        let elapsed = diffusion.nodes().iter().map(|t| diffusion.schedule.elapsed(*t));
        elapsed.zip(&kernels).map(|(u, kernel)| Self::at(u, kernel, data, device)).collect()
    }

    /// That at `u` on the clock, where `kernel` leads from t = 0.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn at(u: f64, kernel: &Kernel, data: &Gaussian, device: &Device) -> Result<Self> {
        let law = kernel.push(data)?;
        let (root, inverse) =
            (sqrt_psd(kernel.covariance.as_ref())?, inv_sqrt_pd(kernel.covariance.as_ref())?);
        let whitening = inv_sqrt_pd(law.cov())?;
        let precision = &whitening * &whitening;
        let skip = &precision * &root;
        let explained = (&root * &skip).diagonal().column_vector().sum() / law.dim() as f64;
        let share = (1.0 - explained).max(LEAST_SHARE).sqrt();
        Ok(Self {
            map: tensor(kernel.map.transpose(), device),
            root: tensor(root.as_ref(), device),
            whitening: tensor(whitening.as_ref(), device),
            skip: tensor(skip.as_ref(), device),
            correction: tensor((inverse * faer::Scale(share)).as_ref(), device),
            shift: row(&kernel.shift, device),
            mean: row(law.mean(), device),
            share,
            level: u.exp_m1(),
            law,
        })
    }

    /// States here of paths from `x0`, with noise `noise`, `[count, dim]`.
    pub fn noised(&self, x0: Tensor<2>, noise: Tensor<2>) -> Tensor<2> {
        x0.matmul(self.map.clone()) + self.shift.clone() + noise.matmul(self.root.clone())
    }

    /// P^−½ (x − m), `[count, dim]`.
    pub fn whitened(&self, x: &Tensor<2>) -> Tensor<2> {
        (x.clone() - self.mean.clone()).matmul(self.whitening.clone())
    }

    /// Lᵀ P⁻¹ (x − m), `[count, dim]`.
    pub fn gaussian_noise(&self, x: &Tensor<2>) -> Tensor<2> {
        (x.clone() - self.mean.clone()).matmul(self.skip.clone())
    }

    /// c.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// What the network is told of the time, for each row of `x`.
    pub fn level(&self, x: &Tensor<2>) -> Tensor<1> {
        per_row(self.level, x)
    }

    /// The score at the rows of `x`, of which `correction` is what the network adds, `[count, dim]`.
    pub fn score(&self, x: &Tensor<2>, correction: &Tensor<2>) -> Tensor<2> {
        let precision = self.whitening.clone().matmul(self.whitening.clone());
        correction.clone() - (x.clone() - self.mean.clone()).matmul(precision)
    }

    /// What `net` adds to the Gaussian score at the rows of `x`: r = s + P⁻¹ (x − m), `[count, dim]`.
    pub fn correction(&self, net: &Correction<'_>, x: &Tensor<2>) -> Tensor<2> {
        -net(self.whitened(x), self.level(x)).matmul(self.correction.clone())
    }
}

/// m + A (x₊ − m₊) for rows `x` after, `map` being Aᵀ.
pub(super) fn moved(after: &Frame, before: &Frame, x: &Tensor<2>, map: &Tensor<2>) -> Tensor<2> {
    (x.clone() - after.mean.clone()).matmul(map.clone()) + before.mean.clone()
}

/// A matrix in f32.
pub(super) fn tensor(a: MatRef<'_, f64>, device: &Device) -> Tensor<2> {
    let values: Vec<f32> =
        (0..a.nrows()).flat_map(|i| (0..a.ncols()).map(move |j| a[(i, j)] as f32)).collect();
    Tensor::from_data(TensorData::new(values, [a.nrows(), a.ncols()]), device)
}

/// A row in f32, `[1, dim]`.
pub(super) fn row(values: &[f64], device: &Device) -> Tensor<2> {
    tensor(Mat::from_fn(1, values.len(), |_, j| values[j]).as_ref(), device)
}
