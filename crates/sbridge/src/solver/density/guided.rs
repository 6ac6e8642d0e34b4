//! The methods: their diffusions, and the guides that go into their networks.

use super::chain::{Chain, Control, Knot, Paths};
use super::{Dds, dis, pis, ratio_grid, two_sided};
use crate::net::{ControlNet, Embedded};
use crate::rng::Rng;
use crate::tensor::{DType, Device, Module, Param, Tensor, TensorData};

/// Which diffusion is controlled, and what is held fixed. All start at the origin or from N(0, I), and are for laws of about
/// that width: [`Affine`](crate::density::Affine) gives others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The path integral sampler.
    Pis,
    /// The time-reversed diffusion sampler.
    Dis,
    /// Denoising diffusion samplers, by the exponential scheme.
    Dds,
    /// Both directions learned.
    Bridge,
}

/// Time of `Dds`, in which e^−5 of a variance is kept; and what is left of it before the last step.
const DDS_END: f64 = 5.0;
const DDS_LAST: f64 = 1e-3;

impl Method {
    /// Its diffusion in so many steps.
    pub fn chain(self, steps: usize) -> Chain {
        match self {
            Self::Pis => pis(steps),
            Self::Dis => dis(steps),
            Self::Dds => Dds { spread: 1.0, rate: 1.0 }.chain(&ratio_grid(steps, DDS_END, DDS_LAST)),
            Self::Bridge => two_sided(steps),
        }
    }

    /// Controls for it that are not trained.
    pub fn controls(self, dim: usize, clip: f64, rng: &mut Rng, device: &Device) -> Controls {
        let gate = match self {
            Self::Dis | Self::Bridge => 1.0,
            Self::Pis | Self::Dds => 0.01,
        };
        let mut net = || ControlNet::new(dim, gate, clip, rng, device);
        let forward = net();
        let backward = (self == Self::Bridge).then(net);
        Controls { forward, backward, log_z: Param::from_tensor(Tensor::zeros([1], device)) }
    }

    /// How much of ∇ln ρ and of ∇ln N(0, I) the gate of u opens for at `knot`.
    pub(super) fn shares(self, knot: &Knot) -> (f64, f64) {
        match self {
            Self::Pis | Self::Dds => (1.0, 0.0),
            Self::Dis => (knot.share, 1.0 - knot.share),
            Self::Bridge => (knot.share, 0.0),
        }
    }

    /// What the gate of u opens for at `x`, from ∇ln ρ: `[count, dim]` all.
    fn guide(self, knot: &Knot, x: &Tensor<2>, score: &Tensor<2>) -> Tensor<2> {
        let (of_target, of_start) = self.shares(knot);
        score.clone() * of_target - x.clone() * of_start
    }

    /// What `net` makes of the times of `knots`.
    fn embed(self, net: &ControlNet, knots: &[Knot], device: &Device) -> Embedded {
        let of_knots = |value: &dyn Fn(&Knot) -> f64| {
            let values: Vec<f64> = knots.iter().map(value).collect();
            let count = values.len();
            Tensor::<1>::from_data(TensorData::new(values, [count]), (device, DType::F32))
        };
        let weight = |knot: &Knot| match self {
            Self::Pis | Self::Dds => 1.0,
            Self::Dis | Self::Bridge => knot.diffusion,
        };
        net.embed(of_knots(&|knot| knot.time), of_knots(&weight))
    }
}

/// What is learned of a density: u, v where the noising is learned too, and a value for ln Z.
#[derive(Module, Debug)]
pub struct Controls {
    forward: ControlNet,
    backward: Option<ControlNet>,
    /// ln Z in units of [`LOG_Z_UNIT`]: of the losses that have one.
    log_z: Param<Tensor<1>>,
}

/// Adam moves every parameter by about its rate: ln Z a hundred times as far as a weight.                          \[GFN, App. B\]
const LOG_Z_UNIT: f64 = 100.0;

impl Controls {
    /// The same weights, cut at `share` of where they were.
    pub(super) fn cut_at(&self, share: f64) -> Self {
        let cut = |net: &ControlNet| net.cut_at(share);
        let backward = self.backward.as_ref().map(cut);
        Self { forward: cut(&self.forward), backward, log_z: self.log_z.clone() }
    }

    /// u of a method that does not weigh its guide by the time, at `times`, `[batch]`, of its own, and states and guides,
    /// `[batch, dim]`.
    pub(super) fn at_times(&self, times: Tensor<1>, x: Tensor<2>, guide: Tensor<2>) -> Tensor<2> {
        let embedded = self.forward.embed(times.clone(), times.ones_like());
        self.forward.forward(&embedded, x, guide)
    }

    /// The value for ln Z, `[1]`.
    pub(super) fn log_z(&self) -> Tensor<1> {
        self.log_z.val() * LOG_Z_UNIT
    }
}

/// Networks as the controls of a method.
pub struct Guided<'a> {
    method: Method,
    chain: &'a Chain,
    nets: &'a Controls,
    /// u's, of the times of all steps' starts.
    forward: Embedded,
    /// v's, of the times of all steps' ends.
    backward: Option<Embedded>,
}

