//! Convolutions whose window moves by one pixel, without gathering windows.
//!
//! In an image padded with zeros and laid out line by line, a row of a window is one stretch of memory,
//! and that of the next window begins one pixel later. So the windows' k-th rows are a matrix whose
//! rows overlap, and y = Σ_k C_k W_k needs no copy. Windows that reach over the end of a line are
//! computed too and dropped; on the way back their gradient is zero. The zeros behind a line are those
//! before the next.

use super::Window;
use crate::array::{Accum, Array, Matrix, buffer, multiply_into};

/// Multiplications from which a product is worth halving.
const LARGE: usize = 1 << 23;

/// One image, padded, and what slides over it.
struct Strip {
    height: usize,
    width: usize,
    /// Pixels from the start of a line to that of the next.
    line: usize,
    /// Lines of windows.
    rows: usize,
    /// Windows in a line that do not reach over its end.
    columns: usize,
    /// Down and along.
    window: [Window; 2],
}

impl Strip {
    fn new(height: usize, width: usize, window: [Window; 2]) -> Self {
        let [down, along] = window;
        let columns = width + 2 * along.padding + 1 - along.side;
        // A line holds its windows' first pixels, and its own behind the zeros.
        let line = columns.max(width + along.padding);
        Self { height, width, line, rows: height + 2 * down.padding + 1 - down.side, columns, window }
    }

    /// Windows up to the last that counts, with those that reach over the end of a line.
    fn windows(&self) -> usize {
        (self.rows - 1) * self.line + self.columns
    }

    /// Pixels that these windows see.
    fn pixels(&self) -> usize {
        self.windows() + self.reach()
    }

    /// Pixels from the first of a window to its last.
    fn reach(&self) -> usize {
        let [down, along] = self.window;
        (down.side - 1) * self.line + along.side - 1
    }

    /// The first pixel of the image among those of the padded one.
    fn origin(&self) -> usize {
        let [down, along] = self.window;
        down.padding * self.line + along.padding
    }

    /// Pixels from the first of the image to its last, with the zeros between its lines.
    fn stretch(&self) -> usize {
        (self.height - 1) * self.line + self.width
    }

    /// Floats of the image: `(place counted from its origin, place in the image, count)`.
    fn lines(&self, channels: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let (line, width) = (self.line, self.width);
        (0..self.height).map(move |y| (y * line * channels, y * width * channels, width * channels))
    }

    /// Floats of the result: `(place among all windows, place in the result, count)`.
    fn kept(&self, channels: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let (line, columns) = (self.line, self.columns);
        (0..self.rows).map(move |y| (y * line * channels, y * columns * channels, columns * channels))
    }

    /// The padded image, zero but for the lines that [`lay_out`](Self::lay_out) writes.
    fn padded(&self, channels: usize) -> Vec<f32> {
        let first = self.origin() * channels;
        zeros_between(self.lines(channels).map(|(to, _, n)| (first + to, n)), self.pixels() * channels)
    }

    /// Writes an image between the zeros of `padded`.
    fn lay_out(&self, image: &[f32], padded: &mut [f32], channels: usize) {
        let padded = &mut padded[self.origin() * channels..];
        self.lines(channels)
            .for_each(|(to, from, n)| padded[to..to + n].copy_from_slice(&image[from..from + n]));
    }
}

/// `count` floats, of which `lines`, in their order and each `(place, count)`, are left to be written.
fn zeros_between(lines: impl Iterator<Item = (usize, usize)>, count: usize) -> Vec<f32> {
    let mut values = buffer(count);
    let mut end = 0;
    for (first, n) in lines {
        values[end..first].fill(0.0);
        end = first + n;
    }
    values[end..].fill(0.0);
    values
}

/// C W, row-major. A large product is made in halves, which whoever is idle helps with: one plan or image has no
/// batch to be cut, and its weights are most of what is read.
pub(super) fn product(x: &Array, weight: &Array, window: [Window; 2]) -> Vec<f32> {
    let ([batch, height, width, inputs], [size, outputs]) = (x.dims(), weight.dims());
    let strip = Strip::new(height, width, window);
    let (image, result) = (height * width * inputs, strip.rows * strip.columns * outputs);
    let is_halved = outputs.is_multiple_of(2) && strip.windows() * size * outputs >= LARGE;
    let parts = if is_halved { 2 } else { 1 };
    let width = outputs / parts;
    let mut padded = strip.padded(inputs);
    let mut all: Vec<Vec<f32>> = (0..parts).map(|_| buffer(strip.windows() * width)).collect();
    let mut values = Vec::with_capacity(batch * result);
    for x in x.values().chunks_exact(image) {
        strip.lay_out(x, &mut padded, inputs);
        let part = |i: usize, out: &mut [f32]| {
            for k in 0..window[0].side {
                let w = weight_rows(weight, k, &strip, inputs).columns(i * width..(i + 1) * width);
                let accum = if k == 0 { Accum::Replace } else { Accum::Add };
                multiply_into(out, window_rows(&strip, &padded, k, inputs), w, accum);
            }
        };
        match &mut all[..] {
            // Outside of the pool it would cost more to call for help than there is to gain.
            [first, second] if rayon::current_thread_index().is_some() => {
                rayon::join(|| part(0, first), || part(1, second));
            }
            all => all.iter_mut().enumerate().for_each(|(i, out)| part(i, out)),
        }
        keep(&strip, &all, width, &mut values);
    }
    values
}

