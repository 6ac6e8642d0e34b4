//! Backward paths with noise, by steps that are exact for Gaussian data.
//!
//! Over a step of du the Gaussian part is carried exactly, and what the network says is added, r = s + P⁻¹(x − m):
//!
//! x ← m + J (x₊ − m₊) + du r + N(0, P − J M P),   J = P Mᵀ P₊⁻¹

use sbridge_ot::Gaussian;
use sbridge_ot::matrix::sqrt_psd;

use crate::error::Result;
use crate::reference::LinearDiffusion;
use crate::rng::Rng;
use crate::solver::vsdm::Frame;
use crate::solver::vsdm::frames::{Correction, moved, tensor};
use crate::tensor::{Device, Tensor};

/// The backward process of a linear diffusion, from node to node.
pub struct BackwardPaths {
    frames: Vec<Frame>,
    steps: Vec<Step>,
}

/// From node k + 1 to node k.
struct Step {
    /// Jᵀ and (P − J M P)^½, `[dim, dim]`.
    map: Tensor<2>,
    root: Tensor<2>,
    span: f64,
}

impl BackwardPaths {
    /// Those of `diffusion`, for data with the moments of `data`.
    ///
    /// # Errors
    /// As [`Frame::of`].
    pub fn new(diffusion: &LinearDiffusion, data: &Gaussian, device: &Device) -> Result<Self> {
        let frames = Frame::of(diffusion, data, device)?;
        let step = |k: usize| {
            let back = diffusion.step(k)?.reversed(&frames[k].law, &frames[k + 1].law)?;
            let root = sqrt_psd(back.covariance.as_ref())?;
            let [map, root] = [back.map.transpose(), root.as_ref()].map(|a| tensor(a, device));
            Ok(Step { map, root, span: diffusion.span(k) })
        };
        let steps = (0..frames.len() - 1).map(step).collect::<Result<_>>()?;
        Ok(Self { frames, steps })
    }

    /// The nodes.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Paths from `end`, `[count, dim]` at t = 1, to the first node, showing the states at every node and what `net` adds
    /// to the Gaussian score there to `observe`.
    pub fn walk(
        &self,
        net: &Correction<'_>,
        end: Tensor<2>,
        rng: &mut Rng,
        observe: &mut dyn FnMut(usize, &Tensor<2>, &Tensor<2>),
    ) -> Tensor<2> {
        let mut x = end;
        for (k, step) in self.steps.iter().enumerate().rev() {
            let [before, after] = [&self.frames[k], &self.frames[k + 1]];
            let correction = after.correction(net, &x);
            observe(k + 1, &x, &correction);
            let noise = rng.normal_like(&x).matmul(step.root.clone());
            x = moved(after, before, &x, &step.map) + correction * step.span + noise;
        }
        observe(0, &x, &self.frames[0].correction(net, &x));
        x
    }
}
