//! Layers: affine maps, convolutions and normalisation, initialised from a named stream.
//!
//! Weights start as N(0, gain²/fan_in), biases at zero.                               [He15, Eq. 10]

use crate::rng::Rng;
use crate::tensor::{Device, Module, Param, Tensor, module};

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
        Self { weight: normal([inputs, outputs], inputs, gain, rng, device), bias: zeros(outputs, device) }
    }

    /// # Shapes
    /// `x: [batch, inputs]`, result `[batch, outputs]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        module::linear(x, self.weight.val(), Some(self.bias.val()))
    }
}

/// Halves height and width: a convolution with kernel 4, stride 2 and padding 1.
///
/// An image is cut into cells of 2 × 2 pixels; a window of the kernel is a square of four cells, so
/// the convolution is one matrix product over gathered windows, which uses every core.
#[derive(Module, Debug)]
pub struct Halving {
    map: Linear,
}

impl Halving {
    /// From `inputs` to `outputs` channels.
    pub fn new(inputs: usize, outputs: usize, rng: &mut Rng, device: &Device) -> Self {
        Self { map: Linear::new(16 * inputs, outputs, RECTIFIER_GAIN, rng, device) }
    }

    /// # Shapes
    /// `x: [batch, height, width, inputs]` with even sides, result `[batch, height/2, width/2, outputs]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, height, width, _] = x.dims();
        let (rows, columns) = (height / 2, width / 2);
        let cells = space_to_depth(x.pad([(1, 1), (1, 1), (0, 0)], 0.0));
        let corner = |(a, b)| cells.clone().narrow(1, a, rows).narrow(2, b, columns);
        let windows = Tensor::cat(CORNERS.map(corner).to_vec(), 3);
        let flat = windows.flatten::<2>(0, 2);
        let mapped = self.map.forward(flat);
        let outputs = mapped.dims()[1];
        mapped.reshape([batch, rows, columns, outputs])
    }
}

/// Doubles height and width: the transposed convolution with kernel 4, stride 2 and padding 1.
///
/// Every pixel paints a window of four cells of 2 × 2 pixels; overlapping windows add up.
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
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, height, width, inputs] = x.dims();
        let painted = x.reshape([batch * height * width, inputs]).matmul(self.weight.val());
        let windows = painted.dims()[1];
        let painted = painted.reshape([batch, height, width, windows]);
        let placed = CORNERS.iter().enumerate().map(|(k, &(a, b))| {
            let window = painted.clone().narrow(3, k * windows / 4, windows / 4);
            window.pad([(a, 1 - a), (b, 1 - b), (0, 0)], 0.0)
        });
        let cells = placed.reduce(|sum, window| sum + window).expect("four corners");
        let image = depth_to_space(cells);
        let cropped = image.narrow(1, 1, 2 * height).narrow(2, 1, 2 * width);
        cropped + self.bias.val().reshape([1, 1, 1, windows / 16])
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

/// Places of the four cells of a window.
const CORNERS: [(usize, usize); 4] = [(0, 0), (0, 1), (1, 0), (1, 1)];

/// `[batch, 2h, 2w, c]` → `[batch, h, w, 4c]`.
fn space_to_depth(x: Tensor<4>) -> Tensor<4> {
    let [batch, height, width, channels] = x.dims();
    let (rows, columns) = (height / 2, width / 2);
    let split = x.reshape([batch, rows, 2, columns, 2, channels]);
    split.permute([0, 1, 3, 2, 4, 5]).reshape([batch, rows, columns, 4 * channels])
}

/// `[batch, h, w, 4c]` → `[batch, 2h, 2w, c]`, the inverse of [`space_to_depth`].
fn depth_to_space(x: Tensor<4>) -> Tensor<4> {
    let [batch, rows, columns, depth] = x.dims();
    let split = x.reshape([batch, rows, columns, 2, 2, depth / 4]);
    split.permute([0, 1, 3, 2, 4, 5]).reshape([batch, 2 * rows, 2 * columns, depth / 4])
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
        Self { scale: Param::from_tensor(Tensor::ones([features], device)), shift: zeros(features, device) }
    }

    /// # Shapes
    /// `x: [batch, features]`, result the same.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        module::layer_norm(x, self.scale.val(), Some(self.shift.val()), NORM_EPSILON)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{ConvOptions, ConvTransposeOptions, Device, to_vec};

    /// Weights `[16 · inputs, outputs]`, rows in the order cell row, cell column, pixel row, pixel
    /// column, channel, as the kernel `[4, 4, inputs, outputs]` of the textbook.
    fn kernel(weight: Tensor<2>, inputs: usize, outputs: usize) -> Tensor<4> {
        let split = weight.reshape([2, 2, 2, 2, inputs, outputs]);
        split.permute([0, 2, 1, 3, 4, 5]).reshape([4, 4, inputs, outputs])
    }

    fn largest_difference(a: Tensor<4>, b: Tensor<4>) -> f32 {
        to_vec((a - b).abs()).into_iter().fold(0.0, f32::max)
    }

    #[test]
    fn halving_is_the_strided_convolution() {
        let (device, mut rng) = (Device::flex(), Rng::new(1));
        let layer = Halving::new(3, 5, &mut rng, &device);
        let x = rng.normal([2, 6, 8, 3], &device);
        let weight = kernel(layer.map.weight.val(), 3, 5).permute([3, 2, 0, 1]);
        let options = ConvOptions::new([2, 2], [1, 1], [1, 1], 1);
        let expected = module::conv2d(x.clone().permute([0, 3, 1, 2]), weight, None, options);
        // Sums of 48 products in f32.
        assert!(largest_difference(layer.forward(x), expected.permute([0, 2, 3, 1])) < 1e-5);
    }

    #[test]
    fn doubling_is_the_transposed_convolution() {
        let (device, mut rng) = (Device::flex(), Rng::new(2));
        let layer = Doubling::new(3, 2, &mut rng, &device);
        let x = rng.normal([2, 3, 4, 3], &device);
        let columns = layer.weight.val().transpose().reshape([16, 2, 3]);
        let weight = kernel(columns.permute([0, 2, 1]).reshape([48, 2]), 3, 2).permute([2, 3, 0, 1]);
        let options = ConvTransposeOptions::new([2, 2], [1, 1], [0, 0], [1, 1], 1);
        let expected = module::conv_transpose2d(x.clone().permute([0, 3, 1, 2]), weight, None, options);
        // Sums of 12 products in f32.
        assert!(largest_difference(layer.forward(x), expected.permute([0, 2, 3, 1])) < 1e-5);
    }
}
