//! A bridge whose drifts are networks, walked in the steps it was learned for.

use crate::bridge::{Bridge, Direction, PairBridge};
use crate::net::DriftNet;
use crate::reference::{Brownian, Reference as _};
use crate::rng::Rng;
use crate::simulate::{ends_of_walks, paths};
use crate::solver::frame::Frame;
use crate::tensor::{DType, Tensor};

/// One direction: a drift, and the noise of its steps.
#[derive(Clone, Debug)]
pub struct Way {
    /// The drift in units of the frame; none is that of Brownian motion, zero.
    pub drift: Option<DriftNet>,
    /// Variance of the noise in every step, in units of the frame.
    pub step_variances: Vec<f32>,
}

impl Way {
    /// Brownian motion, in `steps` steps.
    pub(super) fn untrained(reference: &Brownian, steps: usize) -> Self {
        Self { drift: None, step_variances: vec![(reference.epsilon() / steps as f64) as f32; steps] }
    }
}

/// A bridge of two networks.
#[derive(Clone, Debug)]
pub struct NeuralBridge {
    /// Units of the networks.
    pub frame: Frame,
    /// The reference, in units of the frame.
    pub reference: Brownian,
    /// From source to target.
    pub forward: Way,
    /// From target to source.
    pub backward: Way,
}

impl NeuralBridge {
    /// The reference itself, both ways, in `steps` steps.
    pub fn untrained(frame: Frame, reference: Brownian, steps: usize) -> Self {
        let way = Way::untrained(&reference, steps);
        Self { frame, reference, forward: way.clone(), backward: way }
    }

    /// One direction.
    pub fn way(&self, direction: Direction) -> &Way {
        match direction {
            Direction::Forward => &self.forward,
            Direction::Backward => &self.backward,
        }
    }

    /// Replaces one direction.
    pub fn set_way(&mut self, direction: Direction, way: Way) {
        match direction {
            Direction::Forward => self.forward = way,
            Direction::Backward => self.backward = way,
        }
    }
}

impl Bridge for NeuralBridge {
    fn dim(&self) -> usize {
        self.frame.means[0].len()
    }

    fn drift(&self, direction: Direction, t: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        let dtype = x.dtype();
        // Networks compute in f32, whatever they are asked in.
        let inside = self.frame.apply_rows(&t, x).cast(DType::F32);
        let drift = match &self.way(direction).drift {
            Some(net) => net.forward(t.cast(DType::F32), inside),
            None => inside.zeros_like(),
        };
        self.frame.undo_drift(direction, drift.cast(dtype))
    }

    fn diffusion(&self, t: Tensor<1>) -> Tensor<1> {
        self.reference.diffusion(t) * self.frame.scale
    }
}

impl PairBridge for NeuralBridge {
    fn epsilon(&self) -> f64 {
        self.reference.epsilon() * self.frame.scale.powi(2)
    }

    /// Along simulated paths.
    fn transport(&self, direction: Direction, x: &Tensor<2>, rng: &mut Rng) -> Tensor<2> {
        ends_of_walks(self, direction, x, &self.step_variances(direction), rng)
    }

    fn skeleton(&self, direction: Direction, x: &Tensor<2>, rng: &mut Rng) -> Vec<Tensor<2>> {
        paths(self, direction, x, &self.step_variances(direction), rng)
    }

    fn step_variances(&self, direction: Direction) -> Vec<f64> {
        let unit = self.frame.scale.powi(2);
        self.way(direction).step_variances.iter().map(|variance| f64::from(*variance) * unit).collect()
    }
}
