//! A learned variational diffusion: the linear forward process, and the network of the backward score.

use sbridge_ot::Gaussian;

use crate::error::Result;
use crate::net::ResidualMlp;
use crate::reference::{LinearDiffusion, LinearDrift, Schedule};
use crate::rng::Rng;
use crate::solver::vsdm::Backward;
use crate::solver::vsdm::frames::{row, tensor};
use crate::tensor::Tensor;

/// From data at t = 0 to a Gaussian at t = 1, and back.
#[derive(Clone, Debug)]
pub struct VariationalModel {
    /// The noise schedule.
    pub schedule: Schedule,
    /// Where the backward process ends.
    pub t_min: f64,
    /// D and b of the forward process.
    pub drift: LinearDrift,
    /// A Gaussian with the moments of the data.
    pub data: Gaussian,
    /// What is added to the score of Gaussian data.
    pub net: ResidualMlp,
}

impl VariationalModel {
    /// The forward process with these nodes.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for nodes that do not rise to 1.
    pub fn diffusion(&self, nodes: Vec<f64>) -> Result<LinearDiffusion> {
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

    /// The backward process in `steps` steps, on the grid for few of them.
    ///
    /// # Errors
    /// As [`Backward::new`].
    pub fn backward(&self, steps: usize) -> Result<Backward> {
        let nodes = self.schedule.nodes_in_noise(self.t_min, steps);
        Backward::new(&self.diffusion(nodes)?, &self.data, &self.device())
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

    /// `count` samples by the probability flow in `steps` steps: twice as many calls of the network.
    ///
    /// # Errors
    /// As [`backward`](Self::backward).
    pub fn sample(&self, count: usize, steps: usize, rng: &mut Rng) -> Result<Tensor<2>> {
        let start = self.start(count, rng)?;
        Ok(self.backward(steps)?.flow(&self.net, start, &mut |_, _| {}))
    }

    fn device(&self) -> crate::tensor::Device {
        use crate::tensor::Module as _;
        self.net.devices().into_iter().next().unwrap_or_else(crate::tensor::Device::flex)
    }
}
