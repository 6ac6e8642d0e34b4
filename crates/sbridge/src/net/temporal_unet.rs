//! A U-Net along time, conditioned on the number of a step: plans in, plans of the same shape out.
//!
//! Every level has two residual blocks, b₂(b₁(x) + C mish(e)) + S x with b = mish ∘ norm ∘ conv₅ and S = 1 where
//! the width stays; levels meet in convolutions of stride two. What the first level saw is not joined again.
//!                                                                                                \[Diffuser\]

use sbridge_kernels::Activation::{Identity, Mish};
use sbridge_kernels::Window;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, require_count};
use crate::net::embedding::FourierEmbedding;
use crate::net::layers::{GroupNorm, Linear, SequenceConvolution, SequenceEnlarging};
use crate::net::{MAX_WIDTH, require_weights};
use crate::rng::Rng;
use crate::tensor::{Device, Module, Tensor};

/// Groups of channels that are normalised together.
const GROUPS: usize = 8;

/// Features of the hidden layer behind the embedding, for each feature of it.
const TIME_FACTOR: usize = 4;

const BLOCK: Window = Window { side: 5, stride: 1, padding: 2 };
const HALVING: Window = Window { side: 3, stride: 2, padding: 1 };
const DOUBLING: Window = Window { side: 4, stride: 2, padding: 1 };

/// Size of a temporal U-Net.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TemporalUNetSettings {
    /// Features of the embedding of time, and what widths are multiples of: a multiple of eight. Default 32.
    pub width: usize,
    /// Width of each level over `width`, from the longest sequences to the shortest. Default 1, 4, 8.
    pub multipliers: Vec<usize>,
}

impl Default for TemporalUNetSettings {
    fn default() -> Self {
        Self { width: 32, multipliers: vec![1, 4, 8] }
    }
}

impl TemporalUNetSettings {
    /// # Errors
    /// [`Error::Setting`] for a size of zero, a width that eight does not divide, or more weights than can be held.
    pub fn check(&self) -> Result<()> {
        require_count("width", self.width, GROUPS..=MAX_WIDTH, "32 is usual")?;
        if !self.width.is_multiple_of(GROUPS) {
            return Err(Error::setting("width", "a multiple of 8", self.width, "32 is usual"));
        }
        require_count("levels of multipliers", self.multipliers.len(), 1..=16, "1, 4, 8 are usual")?;
        for multiplier in &self.multipliers {
            require_count("multipliers", *multiplier, 1..=MAX_WIDTH, "1, 4, 8 are usual")?;
        }
        let widest = self.multipliers.iter().fold(0, |widest, m| widest.max(*m)).saturating_mul(self.width);
        // Windows of five: four convolutions down and five up, one of them from twice as many channels; four in the middle.
        require_weights(widest, 5 * (9 * self.multipliers.len() + 4))
    }

    /// What the number of rows has to be a multiple of.
    pub fn row_multiple(&self) -> usize {
        1 << self.multipliers.len().saturating_sub(1)
    }

    /// Channels of the levels.
    fn widths(&self) -> Vec<usize> {
        self.multipliers.iter().map(|multiplier| multiplier * self.width).collect()
    }
}

/// A U-Net from flat plans `[batch, rows · columns]` and a time to flat plans; it starts at zero.
#[derive(Module, Debug)]
pub struct TemporalUNet {
    embedding: FourierEmbedding,
    time_hidden: Linear,
    time: Linear,
    down: Vec<Down>,
    middle: Vec<Residual>,
    up: Vec<Up>,
    last: Block,
    output: Linear,
    #[module(skip)]
    shape: [usize; 2],
}

/// One level on the way down. The last is not halved.
#[derive(Module, Debug)]
struct Down {
    blocks: Vec<Residual>,
    halve: Option<SequenceConvolution>,
}

/// One level on the way up.
#[derive(Module, Debug)]
struct Up {
    blocks: Vec<Residual>,
    double: SequenceEnlarging,
}

/// Two blocks around the condition, added to their input.
#[derive(Module, Debug)]
struct Residual {
    first: Block,
    condition: Linear,
    second: Block,
    skip: Option<Linear>,
}

/// mish(norm(conv₅(x))).
#[derive(Module, Debug)]
struct Block {
    convolution: SequenceConvolution,
    norm: GroupNorm,
}

