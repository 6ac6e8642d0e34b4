//! The control of a sampler of densities: a perceptron of states and times, and a guide behind a gate.
//!
//! u = cut(y₃ W₄ + b₄) + o cut(guide),   y₁ = f(x W₁ + b₁ + r),   y₂ = f(y₁ W₂ + b₂),   y₃ = f(y₂ W₃ + b₃)
//!
//! with f = GELU, and r and o the same for all states of one time. Rows are worked on in blocks that go through all layers while
//! their features are in the cache. The backward pass computes them again: that is cheaper than to fetch them from memory.

use std::ops::Range;

use burn::backend::DispatchTensor;
use burn::tensor::Tensor;

use crate::activation::{Activation::Gelu, gelu_and_slope};
use crate::array::{Accum, Array, Matrix, buffer, multiply_into};
use crate::operation::{Operation, are_on_cpu, plain, run};
use crate::reference::{self, Control, HIDDEN};
use crate::vectorise::vectorise;

/// Rows worked on at once.
const BLOCK: usize = 256;

/// The control, `[times · count, dim]`, where values beyond ±`clip` are cut.
pub fn control(inputs: Control, clip: f64) -> Tensor<2> {
    let all = inputs.clone().dispatched();
    if are_on_cpu(&all.each_ref()) && inputs.x.dims()[0] > 0 {
        return run(Fused { clip: clip as f32 }, all);
    }
    reference::control(inputs, clip)
}

/// Σ u c over all rows of the control and of `cotangents`, `[times · count, dim]`, which are constants: `[1]`. Its gradient is made
/// along with it, in less time than that of [`control`] takes.
pub fn control_product(inputs: Control, cotangents: Tensor<2>, clip: f64) -> Tensor<1> {
    let cotangents = if cotangents.is_autodiff() { cotangents.inner() } else { cotangents };
    let (all, constants) = (inputs.clone().dispatched(), cotangents.clone().into_dispatch());
    if are_on_cpu(&all.each_ref()) && are_on_cpu(&[&constants]) && inputs.x.dims()[0] > 0 {
        return run(Product { clip: clip as f32, cotangents: Array::of(plain(constants)) }, all);
    }
    reference::control_product(inputs, cotangents, clip)
}

impl Control {
    /// In the order in which gradients are given.
    fn dispatched(self) -> [DispatchTensor; 12] {
        let [[w1, b1], [w2, b2], [w3, b3], [w4, b4]] =
            self.layers.map(|(weight, bias)| [weight.into_dispatch(), bias.into_dispatch()]);
        let [x, guide, times, openings] =
            [self.x, self.guide, self.times, self.openings].map(Tensor::into_dispatch);
        [x, guide, times, openings, w1, b1, w2, b2, w3, b3, w4, b4]
    }
}

#[derive(Clone, Debug)]
struct Fused {
    clip: f32,
}

impl Operation<12> for Fused {
    type Saved = ();

    fn forward(&self, inputs: &[Array; 12], _save: bool) -> (Array, Option<()>) {
        let net = Net::of(inputs, self.clip);
        (Array::new(net.values(), inputs[0].dims::<2>()), Some(()))
    }

    fn backward(
        &self,
        inputs: &[Array; 12],
        (): (),
        gradient: Array,
        wanted: [bool; 12],
    ) -> [Option<Array>; 12] {
        Net::of(inputs, self.clip).pull_back(gradient.values(), wanted).scaled(1.0, inputs, wanted)
    }
}

#[derive(Clone, Debug)]
struct Product {
    clip: f32,
    cotangents: Array,
}

/// Wanted but for the states and the guide.
const WEIGHTS: [bool; 12] = [false, false, true, true, true, true, true, true, true, true, true, true];

impl Operation<12> for Product {
    type Saved = Pulled;

    fn forward(&self, inputs: &[Array; 12], _save: bool) -> (Array, Option<Pulled>) {
        let pulled = Net::of(inputs, self.clip).pull_back(self.cotangents.values(), WEIGHTS);
        (Array::new(vec![pulled.product], [1]), Some(pulled))
    }

    fn backward(
        &self,
        inputs: &[Array; 12],
        saved: Pulled,
        gradient: Array,
        wanted: [bool; 12],
    ) -> [Option<Array>; 12] {
        let factor = gradient.values()[0];
        if wanted[0] || wanted[1] {
            let net = Net::of(inputs, self.clip);
            return net.pull_back(self.cotangents.values(), wanted).scaled(factor, inputs, wanted);
        }
        saved.scaled(factor, inputs, wanted)
    }
}

