//! A learned variational diffusion: the linear forward process, and the network of the backward score.

use sbridge_ot::Gaussian;

use crate::bridge::{Bridge, Direction};
use crate::error::Result;
use crate::net::ResidualMlp;
use crate::reference::{LinearDiffusion, LinearDrift, Schedule};
use crate::rng::Rng;
use crate::solver::vsdm::frames::{row, tensor};
use crate::solver::vsdm::{BackwardFlow, Frame};
use crate::tensor::{Device, Module, Tensor, TensorData, to_vec_f64};

/// From data at t = 0 to a Gaussian at t = 1, and back.
#[derive(Clone, Debug)]
pub struct VariationalModel<N = ResidualMlp> {
    /// The noise schedule.
    pub schedule: Schedule,
    /// Where the backward process ends.
    pub t_min: f64,
    /// D and b of the forward process.
    pub drift: LinearDrift,
    /// A Gaussian with the moments of the data.
    pub data: Gaussian,
    /// What is added to the score of Gaussian data.
    pub net: N,
}

impl<N: Module> VariationalModel<N> {
    /// The forward process with these nodes.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for nodes that do not rise to 1.
    pub fn forward_process(&self, nodes: Vec<f64>) -> Result<LinearDiffusion> {
        LinearDiffusion::new(self.schedule, nodes, vec![self.drift.clone()])
    }

    /// The law of the forward process at t = 1, of data with the moments of ours.
    ///
    /// # Errors
    /// [`Error::Transport`](crate::Error::Transport) if rounding makes the covariance indefinite.
    pub fn end(&self) -> Result<Gaussian> {
        self.drift.kernel(self.schedule.total())?.push(&self.data)
    }

    /// KL(N(m_T, P_T) ‖ N(0, I)): how far the forward process ends from the prior.
    ///
    /// # Errors
    /// As [`end`](Self::end).
    pub fn mismatch(&self) -> Result<f64> {
        Ok(self.end()?.kl(&Gaussian::isotropic(vec![0.0; self.data.dim()], 1.0)?)?)
    }

    /// The probability flow in `steps` steps, on the grid for few of them: twice as many calls of the network.
    ///
    /// # Errors
    /// As [`BackwardFlow::new`].
    pub fn flow(&self, steps: usize) -> Result<BackwardFlow> {
        let nodes = self.schedule.nodes_in_noise(self.t_min, steps);
        BackwardFlow::new(&self.forward_process(nodes)?, &self.data, &self.device())
    }

    /// `count` draws of the law at t = 1 that the forward process ends in, `[count, dim]`.
    ///
    /// # Errors
    /// As [`end`](Self::end).
    pub fn start(&self, count: usize, rng: &mut Rng) -> Result<Tensor<2>> {
        let (end, device) = (self.end()?, self.device());
        let root = tensor(sbridge_ot::matrix::sqrt_psd(end.cov())?.as_ref(), &device);
        Ok(rng.normal([count, self.data.dim()], &device).matmul(root) + row(end.mean(), &device))
    }

    fn device(&self) -> Device {
        self.net.devices().into_iter().next().unwrap_or_else(Device::flex)
    }
}

impl VariationalModel {
    /// `count` samples by the probability flow in `steps` steps: twice as many calls of the network.
    ///
    /// # Errors
    /// As [`flow`](Self::flow).
    pub fn sample(&self, count: usize, steps: usize, rng: &mut Rng) -> Result<Tensor<2>> {
        let start = self.start(count, rng)?;
        Ok(self.flow(steps)?.carry(&|x, level| self.net.forward(x, level), start, &mut |_, _| {}))
    }

    /// Drift of `direction` at one time for all rows: v₊ = −½β (D x − 2b), v₋ = −v₊ + β s.
    fn drift_at(&self, direction: Direction, t: f64, x: Tensor<2>) -> Tensor<2> {
        let rate = self.schedule.rate(t);
        let transposed = tensor(self.drift.matrix.transpose(), &x.device());
        let pulled = x.clone().matmul(transposed) * 0.5 - row(&self.drift.offset, &x.device());
        let forward = pulled * -rate;
        match direction {
            Direction::Forward => forward,
            Direction::Backward => self.score_at(t, &x) * rate - forward,
        }
    }

    /// The learned score at one time, `[count, dim]`; at the first node before it.
    fn score_at(&self, t: f64, x: &Tensor<2>) -> Tensor<2> {
        let u = self.schedule.elapsed(t.max(self.t_min));
        let frame = self.drift.kernel(u).and_then(|kernel| Frame::at(u, &kernel, &self.data, &x.device()));
        let frame = frame.expect("a model that was learned has laws at all times");
        frame.score(x, &frame.correction(&|x, level| self.net.forward(x, level), x))
    }
}

impl Bridge for VariationalModel {
    fn dim(&self) -> usize {
        self.data.dim()
    }

    fn drift(&self, direction: Direction, t: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        let times = to_vec_f64(t);
        if times.windows(2).all(|pair| pair[0] == pair[1]) {
            return self.drift_at(direction, times[0], x);
        }
        let rows = x.split(1, 0).into_iter().zip(times);
        Tensor::cat(rows.map(|(row, t)| self.drift_at(direction, t, row)).collect(), 0)
    }

    fn diffusion(&self, t: Tensor<1>) -> Tensor<1> {
        let rates: Vec<f64> =
            to_vec_f64(t.clone()).into_iter().map(|t| self.schedule.rate(t).sqrt()).collect();
        let count = rates.len();
        Tensor::from_data(TensorData::new(rates, [count]), (&t.device(), t.dtype()))
    }
}
