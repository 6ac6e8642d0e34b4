//! Values and gradients of fused operations: against the same operation composed of Burn's, and
//! gradients against differences of that composition in f64.
#![allow(clippy::unwrap_used, missing_docs)]

use burn::tensor::{DType, Device, Tensor, TensorData};
use sbridge_kernels::{self as kernels, Activation, Window, reference};

const ACTIVATIONS: [Activation; 8] = [
    Activation::Identity,
    Activation::Relu,
    Activation::LeakyRelu,
    Activation::Silu,
    Activation::Mish,
    Activation::Gelu,
    Activation::Tanh,
    Activation::Sigmoid,
];

/// Numbers without pattern in [−1, 1], none near zero, where a rectifier has no derivative.
fn numbers(count: usize, salt: usize) -> Vec<f64> {
    let one = |i: usize| {
        let x = ((i * 7919 + salt * 104_729 + 13) % 10_007) as f64 / 5003.5 - 1.0;
        x + 0.05 * x.signum()
    };
    (0..count).map(one).collect()
}

fn tensor(values: &[f64], dtype: DType) -> Tensor<1> {
    let data = TensorData::new(values.to_vec(), [values.len()]);
    Tensor::from_data(data, (&Device::flex(), dtype))
}

fn scalar(x: Tensor<1>) -> f64 {
    x.try_into_vec_as::<f64>().unwrap()[0]
}

type Function<'a> = &'a dyn Fn(&[Tensor<1>]) -> Tensor<1>;

/// Σ w f(inputs) with weights w without pattern.
fn probe(f: Function<'_>, inputs: &[Tensor<1>]) -> Tensor<1> {
    let value = f(inputs);
    let weights = tensor(&numbers(value.dims()[0], 99), value.dtype());
    (value.clone() * weights).sum()
}

fn gradients(f: Function<'_>, inputs: &[Vec<f64>]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let leaf = |values: &Vec<f64>| tensor(values, DType::F32).autodiff().require_grad();
    let leaves: Vec<Tensor<1>> = inputs.iter().map(leaf).collect();
    let value = f(&leaves).inner().try_into_vec_as::<f64>().unwrap();
    let found = probe(f, &leaves).backward();
    let of = |leaf: &Tensor<1>| leaf.grad(&found).unwrap().try_into_vec_as::<f64>().unwrap();
    (value, leaves.iter().map(of).collect())
}

/// The derivative of the probe when input `which` moves along `direction`, in f64.
fn derivative(f: Function<'_>, inputs: &[Vec<f64>], which: usize, direction: &[f64]) -> f64 {
    let h = 1e-6;
    let at = |sign: f64| {
        let mut moved = inputs.to_vec();
        moved[which].iter_mut().zip(direction).for_each(|(x, d)| *x += sign * h * d);
        let moved: Vec<Tensor<1>> = moved.iter().map(|x| tensor(x, DType::F64)).collect();
        scalar(probe(f, &moved))
    };
    (at(1.0) - at(-1.0)) / (2.0 * h)
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m, x| m.max(x.abs()))
}

fn assert_near(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let difference: Vec<f64> = found.iter().zip(expected).map(|(a, b)| a - b).collect();
    // Sums of at most some hundred products in f32, in two orders, and activations to 10⁻⁶.
    assert!(largest(&difference) < 2e-5 * (1.0 + largest(expected)), "{what}: {}", largest(&difference));
}

fn check(name: &str, sizes: &[usize], fused: Function<'_>, composed: Function<'_>) {
    let inputs: Vec<Vec<f64>> = sizes.iter().enumerate().map(|(i, n)| numbers(*n, i)).collect();
    let (value, found) = gradients(fused, &inputs);
    let (expected_value, expected) = gradients(composed, &inputs);
    assert_near(&value, &expected_value, name);
    // Without a graph the same numbers come out.
    let plain: Vec<Tensor<1>> = inputs.iter().map(|x| tensor(x, DType::F32)).collect();
    assert_eq!(fused(&plain).try_into_vec_as::<f64>().unwrap(), value, "{name}");
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert_near(found, expected, &format!("{name}, gradient of input {i}"));
        let direction = numbers(found.len(), 7 + i);
        let along: f64 = found.iter().zip(&direction).map(|(g, d)| g * d).sum();
        let difference = derivative(composed, &inputs, i, &direction);
        // Gradients in f32; central differences in f64 are off by h² and 10⁻¹⁶/h.
        let scale = 1.0 + largest(found) * (found.len() as f64).sqrt();
        assert!((along - difference).abs() < 2e-5 * scale, "{name}, input {i}: {along} and {difference}");
    }
}

