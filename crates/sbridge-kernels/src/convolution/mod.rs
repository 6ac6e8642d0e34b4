//! Convolutions and transposed convolutions of channel-last images, as products over windows.
//!
//! A window of the input is one row of a matrix C; then y = f(C W + b). C is never held whole: a few
//! lines of output at a time are gathered, multiplied and, on the way back, scattered. The
//! transposed convolution swaps the two: C = x W is scattered, y = f(scatter(C) + b). Windows that move
//! by one pixel are not gathered at all ([`sliding`]).

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
        return run(Convolution { window, f }, inputs);
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
        return run(TransposedConvolution { window, f }, inputs);
    }
    let [x, weight, bias] = inputs;
    let (weight, bias) = (Tensor::from_dispatch(weight), Tensor::from_dispatch(bias));
    reference::conv_transpose2d(Tensor::from_dispatch(x), weight, bias, window, f)
}

#[derive(Clone, Debug)]
struct Convolution {
    window: Window,
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
        let values = match self.window.stride {
            1 => sliding::product(x, weight, self.window),
            _ => self.product(x, weight, &windows),
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
        let (of_weight, of_x) = match self.window.stride {
            1 => sliding::pull_back(x, weight, &a, self.window, wanted[0]),
            _ => self.pull_back(x, weight, &a, wanted[0]),
        };
        let of_x = of_x.map(|values| Array::new(values, x.dims::<4>()));
        [of_x, Some(Array::new(of_weight, [size, outputs])), Some(of_bias)]
    }
}

#[derive(Clone, Debug)]
struct TransposedConvolution {
    window: Window,
    f: Activation,
}

impl TransposedConvolution {
    /// The windows over the result.
    fn windows(&self, [batch, height, width, _]: [usize; 4], outputs: usize) -> Windows {
        let Window { side, stride, padding } = self.window;
        let length = |count: usize| (count.max(1) - 1) * stride + side - 2 * padding;
        Windows::over(self.window, [batch, length(height), length(width), outputs])
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
