//! A loss of the controls of a sampler: paths are drawn without a graph, and what pulls at the controls along them is
//! multiplied with the networks' Jacobians at once.

use std::ops::Range;
use std::sync::Mutex;

use super::adjoint;
use super::chain::Paths;
use super::guided::{Controls, Guided};
use super::losses::{
    Pull, forward_divergence, log_variance, log_variance_by_start, reverse_divergence, trajectory_balance,
};
use super::sampler::Sampler;
use super::weights::Estimate;
use crate::error::{Error, Result};
use crate::objective::Objective;
use crate::rng::Rng;
use crate::simulate::Noise;
use crate::tensor::{Module as _, Tensor, from_rows_f64, to_vec_f64};

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// Var A.
    LogVariance,
    /// The mean of Var A among so many paths from each start.
    LogVarianceByStart(usize),
    /// E\[(A + c)²\].
    TrajectoryBalance,
    /// E\[A\], by the score of the law of paths.
    ReverseDivergence,
    /// E\[A\], by the derivative of the path.
    Divergence,
}

/// More noise than the diffusion has, to find what the controls would not lead to.                               \[GFN, Section 4\]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exploration {
    /// Standard deviation of what is added at the start of training, in units of the diffusion's own.
    pub noise: f64,
    /// Paths after which nothing is added; it falls in a straight line.
    pub until: usize,
}

/// Draws of another sampler to learn from first: the controls follow the noising that they are taken back by, which needs no
/// luck to find what is far from the start. Weights stay exact, whatever the draws are.                         \[PDDS\]
#[derive(Clone, Debug)]
pub struct Examples {
    /// `[count, dim]`.
    pub states: Vec<f64>,
    /// Paths after which the loss is minimised instead.
    pub until: usize,
}

/// A loss of controls for a density.
pub struct PathObjective<'a> {
    /// What is learned.
    pub sampler: Sampler<'a>,
    /// What is minimised.
    pub loss: Loss,
    /// More noise in training.
    pub exploration: Option<Exploration>,
    /// What is learned from first.
    pub examples: Option<Examples>,
    /// Paths of a larger A have no part in training.
    pub bound: f64,
    /// Paths before which networks and guide are cut at a fifth of the usual, and for half as many at a fifth of that: where
    /// the score is steep the first paths would run away.                                                    \[LV, App. A.5\]
    pub warm_up: usize,
    /// What the density could not be evaluated for, once that happened.
    failure: Mutex<Option<Error>>,
}

/// Paths by which training is watched.
const WATCHED: usize = 1000;

impl<'a> PathObjective<'a> {
    /// Of `sampler` by `loss`: all paths counted, nothing explored, and no warming up.
    pub fn new(sampler: Sampler<'a>, loss: Loss) -> Self {
        let (bound, failure) = (f64::INFINITY, Mutex::new(None));
        Self { sampler, loss, exploration: None, examples: None, bound, warm_up: 0, failure }
    }

    /// What the density could not be evaluated for, if training ended by that.
    pub fn failure(&self) -> Option<Error> {
        self.failure.lock().ok()?.take()
    }

    /// Paths to train on, one for every row; the number of the first says how much is explored.
    fn training_paths(&self, nets: &Controls, rows: &Range<usize>, rng: &mut Rng) -> Result<Paths> {
        let Sampler { method, chain, density, device } = &self.sampler;
        let (count, dim) = (rows.len(), density.dim());
        let start = match self.loss {
            Loss::LogVarianceByStart(paths) => {
                let starts = count.div_ceil(paths);
                let start = chain.start(&Tensor::zeros([starts, dim], device), rng);
                start.unsqueeze_dim::<3>(1).expand([starts, paths, dim]).reshape([starts * paths, dim])
            }
            _ => chain.start(&Tensor::zeros([count, dim], device), rng),
        };
        let factor = self.exploration.map_or(1.0, |exploration| {
            let left = 1.0 - rows.start as f64 / exploration.until as f64;
            (1.0 + (exploration.noise * left.max(0.0)).powi(2)).sqrt()
        });
        let control = Guided::new(*method, nets, chain, device);
        chain.simulate(&control, *density, start, &mut Louder { rng, factor })
    }

    /// The loss of paths, as something whose gradient it has.
    fn pulled(&self, nets: &Controls, rows: &Range<usize>, rng: &mut Rng) -> Result<Tensor<1>> {
        if let Some(examples) = self.examples.as_ref().filter(|examples| rows.start < examples.until) {
            return self.followed(nets, &examples.states, rows.len(), rng);
        }
        let nets = &nets.cut_at(match rows.start {
            first if 2 * first < self.warm_up => 0.04,
            first if first < self.warm_up => 0.2,
            _ => 1.0,
        });
        let plain = nets.valid();
        let paths = self.training_paths(&plain, rows, rng)?;
        let action = &paths.action;
        let pull = match self.loss {
            Loss::LogVariance => log_variance(action, self.bound),
            Loss::LogVarianceByStart(paths) => log_variance_by_start(action, paths, self.bound),
            Loss::TrajectoryBalance => trajectory_balance(action, to_vec_f64(plain.log_z())[0], self.bound),
            Loss::ReverseDivergence | Loss::Divergence => reverse_divergence(action, self.bound),
        };
        let guided = self.guided(nets);
        let along = match self.loss {
            Loss::Divergence => self.along_adjoint(&plain, &guided, &paths, &pull)?,
            _ => self.along(&guided, &paths, &pull),
        };
        let moving = along + nets.log_z().sum() * pull.log_z;
        // Its value is nothing; its gradient is that of the loss.
        Ok(moving.clone() - moving.detach() + pull.value)
    }