/// The inputs, seen as slices.
struct Net<'a> {
    x: &'a [f32],
    guide: &'a [f32],
    times: &'a [f32],
    openings: &'a [f32],
    weights: [Matrix<'a>; HIDDEN + 1],
    biases: [&'a [f32]; HIDDEN + 1],
    rows: usize,
    dim: usize,
    width: usize,
    /// Rows of one time.
    count: usize,
    clip: f32,
}

/// Σ u c, and the gradients of the inputs; those of `x` and `guide` where they are wanted.
#[derive(Clone, Debug)]
struct Pulled {
    product: f32,
    x: Vec<f32>,
    guide: Vec<f32>,
    times: Vec<f32>,
    openings: Vec<f32>,
    weights: [Vec<f32>; HIDDEN + 1],
    biases: [Vec<f32>; HIDDEN + 1],
}

impl Pulled {
    /// The gradients that are wanted, times `factor`, in the order of `inputs`.
    fn scaled(self, factor: f32, inputs: &[Array; 12], wanted: [bool; 12]) -> [Option<Array>; 12] {
        let [w1, w2, w3, w4] = self.weights;
        let [b1, b2, b3, b4] = self.biases;
        let all = [self.x, self.guide, self.times, self.openings, w1, b1, w2, b2, w3, b3, w4, b4];
        let mut all = all.into_iter();
        std::array::from_fn(|i| {
            let mut values = all.next().filter(|_| wanted[i])?;
            values.iter_mut().for_each(|value| *value *= factor);
            Some(match inputs[i].rank() {
                1 => Array::new(values, inputs[i].dims::<1>()),
                _ => Array::new(values, inputs[i].dims::<2>()),
            })
        })
    }
}

/// What the layers make of a block of rows, `[rows, width]` each.
struct Features {
    values: [Vec<f32>; HIDDEN],
    slopes: [Vec<f32>; HIDDEN],
}

impl<'a> Net<'a> {
    fn of(inputs: &'a [Array; 12], clip: f32) -> Self {
        let [x, guide, times, openings, layers @ ..] = inputs;
        let ([rows, dim], [count, width]) = (x.dims(), times.dims());
        assert!(rows >= count && rows.is_multiple_of(count), "{rows} rows of {count} times");
        assert_eq!(guide.dims(), [rows, dim], "a guide for every state");
        let matrix = |layer: usize| {
            let [inputs, outputs] = layers[2 * layer].dims();
            Matrix::new(layers[2 * layer].values(), inputs, outputs)
        };
        Self {
            x: x.values(),
            guide: guide.values(),
            times: times.values(),
            openings: openings.values(),
            weights: std::array::from_fn(matrix),
            biases: std::array::from_fn(|layer| layers[2 * layer + 1].values()),
            rows,
            dim,
            width,
            count: rows / count,
            clip,
        }
    }

    fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        let rows = self.rows;
        (0..rows).step_by(BLOCK).map(move |first| first..(first + BLOCK).min(rows))
    }

    /// Rows `block` of `values`, `[rows, dim]`.
    fn block<'b>(&self, values: &'b [f32], block: &Range<usize>) -> &'b [f32] {
        &values[block.start * self.dim..block.end * self.dim]
    }

    fn states(&self, block: &Range<usize>) -> Matrix<'a> {
        Matrix::new(self.block(self.x, block), block.len(), self.dim)
    }

    /// Calls `visit` with every row of `[rows, width]` and its time.
    #[inline(always)]
    fn with_times<'b>(
        &self,
        block: &Range<usize>,
        rows: impl Iterator<Item = &'b mut [f32]>,
        mut visit: impl FnMut(usize, &mut [f32]),
    ) {
        let (mut time, mut left) = (block.start / self.count, self.count - block.start % self.count);
        for row in rows {
            if left == 0 {
                (time, left) = (time + 1, self.count);
            }
            visit(time, row);
            left -= 1;
        }
    }

    /// x W₁ + r of a block.
    fn lift(&self, block: &Range<usize>, out: &mut [f32]) {
        self.with_times(block, out.chunks_exact_mut(self.width), |time, row| {
            row.copy_from_slice(&self.times[time * self.width..(time + 1) * self.width]);
        });
        multiply_into(out, self.states(block), self.weights[0], Accum::Add);
    }

    /// y W₄ of a block becomes the control.
    fn finish(&self, block: &Range<usize>, out: &mut [f32]) {
        let (clip, bias, dim) = (self.clip, self.biases[HIDDEN], self.dim);
        let mut guides = self.block(self.guide, block).chunks_exact(dim);
        self.with_times(block, out.chunks_exact_mut(dim), |time, row| {
            let (opening, guide) = (self.openings[time], guides.next().unwrap_or(&[]));
            for ((u, b), guide) in row.iter_mut().zip(bias).zip(guide) {
                *u = cut(*u + b, clip) + opening * cut(*guide, clip);
            }
        });
    }

    fn values(&self) -> Vec<f32> {
        let mut out = buffer(self.rows * self.dim);
        let size = BLOCK.min(self.rows) * self.width;
        let (mut features, mut next) = (buffer(size), buffer(size));
        for block in self.blocks() {
            let (rows, size) = (block.len(), block.len() * self.width);
            self.lift(&block, &mut features[..size]);
            for layer in 1..=HIDDEN {
                Gelu.apply_with_bias(&mut features[..size], self.biases[layer - 1]);
                let y = Matrix::new(&features[..size], rows, self.width);
                let out = if layer < HIDDEN {
                    &mut next[..size]
                } else {
                    &mut out[block.start * self.dim..block.end * self.dim]
                };
                multiply_into(out, y, self.weights[layer], Accum::Replace);
                std::mem::swap(&mut features, &mut next);
            }
            self.finish(&block, &mut out[block.start * self.dim..block.end * self.dim]);
        }
        out
    }

    /// What the layers make of a block.
    fn features(&self, block: &Range<usize>, features: &mut Features) {
        let (rows, size) = (block.len(), block.len() * self.width);
        for layer in 0..HIDDEN {
            let (below, above) = features.values.split_at_mut(layer);
            let out = &mut above[0][..size];
            match below.last() {
                None => self.lift(block, out),
                Some(y) => {
                    let y = Matrix::new(&y[..size], rows, self.width);
                    multiply_into(out, y, self.weights[layer], Accum::Replace);
                }
            }
            activate(out, self.biases[layer], &mut features.slopes[layer][..size]);
        }
    }

    /// Gradients of the sum of the controls times `cotangents`, `[rows, dim]`.
    fn pull_back(&self, cotangents: &[f32], [x, guide, ..]: [bool; 12]) -> Pulled {
        let states = |wanted: bool| vec![0.0; if wanted { self.x.len() } else { 0 }];
        let mut pulled = Pulled {
            product: 0.0,
            x: states(x),
            guide: states(guide),
            times: vec![0.0; self.times.len()],
            openings: vec![0.0; self.openings.len()],
            weights: self.weights.map(|weight| vec![0.0; weight.count()]),
            biases: self.biases.map(|bias| vec![0.0; bias.len()]),
        };
        let size = BLOCK.min(self.rows) * self.width;
        let buffers = || std::array::from_fn(|_| buffer(size));
        let mut features = Features { values: buffers(), slopes: buffers() };
        let (mut above, mut below) = (buffer(size), buffer(size));
        for block in self.blocks() {
            let (rows, size) = (block.len(), block.len() * self.width);
            self.features(&block, &mut features);
            let outer = self.pull_back_end(&block, self.block(cotangents, &block), &features, &mut pulled);
            let outer = Matrix::new(&outer, rows, self.dim);
            multiply_into(&mut above[..size], outer, self.weights[HIDDEN].transposed(), Accum::Replace);
            for layer in (0..HIDDEN).rev() {
                let (above, below) = (&mut above[..size], &mut below[..size]);
                multiply_slopes(above, &features.slopes[layer][..size], &mut pulled.biases[layer]);
                let a = Matrix::new(above, rows, self.width);
                let y = match layer {
                    0 => self.states(&block),
                    _ => Matrix::new(&features.values[layer - 1][..size], rows, self.width),
                };
                multiply_into(&mut pulled.weights[layer], y.transposed(), a, Accum::Add);
                if layer > 0 {
                    multiply_into(below, a, self.weights[layer].transposed(), Accum::Replace);
                    above.swap_with_slice(below);
                }
            }
            self.pull_back_start(&block, &mut above[..size], &mut pulled);
        }
        pulled.weights[HIDDEN] = transposed(&pulled.weights[HIDDEN], self.width);
        pulled
    }

    /// The last layer and the gate: gradients of their weights, of the guide, and of y₃ W₄.
    fn pull_back_end(
        &self,
        block: &Range<usize>,
        cotangents: &[f32],
        features: &Features,
        pulled: &mut Pulled,
    ) -> Vec<f32> {
        let (dim, clip, bias) = (self.dim, self.clip, self.biases[HIDDEN]);
        let y =
            Matrix::new(&features.values[HIDDEN - 1][..block.len() * self.width], block.len(), self.width);
        let mut outer = buffer(block.len() * dim);
        multiply_into(&mut outer, y, self.weights[HIDDEN], Accum::Replace);
        let mut rows = self.block(self.guide, block).chunks_exact(dim).zip(cotangents.chunks_exact(dim));
        let mut at = block.start * dim;
        self.with_times(block, outer.chunks_exact_mut(dim), |time, row| {
            let (guide, cotangents) = rows.next().unwrap_or_default();
            let (opening, mut of_opening, mut of_net) = (self.openings[time], 0.0, 0.0);
            for (k, ((u, guide), c)) in row.iter_mut().zip(guide).zip(cotangents).enumerate() {
                let value = *u + bias[k];
                of_net += c * cut(value, clip);
                *u = if value.abs() <= clip { *c } else { 0.0 };
                pulled.biases[HIDDEN][k] += *u;
                of_opening += c * cut(*guide, clip);
                if let Some(slot) = pulled.guide.get_mut(at + k) {
                    *slot = if guide.abs() <= clip { opening * c } else { 0.0 };
                }
            }
            pulled.openings[time] += of_opening;
            pulled.product += of_net + opening * of_opening;
            at += dim;
        });
        // Kept the other way round until the end: a product of few columns takes far longer than one of few rows.
        let rows = Matrix::new(&outer, block.len(), dim).transposed();
        multiply_into(&mut pulled.weights[HIDDEN], rows, y, Accum::Add);
        outer
    }

    /// Gradients of what was added for the times, and of the states, from that of y₁ before its activation.
    fn pull_back_start(&self, block: &Range<usize>, a: &mut [f32], pulled: &mut Pulled) {
        let width = self.width;
        self.with_times(block, a.chunks_exact_mut(width), |time, row| {
            let sums = &mut pulled.times[time * width..(time + 1) * width];
            sums.iter_mut().zip(row).for_each(|(sum, a)| *sum += *a);
        });
        if !pulled.x.is_empty() {
            let out = &mut pulled.x[block.start * self.dim..block.end * self.dim];
            let a = Matrix::new(a, block.len(), width);
            multiply_into(out, a, self.weights[0].transposed(), Accum::Replace);
        }
    }
}

