//! One pass of Adam with decoupled weight decay, a bounded gradient and averaged weights.
//!
//! With g = c Σ gᵢ over part batches: m ← β₁ m + (1−β₁) g, u ← β₂ u + (1−β₂) g²,
//! θ ← θ − η (m̂/(√û + ϵ) + κ θ), θ̄ ← μ θ̄ + (1−μ) θ, where m̂ = m/(1−β₁ᵏ) and û = u/(1−β₂ᵏ).
//!                                                                                    \[KB15; LH19\]

use burn::backend::Flex;
use burn::tensor::{DType, Tensor};
use rayon::prelude::*;

use crate::operation::{are_on_cpu, plain};
use crate::vectorise::{sum, vectorise};

/// Decay of the first and second moments, and the term that keeps the division finite.
const BETAS: [f64; 2] = [0.9, 0.999];
const TINY: f64 = 1e-8;

/// Elements updated by one task: a few arrays of this length fit a core's own cache.
const CHUNK: usize = 1 << 14;

/// One step's numbers.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep {
    /// η.
    pub learning_rate: f64,
    /// κ, per unit of learning rate.
    pub weight_decay: f64,
    /// c ≤ 1, which bounds the gradient.
    pub gradient_scale: f64,
    /// μ.
    pub average_decay: f64,
    /// k, counted from 1.
    pub step: usize,
}

/// What is remembered of a parameter between steps, each `[count]`.
#[derive(Clone, Debug)]
pub struct Moments {
    /// m.
    pub first: Tensor<1>,
    /// u.
    pub second: Tensor<1>,
    /// θ̄.
    pub average: Tensor<1>,
}

impl Moments {
    /// Moments of a parameter that has taken no step.
    pub fn new(weight: Tensor<1>) -> Self {
        Self { first: weight.zeros_like(), second: weight.zeros_like(), average: weight }
    }
}

impl AdamStep {
    /// θ after the step; `moments` are updated. `gradients` are those of part batches.
    ///
    /// # Shapes
    /// All are `[count]`, outside of any graph.
    pub fn apply(&self, weight: Tensor<1>, moments: &mut Moments, gradients: &[Tensor<1>]) -> Tensor<1> {
        if !is_on_cpu(&weight) {
            return self.apply_reference(weight, moments, gradients);
        }
        let Moments { first, second, average } = moments;
        let gradients: Vec<_> = gradients.iter().cloned().map(flex).collect();
        let gradients: Vec<&[f32]> = gradients.iter().map(|g| g.as_slice().expect("contiguous")).collect();
        let mut taken = [weight, take(first), take(second), take(average)].map(flex);
        {
            let [weight, first, second, average] = taken.each_mut().map(|t| t.storage_mut::<f32>());
            weight
                .par_chunks_mut(CHUNK)
                .zip(first.par_chunks_mut(CHUNK))
                .zip(second.par_chunks_mut(CHUNK).zip(average.par_chunks_mut(CHUNK)))
                .enumerate()
                .for_each(|(i, ((weight, first), (second, average)))| {
                    let chunk = i * CHUNK..i * CHUNK + weight.len();
                    let gradients: Vec<&[f32]> = gradients.iter().map(|g| &g[chunk.clone()]).collect();
                    self.update(weight, [first, second, average], &gradients);
                });
        }
        let [weight, m, u, mean] = taken.map(Tensor::from_primitive::<Flex>);
        (*first, *second, *average) = (m, u, mean);
        weight
    }

    /// The step on slices.
    fn update(&self, weight: &mut [f32], [m, u, mean]: [&mut [f32]; 3], gradients: &[&[f32]]) {
        let [beta1, beta2] = BETAS.map(|beta| beta as f32);
        let unbias = |beta: f64| 1.0 - beta.powi(self.step as i32);
        let rate = (self.learning_rate / unbias(BETAS[0])) as f32;
        let unbias_second = (1.0 / unbias(BETAS[1])) as f32;
        let kept = (1.0 - self.learning_rate * self.weight_decay) as f32;
        let (scale, decay, tiny) = (self.gradient_scale as f32, self.average_decay as f32, TINY as f32);
        let (one_minus_beta1, one_minus_beta2) = ((1.0 - BETAS[0]) as f32, (1.0 - BETAS[1]) as f32);
        let one_minus_decay = (1.0 - self.average_decay) as f32;
        vectorise(
            #[inline(always)]
            || {
                let gradient = total(gradients);
                let state = weight.iter_mut().zip(m).zip(u.iter_mut().zip(mean));
                for (((weight, m), (u, mean)), g) in state.zip(&gradient) {
                    let g = g * scale;
                    *m = beta1 * *m + one_minus_beta1 * g;
                    *u = beta2 * *u + one_minus_beta2 * (g * g);
                    *weight = kept * *weight - rate * *m / ((*u * unbias_second).sqrt() + tiny);
                    *mean = decay * *mean + one_minus_decay * *weight;
                }
            },
        );
    }