impl TemporalUNet {
    /// A network for plans of `[rows, columns]`.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings out of range, and for rows that cannot be halved often enough.
    pub fn new(
        [rows, columns]: [usize; 2],
        settings: &TemporalUNetSettings,
        rng: &mut Rng,
        device: &Device,
    ) -> Result<Self> {
        settings.check()?;
        require_count("columns", columns, 1..=MAX_WIDTH, "a plan has six")?;
        let multiple = settings.row_multiple();
        if rows == 0 || !rows.is_multiple_of(multiple) {
            let fix = "each level but the last halves a plan";
            return Err(Error::setting("rows", format!("a multiple of {multiple}"), rows, fix));
        }
        let (width, widths) = (settings.width, settings.widths());
        let (first, last) = (widths[0], widths[widths.len() - 1]);
        let pair = |from: usize, to: usize, rng: &mut Rng| {
            [from, to].map(|from| Residual::new([from, to], width, rng, device)).into()
        };
        let down = |level: usize, rng: &mut Rng| {
            let from = if level == 0 { columns } else { widths[level - 1] };
            let to = widths[level];
            let blocks = pair(from, to, rng);
            let is_halved = level + 1 < widths.len();
            let halve = is_halved.then(|| SequenceConvolution::new([to, to], HALVING, 1.0, rng, device));
            Down { blocks, halve }
        };
        let up = |level: usize, rng: &mut Rng| {
            let (from, to) = (2 * widths[level], widths[level - 1]);
            let blocks = pair(from, to, rng);
            Up { blocks, double: SequenceEnlarging::new([to, to], DOUBLING, 1.0, rng, device) }
        };
        Ok(Self {
            embedding: FourierEmbedding::of_index(width),
            time_hidden: Linear::new(width, TIME_FACTOR * width, 1.0, rng, device),
            time: Linear::new(TIME_FACTOR * width, width, 1.0, rng, device),
            down: (0..widths.len()).map(|level| down(level, rng)).collect(),
            middle: pair(last, last, rng),
            up: (1..widths.len()).rev().map(|level| up(level, rng)).collect(),
            last: Block::new([first, first], rng, device),
            output: Linear::new(first, columns, 0.0, rng, device),
            shape: [rows, columns],
        })
    }

    /// # Shapes
    /// `t: [batch]`, `x: [batch, rows · columns]` row by row, result as `x`.
    pub fn forward(&self, t: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        let [rows, columns] = self.shape;
        let [batch, _] = x.dims();
        let time = self.time_hidden.activated(self.embedding.forward(t), Mish);
        let time = self.time.activated(time, Mish);
        let pass =
            |x: Tensor<3>, blocks: &[Residual]| blocks.iter().fold(x, |x, block| block.forward(x, &time));
        let mut x = x.reshape([batch, rows, columns]);
        let mut seen = Vec::new();
        for Down { blocks, halve } in &self.down {
            x = pass(x, blocks);
            seen.push(x.clone());
            x = halve.as_ref().map_or_else(|| x.clone(), |halve| halve.forward(x.clone()));
        }
        x = pass(x, &self.middle);
        for (Up { blocks, double }, seen) in self.up.iter().zip(seen.into_iter().rev()) {
            x = double.forward(pass(Tensor::cat(vec![x, seen], 2), blocks));
        }
        let [.., width] = x.dims();
        let last = self.last.forward(x).reshape([batch * rows, width]);
        self.output.activated(last, Identity).reshape([batch, rows * columns])
    }
}

impl Residual {
    /// From and to so many channels, with a condition of `features`.
    fn new([from, to]: [usize; 2], features: usize, rng: &mut Rng, device: &Device) -> Self {
        Self {
            first: Block::new([from, to], rng, device),
            condition: Linear::new(features, to, 1.0, rng, device),
            second: Block::new([to, to], rng, device),
            skip: (from != to).then(|| Linear::new(from, to, 1.0, rng, device)),
        }
    }

    fn forward(&self, x: Tensor<3>, time: &Tensor<2>) -> Tensor<3> {
        let condition: Tensor<3> = self.condition.forward(time.clone()).unsqueeze_dim(1);
        let inner = self.second.forward(self.first.forward(x.clone()) + condition);
        let Some(skip) = &self.skip else { return inner + x };
        let ([batch, length, from], [.., to]) = (x.dims(), inner.dims());
        let places = batch * length;
        let sum = skip.added_to(inner.reshape([places, to]), x.reshape([places, from]), Identity);
        sum.reshape([batch, length, to])
    }
}

