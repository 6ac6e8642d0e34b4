//! Bridges between the members of pairs: a clean state at t = 0, a degraded one or a guess at t = 1.                    \[I2SB\]
//!
//! Given both, the bridge of dX = √β dW between them is known, so training is one regression without simulation, and sampling
//! starts at the degraded end. For every pair it is optimal; it is no entropic coupling of the two marginal laws.
//!
//! [`Schedule`] has the variances, [`PairedRegression`] the loss, [`Restoration`] the steps back, and [`PinnedBridge`] the same
//! as a [`Bridge`](crate::Bridge).

mod pinned;
mod regression;
mod restoration;
mod schedule;

use crate::simulate::Noise;
use crate::tensor::Tensor;

pub use pinned::PinnedBridge;
pub use regression::{PairBatch, PairData, PairPredictor, PairedRegression};
pub use restoration::Restoration;
pub use schedule::{Schedule, Variant};

/// Whether paths are random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Paths {
    /// Those of the bridge.
    Stochastic,
    /// The limit without noise: means alone, in training and in sampling.
    Ode,
}

/// What entries of a state are on the way that are the same at both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// On the bridge like the others.
    OnBridge,
    /// What they are.
    Exact,
}

impl Known {
    /// `state` on the bridge between itself and itself, of standard deviation `std`.
    fn there(self, paths: Paths, state: &Tensor<2>, std: f64, noise: &mut dyn Noise) -> Tensor<2> {
        match (self, paths) {
            (Self::OnBridge, Paths::Stochastic) => state.clone() + noise.draw(state) * std,
            _ => state.clone(),
        }
    }
}
