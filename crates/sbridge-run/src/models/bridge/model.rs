//! A bridge with what stands between the samples and what it joins.

use std::sync::Arc;

use sbridge::latent::LatentCodec;
use sbridge::rng::Rng;
use sbridge::simulate::{Flow, fill_path, mean_state, state_at};
use sbridge::tensor::Tensor;
use sbridge::{Codec, Direction, PairBridge};

/// A bridge between samples, or between codes of them: of rows, unless another codec says what samples are.
#[derive(Clone)]
pub struct PairModel<C = Option<LatentCodec>> {
    /// The bridge.
    pub bridge: Arc<dyn PairBridge>,
    /// From samples to what it joins, and back, where that is something else.
    pub codec: C,
}

impl<C: Codec> PairModel<C> {
    /// The same with the probability flow in place of the bridge.
    #[must_use]
    pub fn along_flow(self) -> Self {
        Self { bridge: Arc::new(Flow::new(self.bridge)), ..self }
    }

    /// Samples as the bridge joins them.
    pub fn encode(&self, samples: &C::Samples) -> Tensor<2> {
        self.codec.encode(samples)
    }

    /// And back.
    pub fn decode(&self, states: &Tensor<2>) -> C::Samples {
        self.codec.decode(states)
    }

    /// Where paths from the samples `x` end.
    pub fn transport(&self, direction: Direction, x: &C::Samples, rng: &mut Rng) -> C::Samples {
        self.decode(&self.bridge.transport(direction, &self.encode(x), rng))
    }

    /// States of paths from the samples `x` after the share `elapsed` of the way.
    pub fn state(&self, direction: Direction, elapsed: f64, x: &C::Samples, rng: &mut Rng) -> C::Samples {
        let skeleton = self.bridge.skeleton(direction, &self.encode(x), rng);
        self.decode(&state_at(self.bridge.reference().as_ref(), &skeleton, elapsed, rng))
    }

    /// Their means.
    pub fn mean_state(&self, direction: Direction, elapsed: f64, x: &C::Samples) -> C::Samples {
        self.decode(&mean_state(self.bridge.as_ref(), direction, elapsed, &self.encode(x)))
    }

    /// Paths from the samples `x`, of `steps` equal steps at least.
    pub fn path(&self, direction: Direction, x: &C::Samples, steps: usize, rng: &mut Rng) -> Vec<C::Samples> {
        let skeleton = self.bridge.skeleton(direction, &self.encode(x), rng);
        let states = fill_path(self.bridge.reference().as_ref(), skeleton, steps, rng);
        states.iter().map(|state| self.decode(state)).collect()
    }
}

impl PairModel {
    /// Whether samples that are encoded and decoded are others.
    pub fn is_lossy(&self) -> bool {
        self.codec.as_ref().is_some_and(|codec| !codec.autoencoder.keeps_axes())
    }
}
