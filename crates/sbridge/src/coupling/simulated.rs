//! The coupling a bridge makes: samples of one end, and where it carries them.

use std::sync::Arc;

use crate::bridge::{Direction, PairBridge};
use crate::coupling::{Coupling, Pairs, drawn};
use crate::rng::Rng;
use crate::tensor::Tensor;

/// Samples carried along a bridge.
pub struct Simulated {
    /// What carries them.
    pub bridge: Arc<dyn PairBridge>,
    /// Where to.
    pub direction: Direction,
    /// Samples of the end it starts from, `[count, dim]`.
    pub starts: Tensor<2>,
}

impl Coupling for Simulated {
    fn pairs(&self, count: usize, rng: &mut Rng) -> Pairs {
        let start = drawn(&self.starts, count, rng);
        let end = self.bridge.transport(self.direction, &start, rng);
        let [x0, x1] = self.direction.along([start, end]);
        Pairs { x0, x1 }
    }
}
