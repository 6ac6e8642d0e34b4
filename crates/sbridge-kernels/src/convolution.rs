//! Convolutions and transposed convolutions of channel-last images, as products over windows.
//!
//! A window of the input is one row of a matrix C; then y = f(C W + b). C is never held whole: a few
//! lines of output at a time are gathered, multiplied and, on the way back, scattered. The
//! transposed convolution swaps the two: C = x W is scattered, y = f(scatter(C) + b).

use burn::tensor::Tensor;

use crate::activation::Activation;
use crate::array::{Accum, Array, Matrix, buffer, multiply_into, product};
use crate::operation::{Operation, are_on_cpu, run};
use crate::reference;

/// A square window that moves over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Pixels along a side.
    pub side: usize,
    /// Pixels between neighbouring windows.
    pub stride: usize,
    /// Zeros added around the image.
    pub padding: usize,
}

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

/// Floats of windows held at once, so that they stay in a core's own cache.
const BLOCK: usize = 1 << 16;

/// Windows over a batch of images `[batch, height, width, channels]`.
struct Windows {
    window: Window,
    batch: usize,
    height: usize,
    width: usize,
    channels: usize,
    /// Windows along each side.
    rows: usize,
    columns: usize,
}

impl Windows {
    fn over(window: Window, [batch, height, width, channels]: [usize; 4]) -> Self {
        let Window { side, stride, padding } = window;
        let count = |length: usize| {
            let padded = length + 2 * padding;
            assert!(padded >= side, "a window of {side} in an image of {length} padded by {padding}");
            (padded - side) / stride + 1
        };
        let (rows, columns) = (count(height), count(width));
        Self { window, batch, height, width, channels, rows, columns }
    }

    /// Floats in a window.
    fn size(&self) -> usize {
        self.window.side * self.window.side * self.channels
    }

    /// Lines of windows in the batch.
    fn lines(&self) -> usize {
        self.batch * self.rows
    }

    /// Ranges of lines that are worked on at once.
    fn blocks(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let step = (BLOCK / (self.columns * self.size()).max(1)).max(1);
        let lines = self.lines();
        (0..lines).step_by(step).map(move |first| first..(first + step).min(lines))
    }

    /// Calls `each(place in the windows, place in the image, floats)` for every stretch of a window
    /// row that lies inside the image, windows counted from the first of `lines`.
    #[inline(always)]
    fn for_each_stretch(&self, lines: std::ops::Range<usize>, mut each: impl FnMut(usize, usize, usize)) {
        let Window { side, stride, padding } = self.window;
        let first = lines.start;
        for line in lines {
            let (image, row) = (line / self.rows, line % self.rows);
            for column in 0..self.columns {
                let window = ((line - first) * self.columns + column) * self.size();
                // Columns of the window that lie inside the image.
                let left = column * stride;
                let from = padding.saturating_sub(left).min(side);
                let to = (self.width + padding).saturating_sub(left).min(side).max(from);
                for k in 0..side {
                    let y = row * stride + k;
                    if y < padding || y >= self.height + padding || from == to {
                        continue;
                    }
                    let pixel = (image * self.height + y - padding) * self.width + left + from - padding;
                    let place = window + (k * side + from) * self.channels;
                    each(place, pixel * self.channels, (to - from) * self.channels);
                }
            }
        }
    }

    /// Windows of `lines` as rows of a matrix.
    fn gather(&self, image: &[f32], lines: std::ops::Range<usize>, windows: &mut [f32]) {
        windows.fill(0.0);
        self.for_each_stretch(lines, |window, pixel, count| {
            windows[window..window + count].copy_from_slice(&image[pixel..pixel + count]);
        });
    }

    /// Adds windows of `lines` to the image, where they overlap.
    fn scatter(&self, windows: &[f32], lines: std::ops::Range<usize>, image: &mut [f32]) {
        self.for_each_stretch(lines, |window, pixel, count| {
            let (to, from) = (&mut image[pixel..pixel + count], &windows[window..window + count]);
            to.iter_mut().zip(from).for_each(|(sum, x)| *sum += x);
        });
    }
}

#[derive(Clone, Debug)]
struct Convolution {
    window: Window,
    f: Activation,
}

impl Operation<3> for Convolution {
    /// What f' is a function of.
    type Saved = Array;

    fn forward(&self, [x, weight, bias]: &[Array; 3], save: bool) -> (Array, Option<Array>) {
        let windows = Windows::over(self.window, x.dims());
        let [size, outputs] = weight.dims();
        assert_eq!(size, windows.size(), "rows of the weight");
        let mut values = buffer(windows.lines() * windows.columns * outputs);
        let mut gathered = Vec::new();
        for lines in windows.blocks() {
            let count = lines.len() * windows.columns;
            gathered.resize(count * size, 0.0);
            windows.gather(x.values(), lines.clone(), &mut gathered);
            let first = lines.start * windows.columns * outputs;
            let out = &mut values[first..first + count * outputs];
            let (c, w) = (Matrix::new(&gathered, count, size), Matrix::new(weight.values(), size, outputs));
            multiply_into(out, c, w, Accum::Replace);
        }
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
        let windows = Windows::over(self.window, x.dims());
        let [size, outputs] = weight.dims();
        let (a, of_bias) = self.f.pull_back_array(&gradient, &saved, outputs);
        let mut of_weight = vec![0.0; size * outputs];
        let mut of_x = vec![0.0; if wanted[0] { x.values().len() } else { 0 }];
        let mut gathered = Vec::new();
        for lines in windows.blocks() {
            let count = lines.len() * windows.columns;
            gathered.resize(count * size, 0.0);
            windows.gather(x.values(), lines.clone(), &mut gathered);
            let first = lines.start * windows.columns * outputs;
            let a = Matrix::new(&a[first..first + count * outputs], count, outputs);
            multiply_into(&mut of_weight, Matrix::new(&gathered, count, size).transposed(), a, Accum::Add);
            if wanted[0] {
                let w = Matrix::new(weight.values(), size, outputs);
                multiply_into(&mut gathered, a, w.transposed(), Accum::Replace);
                windows.scatter(&gathered, lines, &mut of_x);
            }
        }
        let of_x = wanted[0].then(|| Array::new(of_x, x.dims::<4>()));
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