/// Appends what counts of all windows, whose outputs lie in parts of `width`.
fn keep(strip: &Strip, parts: &[Vec<f32>], width: usize, values: &mut Vec<f32>) {
    if let [whole] = parts {
        strip.kept(width).for_each(|(from, _, n)| values.extend_from_slice(&whole[from..from + n]));
        return;
    }
    for (first, _, count) in strip.kept(1) {
        for window in first..first + count {
            let place = window * width..(window + 1) * width;
            parts.iter().for_each(|part| values.extend_from_slice(&part[place.clone()]));
        }
    }
}

/// W̄ = Cᵀ ā, and x̄ if it is wanted: the convolution of ā with the weights turned around.
pub(super) fn pull_back(
    x: &Array,
    weight: &Array,
    a: &[f32],
    window: [Window; 2],
    wants_x: bool,
) -> (Vec<f32>, Option<Vec<f32>>) {
    let ([_, height, width, inputs], [size, outputs]) = (x.dims(), weight.dims());
    let [down, along] = window.map(|of_axis| of_axis.side);
    let strip = Strip::new(height, width, window);
    let (image, result) = (height * width * inputs, strip.rows * strip.columns * outputs);
    let mut padded = strip.padded(inputs);
    // Gradients of all windows, between zeros for those that would reach a pixel from outside.
    let before = strip.reach();
    let gradients = strip.kept(outputs).map(|(to, _, n)| (before * outputs + to, n));
    let mut spread = zeros_between(gradients, (before + strip.windows() + before) * outputs);
    let turned = if wants_x { turned_weight(weight, [down, along], inputs) } else { Vec::new() };
    let mut of_pixels = buffer(if wants_x { strip.stretch() * inputs } else { 0 });
    let mut of_weight = vec![0.0; size * outputs];
    let mut of_x = wants_x.then(|| Vec::with_capacity(x.values().len()));
    for (x, a) in x.values().chunks_exact(image).zip(a.chunks_exact(result)) {
        strip.lay_out(x, &mut padded, inputs);
        let all = before * outputs..(before + strip.windows()) * outputs;
        let windows = &mut spread[all.clone()];
        strip.kept(outputs).for_each(|(to, from, n)| windows[to..to + n].copy_from_slice(&a[from..from + n]));
        let gradient = Matrix::new(&spread[all], strip.windows(), outputs);
        for k in 0..down {
            let rows = k * along * inputs * outputs..(k + 1) * along * inputs * outputs;
            let c = window_rows(&strip, &padded, k, inputs);
            multiply_into(&mut of_weight[rows], c.transposed(), gradient, Accum::Add);
        }
        if let Some(of_x) = &mut of_x {
            for k in 0..down {
                // Pixel q is reached by windows q − k line − j, j < along: a stretch again.
                let first = before + strip.origin() - k * strip.line - (along - 1);
                let seen = &spread[first * outputs..(first + strip.stretch() + along - 1) * outputs];
                let a = Matrix::overlapping(seen, strip.stretch(), along * outputs, outputs);
                let size = along * outputs * inputs;
                let w = Matrix::new(&turned[k * size..(k + 1) * size], along * outputs, inputs);
                multiply_into(&mut of_pixels, a, w, if k == 0 { Accum::Replace } else { Accum::Add });
            }
            strip.lines(inputs).for_each(|(from, _, n)| of_x.extend_from_slice(&of_pixels[from..from + n]));
        }
    }
    (of_weight, of_x)
}

/// The k-th rows of all windows.
fn window_rows<'a>(strip: &Strip, padded: &'a [f32], k: usize, channels: usize) -> Matrix<'a> {
    let [_, Window { side, .. }] = strip.window;
    let first = k * strip.line * channels;
    let count = (strip.windows() + side - 1) * channels;
    Matrix::overlapping(&padded[first..first + count], strip.windows(), side * channels, channels)
}

/// The rows of the weight that belong to the k-th rows of the windows.
fn weight_rows<'a>(weight: &'a Array, k: usize, strip: &Strip, inputs: usize) -> Matrix<'a> {
    let [_, outputs] = weight.dims::<2>();
    let rows = strip.window[1].side * inputs;
    Matrix::new(&weight.values()[k * rows * outputs..(k + 1) * rows * outputs], rows, outputs)
}

/// For every window row, its pixels from last to first, each transposed: `[along · outputs, inputs]`.
fn turned_weight(weight: &Array, [down, along]: [usize; 2], inputs: usize) -> Vec<f32> {
    let [_, outputs] = weight.dims::<2>();
    let size = inputs * outputs;
    let mut turned = buffer(weight.values().len());
    for k in 0..down {
        for j in 0..along {
            let (from, to) = ((k * along + j) * size, (k * along + along - 1 - j) * size);
            transpose(&weight.values()[from..from + size], &mut turned[to..to + size], outputs);
        }
    }
    turned
}

/// The transpose of a matrix of `columns` columns, in tiles whose lines stay in the nearest cache.
fn transpose(from: &[f32], to: &mut [f32], columns: usize) {
    const TILE: usize = 16;
    let rows = from.len() / columns;
    for first_row in (0..rows).step_by(TILE) {
        let end = (first_row + TILE).min(rows);
        for column in 0..columns {
            for row in first_row..end {
                to[column * rows + row] = from[row * columns + column];
            }
        }
    }
}
