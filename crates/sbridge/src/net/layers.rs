//! Layers: affine maps, convolutions and normalisation, initialised from a named stream.
//!
//! Weights start as N(0, gain²/fan_in), biases at zero.                               [He15, Eq. 10]

use sbridge_kernels::{self as kernels, Activation, Window};

use crate::rng::Rng;
use crate::tensor::{Device, Module, Param, Tensor};

/// Gain that keeps the variance of activations through a rectifier.
pub(super) const RECTIFIER_GAIN: f64 = std::f64::consts::SQRT_2;

fn normal<const D: usize>(
    shape: [usize; D],
    fan_in: usize,
    gain: f64,
    rng: &mut Rng,
    device: &Device,
) -> Param<Tensor<D>> {
    let std = gain / (fan_in as f64).sqrt();
    Param::from_tensor(rng.normal(shape, device) * std)
}

fn zeros(size: usize, device: &Device) -> Param<Tensor<1>> {
    Param::from_tensor(Tensor::zeros([size], device))
}

/// `y = f(x W + b)`.
#[derive(Module, Debug)]
pub struct Linear {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Linear {
    /// An affine map from `inputs` to `outputs` features; `gain` 0 starts at zero.
    pub fn new(inputs: usize, outputs: usize, gain: f64, rng: &mut Rng, device: &Device) -> Self {
        Self { weight: normal([inputs, outputs], inputs, gain, rng, device), bias: zeros(outputs, device) }
    }

    /// The same with every bias at `bias`.
    #[must_use]
    pub fn biased(self, bias: f64) -> Self {
        Self { bias: self.bias.map(|values| values.full_like(bias)), ..self }
    }

    /// W, `[inputs, outputs]`, and b, `[outputs]`.
    pub(super) fn values(&self) -> (Tensor<2>, Tensor<1>) {
        (self.weight.val(), self.bias.val())
    }

    /// x W + b.
    ///
    /// # Shapes
    /// `x: [batch, inputs]`, result `[batch, outputs]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.activated(x, Activation::Identity)
    }

    /// f(x W + b), with shapes as in [`forward`](Self::forward).
    pub fn activated(&self, x: Tensor<2>, f: Activation) -> Tensor<2> {
        kernels::linear(x, self.weight.val(), self.bias.val(), f)
    }

    /// f(x W + b + r).
    ///
    /// # Shapes
    /// `r` as the result.
    pub fn added_to(&self, r: Tensor<2>, x: Tensor<2>, f: Activation) -> Tensor<2> {
        kernels::linear_add(x, self.weight.val(), self.bias.val(), r, f)
    }
}

/// A convolution with kernel 3 and stride 1 that keeps height and width.
#[derive(Module, Debug)]
pub struct Convolution {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Convolution {
    /// From `inputs` to `outputs` channels; `gain` 0 starts at zero.
    pub fn new(inputs: usize, outputs: usize, gain: f64, rng: &mut Rng, device: &Device) -> Self {
        let fan_in = 9 * inputs;
        Self { weight: normal([fan_in, outputs], fan_in, gain, rng, device), bias: zeros(outputs, device) }
    }

    /// # Shapes
    /// `x: [batch, height, width, inputs]`, result `[batch, height, width, outputs]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let window = Window { side: 3, stride: 1, padding: 1 };
        kernels::conv2d(x, self.weight.val(), self.bias.val(), window, Activation::Identity)
    }
}

/// The window of [`Halving`] and [`Doubling`].
const WINDOW: Window = Window { side: 4, stride: 2, padding: 1 };

/// Halves height and width: a convolution with kernel 4, stride 2 and padding 1.
#[derive(Module, Debug)]
pub struct Halving {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Halving {
    /// From `inputs` to `outputs` channels.
    pub fn new(inputs: usize, outputs: usize, rng: &mut Rng, device: &Device) -> Self {
        let fan_in = 16 * inputs;
        let weight = normal([fan_in, outputs], fan_in, RECTIFIER_GAIN, rng, device);
        Self { weight, bias: zeros(outputs, device) }
    }

    /// # Shapes
    /// `x: [batch, height, width, inputs]` with even sides, result `[batch, height/2, width/2, outputs]`.
    pub fn forward(&self, x: Tensor<4>, f: Activation) -> Tensor<4> {
        kernels::conv2d(x, self.weight.val(), self.bias.val(), WINDOW, f)
    }
}

/// Doubles height and width: the transposed convolution with kernel 4, stride 2 and padding 1.
#[derive(Module, Debug)]
pub struct Doubling {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Doubling {
    /// From `inputs` to `outputs` channels.
    pub fn new(inputs: usize, outputs: usize, rng: &mut Rng, device: &Device) -> Self {
        // Every output pixel is the sum of four windows.
        let weight = normal([inputs, 16 * outputs], 4 * inputs, RECTIFIER_GAIN, rng, device);
        Self { weight, bias: zeros(outputs, device) }
    }

