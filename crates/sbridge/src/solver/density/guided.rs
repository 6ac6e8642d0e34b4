//! The methods with one control: their steps, and the guide that goes into their networks.

use super::chain::{Chain, Control, Step};
use super::{Dds, cosine_grid, dis, pis};
use crate::net::ControlNet;
use crate::rng::Rng;
use crate::tensor::{Device, Tensor, per_row};

/// Which diffusion is controlled, and what is held fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The path integral sampler.
    Pis,
    /// The time-reversed diffusion sampler.
    Dis,
    /// Denoising diffusion samplers, by the exponential scheme.
    Dds,
}

impl Method {
    /// Its diffusion in about so many steps, for a target of the standard deviation `spread`.
    pub fn chain(self, steps: usize, spread: f64) -> Chain {
        match self {
            Self::Pis => pis(steps, spread),
            Self::Dis => dis(steps),
            // 0.05 of its time a step.
            Self::Dds => Dds { spread, rate: 1.0 }.chain(&cosine_grid(0.05 * (steps.max(2) - 1) as f64)),
        }
    }

    /// A control for it that is not trained.
    pub fn control(self, dim: usize, clip: f64, rng: &mut Rng, device: &Device) -> ControlNet {
        let gate = match self {
            Self::Dis => 1.0,
            Self::Pis | Self::Dds => 0.01,
        };
        ControlNet::new(dim, gate, clip, rng, device)
    }

    /// What the network's gate opens for, from ∇ln ρ: `[count, dim]` all.
    pub fn guide(self, step: &Step, x: &Tensor<2>, score: &Tensor<2>, start_var: f64) -> Tensor<2> {
        match self {
            Self::Pis | Self::Dds => score.clone(),
            // From the score of the start to that of the target.
            Self::Dis => score.clone() * step.share - x.clone() * ((1.0 - step.share) / start_var),
        }
    }

    /// What the guide weighs at a step.
    pub fn weight(self, step: &Step) -> f64 {
        match self {
            Self::Pis | Self::Dds => 1.0,
            Self::Dis => step.diffusion,
        }
    }
}

/// A network as the control of a method.
pub struct Guided<'a> {
    /// The method.
    pub method: Method,
    /// The network.
    pub net: &'a ControlNet,
    /// Variance of the start.
    pub start_var: f64,
}

impl Control for Guided<'_> {
    fn uses_score(&self) -> bool {
        true
    }

    fn at(&self, step: &Step, states: &Tensor<2>, score: Option<&Tensor<2>>) -> Tensor<2> {
        let score = score.expect("a control that uses the score is given it");
        let guide = self.method.guide(step, states, score, self.start_var);
        let [time, weight] =
            [step.time, self.method.weight(step)].map(|x| per_row(x, &states.clone().narrow(0, 0, 1)));
        self.net.forward(time, weight, states.clone(), guide)
    }
}