/// `x` between ±`clip`. Unlike `min` and `max` this passes a NaN on, and unlike `clamp` it is never a panic.
#[inline(always)]
fn cut(x: f32, clip: f32) -> f32 {
    if x > clip {
        clip
    } else if x < -clip {
        -clip
    } else {
        x
    }
}

/// The transpose of a matrix of so many columns.
fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|k| values.iter().skip(k).step_by(columns).copied()).collect()
}

/// values ← f(values + bias), slopes ← f'(values + bias), row by row.
fn activate(values: &mut [f32], bias: &[f32], slopes: &mut [f32]) {
    let width = bias.len();
    vectorise(
        #[inline(always)]
        || {
            for (row, slopes) in values.chunks_exact_mut(width).zip(slopes.chunks_exact_mut(width)) {
                for ((a, slope), b) in row.iter_mut().zip(slopes).zip(bias) {
                    (*a, *slope) = gelu_and_slope(*a + b);
                }
            }
        },
    );
}

/// values ← values · slopes, and the sum of the rows is added to `sums`.
fn multiply_slopes(values: &mut [f32], slopes: &[f32], sums: &mut [f32]) {
    let width = sums.len();
    vectorise(
        #[inline(always)]
        || {
            for (row, slopes) in values.chunks_exact_mut(width).zip(slopes.chunks_exact(width)) {
                for ((a, slope), sum) in row.iter_mut().zip(slopes).zip(sums.iter_mut()) {
                    *a *= slope;
                    *sum += *a;
                }
            }
        },
    );
}
