//! Backward paths with noise, by steps that are exact for Gaussian data.
//!
//! Over a step of du the Gaussian part is carried exactly, and what the network says is added, r = s + P⁻¹(x − m):
//!
//! x ← m + J (x₊ − m₊) + du r + N(0, P − J M P),   J = P Mᵀ P₊⁻¹

use sbridge_ot::matrix::sqrt_psd;

use crate::error::Result;
use crate::rng::Rng;
use crate::solver::vsdm::frames::{Correction, moved};
use crate::solver::vsdm::parts::RowMap;
use crate::solver::vsdm::{Frame, Part};
use crate::tensor::{Device, Tensor};

/// The backward process of a linear diffusion, from node to node.
pub struct BackwardPaths {
    frames: Vec<Frame>,
    steps: Vec<Step>,
}

/// From node k + 1 to node k.
struct Step {
    /// Jᵀ and (P − J M P)^½.
    map: RowMap,
    root: RowMap,
    span: f64,
}

impl BackwardPaths {
    /// Those of `parts`, between their nodes.
    ///
    /// # Errors
    /// As [`Frame::of`].
    pub fn new(parts: &[Part], device: &Device) -> Result<Self> {
        let frames = Frame::of(parts, device)?;
        let step = |k: usize| {
            let (before, after) = (&frames[k].laws, &frames[k + 1].laws);
            let back = |i: usize| parts[i].diffusion.step(k)?.reversed(&before[i], &after[i]);
            let back = (0..parts.len()).map(back).collect::<Result<Vec<_>>>()?;
            let maps: Vec<_> = back.iter().map(|kernel| kernel.map.transpose().to_owned()).collect();
            let roots = back.iter().map(|kernel| Ok(sqrt_psd(kernel.covariance.as_ref())?));
            let root = RowMap::of(&roots.collect::<Result<Vec<_>>>()?, device);
            Ok(Step { map: RowMap::of(&maps, device), root, span: parts[0].diffusion.span(k) })
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
    pub fn simulate(
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
            let noise = step.root.apply(rng.normal_like(&x));
            x = moved(after, before, &x, &step.map) + correction * step.span + noise;
        }
        observe(0, &x, &self.frames[0].correction(net, &x));
        x
    }
}
