//! Föllmer's process: what `pis` learns, as a Schrödinger bridge from the origin to π.                        \[Föl85; PIS\]
//!
//! In the time of a bridge, T = 1: v₊ = T g u, v₋ = −x/t, and Brownian motion of ε = g²T = 1. Backward it is the Brownian bridge to
//! the origin, whatever π is.
//!
//! Tests: a Gaussian, whose process, score and flow are known.

use std::sync::Arc;

use super::chain::score_at;
use super::guided::Controls;
use super::pis::{END, VAR};
use crate::bridge::{Bridge, Direction, PairBridge, StepNoise};
use crate::density::LogDensity;
use crate::error::Result;
use crate::reference::{Brownian, GaussianReference};
use crate::rng::Rng;
use crate::simulate::{endpoints, paths};
use crate::tensor::{Tensor, column};

/// The process of learned controls, in the coordinates of its density.
pub struct Foellmer {
    density: Arc<dyn LogDensity>,
    controls: Controls,
    steps: usize,
}

/// Times that are no earlier: a bridge to the origin is infinitely steep there.
const EARLIEST: f64 = 1e-6;

impl Foellmer {
    /// Of `controls` by [`Method::Pis`](super::Method::Pis) for `density`, walked in so many `steps`.
    pub fn new(density: Arc<dyn LogDensity>, controls: Controls, steps: usize) -> Self {
        Self { density, controls, steps }
    }

    /// T g u at times `t`, `[batch]` in [0, 1], and states `x`, `[batch, dim]`.
    ///
    /// # Errors
    /// What the density cannot be evaluated for.
    fn forward(&self, t: Tensor<1>, x: &Tensor<2>) -> Result<Tensor<2>> {
        let score = score_at(self.density.as_ref(), x)?;
        Ok(self.controls.at_times(t * END, x.clone(), score) * (END * VAR.sqrt()))
    }
}

impl Bridge for Foellmer {
    fn dim(&self) -> usize {
        self.density.dim()
    }

    /// Not a number where the density cannot be evaluated.
    fn drift(&self, direction: Direction, t: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        match direction {
            Direction::Forward => self.forward(t, &x).unwrap_or_else(|_| x.full_like(f64::NAN)),
            Direction::Backward => -x / column(t.clamp_min(EARLIEST)),
        }
    }

    fn diffusion(&self, t: Tensor<1>) -> Tensor<1> {
        t.ones_like()
    }
}

impl PairBridge for Foellmer {
    fn reference(&self) -> Box<dyn GaussianReference> {
        Box::new(Brownian::with_epsilon(1.0).expect("one is positive"))
    }

    /// Forward it is the process of the law from the origin alone.
    fn transport(&self, direction: Direction, x: &Tensor<2>, rng: &mut Rng) -> Tensor<2> {
        endpoints(self, direction, x, &self.step_noise(direction), rng)
    }

    fn skeleton(&self, direction: Direction, x: &Tensor<2>, rng: &mut Rng) -> Vec<Tensor<2>> {
        paths(self, direction, x, &self.step_noise(direction), rng)
    }

    /// Backward that of a Brownian bridge, which ends in the origin.
    fn step_noise(&self, direction: Direction) -> StepNoise {
        let step = 1.0 / self.steps as f64;
        let variance = |k: usize| match direction {
            Direction::Forward => step,
            Direction::Backward => {
                let time = Direction::Backward.time(k as f64 * step);
                step * (time - step).max(0.0) / time
            }
        };
        StepNoise::along(None, (0..self.steps).map(|k| vec![variance(k)]).collect())
    }
}
