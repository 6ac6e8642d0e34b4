//! Learning the backward score without simulation: E |ε̂(x_t, t) − ε|² over nodes, as kernels are exact.   \[VSDM; Vin11\]

use std::ops::Range;

use crate::net::{ResidualMlp, ResidualMlpSettings};
use crate::objective::Objective;
use crate::rng::Rng;
use crate::solver::vsdm::Frame;
use crate::tensor::{DType, Device, Module, Tensor, select_rows, to_vec_f64};

/// Rows of a batch that share a node: multiplied by its matrices at once.
const TOGETHER: usize = 16;

/// States whose law is learned, and what the network is conditioned on with each of them.
pub trait ScoreData: Sync {
    /// What adds to the Gaussian score.
    type Net: Module;
    /// What the network makes of that condition, once for all levels.
    type Condition;

    /// All states, `[count, dim]`.
    fn states(&self) -> Tensor<2>;

    /// A network that has not learned anything: it says zero.
    fn network(&self, settings: &ResidualMlpSettings, rng: &mut Rng) -> Self::Net;

    /// What `net` makes, on `device`, of the conditions of the states `rows`.
    fn condition(&self, net: &Self::Net, rows: &[usize], device: &Device) -> Self::Condition;

    /// What `net` says of whitened states `x`, `[count, dim]`, and levels, `[count]`.
    fn call(net: &Self::Net, condition: &Self::Condition, x: Tensor<2>, level: Tensor<1>) -> Tensor<2>;
}

/// States alone.
impl ScoreData for Tensor<2> {
    type Net = ResidualMlp;
    type Condition = ();

    fn states(&self) -> Tensor<2> {
        self.clone()
    }

    fn network(&self, settings: &ResidualMlpSettings, rng: &mut Rng) -> ResidualMlp {
        ResidualMlp::new(self.dims()[1], settings, rng, &self.device())
    }

    fn condition(&self, _net: &ResidualMlp, _rows: &[usize], _device: &Device) {}

    fn call(net: &ResidualMlp, _condition: &(), x: Tensor<2>, level: Tensor<1>) -> Tensor<2> {
        net.forward(x, level)
    }
}

/// The regression of the noise on states at the nodes of a linear diffusion.
pub struct ScoreMatching<'a, D> {
    data: &'a D,
    states: Tensor<2>,
    held_out: Option<&'a D>,
    frames: Vec<Frame>,
}

impl<'a, D: ScoreData> ScoreMatching<'a, D> {
    /// On `data` at the nodes of `frames`, watched on `held_out`.
    pub fn new(data: &'a D, held_out: Option<&'a D>, frames: Vec<Frame>) -> Self {
        Self { data, states: data.states().cast(DType::F32), held_out, frames }
    }
}

impl<D: ScoreData> Objective for ScoreMatching<'_, D> {
    type Model = D::Net;

    fn loss(&self, model: &D::Net, rows: Range<usize>, rng: &mut Rng) -> Tensor<1> {
        let chosen = rng.indices(rows.len(), self.states.dims()[0]);
        let (mut whitened, mut levels, mut targets, mut shares) = (vec![], vec![], vec![], vec![]);
        for together in chosen.chunks(TOGETHER) {
            let frame = &self.frames[rng.indices(1, self.frames.len())[0]];
            let x0 = select_rows(&self.states, together);
            let noise = rng.normal_like(&x0);
            let x = frame.noised(x0, noise.clone());
            levels.push(frame.level(&x));
            shares.push(frame.level(&x).full_like(frame.output_scale()));
            targets.push(noise - frame.gaussian_noise(&x));
            whitened.push(frame.whitened(&x));
        }
        let tracked = |parts| Tensor::cat(parts, 0).autodiff();
        let (level, share) = (Tensor::cat(levels, 0).autodiff(), Tensor::cat(shares, 0).autodiff());
        let condition = self.data.condition(model, &chosen, &self.states.device().autodiff());
        let predicted = D::call(model, &condition, tracked(whitened), level) * share.unsqueeze_dim::<2>(1);
        (predicted - tracked(targets)).powi_scalar(2).mean()
    }

    fn held_out_loss(&self, model: &D::Net, rng: &mut Rng) -> Option<f64> {
        let held_out = Self::new(self.held_out?, None, self.frames.clone());
        let count = held_out.states.dims()[0];
        Some(to_vec_f64(held_out.loss(model, 0..count, rng))[0])
    }
}