fn flat<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let count = x.shape().num_elements();
    x.reshape([count])
}

#[test]
fn linear_maps() {
    let (batch, from, to) = (5, 7, 20);
    for f in ACTIVATIONS {
        let parts = |t: &[Tensor<1>]| {
            (t[0].clone().reshape([batch, from]), t[1].clone().reshape([from, to]), t[2].clone())
        };
        let residual = |t: &[Tensor<1>]| t[3].clone().reshape([batch, to]);
        let sizes = [batch * from, from * to, to, batch * to];
        check(
            &format!("linear, {f:?}"),
            &sizes[..3],
            &|t| {
                let (x, w, b) = parts(t);
                flat(kernels::linear(x, w, b, f))
            },
            &|t| {
                let (x, w, b) = parts(t);
                flat(reference::linear(x, w, b, f))
            },
        );
        check(
            &format!("linear_add, {f:?}"),
            &sizes,
            &|t| {
                let (x, w, b) = parts(t);
                flat(kernels::linear_add(x, w, b, residual(t), f))
            },
            &|t| {
                let (x, w, b) = parts(t);
                flat(reference::linear_add(x, w, b, residual(t), f))
            },
        );
    }
}

#[test]
fn normalisations() {
    for f in ACTIVATIONS {
        for (batch, positions, channels, groups) in [(3, 1, 24, 1), (2, 6, 24, 4), (2, 3, 5, 5)] {
            let parts = |t: &[Tensor<1>]| {
                (t[0].clone().reshape([batch, positions, channels]), t[1].clone(), t[2].clone())
            };
            check(
                &format!("group_norm of {channels} channels in {groups}, {f:?}"),
                &[batch * positions * channels, channels, channels],
                &|t| {
                    let (x, scale, shift) = parts(t);
                    flat(kernels::group_norm(x, groups, scale, shift, f))
                },
                &|t| {
                    let (x, scale, shift) = parts(t);
                    flat(reference::group_norm(x, groups, scale, shift, f))
                },
            );
        }
    }
}

#[test]
fn layer_normalisation_is_that_of_burn() {
    let x = tensor(&numbers(60, 1), DType::F32).reshape([4, 15]);
    let (scale, shift) = (tensor(&numbers(15, 2), DType::F32), tensor(&numbers(15, 3), DType::F32));
    let found = kernels::layer_norm(x.clone(), scale.clone(), shift.clone(), Activation::Identity);
    let epsilon = f64::from(kernels::NORM_EPSILON);
    let expected = burn::tensor::module::layer_norm(x, scale, Some(shift), epsilon);
    let values = |x: Tensor<2>| x.try_into_vec_as::<f64>().unwrap();
    assert_near(&values(found), &values(expected), "layer_norm");
}

