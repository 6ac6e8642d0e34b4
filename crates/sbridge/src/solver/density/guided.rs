//! The methods with one control: their steps, and the guide that goes into their networks.

use super::chain::{Chain, Control, Paths, Step};
use super::{Dds, cosine_grid, dis, pis};
use crate::net::{ControlNet, Embedded};
use crate::rng::Rng;
use crate::tensor::{DType, Device, Tensor, TensorData};

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
    /// Its diffusion in about so many steps, whose paths without control have the standard deviation `spread`; `Dis`
    /// starts from N(0, I) whatever that is.
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

    /// What `net` makes of the times of all steps.
    fn embed(self, net: &ControlNet, chain: &Chain, device: &Device) -> Embedded {
        let of_steps = |value: &dyn Fn(&Step) -> f64| {
            let values: Vec<f64> = chain.steps.iter().map(value).collect();
            let count = values.len();
            Tensor::<1>::from_data(TensorData::new(values, [count]), (device, DType::F32))
        };
        let weight = |step: &Step| match self {
            Self::Pis | Self::Dds => 1.0,
            Self::Dis => step.diffusion,
        };
        net.embed(of_steps(&|step| step.time), of_steps(&weight))
    }
}

/// A network as the control of a method.
pub struct Guided<'a> {
    method: Method,
    net: &'a ControlNet,
    /// Of all steps.
    embedded: Embedded,
    start_var: f64,
}

impl<'a> Guided<'a> {
    /// The control of `chain` by `net`.
    pub fn new(method: Method, net: &'a ControlNet, chain: &Chain, device: &Device) -> Self {
        Self { method, net, embedded: method.embed(net, chain, device), start_var: chain.start_var }
    }

    /// The controls of all states of `paths` but the last, `[steps · count, dim]`, step by step.
    pub fn along(&self, chain: &Chain, paths: &Paths) -> Tensor<2> {
        let (states, guides) = self.inputs(chain, paths);
        self.net.forward(&self.embedded, states, guides)
    }

    /// Σ u·c over the states of [`along`](Self::along), with constants `cotangents` of its shape: `[1]`.
    pub fn product_along(&self, chain: &Chain, paths: &Paths, cotangents: Tensor<2>) -> Tensor<1> {
        let (states, guides) = self.inputs(chain, paths);
        self.net.product(&self.embedded, states, guides, cotangents)
    }

    /// States and guides, step by step.
    fn inputs(&self, chain: &Chain, paths: &Paths) -> (Tensor<2>, Tensor<2>) {
        let states = &paths.states[..chain.steps.len()];
        let guides = chain.steps.iter().zip(states).zip(&paths.scores);
        let guides = guides.map(|((step, x), score)| self.method.guide(step, x, score, self.start_var));
        (Tensor::cat(states.to_vec(), 0), Tensor::cat(guides.collect(), 0))
    }
}

impl Control for Guided<'_> {
    fn uses_score(&self) -> bool {
        true
    }

    fn at(&self, k: usize, step: &Step, states: &Tensor<2>, score: Option<&Tensor<2>>) -> Tensor<2> {
        let score = score.expect("a control that uses the score is given it");
        let guide = self.method.guide(step, states, score, self.start_var);
        self.net.forward(&self.embedded.at(k), states.clone(), guide)
    }
}