impl<'a> Guided<'a> {
    /// The controls of `chain` by `nets`.
    pub fn new(method: Method, nets: &'a Controls, chain: &'a Chain, device: &Device) -> Self {
        let steps = chain.steps.len();
        let forward = method.embed(&nets.forward, &chain.knots[..steps], device);
        let of_ends = |net| method.embed(net, &chain.knots[1..], device);
        let backward = nets.backward.as_ref().map(of_ends);
        Self { method, chain, nets, forward, backward }
    }

    /// Σ u·c over all states of `paths` but the last, with constants c = `pulls`, `[count, dim]` for every step: `[1]`.
    pub fn forward_product(&self, paths: &Paths, pulls: Vec<Tensor<2>>) -> Tensor<1> {
        let states = &paths.states[..self.chain.steps.len()];
        let guides = self.chain.knots.iter().zip(states).zip(&paths.scores);
        let guides = guides.map(|((knot, x), score)| self.method.guide(knot, x, score)).collect();
        let [states, guides, pulls] = [states.to_vec(), guides, pulls].map(|rows| Tensor::cat(rows, 0));
        self.nets.forward.product(&self.forward, states, guides, pulls)
    }

    /// Σ v·c over all states of `paths` but the first, likewise; nothing where v is zero.
    pub fn backward_product(&self, paths: &Paths, pulls: Vec<Tensor<2>>) -> Option<Tensor<1>> {
        let (net, embedded) = (self.nets.backward.as_ref()?, self.backward.as_ref()?);
        let states = &paths.states[1..];
        let guides = self.chain.knots[1..].iter().zip(states).map(|(knot, x)| start_guide(knot, x)).collect();
        let [states, guides, pulls] = [states.to_vec(), guides, pulls].map(|rows| Tensor::cat(rows, 0));
        Some(net.product(embedded, states, guides, pulls))
    }

    /// (∂u/∂x)ᵀ `pull` with the guide held fixed, and (∂u/∂γ)ᵀ `pull`, at knot `k` and `x`: `[count, dim]` all.
    pub(super) fn pulled_by_forward(
        &self,
        k: usize,
        x: &Tensor<2>,
        score: &Tensor<2>,
        pull: &Tensor<2>,
    ) -> (Tensor<2>, Tensor<2>) {
        let guide = self.method.guide(&self.chain.knots[k], x, score);
        pulled(&self.nets.forward, &self.forward.at(k), x, &guide, pull)
    }

    /// (∂v/∂x)ᵀ `pull` at `x`, the end of step `k`: `[count, dim]` all; nothing where v is zero.
    pub(super) fn pulled_by_backward(&self, k: usize, x: &Tensor<2>, pull: &Tensor<2>) -> Option<Tensor<2>> {
        let (net, embedded) = (self.nets.backward.as_ref()?, self.backward.as_ref()?);
        let knot = &self.chain.knots[k + 1];
        let (of_state, of_guide) = pulled(net, &embedded.at(k), x, &start_guide(knot, x), pull);
        Some(of_state + of_guide * (knot.share - 1.0))
    }

    /// Which method it is.
    pub(super) fn method(&self) -> Method {
        self.method
    }
}

/// What the gate of v opens for: the score of the start, as far as the time is from the end.
fn start_guide(knot: &Knot, x: &Tensor<2>) -> Tensor<2> {
    x.clone() * (knot.share - 1.0)
}

/// The products of the Jacobians of `net` in state and guide with `pull`.
fn pulled(
    net: &ControlNet,
    embedded: &Embedded,
    x: &Tensor<2>,
    guide: &Tensor<2>,
    pull: &Tensor<2>,
) -> (Tensor<2>, Tensor<2>) {
    let net = net.clone().train().no_grad();
    let [x, guide] = [x, guide].map(|rows| rows.clone().autodiff().require_grad());
    let control = net.forward(&embedded.autodiff(), x.clone(), guide.clone());
    let gradients = (control * pull.clone().autodiff()).sum().backward();
    let of = |rows: Tensor<2>| rows.grad(&gradients).expect("a control depends on state and guide");
    (of(x), of(guide))
}

impl Control for Guided<'_> {
    fn uses_score(&self) -> bool {
        true
    }

    fn forward(&self, k: usize, knot: &Knot, states: &Tensor<2>, score: Option<&Tensor<2>>) -> Tensor<2> {
        let score = score.expect("a control that uses the score is given it");
        let guide = self.method.guide(knot, states, score);
        self.nets.forward.forward(&self.forward.at(k), states.clone(), guide)
    }

    fn backward(&self, k: usize, knot: &Knot, states: &Tensor<2>) -> Option<Tensor<2>> {
        let (net, embedded) = (self.nets.backward.as_ref()?, self.backward.as_ref()?);
        Some(net.forward(&embedded.at(k - 1), states.clone(), start_guide(knot, states)))
    }
}
