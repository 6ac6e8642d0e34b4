//! The backward process: paths with noise, by steps that are exact for Gaussian data, and the probability flow.
//!
//! Between nodes a step of du carries the Gaussian part exactly and adds what the network says, r = s + P⁻¹(x − m):
//!
//! paths:  x ← m + J (x₊ − m₊) + du r + N(0, P − J M P),   J = P Mᵀ P₊⁻¹
//! flow:   x ← m + F (x₊ − m₊ + ¼ du r₊) + ¼ du r,         dF/du = −½ (D − P⁻¹) F        (Heun's rule)
//!
//! On Gaussian data one step of either is exact, however long.

use faer::Mat;
use faer::linalg::solvers::Solve;
use sbridge_ot::Gaussian;
use sbridge_ot::matrix::{expm, inv_sqrt_pd, sqrt_psd};

use crate::error::Result;
use crate::net::ResidualMlp;
use crate::reference::{LinearDiffusion, LinearDrift};
use crate::rng::Rng;
use crate::solver::vsdm::Frame;
use crate::solver::vsdm::frames::tensor;
use crate::tensor::{Device, Tensor};

/// The backward process of a linear diffusion, from node to node.
#[derive(Clone, Debug)]
pub struct Backward {
    diffusion: LinearDiffusion,
    frames: Vec<Frame>,
}

impl Backward {
    /// That of `diffusion`, for data with the moments of `data`.
    ///
    /// # Errors
    /// As [`Frame::of`].
    pub fn new(diffusion: LinearDiffusion, data: &Gaussian, device: &Device) -> Result<Self> {
        let frames = Frame::of(&diffusion, data, device)?;
        Ok(Self { diffusion, frames })
    }

    /// The nodes.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Paths from `end`, `[count, dim]` at t = 1, to the first node, showing the states at every node and what `net` adds
    /// to the Gaussian score there to `observe`.
    ///
    /// # Errors
    /// [`Error::Transport`](crate::Error::Transport) for a covariance that is singular to rounding.
    pub fn paths(
        &self,
        net: &ResidualMlp,
        end: Tensor<2>,
        rng: &mut Rng,
        observe: &mut dyn FnMut(usize, &Tensor<2>, &Tensor<2>),
    ) -> Result<Tensor<2>> {
        let mut x = end;
        for k in (0..self.frames.len() - 1).rev() {
            let [before, after] = [&self.frames[k], &self.frames[k + 1]];
            let back = self.diffusion.step(k)?.reversed(&before.law, &after.law)?;
            let correction = after.correction(net, &x);
            observe(k + 1, &x, &correction);
            let noise =
                rng.normal_like(&x).matmul(tensor(sqrt_psd(back.covariance.as_ref())?.as_ref(), &x.device()));
            x = self.moved(k, &x, &back.map) + correction * self.diffusion.span(k) + noise;
        }
        observe(0, &x, &self.frames[0].correction(net, &x));
        Ok(x)
    }

    /// The probability flow from `end`, `[count, dim]` at t = 1, to the first node, showing the states at every node to
    /// `observe`. Calls the network twice a step.
    ///
    /// # Errors
    /// As [`paths`](Self::paths).
    pub fn flow(
        &self,
        net: &ResidualMlp,
        end: Tensor<2>,
        observe: &mut dyn FnMut(usize, &Tensor<2>),
    ) -> Result<Tensor<2>> {
        let mut x = end;
        for k in (0..self.frames.len() - 1).rev() {
            observe(k + 1, &x);
            let [before, after] = [&self.frames[k], &self.frames[k + 1]];
            let du = self.diffusion.span(k);
            let back = flow_back(self.diffusion.drift(k), &before.law, du)?;
            let first = after.correction(net, &x) * du;
            let guess = self.moved(k, &(x.clone() + first.clone() * 0.5), &back);
            let second = before.correction(net, &guess) * du;
            x = self.moved(k, &(x + first * 0.25), &back) + second * 0.25;
        }
        observe(0, &x);
        Ok(x)
    }

    /// m + A (x₊ − m₊), from node k + 1 to node k.
    fn moved(&self, k: usize, x: &Tensor<2>, a: &Mat<f64>) -> Tensor<2> {
        let [after, before] = [&self.frames[k + 1], &self.frames[k]].map(Frame::mean);
        (x.clone() - after).matmul(tensor(a.transpose(), &x.device())) + before
    }
}

/// Parts of a step in which the flow of Gaussian data is integrated, by the midpoint rule.
const PARTS: usize = 32;

/// F back over a step of `du`, at whose start the law is `before`.
fn flow_back(drift: &LinearDrift, before: &Gaussian, du: f64) -> Result<Mat<f64>> {
    let dim = before.dim();
    let part = du / PARTS as f64;
    let mut total = Mat::<f64>::identity(dim, dim);
    for i in 0..PARTS {
        let middle = drift.kernel((i as f64 + 0.5) * part)?.push(before)?;
        let precision = middle.cov().full_piv_lu().solve(Mat::<f64>::identity(dim, dim));
        let rate = (&drift.matrix - precision) * faer::Scale(0.5 * part);
        // Earlier parts come last on the way back.
        total = total * expm(rate.as_ref())?;
    }
    // The midpoint rule misses a little of the way; what it gives is turned into a map that carries one law to the other.
    let after = drift.kernel(du)?.push(before)?;
    aligned(&total, &after, before)
}

/// The map that carries the law `from` to `to` nearest to `guess`: S₁^½ Q S₀^−½ with the rotation Q of guess's own.
fn aligned(guess: &Mat<f64>, from: &Gaussian, to: &Gaussian) -> Result<Mat<f64>> {
    let (root, inverse) = (sqrt_psd(to.cov())?, inv_sqrt_pd(to.cov())?);
    let turned = &inverse * guess * sqrt_psd(from.cov())?;
    // The rotation of a polar decomposition: T (TᵀT)^−½.
    let square = turned.transpose() * &turned;
    let rotation = &turned * inv_sqrt_pd(square.as_ref())?;
    Ok(root * rotation * inv_sqrt_pd(from.cov())?)
}
