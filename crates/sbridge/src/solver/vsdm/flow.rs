//! The probability flow from the end of a linear diffusion back to the data, exact for Gaussian data.
//!
//! Over a step of du the Gaussian part is carried exactly, and what the network says is added by Heun's rule:
//!
//! x ← m + F (x₊ − m₊ + ¼ du r₊) + ¼ du r,   dF/du = −½ (D − P⁻¹) F,   r = s + P⁻¹(x − m)

use faer::Mat;
use faer::linalg::solvers::Solve;
use sbridge_ot::Gaussian;
use sbridge_ot::matrix::{expm, inv_sqrt_pd, sqrt_psd};

use crate::error::Result;
use crate::reference::{LinearDiffusion, LinearDrift};
use crate::solver::vsdm::Frame;
use crate::solver::vsdm::frames::{Correction, moved, tensor};
use crate::tensor::{Device, Tensor};

/// The probability flow of a linear diffusion, from node to node.
pub struct BackwardFlow {
    frames: Vec<Frame>,
    /// Fᵀ of each step, `[dim, dim]`, and du.
    steps: Vec<(Tensor<2>, f64)>,
}

impl BackwardFlow {
    /// That of `diffusion`, for data with the moments of `data`.
    ///
    /// # Errors
    /// As [`Frame::of`].
    pub fn new(diffusion: &LinearDiffusion, data: &Gaussian, device: &Device) -> Result<Self> {
        let frames = Frame::of(diffusion, data, device)?;
        let step = |k: usize| {
            let span = diffusion.span(k);
            let back = flow_back(diffusion.drift(k), &frames[k].law, span)?;
            Ok((tensor(back.transpose(), device), span))
        };
        let steps = (0..frames.len() - 1).map(step).collect::<Result<_>>()?;
        Ok(Self { frames, steps })
    }

    /// From `end`, `[count, dim]` at t = 1, to the first node, showing the states at every node to `observe`. Calls the
    /// network twice a step.
    pub fn carry(
        &self,
        net: &Correction<'_>,
        end: Tensor<2>,
        observe: &mut dyn FnMut(usize, &Tensor<2>),
    ) -> Tensor<2> {
        let mut x = end;
        for (k, (map, span)) in self.steps.iter().enumerate().rev() {
            observe(k + 1, &x);
            let [before, after] = [&self.frames[k], &self.frames[k + 1]];
            let first = after.correction(net, &x) * *span;
            let guess = moved(after, before, &(x.clone() + first.clone() * 0.5), map);
            let second = before.correction(net, &guess) * *span;
            x = moved(after, before, &(x + first * 0.25), map) + second * 0.25;
        }
        observe(0, &x);
        x
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
