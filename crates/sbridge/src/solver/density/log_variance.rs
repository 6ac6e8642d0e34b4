//! The log-variance loss Var A, zero where the control is right.                                          \[LV, Eq. 18 and 20\]
//!
//! With the paths simulated under the control w that is scored, held fixed, what moves A is the control along them alone:
//!
//! ∇ Var A = 2/(n − 1) Σ_i (A_i − Ā) Σ_k (m_k/n_k) (∂u/∂θ (x_ik))ᵀ ξ_ik.
//!
//! So paths are simulated without a graph, and one product of the network's Jacobian with (A_i − Ā) ξ_ik is the gradient.
//!
//! Tests: against published values and differences of Var A with w fixed.

use std::ops::Range;

use super::chain::{Chain, Paths};
use super::guided::{Guided, Method};
use crate::density::LogDensity;
use crate::error::Result;
use crate::net::ControlNet;
use crate::objective::Objective;
use crate::rng::Rng;
use crate::tensor::{Device, Module as _, Tensor, from_rows_f64};

/// The loss of a control of `method` for a density.
pub struct LogVariance<'a> {
    /// Which diffusion is controlled.
    pub method: Method,
    /// Its steps.
    pub chain: Chain,
    /// What is sampled.
    pub density: &'a dyn LogDensity,
    /// Where the network is.
    pub device: Device,
}

impl LogVariance<'_> {
    /// Paths under `net`, without a graph.
    ///
    /// # Errors
    /// What the density cannot be evaluated for.
    pub fn paths(&self, net: &ControlNet, count: usize, rng: &mut Rng) -> Result<Paths> {
        let start = self.chain.start(&Tensor::zeros([count, self.density.dim()], &self.device), rng);
        let control = Guided::new(self.method, net, &self.chain, &self.device);
        self.chain.simulate(&control, self.density, start, rng)
    }
}

impl Objective for LogVariance<'_> {
    type Model = ControlNet;

    /// Var A of as many paths as there are rows. Not a number where the density fails, which ends the training.
    fn loss(&self, net: &ControlNet, rows: Range<usize>, rng: &mut Rng) -> Tensor<1> {
        let paths = match self.paths(&net.valid(), rows.len(), rng) {
            Ok(paths) => paths,
            Err(_) => return no_number(net, self.density.dim(), &self.device),
        };
        let (cotangents, variance) = cotangents(&paths.action);
        let cotangents = from_rows_f64(&cotangents, 1, &self.device).cast(paths.states[0].dtype());
        let pulls = self.chain.steps.iter().zip(&paths.noise);
        let pulls = pulls.map(|(step, xi)| xi.clone() * cotangents.clone() * (step.moved / step.noise));
        let control = Guided::new(self.method, net, &self.chain, &self.device);
        let along = control.product_along(&self.chain, &paths, Tensor::cat(pulls.collect(), 0));
        // Its value is nothing; its gradient is that of the variance.
        along.clone() - along.detach() + variance
    }

    /// None: every step draws paths of its own.
    fn held_out_loss(&self, _net: &ControlNet, _rng: &mut Rng) -> Option<f64> {
        None
    }
}

/// A loss of every weight that is not a number.
fn no_number(net: &ControlNet, dim: usize, device: &Device) -> Tensor<1> {
    let (time, state) = (Tensor::<1>::zeros([1], device), Tensor::<2>::zeros([1, dim], device));
    net.forward(&net.embed(time.clone(), time), state.clone(), state).sum() * f64::NAN
}

/// (2/(n − 1)) (A_i − Ā), and Var A, of the paths whose A is finite; the others have no part.
pub fn cotangents(action: &[f64]) -> (Vec<f64>, f64) {
    let finite = || action.iter().copied().filter(|a| a.is_finite());
    let count = finite().count() as f64;
    let mean = finite().sum::<f64>() / count;
    let variance = finite().map(|a| (a - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let of = |a: &f64| if a.is_finite() { 2.0 * (a - mean) / (count - 1.0) } else { 0.0 };
    (action.iter().map(of).collect(), variance)
}
