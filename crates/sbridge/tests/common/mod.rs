//! What the tests share: the two-bump law, derivatives by differences, and the exact law of what a
//! linear sampler makes of a Gaussian.
#![allow(dead_code, unreachable_pub)] // every test file uses its own part

pub mod network;
pub mod posteriors;

use faer::Mat;
use sbridge::marginal::{Mixture, SmoothedScore};
use sbridge::simulate::{Denoiser, Noise};
use sbridge::tensor::{
    DType, Device, Module, ModuleMapper, Param, Tensor, TensorData, from_rows_f64, per_row, to_vec_f64,
};

pub fn device() -> Device {
    Device::flex()
}

/// States of one dimension, in f64.
pub fn line(values: &[f64]) -> Tensor<2> {
    from_rows_f64(values, 1, &device())
}

/// s(z, v) at the rows of `z`, row-major.
pub fn score_at(law: &dyn SmoothedScore, z: &[f64], v: f64) -> Vec<f64> {
    let z = from_rows_f64(z, law.dim(), &device());
    let v = per_row(v, &z);
    to_vec_f64(law.score(z, v))
}

/// Whether `got` is within `tolerance` of `expected`, said with both.
pub fn assert_close(got: f64, expected: f64, tolerance: f64, what: &str) {
    let gap = (got - expected).abs();
    println!("{what}: {got:.8}, expected {expected:.8} ± {tolerance:.1e}"); // shown where a test fails
    assert!(
        gap <= tolerance,
        "{what}: got {got:.10}, expected {expected:.10}, off by {gap:.2e} > {tolerance:.1e}"
    );
}

const BUMP_MEANS: [f64; 2] = [-0.6, 0.6];
const BUMP_VAR: f64 = 0.16;

/// Variance of [`two_bumps`]: 0.6² + 0.16.
pub const BUMPS_VAR: f64 = 0.52;

/// ½ N(0.6, 0.16) + ½ N(−0.6, 0.16), in f64.
pub fn two_bumps() -> Mixture {
    let weights = Tensor::<1>::from_data(TensorData::new(vec![1.0, 1.0], [2]), (&device(), DType::F64));
    Mixture::new(weights, line(&BUMP_MEANS), line(&[BUMP_VAR; 2])).unwrap()
}

/// Density at `z` of the two bumps smoothed with variance `v`.
pub fn two_bumps_density(z: f64, v: f64) -> f64 {
    let bumps = BUMP_MEANS.iter().map(|mean| normal_density(z - mean, BUMP_VAR + v));
    bumps.sum::<f64>() / 2.0
}

/// Density of N(0, var).
pub fn normal_density(z: f64, var: f64) -> f64 {
    (-z * z / (2.0 * var)).exp() / (std::f64::consts::TAU * var).sqrt()
}

/// f′(x) by the five-point formula. With the step 10⁻³ the formula is off by 3·10⁻¹⁴ f⁽⁵⁾ and the
/// rounding of f by 10⁻¹² for values of order one.
pub fn derivative(f: impl Fn(f64) -> f64, x: f64) -> f64 {
    let h = 1e-3;
    (8.0 * (f(x + h) - f(x - h)) - (f(x + 2.0 * h) - f(x - 2.0 * h))) / (12.0 * h)
}

/// `module` with all parameters in f64.
pub fn in_f64<M: Module>(module: M) -> M {
    struct Widen;
    impl ModuleMapper for Widen {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|value| value.cast(DType::F64))
        }
    }
    module.map(&mut Widen)
}

/// Noise that never comes.
pub struct NoNoise;

impl Noise for NoNoise {
    fn draw(&mut self, like: &Tensor<2>) -> Tensor<2> {
        like.zeros_like()
    }
}

/// Noise whose draw k is a unit input to `dim` rows of its own, one per coordinate, and zero for
/// all other rows.
pub struct UnitInputs {
    /// First row of the next draw.
    pub next: usize,
}

impl Noise for UnitInputs {
    fn draw(&mut self, like: &Tensor<2>) -> Tensor<2> {
        let [rows, dim] = like.dims();
        let mut values = vec![0.0; rows * dim];
        for j in 0..dim {
            values[(self.next + j) * dim + j] = 1.0;
        }
        self.next += dim;
        Tensor::from_data(TensorData::new(values, [rows, dim]), (&like.device(), like.dtype()))
    }
}

/// What each unit input adds to the output of `denoiser`, for a score that is affine in the state:
/// one row per coordinate of Z₀, then one per coordinate of every draw.
pub fn responses(denoiser: &Denoiser, score: &dyn SmoothedScore, dtype: DType) -> Mat<f64> {
    let dim = score.dim();
    let inputs = dim * denoiser.variances().len();
    let mut start = vec![0.0; (1 + inputs) * dim];
    for j in 0..dim {
        start[(1 + j) * dim + j] = 1.0;
    }
    // Row 0 has no input at all: what it ends in is the offset of the affine map.
    let start = from_rows_f64(&start, dim, &device()).cast(dtype);
    let out = to_vec_f64(denoiser.run(score, start, &mut UnitInputs { next: 1 + dim }));
    Mat::from_fn(inputs, dim, |i, j| out[(1 + i) * dim + j] - out[j])
}

/// Exact covariance of the output of `denoiser` started with covariance `start`, for a score that
/// is affine in the state.
pub fn output_covariance(denoiser: &Denoiser, score: &dyn SmoothedScore, start: &Mat<f64>) -> Mat<f64> {
    covariance_of(&responses(denoiser, score, DType::F64), start)
}

fn covariance_of(responses: &Mat<f64>, start: &Mat<f64>) -> Mat<f64> {
    let dim = start.nrows();
    let (of_start, of_noise) = responses.split_at_row(dim);
    of_start.transpose() * start * of_start + of_noise.transpose() * of_noise
}

/// The same in one dimension, computed by the library in `dtype`.
pub fn output_variance(denoiser: &Denoiser, score: &dyn SmoothedScore, start: f64, dtype: DType) -> f64 {
    covariance_of(&responses(denoiser, score, dtype), &Mat::from_fn(1, 1, |_, _| start))[(0, 0)]
}