    /// The step from basic tensor operations.
    pub(crate) fn apply_reference(
        &self,
        weight: Tensor<1>,
        moments: &mut Moments,
        gradients: &[Tensor<1>],
    ) -> Tensor<1> {
        let [beta1, beta2] = BETAS;
        let total = gradients.iter().cloned().reduce(|a, b| a + b).expect("at least one part batch");
        let g = total * self.gradient_scale;
        let unbias = |beta: f64| 1.0 - beta.powi(self.step as i32);
        moments.first = moments.first.clone() * beta1 + g.clone() * (1.0 - beta1);
        moments.second = moments.second.clone() * beta2 + g.powi_scalar(2) * (1.0 - beta2);
        let root = (moments.second.clone() / unbias(beta2)).sqrt() + TINY;
        let direction = moments.first.clone() / root * (self.learning_rate / unbias(beta1));
        let updated = weight * (1.0 - self.learning_rate * self.weight_decay) - direction;
        let average = moments.average.clone() * self.average_decay;
        moments.average = average + updated.clone() * (1.0 - self.average_decay);
        updated
    }
}

/// Norm of the sum of part-batch gradients, over all parameters: `parts[i][j]` is the gradient of
/// parameter `j` on part `i`, `[count]`, outside of any graph.
pub fn gradient_norm(parts: &[Vec<Tensor<1>>]) -> f64 {
    let parameters = parts.first().map_or(0, Vec::len);
    let of_parameter = |j: usize| -> f64 {
        let gradients: Vec<Tensor<1>> = parts.iter().map(|part| part[j].clone()).collect();
        if !is_on_cpu(&gradients[0]) {
            let total = gradients.into_iter().reduce(|a, b| a + b).expect("at least one part batch");
            return f64::from(total.powi_scalar(2).sum().into_scalar::<f32>());
        }
        let gradients: Vec<_> = gradients.into_iter().map(flex).collect();
        let gradients: Vec<&[f32]> = gradients.iter().map(|g| g.as_slice().expect("contiguous")).collect();
        squared_norm_of_sum(&gradients)
    };
    (0..parameters).map(of_parameter).sum::<f64>().sqrt()
}

fn squared_norm_of_sum(gradients: &[&[f32]]) -> f64 {
    let of_chunk = |i: usize| {
        let end = (i + CHUNK).min(gradients[0].len());
        let parts: Vec<&[f32]> = gradients.iter().map(|g| &g[i..end]).collect();
        f64::from(vectorise(
            #[inline(always)]
            || sum(&total(&parts), |g| g * g),
        ))
    };
    // Chunks are added in their order, so that the number of threads does not matter.
    let chunks = (0..gradients[0].len()).into_par_iter().step_by(CHUNK);
    chunks.map(of_chunk).collect::<Vec<f64>>().into_iter().sum()
}

/// The sum of part gradients.
#[inline(always)]
fn total(parts: &[&[f32]]) -> Vec<f32> {
    let (first, rest) = parts.split_first().expect("at least one part batch");
    let mut total = first.to_vec();
    for part in rest {
        total.iter_mut().zip(*part).for_each(|(sum, g)| *sum += g);
    }
    total
}

fn is_on_cpu(tensor: &Tensor<1>) -> bool {
    are_on_cpu(&[&tensor.clone().into_dispatch()])
}

/// Storage that covers exactly the tensor.
fn flex(tensor: Tensor<1>) -> burn::backend::flex::FlexTensor {
    let tensor = plain(tensor.into_dispatch());
    let whole = tensor.is_contiguous() && tensor.storage::<f32>().len() == tensor.layout().num_elements();
    if whole { tensor } else { tensor.to_contiguous() }
}

