//! The control of a sampler of densities: a network of state and time, and a gate for a guide such as ∇ln ρ.
//!
//! u = clip(NN₁(x, t)) + g · clip(NN₂(t)) · clip(guide),                                             \[PIS, Section 4; LV, App. A.5\]
//!
//! NN₁ adds an embedding of the time, made once for all states of one time, to that of the state. Both networks end in zero
//! weights, so that an untrained control is a small multiple of the guide.
//!
//! Tests: the number of parameters; an untrained control; states of several times at once.

use sbridge_kernels::Activation::{self, Gelu, Identity};
use sbridge_kernels::Control;

use crate::net::layers::Linear;
use crate::rng::Rng;
use crate::tensor::{Device, Module, Param, Tensor, TensorData, column};

/// Features of every layer.
const WIDTH: usize = 64;

/// Lowest and highest frequency of the time.
const FREQUENCIES: (f64, f64) = (0.1, 100.0);

/// sin and cos of ω_j t + p_j, with learned phases, through dense layers.
#[derive(Module, Debug)]
struct TimeBranch {
    phases: Param<Tensor<1>>,
    layers: Vec<Linear>,
}

impl TimeBranch {
    fn new(layers: usize, rng: &mut Rng, device: &Device) -> Self {
        let phases = Param::from_tensor(rng.normal([WIDTH], device));
        let inputs = |layer| if layer == 0 { 2 * WIDTH } else { WIDTH };
        let layers = (0..layers).map(|layer| Linear::new(inputs(layer), WIDTH, 1.0, rng, device)).collect();
        Self { phases, layers }
    }

    /// Every layer is followed by an activation, the last by `last`. `[times]` to `[times, WIDTH]`.
    fn forward(&self, times: Tensor<1>, last: Activation) -> Tensor<2> {
        let (low, high) = FREQUENCIES;
        let frequency = |j: usize| low + (high - low) * j as f64 / (WIDTH - 1) as f64;
        let frequencies: Vec<f64> = (0..WIDTH).map(frequency).collect();
        let row = Tensor::<2>::from_data(
            TensorData::new(frequencies, [1, WIDTH]),
            (&times.device(), times.dtype()),
        );
        let angles = column(times) * row + self.phases.val().unsqueeze::<2>();
        let features = Tensor::cat(vec![angles.clone().sin(), angles.cos()], 1);
        let (end, others) = self.layers.split_last().expect("a layer");
        end.activated(others.iter().fold(features, |x, layer| layer.activated(x, Gelu)), last)
    }
}

/// The network and its gate.
#[derive(Module, Debug)]
pub struct ControlNet {
    time: TimeBranch,
    state: Linear,
    hidden: [Linear; 2],
    output: Linear,
    gate: TimeBranch,
    opening: Linear,
    #[module(skip)]
    clip: f64,
}

impl ControlNet {
    /// A control of `dim` values, whose gate is open by `gate` before training; what its networks and the guide say is cut at
    /// ±`clip`.
    pub fn new(dim: usize, gate: f64, clip: f64, rng: &mut Rng, device: &Device) -> Self {
        let time = TimeBranch::new(2, rng, device);
        let mut dense = |inputs, outputs, gain| Linear::new(inputs, outputs, gain, rng, device);
        let (state, output) = (dense(dim, WIDTH, 1.0), dense(WIDTH, dim, 0.0));
        let (hidden, opening) = ([dense(WIDTH, WIDTH, 1.0), dense(WIDTH, WIDTH, 1.0)], dense(WIDTH, 1, 0.0));
        let opening = opening.biased(gate);
        let gate = TimeBranch::new(3, rng, device);
        Self { time, state, hidden, output, gate, opening, clip }
    }

    /// The same weights, cut at `share` of where they were.
    #[must_use]
    pub fn cut_at(&self, share: f64) -> Self {
        Self { clip: share * self.clip, ..self.clone() }
    }

    /// What the networks make of times alone, where the guide weighs `weights`; `[times]` both.
    pub fn embed(&self, times: Tensor<1>, weights: Tensor<1>) -> Embedded {
        let opening = self.opening.forward(self.gate.forward(times.clone(), Gelu));
        Embedded { times: self.time.forward(times, Identity), openings: self.cut(opening) * column(weights) }
    }

    /// The control of states at embedded times, as many after each other for every time.
    ///
    /// # Shapes
    /// `x` and `guide`: `[times · count, dim]`, as the result.
    pub fn forward(&self, embedded: &Embedded, x: Tensor<2>, guide: Tensor<2>) -> Tensor<2> {
        sbridge_kernels::control(self.inputs(embedded, x, guide), self.clip)
    }

    /// Σ u·c over all states of the control and of `cotangents`, which are constants, `[1]`. Where only its gradient in the weights
    /// counts this takes about half of the time that [`forward`](Self::forward) and the way back take.
    ///
    /// # Shapes
    /// As [`forward`](Self::forward); `cotangents` like its result.
    pub fn product(
        &self,
        embedded: &Embedded,
        x: Tensor<2>,
        guide: Tensor<2>,
        cotangents: Tensor<2>,
    ) -> Tensor<1> {
        sbridge_kernels::control_product(self.inputs(embedded, x, guide), cotangents, self.clip)
    }

    fn inputs(&self, embedded: &Embedded, x: Tensor<2>, guide: Tensor<2>) -> Control {
        let [first, second] = &self.hidden;
        Control {
            x,
            guide,
            times: embedded.times.clone(),
            openings: embedded.openings.clone(),
            layers: [&self.state, first, second, &self.output].map(Linear::values),
        }
    }

    fn cut(&self, values: Tensor<2>) -> Tensor<2> {
        values.clamp(-self.clip, self.clip)
    }
}

/// What a [`ControlNet`] makes of times: made once, and used for all states.
pub struct Embedded {
    /// `[times, width]`.
    times: Tensor<2>,
    /// How much of the guide is let in, `[times, 1]`.
    openings: Tensor<2>,
}

impl Embedded {
    /// That of one time.
    #[must_use]
    pub fn at(&self, index: usize) -> Self {
        let row = |rows: &Tensor<2>| rows.clone().narrow(0, index, 1);
        Self { times: row(&self.times), openings: row(&self.openings) }
    }

    /// The same among tensors that are differentiated.
    #[must_use]
    pub fn autodiff(&self) -> Self {
        Self { times: self.times.clone().autodiff(), openings: self.openings.clone().autodiff() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::to_vec;

    fn net(dim: usize) -> ControlNet {
        ControlNet::new(dim, 0.25, 3.0, &mut Rng::new(1), &Device::flex())
    }

    #[test]
    fn it_has_as_many_parameters_as_are_published() {
        // 21,122 of the network of two dimensions and 16,705 of its gate.
        assert_eq!(net(2).num_params(), 21_122 + 16_705);
    }

    #[test]
    fn an_untrained_control_is_its_gate_times_the_guide_cut() {
        let device = Device::flex();
        let times =
            Tensor::from_data(TensorData::new(vec![0.1, 0.7], [2]), (&device, crate::tensor::DType::F32));
        let x = Rng::new(2).normal([6, 2], &device);
        let guide = Rng::new(3).normal([6, 2], &device) * 3.0;
        let expected = guide.clone().clamp(-3.0, 3.0) * 0.25;
        let net = net(2);
        let found = net.forward(&net.embed(times.clone(), times.ones_like()), x, guide);
        assert_eq!(to_vec(found), to_vec(expected));
    }
}
