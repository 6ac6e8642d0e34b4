//! The same operations from basic tensor operations: what other devices compute, and what tests
//! compare with.

use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Tensor, activation, module};

use crate::activation::{Activation, LEAK};

/// Added to a variance before its root.
pub const NORM_EPSILON: f32 = 1e-5;

/// A window that moves along a sequence, or a square one that moves over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Places, or pixels along a side.
    pub side: usize,
    /// Places between neighbouring windows.
    pub stride: usize,
    /// Zeros added at either end, or around the image.
    pub padding: usize,
}

impl Window {
    /// One place at a time.
    pub(crate) const POINT: Self = Self { side: 1, stride: 1, padding: 0 };
}

/// Layers of a control with an activation.
pub const HIDDEN: usize = 3;

/// What a control is computed of.
#[derive(Clone, Debug)]
pub struct Control {
    /// States, as many after each other for every time, `[times · count, dim]`.
    pub x: Tensor<2>,
    /// The guide at them, `[times · count, dim]`.
    pub guide: Tensor<2>,
    /// r, `[times, width]`.
    pub times: Tensor<2>,
    /// o, `[times, 1]`.
    pub openings: Tensor<2>,
    /// W and b of the layers: from `dim` to `width`, twice to `width`, and to `dim`.
    pub layers: [(Tensor<2>, Tensor<1>); HIDDEN + 1],
}

/// f of every element.
pub fn activate<const D: usize>(x: Tensor<D>, f: Activation) -> Tensor<D> {
    match f {
        Activation::Identity => x,
        Activation::Relu => activation::relu(x),
        Activation::LeakyRelu => activation::leaky_relu(x, f64::from(LEAK)),
        Activation::Silu => activation::silu(x),
        Activation::Mish => activation::mish(x),
        Activation::Gelu => activation::gelu(x),
        Activation::Tanh => activation::tanh(x),
        Activation::Sigmoid => activation::sigmoid(x),
    }
}

/// [`linear`](crate::linear()).
pub fn linear(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>, f: Activation) -> Tensor<2> {
    activate(module::linear(x, weight, Some(bias)), f)
}

/// [`linear_add`](crate::linear_add).
pub fn linear_add(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    r: Tensor<2>,
    f: Activation,
) -> Tensor<2> {
    activate(module::linear(x, weight, Some(bias)) + r, f)
}

/// [`control`](crate::control()).
pub fn control(inputs: Control, clip: f64) -> Tensor<2> {
    let Control { x, guide, times, openings, layers } = inputs;
    let ([rows, _], [count, _]) = (x.dims(), times.dims());
    let repeated = |of_times: Tensor<2>| {
        let [_, width] = of_times.dims();
        of_times.unsqueeze_dim::<3>(1).expand([count, rows / count, width]).reshape([rows, width])
    };
    let cut = |values: Tensor<2>| values.clamp(-clip, clip);
    let [(w1, b1), (w2, b2), (w3, b3), (w4, b4)] = layers;
    let first = linear_add(x, w1, b1, repeated(times), Activation::Gelu);
    let deep = linear(linear(first, w2, b2, Activation::Gelu), w3, b3, Activation::Gelu);
    cut(linear(deep, w4, b4, Activation::Identity)) + repeated(openings) * cut(guide)
}

/// [`control_product`](crate::control_product).
pub fn control_product(inputs: Control, cotangents: Tensor<2>, clip: f64) -> Tensor<1> {
    let controls = control(inputs, clip);
    let cotangents = if controls.is_autodiff() { Tensor::from_inner(cotangents) } else { cotangents };
    (controls * cotangents).sum()
}

/// [`group_norm`](crate::group_norm).
pub fn group_norm(
    x: Tensor<3>,
    groups: usize,
    scale: Tensor<1>,
    shift: Tensor<1>,
    f: Activation,
) -> Tensor<3> {
    let [batch, positions, channels] = x.dims();
    let grouped = x.reshape([batch, positions, groups, channels / groups]);
    let mean = |x: Tensor<4>| x.mean_dim(1).mean_dim(3);
    let centred = grouped.clone() - mean(grouped);
    let var = mean(centred.clone() * centred.clone());
    let normal = (centred / (var + f64::from(NORM_EPSILON)).sqrt()).reshape([batch, positions, channels]);
    let per_channel = |values: Tensor<1>| values.reshape([1, 1, channels]);
    activate(normal * per_channel(scale) + per_channel(shift), f)
}

/// [`conv2d`](crate::conv2d).
pub fn conv2d(x: Tensor<4>, weight: Tensor<2>, bias: Tensor<1>, window: Window, f: Activation) -> Tensor<4> {
    let [.., inputs] = x.dims();
    let [_, outputs] = weight.dims();
    let Window { side, stride, padding } = window;
    let kernel = weight.reshape([side, side, inputs, outputs]).permute([3, 2, 0, 1]);
    let options = ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1);
    let y = module::conv2d(x.permute([0, 3, 1, 2]), kernel, Some(bias), options);
    activate(y.permute([0, 2, 3, 1]), f)
}

/// [`conv_transpose2d`](crate::conv_transpose2d).
pub fn conv_transpose2d(
    x: Tensor<4>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    window: Window,
    f: Activation,
) -> Tensor<4> {
    let [.., inputs] = x.dims();
    let Window { side, stride, padding } = window;
    let [outputs] = bias.dims();
    let kernel = weight.reshape([inputs, side, side, outputs]).permute([0, 3, 1, 2]);
    let options = ConvTransposeOptions::new([stride; 2], [padding; 2], [0; 2], [1; 2], 1);
    let y = module::conv_transpose2d(x.permute([0, 3, 1, 2]), kernel, Some(bias), options);
    activate(y.permute([0, 2, 3, 1]), f)
}

/// [`conv1d`](crate::conv1d).
pub fn conv1d(x: Tensor<3>, weight: Tensor<2>, bias: Tensor<1>, window: Window, f: Activation) -> Tensor<3> {
    let [.., inputs] = x.dims();
    let [_, outputs] = weight.dims();
    let Window { side, stride, padding } = window;
    let kernel = weight.reshape([side, inputs, outputs]).permute([2, 1, 0]);
    let options = ConvOptions::new([stride], [padding], [1], 1);
    let y = module::conv1d(x.permute([0, 2, 1]), kernel, Some(bias), options);
    activate(y.permute([0, 2, 1]), f)
}

/// [`conv_transpose1d`](crate::conv_transpose1d).
pub fn conv_transpose1d(
    x: Tensor<3>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    window: Window,
    f: Activation,
) -> Tensor<3> {
    let [.., inputs] = x.dims();
    let Window { side, stride, padding } = window;
    let [outputs] = bias.dims();
    let kernel = weight.reshape([inputs, side, outputs]).permute([0, 2, 1]);
    let options = ConvTransposeOptions::new([stride], [padding], [0], [1], 1);
    let y = module::conv_transpose1d(x.permute([0, 2, 1]), kernel, Some(bias), options);
    activate(y.permute([0, 2, 1]), f)
}
