//! A bridge with what stands between the data and what it joins.

use std::sync::Arc;

use sbridge::latent::Codec;
use sbridge::rng::Rng;
use sbridge::simulate::{Flow, fill_path, mean_state, state_at};
use sbridge::tensor::Tensor;
use sbridge::{Direction, PairBridge};

/// A bridge between data sets, or between codes of them.
#[derive(Clone)]
pub struct PairModel {
    /// The bridge.
    pub bridge: Arc<dyn PairBridge>,
    /// From samples to what it joins, and back, where that is something else: codes, or coordinates of the reference.
    pub codec: Option<Codec>,
}

impl PairModel {
    /// The same with the probability flow in place of the bridge.
    #[must_use]
    pub fn along_flow(self) -> Self {
        Self { bridge: Arc::new(Flow::new(self.bridge)), ..self }
    }

    /// Samples as the bridge joins them.
    pub fn encode(&self, rows: &Tensor<2>) -> Tensor<2> {
        self.codec.as_ref().map_or_else(|| rows.clone(), |codec| codec.encode(rows))
    }

    /// And back.
    pub fn decode(&self, states: &Tensor<2>) -> Tensor<2> {
        self.codec.as_ref().map_or_else(|| states.clone(), |codec| codec.decode(states))
    }

    /// Whether samples that are encoded and decoded are others.
    pub fn is_lossy(&self) -> bool {
        self.codec.as_ref().is_some_and(|codec| !codec.autoencoder.keeps_axes())
    }

    /// Where paths from the rows of `x` end.
    pub fn transport(&self, direction: Direction, x: &Tensor<2>, rng: &mut Rng) -> Tensor<2> {
        self.decode(&self.bridge.transport(direction, &self.encode(x), rng))
    }

    /// States of paths from the rows of `x` after the share `elapsed` of the way.
    pub fn state(&self, direction: Direction, elapsed: f64, x: &Tensor<2>, rng: &mut Rng) -> Tensor<2> {
        let skeleton = self.bridge.skeleton(direction, &self.encode(x), rng);
        self.decode(&state_at(self.bridge.reference().as_ref(), &skeleton, elapsed, rng))
    }

    /// Their means.
    pub fn mean_state(&self, direction: Direction, elapsed: f64, x: &Tensor<2>) -> Tensor<2> {
        self.decode(&mean_state(self.bridge.as_ref(), direction, elapsed, &self.encode(x)))
    }

    /// Paths from the rows of `x`, of `steps` equal steps at least.
    pub fn path(&self, direction: Direction, x: &Tensor<2>, steps: usize, rng: &mut Rng) -> Vec<Tensor<2>> {
        let skeleton = self.bridge.skeleton(direction, &self.encode(x), rng);
        let states = fill_path(self.bridge.reference().as_ref(), skeleton, steps, rng);
        states.iter().map(|state| self.decode(state)).collect()
    }
}
