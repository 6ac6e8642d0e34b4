//! Group and layer normalisation fused with the activation that follows.
//!
//! Within a group of n values of one sample: x̂ = (x − μ)/√(s² + ϵ), y = f(γ x̂ + β). With
//! g = ȳ f'(γ x̂ + β): β̄ = Σ g, γ̄ = Σ g x̂ and x̄ = (γ g − mean(γ g) − x̂ mean(γ g x̂))/√(s² + ϵ).

use burn::tensor::Tensor;

use crate::activation::{Activation, for_each_activation};
use crate::array::{Array, buffer};
use crate::operation::{Operation, are_on_cpu, run};
use crate::reference::{self, NORM_EPSILON};
use crate::vectorise::{sum, vectorise};

/// Normalises every row, then f(γ x̂ + β).
///
/// # Shapes
/// `x: [batch, features]`, `scale` and `shift: [features]`, result `[batch, features]`.
pub fn layer_norm(x: Tensor<2>, scale: Tensor<1>, shift: Tensor<1>, activation: Activation) -> Tensor<2> {
    let [batch, features] = x.dims();
    let samples = x.reshape([batch, 1, features]);
    group_norm(samples, 1, scale, shift, activation).reshape([batch, features])
}

/// Normalises every group of channels over all positions of a sample, then f(γ x̂ + β).
///
/// # Shapes
/// `x: [batch, positions, channels]`, `scale` and `shift: [channels]`, result as `x`.
///
/// # Panics
/// If `groups` does not divide the number of channels.
pub fn group_norm(
    x: Tensor<3>,
    groups: usize,
    scale: Tensor<1>,
    shift: Tensor<1>,
    activation: Activation,
) -> Tensor<3> {
    let [_, _, channels] = x.dims();
    assert_eq!(channels % groups, 0, "{groups} groups of {channels} channels");
    let inputs = [x.into_dispatch(), scale.into_dispatch(), shift.into_dispatch()];
    if are_on_cpu(&inputs.each_ref()) {
        return run(GroupNorm { groups, activation }, inputs);
    }
    let [x, scale, shift] = inputs;
    let (scale, shift) = (Tensor::from_dispatch(scale), Tensor::from_dispatch(shift));
    reference::group_norm(Tensor::from_dispatch(x), groups, scale, shift, activation)
}

#[derive(Clone, Debug)]
struct GroupNorm {
    groups: usize,
    activation: Activation,
}

/// Mean μ and 1/√(s² + ϵ) of every group of every sample.
#[derive(Clone, Debug, Default)]
struct Moments {
    mean: Vec<f32>,
    inverse_std: Vec<f32>,
}

/// Sums over the positions of one sample, per channel, and what becomes of them.
struct Channels {
    mean: Vec<f32>,
    inverse_std: Vec<f32>,
    sums: Vec<f32>,
    products: Vec<f32>,
}

impl Channels {
    fn new(count: usize) -> Self {
        let zeros = || vec![0.0; count];
        Self { mean: zeros(), inverse_std: zeros(), sums: zeros(), products: zeros() }
    }
}

/// Every value of `groups` repeated over the channels of its group.
#[inline(always)]
fn spread(groups: &[f32], channels: &mut [f32]) {
    let size = channels.len() / groups.len();
    for (group, value) in channels.chunks_exact_mut(size).zip(groups) {
        group.fill(*value);
    }
}

/// out[c] = Σ f(x, centre[c]) over positions.
#[inline(always)]
fn add_over_positions(out: &mut [f32], x: &[f32], centre: &[f32], f: impl Fn(f32, f32) -> f32) {
    out.fill(0.0);
    for row in x.chunks_exact(out.len()) {
        for ((total, x), centre) in out.iter_mut().zip(row).zip(centre) {
            *total += f(*x, *centre);
        }
    }
}

/// Means over each group of n values, of per-channel sums.
#[inline(always)]
fn group_means(sums: &[f32], n: usize, means: &mut [f32]) {
    let size = sums.len() / means.len();
    for (mean, sums) in means.iter_mut().zip(sums.chunks_exact(size)) {
        *mean = sum(
            sums,
            #[inline(always)]
            |x| x,
        ) / n as f32;
    }
}

impl GroupNorm {
    /// Moments of one sample, into `mean` and `inverse_std`, and spread over its channels.
    #[inline(always)]
    fn measure(&self, x: &[f32], mean: &mut [f32], inverse_std: &mut [f32], channels: &mut Channels) {
        let n = x.len() / self.groups;
        let Channels { mean: centre, inverse_std: spread_std, sums, .. } = channels;
        add_over_positions(
            sums,
            x,
            centre,
            #[inline(always)]
            |x, _| x,
        );
        group_means(sums, n, mean);
        spread(mean, centre);
        add_over_positions(
            sums,
            x,
            centre,
            #[inline(always)]
            |x, centre| (x - centre) * (x - centre),
        );
        group_means(sums, n, inverse_std);
        inverse_std.iter_mut().for_each(|var| *var = 1.0 / (*var + NORM_EPSILON).sqrt());
        spread(inverse_std, spread_std);
    }
}

impl Operation<3> for GroupNorm {
    type Saved = Moments;

