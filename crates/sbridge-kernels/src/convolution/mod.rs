//! Convolutions and transposed convolutions of channel-last images and sequences, as products over windows.
//!
//! A window of the input is one row of a matrix C; then y = f(C W + b). C is never held whole: a few
//! lines of output at a time are gathered, multiplied and, on the way back, scattered. The
//! transposed convolution swaps the two: C = x W is scattered, y = f(scatter(C) + b). Windows that move
//! by one pixel are not gathered at all ([`sliding`]). A batch of sequences is one image, a line each, under
//! a window of one line.

mod sliding;
mod windows;

use burn::tensor::Tensor;

use crate::activation::Activation;
use crate::array::{Accum, Array, Matrix, buffer, multiply_into, product};
use crate::operation::{Operation, are_on_cpu, run};
use crate::reference::{self, Window};

use self::windows::Windows;

/// f(x ∗ W + b).
///
/// # Shapes
/// `x: [batch, h, w, inputs]`, `weight: [side · side · inputs, outputs]` with rows in the order window
/// row, window column, channel, `bias: [outputs]`; result `[batch, h', w', outputs]` with
/// h' = (h + 2 padding − side)/stride + 1.
///
/// # Panics
/// If the window is larger than the padded image, or the weight does not fit.
pub fn conv2d(x: Tensor<4>, weight: Tensor<2>, bias: Tensor<1>, window: Window, f: Activation) -> Tensor<4> {
    let inputs = [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
    if are_on_cpu(&inputs.each_ref()) {
        return run(Convolution { window: [window; 2], f }, inputs);
    }
    let [x, weight, bias] = inputs;
    let (weight, bias) = (Tensor::from_dispatch(weight), Tensor::from_dispatch(bias));
    reference::conv2d(Tensor::from_dispatch(x), weight, bias, window, f)
}

/// f(W ∗ᵀ x + b), the adjoint of [`conv2d`] before bias and activation.
///
/// # Shapes
/// `x: [batch, h, w, inputs]`, `weight: [inputs, side · side · outputs]`, `bias: [outputs]`; result
/// `[batch, h', w', outputs]` with h' = (h − 1) stride + side − 2 padding.
///
/// # Panics
/// If the weight does not fit.
pub fn conv_transpose2d(
    x: Tensor<4>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    window: Window,
    f: Activation,
) -> Tensor<4> {
    let inputs = [x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
    if are_on_cpu(&inputs.each_ref()) {
        return run(TransposedConvolution { window: [window; 2], f }, inputs);
    }
    let [x, weight, bias] = inputs;
    let (weight, bias) = (Tensor::from_dispatch(weight), Tensor::from_dispatch(bias));
    reference::conv_transpose2d(Tensor::from_dispatch(x), weight, bias, window, f)
}

/// f(x ∗ W + b) of sequences.
///
/// # Shapes
/// `x: [batch, length, inputs]`, `weight: [side · inputs, outputs]` with rows in the order place in the window,
/// channel, `bias: [outputs]`; result `[batch, length', outputs]` with
/// length' = (length + 2 padding − side)/stride + 1.
///
/// # Panics
/// If the window is longer than the padded sequence, or the weight does not fit.
pub fn conv1d(x: Tensor<3>, weight: Tensor<2>, bias: Tensor<1>, window: Window, f: Activation) -> Tensor<3> {
    let inputs = [as_image(x).into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
    if are_on_cpu(&inputs.each_ref()) {
        return as_sequences(run(Convolution { window: [Window::POINT, window], f }, inputs));
    }
    let [x, weight, bias] = inputs;
    let (weight, bias) = (Tensor::from_dispatch(weight), Tensor::from_dispatch(bias));
    reference::conv1d(as_sequences(Tensor::from_dispatch(x)), weight, bias, window, f)
}

/// f(W ∗ᵀ x + b) of sequences, the adjoint of [`conv1d`] before bias and activation.
///
/// # Shapes
/// `x: [batch, length, inputs]`, `weight: [inputs, side · outputs]`, `bias: [outputs]`; result
/// `[batch, length', outputs]` with length' = (length − 1) stride + side − 2 padding.
///
/// # Panics
/// If the weight does not fit.
pub fn conv_transpose1d(
    x: Tensor<3>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    window: Window,
    f: Activation,
) -> Tensor<3> {
    let inputs = [as_image(x).into_dispatch(), weight.into_dispatch(), bias.into_dispatch()];
    if are_on_cpu(&inputs.each_ref()) {
        return as_sequences(run(TransposedConvolution { window: [Window::POINT, window], f }, inputs));
    }
    let [x, weight, bias] = inputs;
    let (weight, bias) = (Tensor::from_dispatch(weight), Tensor::from_dispatch(bias));
    reference::conv_transpose1d(as_sequences(Tensor::from_dispatch(x)), weight, bias, window, f)
}

/// `[batch, length, channels]` → `[1, batch, length, channels]`.
fn as_image(sequences: Tensor<3>) -> Tensor<4> {
    let [batch, length, channels] = sequences.dims();
    sequences.reshape([1, batch, length, channels])
}

/// The inverse of [`as_image`].
fn as_sequences(image: Tensor<4>) -> Tensor<3> {
    let [_, batch, length, channels] = image.dims();
    image.reshape([batch, length, channels])
}

/// Whether windows move by one pixel.
fn slides(window: [Window; 2]) -> bool {
    window.iter().all(|of_axis| of_axis.stride == 1)
}

/// Of windows down and along.
#[derive(Clone, Debug)]
struct Convolution {
    window: [Window; 2],
    f: Activation,
}

impl Convolution {
    /// C W.
    fn product(&self, x: &Array, weight: &Array, windows: &Windows) -> Vec<f32> {
        let [size, outputs] = weight.dims();
        let mut values = buffer(windows.lines() * windows.columns * outputs);
        let mut gathered = Vec::new();
        for lines in windows.blocks() {
            let (first, count) = (lines.start * windows.columns, lines.len() * windows.columns);
            gathered.resize(count * size, 0.0);
            windows.gather(x.values(), lines, &mut gathered);
            let out = &mut values[first * outputs..(first + count) * outputs];
            let (c, w) = (Matrix::new(&gathered, count, size), Matrix::new(weight.values(), size, outputs));
            multiply_into(out, c, w, Accum::Replace);
        }
        values
    }

    /// W̄ = Cᵀ ā, and x̄ from ā Wᵀ if it is wanted.
    fn pull_back(&self, x: &Array, weight: &Array, a: &[f32], wants_x: bool) -> (Vec<f32>, Option<Vec<f32>>) {
        let windows = Windows::over(self.window, x.dims());
        let [size, outputs] = weight.dims();
        let mut of_weight = vec![0.0; size * outputs];
        let mut of_x = wants_x.then(|| vec![0.0; x.values().len()]);
        let mut gathered = Vec::new();
        for lines in windows.blocks() {
            let (first, count) = (lines.start * windows.columns, lines.len() * windows.columns);
            gathered.resize(count * size, 0.0);
            windows.gather(x.values(), lines.clone(), &mut gathered);
            let a = Matrix::new(&a[first * outputs..(first + count) * outputs], count, outputs);
            multiply_into(&mut of_weight, Matrix::new(&gathered, count, size).transposed(), a, Accum::Add);
            if let Some(of_x) = &mut of_x {
                let w = Matrix::new(weight.values(), size, outputs);
                multiply_into(&mut gathered, a, w.transposed(), Accum::Replace);
                windows.scatter(&gathered, lines, of_x);
            }
        }
        (of_weight, of_x)
    }
}

impl Operation<3> for Convolution {
    /// What f' is a function of.
    type Saved = Array;

    fn forward(&self, [x, weight, bias]: &[Array; 3], save: bool) -> (Array, Option<Array>) {
        let windows = Windows::over(self.window, x.dims());
        let [size, outputs] = weight.dims();
        assert_eq!(size, windows.size(), "rows of the weight");
        let values = match slides(self.window) {
            true => sliding::product(x, weight, self.window),
            false => self.product(x, weight, &windows),
        };
        let dims = [windows.batch, windows.rows, windows.columns, outputs];
        self.f.finish(values, bias.values(), dims, save)
    }

    fn backward(
        &self,
        [x, weight, _]: &[Array; 3],
        saved: Array,
        gradient: Array,
        wanted: [bool; 3],
    ) -> [Option<Array>; 3] {
        let [size, outputs] = weight.dims();
        let (a, of_bias) = self.f.pull_back_array(&gradient, &saved, outputs);
        let (of_weight, of_x) = match slides(self.window) {
            true => sliding::pull_back(x, weight, &a, self.window, wanted[0]),
            false => self.pull_back(x, weight, &a, wanted[0]),
        };
        let of_x = of_x.map(|values| Array::new(values, x.dims::<4>()));
        [of_x, Some(Array::new(of_weight, [size, outputs])), Some(of_bias)]
    }
}

/// Of windows down and along.
#[derive(Clone, Debug)]
struct TransposedConvolution {
    window: [Window; 2],
    f: Activation,
}

impl TransposedConvolution {
    /// The windows over the result.
    fn windows(&self, [batch, height, width, _]: [usize; 4], outputs: usize) -> Windows {
        let length = |count: usize, Window { side, stride, padding }: Window| {
            (count.max(1) - 1) * stride + side - 2 * padding
        };
        let [down, along] = self.window;
        Windows::over(self.window, [batch, length(height, down), length(width, along), outputs])
    }
}

impl Operation<3> for TransposedConvolution {
    /// What f' is a function of.
    type Saved = Array;

    fn forward(&self, [x, weight, bias]: &[Array; 3], save: bool) -> (Array, Option<Array>) {
        let ([inputs, size], [outputs]) = (weight.dims(), bias.dims());
        let windows = self.windows(x.dims(), outputs);
        assert_eq!(size, windows.size(), "columns of the weight");
        let mut values = vec![0.0; windows.batch * windows.height * windows.width * outputs];
        let w = Matrix::new(weight.values(), inputs, size);
        for lines in windows.blocks() {
            let (first, count) = (lines.start * windows.columns, lines.len() * windows.columns);
            let x = Matrix::new(&x.values()[first * inputs..(first + count) * inputs], count, inputs);
            windows.scatter(&product(x, w), lines, &mut values);
        }
        let dims = [windows.batch, windows.height, windows.width, outputs];
        self.f.finish(values, bias.values(), dims, save)
    }

    fn backward(
        &self,
        [x, weight, bias]: &[Array; 3],
        saved: Array,
        gradient: Array,
        wanted: [bool; 3],
    ) -> [Option<Array>; 3] {
        let ([inputs, size], [outputs]) = (weight.dims(), bias.dims());
        let windows = self.windows(x.dims(), outputs);
        let (a, of_bias) = self.f.pull_back_array(&gradient, &saved, outputs);
        let mut of_weight = vec![0.0; inputs * size];
        let mut of_x = buffer(if wanted[0] { x.values().len() } else { 0 });
        let mut gathered = Vec::new();
        for lines in windows.blocks() {
            let (first, count) = (lines.start * windows.columns, lines.len() * windows.columns);
            gathered.resize(count * size, 0.0);
            windows.gather(&a, lines, &mut gathered);
            let c = Matrix::new(&gathered, count, size);
            let part = first * inputs..(first + count) * inputs;
            let rows = Matrix::new(&x.values()[part.clone()], count, inputs);
            multiply_into(&mut of_weight, rows.transposed(), c, Accum::Add);
            if wanted[0] {
                let w = Matrix::new(weight.values(), inputs, size);
                multiply_into(&mut of_x[part], c, w.transposed(), Accum::Replace);
            }
        }
        let of_x = wanted[0].then(|| Array::new(of_x, x.dims::<4>()));
        [of_x, Some(Array::new(of_weight, [inputs, size])), Some(of_bias)]
    }
}