    /// The forward divergence of as many of `states` as `count`, taken back.
    fn followed(&self, nets: &Controls, states: &[f64], count: usize, rng: &mut Rng) -> Result<Tensor<1>> {
        let Sampler { chain, density, device, .. } = &self.sampler;
        let dim = density.dim();
        let chosen = rng.indices(count, states.len() / dim);
        let rows: Vec<f64> = chosen.iter().flat_map(|i| &states[i * dim..(i + 1) * dim]).copied().collect();
        let rows = from_rows_f64(&rows, dim, device).cast(Tensor::<2>::zeros([1, 1], device).dtype());
        let paths = chain.noised(&self.guided(&nets.valid()), *density, rows, rng)?;
        let pull = forward_divergence(&paths.action, f64::INFINITY);
        let along = self.along(&self.guided(nets), &paths, &pull);
        Ok(along.clone() - along.detach() + pull.value)
    }

    /// Controls along `paths` times what pulls at them where paths are held fixed.
    fn along(&self, guided: &Guided<'_>, paths: &Paths, pull: &Pull) -> Tensor<1> {
        let (of_u, of_v) = (self.column(&pull.forward, paths), self.column(&pull.backward, paths));
        let steps = || self.sampler.chain.steps.iter().zip(&paths.noise);
        let at_u = steps().map(|(step, xi)| xi.clone() * of_u.clone() * step.ratio()).collect();
        let at_v = steps().zip(&paths.controls).map(|((step, xi), control)| {
            let r = step.ratio();
            (xi.clone() * r + control.clone() * (r * r)) * of_v.clone()
        });
        let forward = guided.forward_product(paths, at_u);
        let backward = guided.backward_product(paths, at_v.collect());
        backward.map_or(forward.clone(), |backward| forward + backward)
    }

    /// Controls along `paths` times what pulls at them with all that they move after them.
    fn along_adjoint(
        &self,
        plain: &Controls,
        guided: &Guided<'_>,
        paths: &Paths,
        pull: &Pull,
    ) -> Result<Tensor<1>> {
        let Sampler { chain, density, .. } = &self.sampler;
        let pulls = adjoint::pulls(chain, &self.guided(plain), *density, paths)?;
        // The mean over the paths that are counted: the weight with which A itself is pulled.
        let share = self.column(&pull.backward, paths);
        let all = |pulls: Vec<Tensor<2>>| pulls.into_iter().map(|rows| rows * share.clone()).collect();
        let forward = guided.forward_product(paths, all(pulls.forward));
        let backward = guided.backward_product(paths, all(pulls.backward));
        Ok(backward.map_or(forward.clone(), |backward| forward + backward))
    }

    fn guided<'n>(&'n self, nets: &'n Controls) -> Guided<'n> {
        let Sampler { method, chain, device, .. } = &self.sampler;
        Guided::new(*method, nets, chain, device)
    }

    fn column(&self, weights: &[f64], paths: &Paths) -> Tensor<2> {
        from_rows_f64(weights, 1, &self.sampler.device).cast(paths.states[0].dtype())
    }
}

impl Objective for PathObjective<'_> {
    type Model = Controls;

    /// The loss of as many paths as there are rows. Not a number where the density fails, which ends the training:
    /// [`failure`](Self::failure) says why.
    fn loss(&self, nets: &Controls, rows: Range<usize>, rng: &mut Rng) -> Tensor<1> {
        self.pulled(nets, &rows, rng).unwrap_or_else(|error| {
            if let Ok(mut failure) = self.failure.lock() {
                failure.get_or_insert(error);
            }
            nets.log_z().sum() * f64::NAN
        })
    }

    /// None: every step draws paths of its own.
    fn held_out_loss(&self, _nets: &Controls, _rng: &mut Rng) -> Option<f64> {
        None
    }

    /// What fresh paths say.
    fn measures(&self, nets: &Controls, rng: &mut Rng) -> Vec<(&'static str, f64)> {
        let draws = self.sampler.draw(nets, WATCHED, rng).ok();
        let found = draws.and_then(|draws| Estimate::of(&draws.action));
        found.map_or(Vec::new(), |found| {
            vec![("elbo", found.elbo), ("log_z", found.log_z), ("ess", found.ess)]
        })
    }
}

/// Normal draws times a factor.
struct Louder<'a> {
    rng: &'a mut Rng,
    factor: f64,
}

impl Noise for Louder<'_> {
    fn draw(&mut self, like: &Tensor<2>) -> Tensor<2> {
        self.rng.normal_like(like) * self.factor
    }
}