impl Block {
    fn new([from, to]: [usize; 2], rng: &mut Rng, device: &Device) -> Self {
        Self {
            convolution: SequenceConvolution::new([from, to], BLOCK, 1.0, rng, device),
            norm: GroupNorm::in_groups(GROUPS, to, device),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.norm.forward(self.convolution.forward(x), Mish)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::ops::Range;

    use super::*;
    use crate::fit::{FitSettings, Trainer};
    use crate::objective::Objective;
    use crate::tensor::head;

    fn net(rows: usize, settings: &TemporalUNetSettings) -> TemporalUNet {
        TemporalUNet::new([rows, 6], settings, &mut Rng::new(1), &Device::flex()).unwrap()
    }

    fn small() -> TemporalUNetSettings {
        TemporalUNetSettings { width: 8, multipliers: vec![1, 2, 4] }
    }

    #[test]
    fn has_the_published_number_of_weights_whatever_the_length() {
        for rows in [128, 384] {
            assert_eq!(net(rows, &TemporalUNetSettings::default()).num_params(), 3_682_118);
        }
    }

    #[test]
    fn keeps_the_shape_of_plans_and_starts_at_zero() {
        let (device, mut rng) = (Device::flex(), Rng::new(2));
        for rows in [4, 64, 128, 256, 384] {
            let x = rng.normal([2, rows * 6], &device);
            let out = net(rows, &small()).forward(Tensor::ones([2], &device), x.clone());
            assert_eq!(out.to_data(), x.zeros_like().to_data());
        }
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let message = |shape, settings: &TemporalUNetSettings| {
            let made = TemporalUNet::new(shape, settings, &mut Rng::new(1), &Device::flex());
            made.err().unwrap().to_string()
        };
        let of =
            |width, multipliers: &[usize]| TemporalUNetSettings { width, multipliers: multipliers.into() };
        assert!(message([66, 6], &small()).contains("rows must be a multiple of 4, got 66"));
        assert!(message([64, 6], &of(12, &[1])).contains("a multiple of 8, got 12"));
        assert!(message([64, 6], &of(8, &[])).contains("levels of multipliers must be at least 1"));
        assert!(message([64, 6], &of(65_536, &[65_536])).contains("width"));
    }

    /// Plans from noise beside a time, each column of which is that of the row before times the time.
    struct Shift {
        x: Tensor<2>,
        t: Tensor<1>,
        y: Tensor<2>,
    }

    impl Objective for Shift {
        type Model = TemporalUNet;

        fn loss(&self, model: &TemporalUNet, rows: Range<usize>, _rng: &mut Rng) -> Tensor<1> {
            let count = rows.len();
            let t = self.t.clone().narrow(0, 0, count).autodiff();
            let found = model.forward(t, head(&self.x, count).autodiff());
            (found - head(&self.y, count).autodiff()).powi_scalar(2).mean()
        }

        fn held_out_loss(&self, _model: &TemporalUNet, _rng: &mut Rng) -> Option<f64> {
            None
        }
    }

    #[test]
    fn learns_what_depends_on_neighbours_and_time() {
        let (device, mut rng, batch, rows) = (Device::flex(), Rng::new(3), 16, 16);
        let x = rng.normal([batch, rows * 6], &device);
        let signs: Vec<f32> = (0..batch).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let t = Tensor::from_data(&signs.iter().map(|s| 5.0 + 4.0 * s).collect::<Vec<f32>>()[..], &device);
        let sign = Tensor::<1>::from_data(&signs[..], &device).unsqueeze_dim::<2>(1);
        let shifted = Tensor::cat(vec![x.clone().narrow(1, 0, 6), x.clone().narrow(1, 0, rows * 6 - 6)], 1);
        let mut objective = Shift { y: shifted * sign, x, t };
        let fit = FitSettings {
            steps: 150,
            batch_size: batch,
            learning_rate: 5e-3,
            weight_decay: 0.0,
            clip_norm: 1e3,
            ema_decay: 0.0,
            patience: 0,
        };
        let mut trainer = Trainer::new(net(rows, &small()), fit, Rng::new(4)).unwrap();
        let losses: Vec<f64> = (0..150).map(|_| trainer.step(&mut objective).loss).collect();
        // It starts at zero, where the loss is the variance of the target: one. Whoever did not see the time would be
        // left with all of it, the two halves of the batch being as good as independent of their sign.
        assert!((losses[0] - 1.0).abs() < 0.1, "{}", losses[0]);
        assert!(losses[149] < 0.3, "{}", losses[149]);
    }

    #[test]
    fn every_weight_has_a_gradient() {
        let (device, mut rng) = (Device::flex(), Rng::new(5));
        // The output starts at zero and would hide what is behind it.
        let mut net = net(8, &small()).train();
        net.output = Linear::new(8, 6, 1.0, &mut rng, &device).train();
        let x = rng.normal([4, 48], &device).autodiff();
        let loss = net.forward(Tensor::ones([4], &device).autodiff(), x).powi_scalar(2).mean();
        let gradients = loss.backward();
        let residual = &net.down[0].blocks[0];
        let norm = |x: Tensor<2>| f64::from(x.powi_scalar(2).sum().into_scalar::<f32>());
        for linear in [&net.time_hidden, &net.time, &residual.condition, residual.skip.as_ref().unwrap()] {
            assert!(norm(linear.values().0.grad(&gradients).unwrap()) > 0.0);
        }
    }
}
