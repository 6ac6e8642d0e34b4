//! Activation functions and their derivatives, in forms the compiler vectorises.

use std::borrow::Cow;

use crate::array::{Array, buffer};
use crate::elementary::exp;
use crate::vectorise::vectorise;

/// What is applied to every feature after an affine map or a normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// a.
    Identity,
    /// max(a, 0).
    Relu,
    /// a where it is positive, else a/100.
    LeakyRelu,
    /// a σ(a), σ the logistic function.
    Silu,
    /// a tanh(ln(1 + eᵃ)).
    Mish,
    /// a Φ(a), Φ the distribution function of the standard normal law.
    Gelu,
    /// tanh(a).
    Tanh,
    /// σ(a) = 1/(1 + e⁻ᵃ).
    Sigmoid,
}

/// Slope of [`Activation::LeakyRelu`] below zero.
pub(crate) const LEAK: f32 = 0.01;

/// Runs `$body` with `$f` bound to the function and `$slope` to its derivative, so that each loop is
/// compiled for one activation.
macro_rules! for_each_activation {
    ($activation:expr, |$f:ident, $slope:ident| $body:expr) => {{
        use $crate::activation as of;
        match $activation {
            Activation::Identity => {
                let ($f, $slope) = (of::identity, of::identity_slope);
                $body
            }
            Activation::Relu => {
                let ($f, $slope) = (of::relu, of::relu_slope);
                $body
            }
            Activation::LeakyRelu => {
                let ($f, $slope) = (of::leaky_relu, of::leaky_relu_slope);
                $body
            }
            Activation::Silu => {
                let ($f, $slope) = (of::silu, of::silu_slope);
                $body
            }
            Activation::Mish => {
                let ($f, $slope) = (of::mish, of::mish_slope);
                $body
            }
            Activation::Gelu => {
                let ($f, $slope) = (of::gelu, of::gelu_slope);
                $body
            }
            Activation::Tanh => {
                let ($f, $slope) = (of::tanh, of::tanh_slope);
                $body
            }
            Activation::Sigmoid => {
                let ($f, $slope) = (of::sigmoid, of::sigmoid_slope);
                $body
            }
        }
    }};
}

pub(crate) use for_each_activation;

impl Activation {
    /// values ← f(values + bias), row by row.
    pub(crate) fn apply_with_bias(self, values: &mut [f32], bias: &[f32]) {
        for_each_activation!(self, |f, _slope| vectorise(
            #[inline(always)]
            || for row in values.chunks_exact_mut(bias.len()) {
                row.iter_mut().zip(bias).for_each(|(a, b)| *a = f(*a + b));
            }
        ));
    }

    /// values ← values + bias, out ← f(values), row by row.
    pub(crate) fn apply_keeping_argument(self, values: &mut [f32], bias: &[f32], out: &mut [f32]) {
        for_each_activation!(self, |f, _slope| vectorise(
            #[inline(always)]
            || {
                let rows = values.chunks_exact_mut(bias.len()).zip(out.chunks_exact_mut(bias.len()));
                for (row, out) in rows {
                    for ((a, y), b) in row.iter_mut().zip(out).zip(bias) {
                        *a += b;
                        *y = f(*a);
                    }
                }
            }
        ));
    }

    /// out ← gradient · f'(argument), and the sum of its rows.
    pub(crate) fn pull_back(self, gradient: &[f32], argument: &[f32], out: &mut [f32], sums: &mut [f32]) {
        let width = sums.len();
        for_each_activation!(self, |_f, slope| vectorise(
            #[inline(always)]
            || {
                let rows = gradient.chunks_exact(width).zip(argument.chunks_exact(width));
                for ((gradient, argument), out) in rows.zip(out.chunks_exact_mut(width)) {
                    for (((g, a), d), s) in gradient.iter().zip(argument).zip(out).zip(sums.iter_mut()) {
                        *d = g * slope(*a);
                        *s += *d;
                    }
                }
            }
        ));
    }

    /// f(values + bias) as an array of shape `dims`, and what f' is a function of if `save` is set.
    pub(crate) fn finish<const D: usize>(
        self,
        mut values: Vec<f32>,
        bias: &[f32],
        dims: [usize; D],
        save: bool,
    ) -> (Array, Option<Array>) {
        if save && !self.slope_shows_in_value() {
            let mut out = buffer(values.len());
            self.apply_keeping_argument(&mut values, bias, &mut out);
            return (Array::new(out, dims), Some(Array::new(values, dims)));
        }
        self.apply_with_bias(&mut values, bias);
        let out = Array::new(values, dims);
        (out.clone(), save.then_some(out))
    }

