//! A learned variational diffusion: the linear forward process, and the network of the backward score.

use sbridge_ot::Gaussian;
use sbridge_ot::matrix::sqrt_psd;
use serde::{Deserialize, Serialize};

use crate::bridge::{Bridge, Direction};
use crate::error::Result;
use crate::net::ResidualMlp;
use crate::reference::{Kernel, LinearDrift, Schedule};
use crate::rng::Rng;
use crate::solver::vsdm::parts::{RowMap, joined};
use crate::solver::vsdm::{FlowSettings, Frame, Part, ProbabilityFlow};
use crate::tensor::{Device, Module, Tensor, TensorData, select_rows, to_vec_f64};

/// From data at t = 0 to a Gaussian at t = 1, and back.
#[derive(Clone, Debug)]
pub struct VariationalModel<N = ResidualMlp> {
    /// The forward process, and the moments of the data: all coordinates together, or one by one.
    pub parts: Vec<Part>,
    /// Where the backward process ends.
    pub t_min: f64,
    /// What is added to the score of Gaussian data.
    pub net: N,
}

/// The law at t = 1 that backward paths start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartLaw {
    /// N(m_T, P_T): what the forward process makes of data with the moments of ours.
    Reached,
    /// N(0, Σ_T): the noise of its kernel alone. Too narrow by what is left of the data.
    Kernel,
    /// N(0, I).
    Prior,
}

/// Where backward paths start.
pub struct Start {
    /// The root of the covariance, and the mean, `[1, dim]`.
    root: RowMap,
    mean: Tensor<2>,
}

impl Start {
    /// `count` draws, `[count, dim]`.
    pub fn draw(&self, count: usize, rng: &mut Rng) -> Tensor<2> {
        let noise = rng.normal([count, self.mean.dims()[1]], &self.mean.device());
        self.root.apply(noise) + self.mean.clone()
    }
}

impl<N: Module> VariationalModel<N> {
    /// The noise schedule.
    pub fn schedule(&self) -> Schedule {
        self.parts[0].diffusion.schedule
    }

    /// The forward process with these nodes.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for nodes that do not rise to 1.
    pub fn with_nodes(&self, nodes: &[f64]) -> Result<Vec<Part>> {
        self.parts.iter().map(|part| part.with_nodes(nodes)).collect()
    }

    /// The law `law` at t = 1, part by part.
    ///
    /// # Errors
    /// [`Error::Transport`](crate::Error::Transport) if rounding makes the covariance indefinite.
    pub fn end(&self, law: StartLaw) -> Result<Vec<Gaussian>> {
        let of_part = |part: &Part| {
            let dim = part.data.dim();
            match law {
                StartLaw::Reached => part.whole()?.push(&part.data),
                StartLaw::Kernel => Ok(Gaussian::new(vec![0.0; dim], part.whole()?.covariance)?),
                StartLaw::Prior => Ok(Gaussian::isotropic(vec![0.0; dim], 1.0)?),
            }
        };
        self.parts.iter().map(of_part).collect()
    }

    /// KL(N(m_T, P_T) ‖ N(0, I)): how far the forward process ends from the prior.
    ///
    /// # Errors
    /// As [`end`](Self::end).
    pub fn mismatch(&self) -> Result<f64> {
        let (reached, prior) = (self.end(StartLaw::Reached)?, self.end(StartLaw::Prior)?);
        Ok(reached.iter().zip(&prior).map(|(law, prior)| law.kl(prior)).sum::<sbridge_ot::Result<f64>>()?)
    }

    /// The probability flow back to the data in `steps` steps, on the grid for few of them: twice as many calls of the
    /// network.
    ///
    /// # Errors
    /// As [`ProbabilityFlow::new`].
    pub fn flow(&self, steps: usize) -> Result<ProbabilityFlow> {
        let nodes = self.schedule().nodes_in_noise(self.t_min, steps);
        ProbabilityFlow::new(&self.with_nodes(&nodes)?, Direction::Backward, &self.device())
    }

