//! A bridge whose drifts are networks, walked in the steps it was learned for.

use crate::bridge::{Bridge, Direction, PairBridge, StepNoise};
use crate::net::{DriftNet, GaussianDrift};
use crate::reference::{Brownian, GaussianReference, Reference as _};
use crate::rng::Rng;
use crate::simulate::{endpoints, paths};
use crate::solver::frame::Frame;
use crate::tensor::{DType, Tensor};

/// One direction: a drift, and the noise of its steps.
#[derive(Clone, Debug)]
pub struct Way {
    /// The part of the drift that is known in closed form, in units of the frame.
    pub gaussian: Option<GaussianDrift>,
    /// The part that was learned; without both, the drift is that of Brownian motion, zero.
    pub net: Option<DriftNet>,
    /// Variances of the noise in step after step, in units of the frame: along the axes of what is known, or the
    /// coordinates; one number where they are equal.
    pub step_variances: Vec<Vec<f32>>,
}

impl Way {
    /// Brownian motion, in `steps` steps.
    pub(super) fn untrained(reference: &Brownian, steps: usize) -> Self {
        let in_f32 = |variances: Vec<f64>| variances.into_iter().map(|q| q as f32).collect();
        let step_variances = reference.step_variances(steps).into_iter().map(in_f32).collect();
        Self { gaussian: None, net: None, step_variances }
    }

    /// The drift in units of the frame.
    ///
    /// # Shapes
    /// `t: [batch]`, `x: [batch, dim]`, result `[batch, dim]`.
    fn drift(&self, t: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        let gaussian = self.gaussian.as_ref().map(|gaussian| gaussian.forward(t.clone(), x.clone()));
        let learned = self.net.as_ref().map(|net| net.forward(t, x.clone()));
        match (gaussian, learned) {
            (Some(gaussian), Some(learned)) => gaussian + learned,
            (drift, None) | (None, drift) => drift.unwrap_or_else(|| x.zeros_like()),
        }
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
        let drift = self.way(direction).drift(t.cast(DType::F32), inside);
        self.frame.undo_drift(direction, drift.cast(dtype))
    }

    fn diffusion(&self, t: Tensor<1>) -> Tensor<1> {
        self.reference.diffusion(t) * self.frame.scale
    }
}

impl PairBridge for NeuralBridge {
    fn reference(&self) -> Box<dyn GaussianReference> {
        Box::new(self.reference.scaled(self.frame.scale))
    }

    /// Along simulated paths.
    fn transport(&self, direction: Direction, x: &Tensor<2>, rng: &mut Rng) -> Tensor<2> {
        endpoints(self, direction, x, &self.step_noise(direction), rng)
    }

    fn skeleton(&self, direction: Direction, x: &Tensor<2>, rng: &mut Rng) -> Vec<Tensor<2>> {
        paths(self, direction, x, &self.step_noise(direction), rng)
    }

    fn step_noise(&self, direction: Direction) -> StepNoise {
        let Way { gaussian, step_variances, .. } = self.way(direction);
        let unit = self.frame.scale.powi(2);
        let of_step = |variances: &Vec<f32>| variances.iter().map(|q| f64::from(*q) * unit).collect();
        let axes = gaussian.as_ref().map(GaussianDrift::axes);
        StepNoise::along(axes, step_variances.iter().map(of_step).collect())
    }
}
