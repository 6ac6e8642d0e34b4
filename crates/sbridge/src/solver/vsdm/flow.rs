//! The probability flow of a linear diffusion between the data and its end, exact for Gaussian data.
//!
//! Over a step of du the Gaussian part is carried exactly, and what the network says is added by Heun's rule; back,
//!
//! x ← m + F (x₊ − m₊ + ¼ du r₊) + ¼ du r,   dF/du = −½ (D − P⁻¹) F,   r = s + P⁻¹(x − m),
//!
//! and forth the same with F⁻¹ and the other sign.

use faer::Mat;
use faer::linalg::solvers::DenseSolveCore as _;
use sbridge_ot::Gaussian;
use sbridge_ot::matrix::{expm, inv_sqrt_pd, sqrt_psd};

use crate::bridge::Direction;
use crate::error::Result;
use crate::reference::LinearDiffusion;
use crate::solver::vsdm::frames::{Correction, moved};
use crate::solver::vsdm::parts::RowMap;
use crate::solver::vsdm::{Frame, Part};
use crate::tensor::{Device, Tensor};

/// The probability flow of a linear diffusion, from node to node.
pub struct ProbabilityFlow {
    frames: Vec<Frame>,
    /// Fᵀ or F⁻ᵀ of each step, and du, with the sign of the direction of the flow.
    steps: Vec<(RowMap, f64)>,
    /// What the clock shows at the nodes.
    clock: Vec<f64>,
    direction: Direction,
}

impl ProbabilityFlow {
    /// That of `parts`, between their nodes, in `direction`.
    ///
    /// # Errors
    /// As [`Frame::of`].
    pub fn new(parts: &[Part], direction: Direction, device: &Device) -> Result<Self> {
        let frames = Frame::of(parts, device)?;
        let step = |k: usize| {
            let of_part = |i: usize| {
                let back = gaussian_flow(&parts[i].diffusion, k, &frames[k].laws[i])?;
                Ok(match direction {
                    Direction::Backward => back.transpose().to_owned(),
                    Direction::Forward => back.full_piv_lu().inverse().transpose().to_owned(),
                })
            };
            let maps = (0..parts.len()).map(of_part).collect::<Result<Vec<_>>>()?;
            let [span, _] = direction.along([-1.0, 1.0]).map(|sign| sign * parts[0].diffusion.span(k));
            Ok((RowMap::of(&maps, device), span))
        };
        let steps = (0..frames.len() - 1).map(step).collect::<Result<_>>()?;
        Ok(Self { frames, steps, clock: parts[0].diffusion.clock(), direction })
    }

    /// The nodes.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// What the clock shows at the nodes, `[nodes]`.
    pub fn clock(&self) -> &[f64] {
        &self.clock
    }

    /// From `start`, `[count, dim]` at the end it flows from, to the other, showing the states at every node to `observe`.
    /// Calls the network twice a step.
    pub fn integrate(
        &self,
        net: &Correction<'_>,
        start: Tensor<2>,
        observe: &mut dyn FnMut(usize, &Tensor<2>),
    ) -> Tensor<2> {
        let mut nodes: Vec<usize> = (0..self.frames.len()).collect();
        if self.direction == Direction::Backward {
            nodes.reverse();
        }
        let mut x = start;
        observe(nodes[0], &x);
        for pair in nodes.windows(2) {
            let [from, to] = [pair[0], pair[1]].map(|node| &self.frames[node]);
            let (map, span) = &self.steps[pair[0].min(pair[1])];
            let first = from.correction(net, &x) * *span;
            let guess = moved(from, to, &(x.clone() + first.clone() * 0.5), map);
            let second = to.correction(net, &guess) * *span;
            x = moved(from, to, &(x + first * 0.25), map) + second * 0.25;
            observe(pair[1], &x);
        }
        x
    }
}

/// Parts of a step in which the flow of Gaussian data is integrated, by the midpoint rule; at least two for each drift.
const PARTS: f64 = 32.0;

/// F back over step `k` of `diffusion`, at whose start the law is `before`.
fn gaussian_flow(diffusion: &LinearDiffusion, k: usize, before: &Gaussian) -> Result<Mat<f64>> {
    let dim = before.dim();
    let after = diffusion.step(k)?.push(before)?;
    let mut total = Mat::<f64>::identity(dim, dim);
    // On a line one map carries one law to the other.
    if dim > 1 {
        let [from, to] = [k, k + 1].map(|node| diffusion.clock()[node]);
        let mut law = before.clone();
        for (du, drift) in diffusion.pieces(from, to) {
            let parts = (PARTS * du / (to - from)).ceil().max(2.0);
            for i in 0..parts as usize {
                let middle = drift.kernel((i as f64 + 0.5) * du / parts)?.push(&law)?;
                let precision = middle.cov().full_piv_lu().inverse();
                // Earlier parts come last on the way back.
                total = total * expm(((&drift.matrix - precision) * faer::Scale(0.5 * du / parts)).as_ref())?;
            }
            law = drift.kernel(du)?.push(&law)?;
        }
    }
    // The midpoint rule misses a little of the way; what it gives is turned into a map that carries one law to the other.
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
