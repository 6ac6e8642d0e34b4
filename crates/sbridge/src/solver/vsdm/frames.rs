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

use faer::Mat;
use sbridge_ot::Gaussian;
use sbridge_ot::matrix::{inv_sqrt_pd, sqrt_psd, trace};

use crate::error::Result;
use crate::reference::Kernel;
use crate::solver::vsdm::Part;
use crate::solver::vsdm::parts::{RowMap, joined};
use crate::tensor::{Device, Tensor, per_row};

/// What adds to the Gaussian score: of whitened states `[count, dim]` and levels `[count]`.
pub type Correction<'a> = dyn Fn(Tensor<2>, Tensor<1>) -> Tensor<2> + 'a;

/// The least c.
const MIN_OUTPUT_SCALE: f64 = 1e-4;

/// One node.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Mᵀ, L and P^−½: rows are multiplied from the right.
    map: RowMap,
    root: RowMap,
    whitening: RowMap,
    /// P⁻¹ L.
    skip: RowMap,
    /// c L⁻¹.
    correction: RowMap,
    /// h and m, `[1, dim]`.
    shift: Tensor<2>,
    mean: Tensor<2>,
    output_scale: f64,
    /// Noise over signal of the plain process, by which the network knows the time.
    level: f64,
    /// The law of Gaussian data here, part by part.
    pub laws: Vec<Gaussian>,
}

/// The matrices of one part.
struct Matrices {
    root: Mat<f64>,
    inverse: Mat<f64>,
    whitening: Mat<f64>,
    skip: Mat<f64>,
    law: Gaussian,
}

impl Matrices {
    fn of(kernel: &Kernel, data: &Gaussian) -> Result<Self> {
        let law = kernel.push(data)?;
        let (root, inverse) =
            (sqrt_psd(kernel.covariance.as_ref())?, inv_sqrt_pd(kernel.covariance.as_ref())?);
        let whitening = inv_sqrt_pd(law.cov())?;
        let skip = &whitening * &whitening * &root;
        Ok(Self { root, inverse, whitening, skip, law })
    }

    /// tr(Lᵀ P⁻¹ L).
    fn explained(&self) -> f64 {
        trace((&self.root * &self.skip).as_ref())
    }
}

impl Frame {
    /// Those of all nodes of `parts`.
    ///
    /// # Errors
    /// [`Error::Transport`](crate::Error::Transport) for a covariance that is singular to rounding.
    pub fn of(parts: &[Part], device: &Device) -> Result<Vec<Self>> {
        let kernels = parts.iter().map(|part| part.diffusion.kernels()).collect::<Result<Vec<_>>>()?;
        let frame = |(k, u): (usize, f64)| {
            let here: Vec<&Kernel> = kernels.iter().map(|of_part| &of_part[k]).collect();
            Self::at(u, &here, parts, device)
        };
        parts[0].diffusion.clock().into_iter().enumerate().map(frame).collect()
    }

    /// That at `u` on the clock, to which `kernels` lead from t = 0.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn at(u: f64, kernels: &[&Kernel], parts: &[Part], device: &Device) -> Result<Self> {
        let matrices = kernels.iter().zip(parts).map(|(kernel, part)| Matrices::of(kernel, &part.data));
        let matrices = matrices.collect::<Result<Vec<_>>>()?;
        let dim: usize = matrices.iter().map(|of_part| of_part.law.dim()).sum();
        let explained = matrices.iter().map(Matrices::explained).sum::<f64>() / dim as f64;
        let output_scale = (1.0 - explained).max(MIN_OUTPUT_SCALE).sqrt();
        let map = |of: &dyn Fn(&Matrices) -> Mat<f64>| {
            RowMap::of(&matrices.iter().map(of).collect::<Vec<_>>(), device)
        };
        let moved: Vec<Mat<f64>> = kernels.iter().map(|kernel| kernel.map.transpose().to_owned()).collect();
        Ok(Self {
            map: RowMap::of(&moved, device),
            root: map(&|of_part| of_part.root.clone()),
            whitening: map(&|of_part| of_part.whitening.clone()),
            skip: map(&|of_part| of_part.skip.clone()),
            correction: map(&|of_part| &of_part.inverse * faer::Scale(output_scale)),
            shift: joined(kernels.iter().map(|kernel| kernel.shift.as_slice()), device),
            mean: joined(matrices.iter().map(|of_part| of_part.law.mean()), device),
            output_scale,
            level: u.exp_m1(),
            laws: matrices.into_iter().map(|of_part| of_part.law).collect(),
        })
    }

    /// States here of paths from `x0`, with noise `noise`, `[count, dim]`.
    pub fn noised(&self, x0: Tensor<2>, noise: Tensor<2>) -> Tensor<2> {
        self.map.apply(x0) + self.shift.clone() + self.root.apply(noise)
    }

    /// P^−½ (x − m), `[count, dim]`.
    pub fn whitened(&self, x: &Tensor<2>) -> Tensor<2> {
        self.whitening.apply(x.clone() - self.mean.clone())
    }

    /// Lᵀ P⁻¹ (x − m), `[count, dim]`.
    pub fn gaussian_noise(&self, x: &Tensor<2>) -> Tensor<2> {
        self.skip.apply(x.clone() - self.mean.clone())
    }

    /// c.
    pub fn output_scale(&self) -> f64 {
        self.output_scale
    }

    /// The noise level that the network is conditioned on, for each row of `x`: `[count]`.
    pub fn level(&self, x: &Tensor<2>) -> Tensor<1> {
        per_row(self.level, x)
    }

    /// The score at the rows of `x`, of which `correction` is what the network adds, `[count, dim]`.
    pub fn score(&self, x: &Tensor<2>, correction: &Tensor<2>) -> Tensor<2> {
        correction.clone() - self.whitening.apply(self.whitened(x))
    }

    /// What `net` adds to the Gaussian score at the rows of `x`: r = s + P⁻¹ (x − m), `[count, dim]`.
    pub fn correction(&self, net: &Correction<'_>, x: &Tensor<2>) -> Tensor<2> {
        -self.correction.apply(net(self.whitened(x), self.level(x)))
    }

    /// The divergence of [`correction`](Self::correction) at the rows of `x`, exactly, `[count]`, for a `net` that is
    /// differentiated: a pass back for each coordinate.
    ///
    /// With y = W (x − m) the correction is −C net(y), and its divergence −tr(C ∂net W).
    pub fn divergence(&self, net: &Correction<'_>, x: &Tensor<2>) -> Tensor<1> {
        let [count, dim] = x.dims();
        let (device, level) = (x.device(), self.level(x).autodiff());
        // Row k is that of C and W for output k of the network.
        let outputs = Tensor::<2>::eye(dim, &device).cast(x.dtype());
        let weights = self.whitening.apply(self.correction.apply(outputs));
        let whitened = self.whitened(x);
        let mut total = Tensor::zeros([count, 1], (&device, x.dtype()));
        for k in 0..dim {
            let y = whitened.clone().autodiff().require_grad();
            let gradients = net(y.clone(), level.clone()).narrow(1, k, 1).sum().backward();
            let slope = y.grad(&gradients).expect("the output depends on the input");
            total = total - (slope * weights.clone().narrow(0, k, 1)).sum_dim(1);
        }
        total.squeeze_dim(1)
    }
}

/// m₁ + A (x − m₀) for rows `x` at `from`, `map` being Aᵀ.
pub(super) fn moved(from: &Frame, to: &Frame, x: &Tensor<2>, map: &RowMap) -> Tensor<2> {
    map.apply(x.clone() - from.mean.clone()) + to.mean.clone()
}
