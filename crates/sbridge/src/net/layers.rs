//! Layers: affine maps, convolutions and normalisation, initialised from a named stream.
//!
//! Weights start as N(0, gain²/fan_in), biases at zero.                               [He15, Eq. 10]

use crate::rng::Rng;
use crate::tensor::{
    ConvOptions, ConvTransposeOptions, Device, Module, Param, Tensor, activation, module,
};

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

/// `y = x W + b`.
#[derive(Module, Debug)]
pub struct Linear {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Linear {
    /// An affine map from `inputs` to `outputs` features; `gain` 0 starts at zero.
    pub fn new(inputs: usize, outputs: usize, gain: f64, rng: &mut Rng, device: &Device) -> Self {
        Self {
            weight: normal([inputs, outputs], inputs, gain, rng, device),
            bias: zeros(outputs, device),
        }
    }

    /// # Shapes
    /// `x: [batch, inputs]`, result `[batch, outputs]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        module::linear(x, self.weight.val(), Some(self.bias.val()))
    }
}

/// Convolution with a square kernel.
#[derive(Module, Debug)]
pub struct Conv {
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
    #[module(skip)]
    stride: usize,
    #[module(skip)]
    padding: usize,
}

/// Kernel of the strided convolutions: even, so that stride 2 covers every pixel equally often.
const KERNEL: usize = 4;

impl Conv {
    /// Halves height and width: kernel 4, stride 2, padding 1.
    pub fn halving(inputs: usize, outputs: usize, rng: &mut Rng, device: &Device) -> Self {
        Self::new([inputs, outputs], KERNEL, 2, rng, device)
    }

    /// Keeps height and width: kernel 3, stride 1, padding 1.
    pub fn keeping(inputs: usize, outputs: usize, rng: &mut Rng, device: &Device) -> Self {
        Self::new([inputs, outputs], 3, 1, rng, device)
    }

    fn new(
        [inputs, outputs]: [usize; 2],
        kernel: usize,
        stride: usize,
        rng: &mut Rng,
        device: &Device,
    ) -> Self {
        let shape = [outputs, inputs, kernel, kernel];
        Self {
            weight: normal(shape, inputs * kernel * kernel, RECTIFIER_GAIN, rng, device),
            bias: zeros(outputs, device),
            stride,
            padding: 1,
        }
    }

    /// # Shapes
    /// `x: [batch, inputs, height, width]`, result `[batch, outputs, height/stride, width/stride]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let options = ConvOptions::new([self.stride; 2], [self.padding; 2], [1, 1], 1);
        module::conv2d(x, self.weight.val(), Some(self.bias.val()), options)
    }
}

/// Transposed convolution that doubles height and width: kernel 4, stride 2, padding 1.
#[derive(Module, Debug)]
pub struct ConvTransposed {
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
}

impl ConvTransposed {
    /// From `inputs` to `outputs` channels.
    pub fn doubling(inputs: usize, outputs: usize, rng: &mut Rng, device: &Device) -> Self {
        // Each output pixel sees a quarter of the kernel.
        let fan_in = inputs * KERNEL * KERNEL / 4;
        Self {
            weight: normal([inputs, outputs, KERNEL, KERNEL], fan_in, RECTIFIER_GAIN, rng, device),
            bias: zeros(outputs, device),
        }
    }

    /// # Shapes
    /// `x: [batch, inputs, height, width]`, result `[batch, outputs, 2·height, 2·width]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let options = ConvTransposeOptions::new([2, 2], [1, 1], [0, 0], [1, 1], 1);
        module::conv_transpose2d(x, self.weight.val(), Some(self.bias.val()), options)
    }
}

/// Layer normalisation over the features of a row, then an affine map per feature.
#[derive(Module, Debug)]
pub struct LayerNorm {
    scale: Param<Tensor<1>>,
    shift: Param<Tensor<1>>,
}

/// Added to the variance of a row before its root.
const NORM_EPSILON: f64 = 1e-5;

impl LayerNorm {
    /// Identity on normalised rows of `features` values.
    pub fn new(features: usize, device: &Device) -> Self {
        Self {
            scale: Param::from_tensor(Tensor::ones([features], device)),
            shift: zeros(features, device),
        }
    }

    /// # Shapes
    /// `x: [batch, features]`, result the same.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        module::layer_norm(x, self.scale.val(), Some(self.shift.val()), NORM_EPSILON)
    }
}

/// The rectifier of the convolutional networks.
pub(super) fn leaky<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    activation::leaky_relu(x, 0.01)
}