/// Moves a tensor out, so that its storage is held once and can be updated in place.
fn take(tensor: &mut Tensor<1>) -> Tensor<1> {
    let empty = Tensor::empty([0], (&tensor.device(), DType::F32));
    std::mem::replace(tensor, empty)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::vectorise::forced::on_every_path;

    /// More than one chunk, and not a whole number of them.
    const COUNT: usize = 2 * CHUNK + 5;

    fn tensor(phase: f32) -> Tensor<1> {
        let values: Vec<f32> = (0..COUNT).map(|i| (0.37 * i as f32 + phase).sin()).collect();
        Tensor::from_data(TensorData::new(values, [COUNT]), &Device::flex())
    }

    fn largest_difference(a: Tensor<1>, b: Tensor<1>) -> f32 {
        (a - b).abs().max().into_scalar()
    }

    #[test]
    fn three_steps_are_those_of_the_reference() {
        let (mut weight, mut expected) = (tensor(0.1), tensor(0.1));
        let (mut moments, mut expected_moments) =
            (Moments::new(weight.clone()), Moments::new(weight.clone()));
        for step in 1..=3 {
            let gradients = [tensor(step as f32), tensor(10.0 - step as f32)];
            let rule = AdamStep {
                learning_rate: 0.1,
                weight_decay: 0.2,
                gradient_scale: 0.7,
                average_decay: 0.5,
                step,
            };
            weight = rule.apply(weight, &mut moments, &gradients);
            expected = rule.apply_reference(expected, &mut expected_moments, &gradients);
        }
        // Steps of 0.1 along m̂/√û, whose few roundings of 10⁻⁷ the division may double; where the
        // gradients nearly cancel, û is small and the quotient loses some digits.
        assert!(largest_difference(weight, expected) < 1e-4);
        assert!(largest_difference(moments.average, expected_moments.average) < 1e-4);
        assert!(largest_difference(moments.first, expected_moments.first) < 1e-6);
        assert!(largest_difference(moments.second, expected_moments.second) < 1e-6);
    }

    #[test]
    fn norm_is_that_of_the_summed_parts() {
        let parts = [vec![tensor(0.0), tensor(1.0)], vec![tensor(2.0), tensor(3.0)]];
        let squares = |a: Tensor<1>, b: Tensor<1>| -> f32 { (a + b).powi_scalar(2).sum().into_scalar() };
        let expected = squares(tensor(0.0), tensor(2.0)) + squares(tensor(1.0), tensor(3.0));
        // Sums of 65 000 squares in f32, added up in two orders.
        assert!((gradient_norm(&parts) / f64::from(expected).sqrt() - 1.0).abs() < 1e-5);
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let wave = |phase: f32| -> Vec<f32> { (0..100).map(|i| (0.37 * i as f32 + phase).sin()).collect() };
        let rule = AdamStep {
            learning_rate: 0.1,
            weight_decay: 0.2,
            gradient_scale: 0.7,
            average_decay: 0.5,
            step: 3,
        };
        let results = on_every_path(|| {
            let (mut weight, mut first, mut mean) = (wave(0.0), wave(1.0), wave(2.0));
            let mut second: Vec<f32> = wave(3.0).iter().map(|x| x * x).collect();
            let gradients = [wave(4.0), wave(5.0)];
            let parts = [&gradients[0][..], &gradients[1][..]];
            rule.update(&mut weight, [&mut first, &mut second, &mut mean], &parts);
            let norm = vectorise(|| sum(&total(&parts), |g| g * g));
            let all = [weight, first, second, mean, vec![norm]].concat();
            all.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        });
        for (path, bits) in &results {
            assert_eq!(bits, &results[0].1, "{path:?}");
        }
    }

    #[test]
    fn a_step_keeps_what_others_hold() {
        let weight = tensor(0.0);
        let held = weight.clone();
        let rule = AdamStep {
            learning_rate: 0.1,
            weight_decay: 0.0,
            gradient_scale: 1.0,
            average_decay: 0.9,
            step: 1,
        };
        let moved = rule.apply(weight, &mut Moments::new(held.clone()), &[tensor(1.0)]);
        assert_eq!(held.to_data(), tensor(0.0).to_data());
        assert!(largest_difference(moved, held) > 0.09);
    }
}