    fn forward(&self, [x, scale, shift]: &[Array; 3], save: bool) -> (Array, Option<Moments>) {
        let [batch, positions, count] = x.dims();
        let (scale, shift, sample) = (scale.values(), shift.values(), positions * count);
        let mut moments =
            Moments { mean: vec![0.0; batch * self.groups], inverse_std: vec![0.0; batch * self.groups] };
        let mut out = buffer(x.values().len());
        let mut channels = Channels::new(count);
        let samples = x.values().chunks_exact(sample.max(1)).zip(out.chunks_exact_mut(sample.max(1)));
        let stats =
            moments.mean.chunks_exact_mut(self.groups).zip(moments.inverse_std.chunks_exact_mut(self.groups));
        for_each_activation!(self.activation, |f, _slope| vectorise(
            #[inline(always)]
            || for ((x, out), (mean, inverse_std)) in samples.zip(stats) {
                self.measure(x, mean, inverse_std, &mut channels);
                let (mean, inverse_std) = (&channels.mean[..count], &channels.inverse_std[..count]);
                let (scale, shift) = (&scale[..count], &shift[..count]);
                for (row, out) in x.chunks_exact(count).zip(out.chunks_exact_mut(count)) {
                    let (row, out) = (&row[..count], &mut out[..count]);
                    for c in 0..count {
                        out[c] = f((row[c] - mean[c]) * inverse_std[c] * scale[c] + shift[c]);
                    }
                }
            }
        ));
        (Array::new(out, [batch, positions, count]), save.then_some(moments))
    }

    fn backward(
        &self,
        [x, scale, shift]: &[Array; 3],
        saved: Moments,
        gradient: Array,
        _wanted: [bool; 3],
    ) -> [Option<Array>; 3] {
        let [batch, positions, count] = x.dims();
        let (scale, shift, sample) = (scale.values(), shift.values(), (positions * count).max(1));
        let n = positions * count / self.groups;
        let mut of_x = buffer(x.values().len());
        let (mut of_scale, mut of_shift) = (vec![0.0; count], vec![0.0; count]);
        let mut channels = Channels::new(count);
        let mut means = vec![0.0; self.groups];
        let samples = x.values().chunks_exact(sample).zip(gradient.values().chunks_exact(sample));
        let samples = samples.zip(of_x.chunks_exact_mut(sample));
        let stats = saved.mean.chunks_exact(self.groups).zip(saved.inverse_std.chunks_exact(self.groups));
        for_each_activation!(self.activation, |_f, slope| vectorise(
            #[inline(always)]
            || for (((x, gradient), out), (group_mean, group_std)) in samples.zip(stats) {
                let Channels { mean, inverse_std, sums, products } = &mut channels;
                // Slices of one known length, so that the loops below need no bounds checks.
                let (mean, inverse_std) = (&mut mean[..count], &mut inverse_std[..count]);
                let (sums, products) = (&mut sums[..count], &mut products[..count]);
                let (scale, shift) = (&scale[..count], &shift[..count]);
                spread(group_mean, mean);
                spread(group_std, inverse_std);
                sums.fill(0.0);
                products.fill(0.0);
                let rows = x.chunks_exact(count).zip(gradient.chunks_exact(count));
                for ((row, gradient), out) in rows.zip(out.chunks_exact_mut(count)) {
                    let (row, gradient, out) = (&row[..count], &gradient[..count], &mut out[..count]);
                    for c in 0..count {
                        let normal = (row[c] - mean[c]) * inverse_std[c];
                        let g = gradient[c] * slope(normal * scale[c] + shift[c]);
                        out[c] = g;
                        sums[c] += g;
                        products[c] += g * normal;
                    }
                }
                let (of_shift, of_scale) = (&mut of_shift[..count], &mut of_scale[..count]);
                for c in 0..count {
                    of_shift[c] += sums[c];
                    of_scale[c] += products[c];
                    sums[c] *= scale[c];
                    products[c] *= scale[c];
                }
                // From here on `sums` and `products` hold the two means, per channel.
                group_means(sums, n, &mut means);
                spread(&means, sums);
                group_means(products, n, &mut means);
                spread(&means, products);
                for (row, out) in x.chunks_exact(count).zip(out.chunks_exact_mut(count)) {
                    let (row, out) = (&row[..count], &mut out[..count]);
                    for c in 0..count {
                        let normal = (row[c] - mean[c]) * inverse_std[c];
                        out[c] = inverse_std[c] * (out[c] * scale[c] - sums[c] - normal * products[c]);
                    }
                }
            }
        ));
        let per_channel = |values| Some(Array::new(values, [count]));
        [Some(Array::new(of_x, [batch, positions, count])), per_channel(of_scale), per_channel(of_shift)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectorise::forced::on_every_path;

    fn wave<const D: usize>(dims: [usize; D], phase: f32) -> Array {
        let count = dims.iter().product();
        Array::new((0..count).map(|i| (0.7 * i as f32 + phase).sin()).collect(), dims)
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let inputs = [wave([2, 3, 20], 0.0), wave([20], 1.0), wave([20], 2.0)];
        let operation = GroupNorm { groups: 2, activation: Activation::Silu };
        let results = on_every_path(|| {
            let (value, saved) = operation.forward(&inputs, true);
            let saved = saved.expect("asked to save");
            let gradients = operation.backward(&inputs, saved, wave([2, 3, 20], 3.0), [true; 3]);
            let arrays = std::iter::once(value).chain(gradients.into_iter().flatten());
            arrays
                .flat_map(|a| a.values().iter().map(|x| x.to_bits()).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        });
        for (path, bits) in &results {
            assert_eq!(bits, &results[0].1, "{path:?}");
        }
    }
}
