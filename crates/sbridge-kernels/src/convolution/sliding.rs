//! Convolutions whose window moves by one pixel, without gathering windows.
//!
//! In an image padded with zeros and laid out line by line, a row of a window is one stretch of memory,
//! and that of the next window begins one pixel later. So the windows' k-th rows are a matrix whose
//! rows overlap, and y = Σ_k C_k W_k needs no copy. Windows that reach over the end of a line are
//! computed too and dropped; on the way back their gradient is zero.

use super::Window;
use crate::array::{Accum, Array, Matrix, multiply_into};

/// One image, padded, and what slides over it.
struct Strip {
    height: usize,
    width: usize,
    /// Pixels in a padded line.
    line: usize,
    /// Lines of windows.
    rows: usize,
    /// Windows in a line that do not reach over its end.
    columns: usize,
    window: Window,
}

impl Strip {
    fn new(height: usize, width: usize, window: Window) -> Self {
        let Window { side, padding, .. } = window;
        let line = width + 2 * padding;
        let rows = height + 2 * padding + 1 - side;
        Self { height, width, line, rows, columns: line + 1 - side, window }
    }

    /// Windows, with those that reach over the end of a line.
    fn windows(&self) -> usize {
        self.rows * self.line
    }

    /// Pixels of the padded image, and those that the last windows reach beyond it.
    fn pixels(&self) -> usize {
        (self.height + 2 * self.window.padding) * self.line + self.window.side - 1
    }

    /// Floats of the image, row by row of the padded one: `(place in it, place in the image, count)`.
    fn lines(&self, channels: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let (padding, line, width) = (self.window.padding, self.line, self.width);
        (0..self.height).map(move |y| {
            (((y + padding) * line + padding) * channels, y * width * channels, width * channels)
        })
    }

    /// Floats of the result: `(place among all windows, place in the result, count)`.
    fn kept(&self, channels: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let (line, columns) = (self.line, self.columns);
        (0..self.rows).map(move |y| (y * line * channels, y * columns * channels, columns * channels))
    }
}

/// C W, row-major.
pub(super) fn product(x: &Array, weight: &Array, window: Window) -> Vec<f32> {
    let ([batch, height, width, inputs], [_, outputs]) = (x.dims(), weight.dims());
    let strip = Strip::new(height, width, window);
    let (image, result) = (height * width * inputs, strip.rows * strip.columns * outputs);
    let mut padded = vec![0.0; strip.pixels() * inputs];
    let mut all = vec![0.0; strip.windows() * outputs];
    let mut values = Vec::with_capacity(batch * result);
    for x in x.values().chunks_exact(image) {
        strip.lines(inputs).for_each(|(to, from, n)| padded[to..to + n].copy_from_slice(&x[from..from + n]));
        for k in 0..window.side {
            let (c, w) = (window_rows(&strip, &padded, k, inputs), weight_rows(weight, k, &strip, inputs));
            multiply_into(&mut all, c, w, if k == 0 { Accum::Replace } else { Accum::Add });
        }
        strip.kept(outputs).for_each(|(from, _, n)| values.extend_from_slice(&all[from..from + n]));
    }
    values
}

/// W̄ = Cᵀ ā, and x̄ if it is wanted: the convolution of ā with the weights turned around.
pub(super) fn pull_back(
    x: &Array,
    weight: &Array,
    a: &[f32],
    window: Window,
    wants_x: bool,
) -> (Vec<f32>, Option<Vec<f32>>) {
    let ([_, height, width, inputs], [size, outputs]) = (x.dims(), weight.dims());
    let side = window.side;
    let strip = Strip::new(height, width, window);
    let (image, result) = (height * width * inputs, strip.rows * strip.columns * outputs);
    let mut padded = vec![0.0; strip.pixels() * inputs];
    // Gradients of all windows, between zeros for those that would reach a pixel from outside.
    let before = (side - 1) * strip.line + side - 1;
    let mut spread = vec![0.0; (before + strip.windows() + before) * outputs];
    let turned = turned_weight(weight, side, inputs);
    let mut of_padded = vec![0.0; strip.windows().max(strip.pixels()) * inputs];
    let mut of_weight = vec![0.0; size * outputs];
    let mut of_x = wants_x.then(|| Vec::with_capacity(x.values().len()));
    for (x, a) in x.values().chunks_exact(image).zip(a.chunks_exact(result)) {
        strip.lines(inputs).for_each(|(to, from, n)| padded[to..to + n].copy_from_slice(&x[from..from + n]));
        let all = before * outputs..(before + strip.windows()) * outputs;
        let windows = &mut spread[all.clone()];
        strip.kept(outputs).for_each(|(to, from, n)| windows[to..to + n].copy_from_slice(&a[from..from + n]));
        let gradient = Matrix::new(&spread[all], strip.windows(), outputs);
        for k in 0..side {
            let rows = k * side * inputs * outputs..(k + 1) * side * inputs * outputs;
            let c = window_rows(&strip, &padded, k, inputs);
            multiply_into(&mut of_weight[rows], c.transposed(), gradient, Accum::Add);
        }
        if let Some(of_x) = &mut of_x {
            let lines = (height + 2 * window.padding) * strip.line;
            for k in 0..side {
                // Pixel q is reached by windows q − k line − j, j < side: a stretch again.
                let first = before - k * strip.line - (side - 1);
                let stretch = &spread[first * outputs..(first + lines + side - 1) * outputs];
                let a = Matrix::overlapping(stretch, lines, side * outputs, outputs);
                let w = Matrix::new(
                    &turned[k * side * outputs * inputs..][..side * outputs * inputs],
                    side * outputs,
                    inputs,
                );
                let out = &mut of_padded[..lines * inputs];
                multiply_into(out, a, w, if k == 0 { Accum::Replace } else { Accum::Add });
            }
            strip.lines(inputs).for_each(|(from, _, n)| of_x.extend_from_slice(&of_padded[from..from + n]));
        }
    }
    (of_weight, of_x)
}

/// The k-th rows of all windows.
fn window_rows<'a>(strip: &Strip, padded: &'a [f32], k: usize, channels: usize) -> Matrix<'a> {
    let side = strip.window.side;
    let first = k * strip.line * channels;
    let count = (strip.windows() + side - 1) * channels;
    Matrix::overlapping(&padded[first..first + count], strip.windows(), side * channels, channels)
}

/// The rows of the weight that belong to the k-th rows of the windows.
fn weight_rows<'a>(weight: &'a Array, k: usize, strip: &Strip, inputs: usize) -> Matrix<'a> {
    let [_, outputs] = weight.dims::<2>();
    let rows = strip.window.side * inputs;
    Matrix::new(&weight.values()[k * rows * outputs..(k + 1) * rows * outputs], rows, outputs)
}

/// For every window row, its pixels from last to first, each transposed: `[side · outputs, inputs]`.
fn turned_weight(weight: &Array, side: usize, inputs: usize) -> Vec<f32> {
    let [_, outputs] = weight.dims::<2>();
    let w = weight.values();
    let mut turned = Vec::with_capacity(w.len());
    for k in 0..side {
        for j in (0..side).rev() {
            let pixel = (k * side + j) * inputs;
            for o in 0..outputs {
                turned.extend((0..inputs).map(|i| w[(pixel + i) * outputs + o]));
            }
        }
    }
    turned
}
