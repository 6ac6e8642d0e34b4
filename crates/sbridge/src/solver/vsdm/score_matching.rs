//! Learning the backward score without simulation: E |ε̂(x_t, t) − ε|² over nodes, as kernels are exact.   \[VSDM; Vin11\]

use std::ops::Range;

use crate::net::ResidualMlp;
use crate::objective::Objective;
use crate::rng::Rng;
use crate::solver::vsdm::Frame;
use crate::tensor::{Tensor, select_rows};

/// Rows of a batch that share a node: multiplied by its matrices at once.
const TOGETHER: usize = 16;

/// The regression of the noise on states at the nodes of a linear diffusion.
pub struct ScoreMatching {
    rows: Tensor<2>,
    frames: Vec<Frame>,
}

impl ScoreMatching {
    /// On data `rows`, `[count, dim]`, at the nodes of `frames`.
    pub fn new(rows: Tensor<2>, frames: Vec<Frame>) -> Self {
        Self { rows, frames }
    }
}

impl Objective for ScoreMatching {
    type Model = ResidualMlp;

    fn loss(&self, model: &ResidualMlp, rows: Range<usize>, rng: &mut Rng) -> Tensor<1> {
        let (mut whitened, mut levels, mut targets, mut shares) = (vec![], vec![], vec![], vec![]);
        let mut left = rows.len();
        while left > 0 {
            let count = left.min(TOGETHER);
            left -= count;
            let frame = &self.frames[rng.indices(1, self.frames.len())[0]];
            let x0 = select_rows(&self.rows, &rng.indices(count, self.rows.dims()[0]));
            let noise = rng.normal_like(&x0);
            let x = frame.noised(x0, noise.clone());
            levels.push(frame.level(&x));
            shares.push(frame.level(&x).full_like(frame.share()));
            targets.push(noise - frame.gaussian_noise(&x));
            whitened.push(frame.whitened(&x));
        }
        let [x, target] = [whitened, targets].map(|parts| Tensor::cat(parts, 0).autodiff());
        let [level, share] = [levels, shares].map(|parts| Tensor::cat(parts, 0).autodiff());
        let found = model.forward(x, level) * share.unsqueeze_dim::<2>(1);
        (found - target).powi_scalar(2).mean()
    }

    fn held_out_loss(&self, _model: &ResidualMlp, _rng: &mut Rng) -> Option<f64> {
        None
    }
}