    /// The gradient before the activation, ȳ f', flat, and its sum over rows of `width`.
    pub(crate) fn pull_back_array<'a>(
        self,
        gradient: &'a Array,
        argument: &Array,
        width: usize,
    ) -> (Cow<'a, [f32]>, Array) {
        let mut sums = vec![0.0; width];
        if self == Self::Identity {
            add_rows(gradient.values(), &mut sums);
            return (gradient.values().into(), Array::new(sums, [width]));
        }
        let mut out = buffer(gradient.values().len());
        self.pull_back(gradient.values(), argument.values(), &mut out, &mut sums);
        (out.into(), Array::new(sums, [width]))
    }

    /// Whether f' can be had from f(a) in place of a: both have the same sign.
    pub(crate) fn slope_shows_in_value(self) -> bool {
        matches!(self, Self::Identity | Self::Relu | Self::LeakyRelu)
    }
}

/// sums ← sums + the rows of `values`.
fn add_rows(values: &[f32], sums: &mut [f32]) {
    vectorise(
        #[inline(always)]
        || {
            for row in values.chunks_exact(sums.len()) {
                row.iter().zip(sums.iter_mut()).for_each(|(x, sum)| *sum += x);
            }
        },
    );
}

#[inline(always)]
pub(crate) fn identity(a: f32) -> f32 {
    a
}

#[inline(always)]
pub(crate) fn identity_slope(_: f32) -> f32 {
    1.0
}

#[inline(always)]
pub(crate) fn sigmoid(a: f32) -> f32 {
    1.0 / (1.0 + exp(-a))
}

#[inline(always)]
pub(crate) fn sigmoid_slope(a: f32) -> f32 {
    let s = sigmoid(a);
    s * (1.0 - s)
}

#[inline(always)]
pub(crate) fn silu(a: f32) -> f32 {
    a * sigmoid(a)
}

#[inline(always)]
pub(crate) fn silu_slope(a: f32) -> f32 {
    let s = sigmoid(a);
    s + a * (s * (1.0 - s))
}

/// tanh(ln(1 + eᵃ)) = n/(n + 2) with n = w (w + 2), w = eᵃ, and its derivative 4 w (w + 1)/(n + 2)².
#[inline(always)]
fn mish_gate(a: f32) -> (f32, f32) {
    // From here on the gate is one and its derivative zero, to rounding; (n + 2)² stays finite.
    let w = exp(a.min(20.0));
    let n = w * (w + 2.0);
    let inverse = 1.0 / (n + 2.0);
    (n * inverse, 4.0 * w * (w + 1.0) * inverse * inverse)
}

#[inline(always)]
pub(crate) fn mish(a: f32) -> f32 {
    a * mish_gate(a).0
}

#[inline(always)]
pub(crate) fn mish_slope(a: f32) -> f32 {
    let (gate, slope) = mish_gate(a);
    gate + a * slope
}

#[inline(always)]
pub(crate) fn relu(a: f32) -> f32 {
    // Unlike `max`, this passes a NaN on, so that a diverging run is noticed.
    if a < 0.0 { 0.0 } else { a }
}

#[inline(always)]
pub(crate) fn relu_slope(a: f32) -> f32 {
    if a > 0.0 { 1.0 } else { 0.0 }
}

#[inline(always)]
pub(crate) fn leaky_relu(a: f32) -> f32 {
    if a > 0.0 { a } else { LEAK * a }
}

#[inline(always)]
pub(crate) fn leaky_relu_slope(a: f32) -> f32 {
    if a > 0.0 { 1.0 } else { LEAK }
}

#[inline(always)]
pub(crate) fn tanh(a: f32) -> f32 {
    // Near zero the quotient loses digits to cancellation: a Taylor polynomial takes over.
    let square = a * a;
    let near = a * (1.0 + square * (-1.0 / 3.0 + square * (2.0 / 15.0 - square * (17.0 / 315.0))));
    let far = 1.0 - 2.0 / (1.0 + exp(2.0 * a));
    if a.abs() < 0.2 { near } else { far }
}

#[inline(always)]
pub(crate) fn tanh_slope(a: f32) -> f32 {
    let t = tanh(a);
    1.0 - t * t
}

#[inline(always)]
pub(crate) fn gelu(a: f32) -> f32 {
    a * normal_distribution(a, exp(-0.5 * a * a))
}