#[test]
fn convolutions() {
    let (batch, height, width, inputs, outputs) = (2, 7, 6, 3, 4);
    for (side, stride, padding) in [(4, 2, 1), (3, 1, 1), (1, 1, 0), (2, 3, 0), (5, 2, 4)] {
        let window = Window { side, stride, padding };
        for f in [Activation::Identity, Activation::Relu, Activation::Silu] {
            let area = side * side;
            let image = |t: &[Tensor<1>]| t[0].clone().reshape([batch, height, width, inputs]);
            let sizes = [batch * height * width * inputs, area * inputs * outputs, outputs];
            check(
                &format!("conv2d, {window:?}, {f:?}"),
                &sizes,
                &|t| {
                    let weight = t[1].clone().reshape([area * inputs, outputs]);
                    flat(kernels::conv2d(image(t), weight, t[2].clone(), window, f))
                },
                &|t| {
                    let weight = t[1].clone().reshape([area * inputs, outputs]);
                    flat(reference::conv2d(image(t), weight, t[2].clone(), window, f))
                },
            );
            check(
                &format!("conv_transpose2d, {window:?}, {f:?}"),
                &sizes,
                &|t| {
                    let weight = t[1].clone().reshape([inputs, area * outputs]);
                    flat(kernels::conv_transpose2d(image(t), weight, t[2].clone(), window, f))
                },
                &|t| {
                    let weight = t[1].clone().reshape([inputs, area * outputs]);
                    flat(reference::conv_transpose2d(image(t), weight, t[2].clone(), window, f))
                },
            );
        }
    }
}

#[test]
fn convolutions_of_sequences() {
    let (batch, inputs, outputs) = (3, 5, 4);
    let windows = [(5, 1, 2), (3, 2, 1), (4, 2, 1), (4, 1, 1), (4, 1, 0), (1, 1, 0), (2, 1, 4), (3, 3, 0)];
    for length in [2, 7, 12] {
        for (side, stride, padding) in windows {
            if length + 2 * padding < side || (length - 1) * stride + side <= 2 * padding {
                continue;
            }
            let window = Window { side, stride, padding };
            for f in [Activation::Identity, Activation::Mish] {
                let sequences = |t: &[Tensor<1>]| t[0].clone().reshape([batch, length, inputs]);
                let sizes = [batch * length * inputs, side * inputs * outputs, outputs];
                check(
                    &format!("conv1d of {length}, {window:?}, {f:?}"),
                    &sizes,
                    &|t| {
                        let weight = t[1].clone().reshape([side * inputs, outputs]);
                        flat(kernels::conv1d(sequences(t), weight, t[2].clone(), window, f))
                    },
                    &|t| {
                        let weight = t[1].clone().reshape([side * inputs, outputs]);
                        flat(reference::conv1d(sequences(t), weight, t[2].clone(), window, f))
                    },
                );
                check(
                    &format!("conv_transpose1d of {length}, {window:?}, {f:?}"),
                    &sizes,
                    &|t| {
                        let weight = t[1].clone().reshape([inputs, side * outputs]);
                        flat(kernels::conv_transpose1d(sequences(t), weight, t[2].clone(), window, f))
                    },
                    &|t| {
                        let weight = t[1].clone().reshape([inputs, side * outputs]);
                        flat(reference::conv_transpose1d(sequences(t), weight, t[2].clone(), window, f))
                    },
                );
            }
        }
    }
}

#[test]
fn large_convolutions_are_made_in_halves_to_the_same_bits_inside_and_outside_of_the_pool() {
    let (batch, length, inputs, outputs) = (2, 60, 64, 256);
    let window = Window { side: 5, stride: 1, padding: 2 };
    let of = |salt: usize, count: usize| tensor(&numbers(count, salt), DType::F32);
    let x = of(1, batch * length * inputs).reshape([batch, length, inputs]);
    let weight = of(2, 5 * inputs * outputs).reshape([5 * inputs, outputs]);
    let bias = of(3, outputs);
    let fused = || {
        let value = kernels::conv1d(x.clone(), weight.clone(), bias.clone(), window, Activation::Mish);
        flat(value).try_into_vec_as::<f64>().unwrap()
    };
    let outside = fused();
    assert_eq!(rayon::scope(|_| fused()), outside);
    let expected = reference::conv1d(x.clone(), weight.clone(), bias.clone(), window, Activation::Mish);
    assert_near(&outside, &flat(expected).try_into_vec_as::<f64>().unwrap(), "in halves");
}

#[test]
fn sines_and_cosines() {
    let angles = tensor(&numbers(60, 1), DType::F32).reshape([3, 20]) * 50.0;
    let found = kernels::sin_cos(angles.clone());
    let expected = Tensor::cat(vec![angles.clone().sin(), angles.cos()], 1);
    let difference: f32 = (found - expected).abs().max().into_scalar();
    // Reducing an angle of 50 in f32 costs 3·10⁻⁶ in either.
    assert!(difference < 1e-5, "{difference}");
}