    /// The law `law` at t = 1, to draw from.
    ///
    /// # Errors
    /// As [`end`](Self::end).
    pub fn start(&self, law: StartLaw) -> Result<Start> {
        let (end, device) = (self.end(law)?, self.device());
        let roots = end.iter().map(|law| Ok(sqrt_psd(law.cov())?)).collect::<Result<Vec<_>>>()?;
        let mean = joined(end.iter().map(Gaussian::mean), &device);
        Ok(Start { root: RowMap::of(&roots, &device), mean })
    }

    /// Where its network lies.
    pub(super) fn device(&self) -> Device {
        self.net.devices().into_iter().next().unwrap_or_else(Device::flex)
    }
}

impl VariationalModel {
    /// `count` samples by the probability flow, `[count, dim]`: two calls of the network for each step.
    ///
    /// # Errors
    /// As [`flow`](Self::flow).
    pub fn sample(&self, count: usize, sampler: &FlowSettings, rng: &mut Rng) -> Result<Tensor<2>> {
        let start = self.start(sampler.start)?.draw(count, rng);
        Ok(self.flow(sampler.steps)?.integrate(&|x, level| self.net.forward(x, level), start, &mut |_, _| {}))
    }

    /// Drift of `direction` at one time for all rows: v₊ = −½β (D x − 2b), v₋ = −v₊ + β s.
    fn drift_at(&self, direction: Direction, t: f64, x: Tensor<2>) -> Tensor<2> {
        let (u, rate, device) = (self.schedule().elapsed(t), self.schedule().rate(t), x.device());
        let drifts: Vec<&LinearDrift> = self.parts.iter().map(|part| part.diffusion.drift_at(u)).collect();
        let transposed: Vec<_> = drifts.iter().map(|drift| drift.matrix.transpose().to_owned()).collect();
        let offset = joined(drifts.iter().map(|drift| drift.offset.as_slice()), &device);
        let forward = (RowMap::of(&transposed, &device).apply(x.clone()) * 0.5 - offset) * -rate;
        match direction {
            Direction::Forward => forward,
            Direction::Backward => self.score_at(t, &x) * rate - forward,
        }
    }

    /// The learned score at one time, `[count, dim]`; at the first node before it.
    fn score_at(&self, t: f64, x: &Tensor<2>) -> Tensor<2> {
        let u = self.schedule().elapsed(t.max(self.t_min));
        let kernels = self.parts.iter().map(|part| part.diffusion.kernel(0.0, u)).collect::<Result<Vec<_>>>();
        let frame = kernels.and_then(|kernels| {
            Frame::at(u, &kernels.iter().collect::<Vec<&Kernel>>(), &self.parts, &x.device())
        });
        let frame = frame.expect("a model that was learned has laws at all times");
        frame.score(x, &frame.correction(&|x, level| self.net.forward(x, level), x))
    }
}

impl Bridge for VariationalModel {
    fn dim(&self) -> usize {
        self.parts.iter().map(|part| part.data.dim()).sum()
    }

    fn drift(&self, direction: Direction, t: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        let times = to_vec_f64(t);
        // Laws and matrices are found once for each time.
        let mut order: Vec<usize> = (0..times.len()).collect();
        order.sort_by(|a, b| times[*a].total_cmp(&times[*b]));
        let groups: Vec<&[usize]> = order.chunk_by(|a, b| times[*a] == times[*b]).collect();
        if let [_] = groups[..] {
            return self.drift_at(direction, times[0], x);
        }
        let of_group = |rows: &[usize]| self.drift_at(direction, times[rows[0]], select_rows(&x, rows));
        let drifts = Tensor::cat(groups.into_iter().map(of_group).collect(), 0);
        let mut places = vec![0; order.len()];
        order.iter().enumerate().for_each(|(place, row)| places[*row] = place);
        select_rows(&drifts, &places)
    }

    fn diffusion(&self, t: Tensor<1>) -> Tensor<1> {
        let rates: Vec<f64> =
            to_vec_f64(t.clone()).into_iter().map(|t| self.schedule().rate(t).sqrt()).collect();
        let count = rates.len();
        Tensor::from_data(TensorData::new(rates, [count]), (&t.device(), t.dtype()))
    }
}