    /// # Shapes
    /// `x: [batch, height, width, inputs]`, result `[batch, 2·height, 2·width, outputs]`.
    pub fn forward(&self, x: Tensor<4>, f: Activation) -> Tensor<4> {
        kernels::conv_transpose2d(x, self.weight.val(), self.bias.val(), WINDOW, f)
    }
}

/// A convolution of sequences.
#[derive(Module, Debug)]
pub struct SequenceConvolution {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
    #[module(skip)]
    window: Window,
}

impl SequenceConvolution {
    /// From `inputs` to `outputs` channels; `gain` 0 starts at zero.
    pub fn new(
        [inputs, outputs]: [usize; 2],
        window: Window,
        gain: f64,
        rng: &mut Rng,
        device: &Device,
    ) -> Self {
        let fan_in = window.side * inputs;
        let weight = normal([fan_in, outputs], fan_in, gain, rng, device);
        Self { weight, bias: zeros(outputs, device), window }
    }

    /// # Shapes
    /// `x: [batch, length, inputs]`, result `[batch, length', outputs]` with
    /// length' = (length + 2 padding − side)/stride + 1.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        kernels::conv1d(x, self.weight.val(), self.bias.val(), self.window, Activation::Identity)
    }
}

/// A transposed convolution of sequences, which lengthens them.
#[derive(Module, Debug)]
pub struct SequenceEnlarging {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
    #[module(skip)]
    window: Window,
}

impl SequenceEnlarging {
    /// From `inputs` to `outputs` channels.
    pub fn new(
        [inputs, outputs]: [usize; 2],
        window: Window,
        gain: f64,
        rng: &mut Rng,
        device: &Device,
    ) -> Self {
        // A place of the result is the sum of so many windows.
        let windows = window.side.div_ceil(window.stride);
        let weight = normal([inputs, window.side * outputs], windows * inputs, gain, rng, device);
        Self { weight, bias: zeros(outputs, device), window }
    }

    /// # Shapes
    /// `x: [batch, length, inputs]`, result `[batch, length', outputs]` with
    /// length' = (length − 1) stride + side − 2 padding.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        kernels::conv_transpose1d(x, self.weight.val(), self.bias.val(), self.window, Activation::Identity)
    }
}

/// Flat channel-major images `[batch, c · h · w]` → `[batch, h, w, c]`, padded below and to the right
/// with zeros until both sides are multiples of four.
pub(super) fn to_nhwc(x: Tensor<2>, [channels, height, width]: [usize; 3]) -> Tensor<4> {
    let [batch, _] = x.dims();
    let image = x.reshape([batch, channels, height, width]).permute([0, 2, 3, 1]);
    let below = height.next_multiple_of(4) - height;
    let right = width.next_multiple_of(4) - width;
    match (below, right) {
        (0, 0) => image,
        _ => image.pad([(0, below), (0, right), (0, 0)], 0.0),
    }
}

/// The inverse of [`to_nhwc`]: the padding is cut off again.
pub(super) fn from_nhwc(x: Tensor<4>, [channels, height, width]: [usize; 3]) -> Tensor<2> {
    let [batch, ..] = x.dims();
    let image = x.narrow(1, 0, height).narrow(2, 0, width);
    image.permute([0, 3, 1, 2]).reshape([batch, channels * height * width])
}

/// Layer normalisation over the features of a row, then an affine map per feature.
#[derive(Module, Debug)]
pub struct LayerNorm {
    scale: Param<Tensor<1>>,
    shift: Param<Tensor<1>>,
}

impl LayerNorm {
    /// Identity on normalised rows of `features` values.
    pub fn new(features: usize, device: &Device) -> Self {
        Self { scale: Param::from_tensor(Tensor::ones([features], device)), shift: zeros(features, device) }
    }

    /// f of the normalised rows.
    ///
    /// # Shapes
    /// `x: [batch, features]`, result the same.
    pub fn forward(&self, x: Tensor<2>, f: Activation) -> Tensor<2> {
        kernels::layer_norm(x, self.scale.val(), self.shift.val(), f)
    }
}

/// Channels of a group of [`GroupNorm`], where they divide its width.
const GROUP: usize = 8;

/// Normalisation of groups of channels over all places of an image or a sequence, then an affine map per channel.
#[derive(Module, Debug)]
pub struct GroupNorm {
    scale: Param<Tensor<1>>,
    shift: Param<Tensor<1>>,
    #[module(skip)]
    groups: usize,
}

impl GroupNorm {
    /// Groups of eight channels, or one group if eight does not divide their number.
    pub fn new(channels: usize, device: &Device) -> Self {
        let groups = if channels.is_multiple_of(GROUP) { channels / GROUP } else { 1 };
        Self::in_groups(groups, channels, device)
    }

    /// So many groups of equally many channels.
    ///
    /// # Panics
    /// When used, if `groups` does not divide the number of channels.
    pub fn in_groups(groups: usize, channels: usize, device: &Device) -> Self {
        let scale = Param::from_tensor(Tensor::ones([channels], device));
        Self { scale, shift: zeros(channels, device), groups }
    }

    /// f of what is normalised.
    ///
    /// # Shapes
    /// `x: [batch, …, channels]`, result the same.
    pub fn forward<const D: usize>(&self, x: Tensor<D>, f: Activation) -> Tensor<D> {
        let dims = x.dims();
        let (batch, channels) = (dims[0], dims[D - 1]);
        let places = dims[1..D - 1].iter().product();
        let flat = x.reshape([batch, places, channels]);
        kernels::group_norm(flat, self.groups, self.scale.val(), self.shift.val(), f).reshape(dims)
    }
}