#[inline(always)]
pub(crate) fn gelu_slope(a: f32) -> f32 {
    gelu_and_slope(a).1
}

/// a Φ(a), and its slope Φ(a) + a φ(a), by one exponential.
#[inline(always)]
pub(crate) fn gelu_and_slope(a: f32) -> (f32, f32) {
    const DENSITY_AT_ZERO: f32 = 0.398_942_3;
    let e = exp(-0.5 * a * a);
    let distribution = normal_distribution(a, e);
    (a * distribution, distribution + a * (DENSITY_AT_ZERO * e))
}

/// Φ(a), where e is exp(−½a²), by the rational approximation 7.1.26 of Abramowitz and Stegun to 10⁻⁷, with its factor ½ and
/// the 1/√2 of its argument inside the constants.
#[inline(always)]
fn normal_distribution(a: f32, e: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.231_641_88 * a.abs());
    let mut p = 0.530_702_7;
    for coefficient in [-0.726_576, 0.710_706_85, -0.142_248_37, 0.127_414_8] {
        p = p * t + coefficient;
    }
    let tail = p * t * e;
    if a < 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectorise::forced::on_every_path;

    const ALL: [Activation; 8] = [
        Activation::Identity,
        Activation::Relu,
        Activation::LeakyRelu,
        Activation::Silu,
        Activation::Mish,
        Activation::Gelu,
        Activation::Tanh,
        Activation::Sigmoid,
    ];

    fn grid() -> Vec<f32> {
        (-3000..=3000).map(|i| i as f32 * 0.01 + 0.003).collect()
    }

    fn values(activation: Activation) -> Vec<f32> {
        let mut values = grid();
        let bias = vec![0.0; values.len()];
        activation.apply_with_bias(&mut values, &bias);
        values
    }

    /// The functions again, in f64 and from other formulas.
    fn exact(activation: Activation, a: f64) -> f64 {
        let sigmoid = 0.5 * (1.0 + (0.5 * a).tanh());
        match activation {
            Activation::Identity => a,
            Activation::Relu => a.max(0.0),
            Activation::LeakyRelu => a.max(f64::from(LEAK) * a),
            Activation::Silu => a * sigmoid,
            Activation::Mish => a * a.exp().ln_1p().tanh(),
            Activation::Gelu => a * normal_distribution_by_quadrature(a),
            Activation::Tanh => a.tanh(),
            Activation::Sigmoid => sigmoid,
        }
    }

    fn normal_distribution_by_quadrature(a: f64) -> f64 {
        let steps = 4000;
        let (from, h) = (-12.0, (a + 12.0).max(0.0) / f64::from(steps));
        let density = |x: f64| (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
        (0..steps).map(|i| h * density(from + (f64::from(i) + 0.5) * h)).sum::<f64>().min(1.0)
    }

    #[test]
    fn values_match_exact_ones() {
        for activation in ALL {
            for (a, value) in grid().into_iter().zip(values(activation)) {
                let expected = exact(activation, f64::from(a));
                // GELU's approximation of Φ is good to 1.5·10⁻⁷, times |a| up to 30; the others round.
                let tolerance = 1e-6 * (1.0 + f64::from(a.abs()));
                assert!((f64::from(value) - expected).abs() < tolerance, "{activation:?}({a})");
            }
        }
    }

    #[test]
    fn slopes_are_central_differences() {
        for activation in ALL {
            let (arguments, ones) = (grid(), vec![1.0; grid().len()]);
            let (mut slopes, mut sums) = (vec![0.0; arguments.len()], vec![0.0; arguments.len()]);
            activation.pull_back(&ones, &arguments, &mut slopes, &mut sums);
            assert_eq!(slopes, sums, "one row is its own sum");
            for (a, slope) in arguments.into_iter().map(f64::from).zip(slopes) {
                let h = 1e-5;
                let expected = (exact(activation, a + h) - exact(activation, a - h)) / (2.0 * h);
                // The quadrature inside GELU is good to 10⁻⁹, which the difference divides by 2·10⁻⁵.
                assert!((f64::from(slope) - expected).abs() < 2e-4, "{activation:?}'({a})");
            }
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        for activation in ALL {
            let bits = on_every_path(|| values(activation).into_iter().map(f32::to_bits).collect::<Vec<_>>());
            for (path, values) in &bits {
                assert_eq!(values, &bits[0].1, "{activation:?} on {path:?}");
            }
        }
    }
}
