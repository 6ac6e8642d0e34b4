//! The probability flow: dX = u(t, X) dt with u = ½ (v₊ − v₋). At every time it has the law of the bridge, without noise.

use std::sync::Arc;

use crate::bridge::{Bridge, Direction, PairBridge, StepNoise};
use crate::reference::{Brownian, GaussianReference};
use crate::rng::Rng;
use crate::simulate::{endpoints, paths};
use crate::tensor::Tensor;

/// The flow of a bridge, as a bridge without noise.
pub struct Flow {
    bridge: Arc<dyn PairBridge>,
}

impl Flow {
    /// The flow of `bridge`, in as many steps as its paths have.
    pub fn new(bridge: Arc<dyn PairBridge>) -> Self {
        Self { bridge }
    }

    fn steps(&self, direction: Direction) -> usize {
        self.bridge.step_noise(direction).steps()
    }
}

impl Bridge for Flow {
    fn dim(&self) -> usize {
        self.bridge.dim()
    }

    fn drift(&self, direction: Direction, t: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        // Each of the two drifts is undefined at one end: the flow is asked for half a step inside.
        let inside = 0.5 / self.steps(direction) as f64;
        let [sign, _] = direction.along([1.0, -1.0]);
        self.bridge.velocity(t.clamp(inside, 1.0 - inside), x) * sign
    }

    fn diffusion(&self, t: Tensor<1>) -> Tensor<1> {
        t.zeros_like()
    }
}

impl PairBridge for Flow {
    /// No motion: there is no noise.
    fn reference(&self) -> Box<dyn GaussianReference> {
        Box::new(Brownian::still())
    }

    fn transport(&self, direction: Direction, x: &Tensor<2>, rng: &mut Rng) -> Tensor<2> {
        endpoints(self, direction, x, &self.step_noise(direction), rng)
    }

    fn skeleton(&self, direction: Direction, x: &Tensor<2>, rng: &mut Rng) -> Vec<Tensor<2>> {
        paths(self, direction, x, &self.step_noise(direction), rng)
    }

    fn step_noise(&self, direction: Direction) -> StepNoise {
        StepNoise::of_reference(&Brownian::still(), self.steps(direction))
    }
}