#[test]
fn views_and_constants_are_welcome() {
    let x = tensor(&numbers(60, 1), DType::F32).reshape([6, 10]);
    let weight = tensor(&numbers(40, 2), DType::F32).reshape([10, 4]);
    let bias = tensor(&numbers(4, 3), DType::F32);
    let dense = kernels::linear(x.clone(), weight.clone(), bias.clone(), Activation::Silu);
    // A transposed view of a transposed copy, and rows cut from a longer array.
    let view = x.clone().transpose().clone().transpose();
    let longer = Tensor::cat(vec![x.clone(), x.clone()], 0).narrow(0, 6, 6);
    for x in [view, longer] {
        let found = kernels::linear(x, weight.clone(), bias.clone(), Activation::Silu);
        assert_eq!(found.to_data(), dense.to_data());
    }
    // Only the weight asks for a gradient.
    let leaf = weight.autodiff().require_grad();
    let value = kernels::linear(x, leaf.clone(), bias, Activation::Silu);
    let gradients = value.sum().backward();
    assert_eq!(leaf.grad(&gradients).unwrap().dims(), [10, 4]);
}

#[test]
fn other_element_types_take_the_composed_path() {
    let x = tensor(&numbers(6, 1), DType::F64).reshape([2, 3]);
    let weight = tensor(&numbers(6, 2), DType::F64).reshape([3, 2]);
    let bias = tensor(&numbers(2, 3), DType::F64);
    let value = kernels::linear(x, weight, bias, Activation::Tanh);
    assert_eq!(value.dtype(), DType::F64);
}

#[test]
fn not_a_number_is_passed_on() {
    let x = tensor(&[f64::NAN, 1.0], DType::F32).reshape([1, 2]);
    let weight = tensor(&[1.0, 1.0], DType::F32).reshape([2, 1]);
    for f in ACTIVATIONS {
        let bias = tensor(&[0.0], DType::F32);
        let value = flat(kernels::linear(x.clone(), weight.clone(), bias, f));
        assert!(scalar(value).is_nan(), "{f:?}");
    }
}

#[test]
fn controls_of_densities() {
    // Fewer rows than a block has; more, with times that end inside of one; and a time for every row.
    for (times, count, dim, width) in [(3, 5, 2, 8), (3, 200, 2, 8), (7, 1, 3, 4)] {
        let rows = times * count;
        let layers = [dim * width, width, width * width, width, width * width, width, width * dim, dim];
        let sizes = [&[rows * dim, rows * dim, times * width, times], &layers[..]].concat();
        let inputs = |t: &[Tensor<1>]| {
            let layer = |l: usize, from: usize, to: usize| {
                (t[4 + 2 * l].clone().reshape([from, to]), t[5 + 2 * l].clone())
            };
            kernels::Control {
                x: t[0].clone().reshape([rows, dim]),
                guide: t[1].clone().reshape([rows, dim]),
                times: t[2].clone().reshape([times, width]),
                openings: t[3].clone().reshape([times, 1]),
                layers: [
                    layer(0, dim, width),
                    layer(1, width, width),
                    layer(2, width, width),
                    layer(3, width, dim),
                ],
            }
        };
        // A cut that many values reach.
        let clip = 0.7;
        check(
            &format!("control of {times} times {count} rows"),
            &sizes,
            &|t| flat(kernels::control(inputs(t), clip)),
            &|t| flat(reference::control(inputs(t), clip)),
        );
        let cotangents =
            |t: &[Tensor<1>]| tensor(&numbers(rows * dim, 55), t[0].dtype()).reshape([rows, dim]);
        check(
            &format!("product with a control of {times} times {count} rows"),
            &sizes,
            &|t| kernels::control_product(inputs(t), cotangents(t), clip),
            &|t| reference::control_product(inputs(t), cotangents(t), clip),
        );
    }
}
