//! The Föllmer bridge from the origin: Euler's exact variances, drifts by quadrature, and the
//! convergence of its Monte Carlo estimate.
//!
//! Quadrature goes through the real drift: its draws are the nodes of a rule, and the logarithms of
//! the weights are added to ln f.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{UnitInputs, assert_close, device, line, normal_density, two_bumps, two_bumps_density};
use sbridge::latent::{FoellmerStart, LogRatio};
use sbridge::marginal::{Gaussian, Marginal, Mixture, SmoothedScore};
use sbridge::rng::Rng;
use sbridge::simulate::Noise;
use sbridge::tensor::{DType, Tensor, TensorData, to_vec_f64};

const EPSILON: f64 = 1.0;
const TAU: f64 = 2.0;

/// ln f, plus a constant for all states of one draw.
struct Ratio<F> {
    log_f: F,
    log_weights: Vec<f64>,
}

impl<F: Fn(f64) -> f64> LogRatio for Ratio<F> {
    fn log_ratio(&self, x: Tensor<2>) -> Tensor<1> {
        let y = to_vec_f64(x.clone());
        let batch = y.len() / self.log_weights.len();
        let at = |(row, y): (usize, &f64)| (self.log_f)(*y) + self.log_weights[row / batch];
        let values: Vec<f64> = y.iter().enumerate().map(at).collect();
        Tensor::from_data(TensorData::new(values, [y.len()]), (&x.device(), x.dtype()))
    }
}

/// Equally spaced points. The trapezoidal rule converges faster than any power of the spacing for
/// Gaussian integrands; at ½ and ±9 standard deviations its error is below 10⁻¹⁵.
fn nodes() -> Vec<f64> {
    (-18..=18).map(|i| f64::from(i) * 0.5).collect()
}

/// Nodes for the draws of a drift, unit inputs for the noise of the steps.
struct Quadrature {
    batch: usize,
    steps: UnitInputs,
}

impl Noise for Quadrature {
    fn draw(&mut self, like: &Tensor<2>) -> Tensor<2> {
        if like.dims()[0] == self.batch {
            return self.steps.draw(like);
        }
        let repeated: Vec<f64> = nodes().into_iter().flat_map(|x| vec![x; self.batch]).collect();
        line(&repeated)
    }
}

fn start<F, S>(log_f: F, score: S, log_weights: Vec<f64>, steps: usize) -> FoellmerStart<Ratio<F>, S> {
    let draws = log_weights.len();
    let ratio = Ratio { log_f, log_weights };
    FoellmerStart { ratio, score, epsilon: EPSILON, tau: TAU, draws, steps, centre: line(&[0.0]) }
}

fn quadrature_weights() -> Vec<f64> {
    nodes().into_iter().map(|x| normal_density(x, 1.0).ln()).collect()
}

/// The bridge to N(0, var).
fn to_normal(
    var: f64,
    log_weights: Vec<f64>,
    steps: usize,
) -> FoellmerStart<Ratio<impl Fn(f64) -> f64>, Gaussian> {
    let score = Gaussian::isotropic(&[0.0], var - EPSILON, DType::F64, &device());
    let log_f = move |y: f64| (normal_density(y, var) / normal_density(y, TAU)).ln();
    start(log_f, score, log_weights, steps)
}

/// The bridge to the two bumps smoothed with ε.
fn to_two_bumps(log_weights: Vec<f64>) -> FoellmerStart<Ratio<impl Fn(f64) -> f64>, Mixture> {
    let log_f = |y: f64| (two_bumps_density(y, EPSILON) / normal_density(y, TAU)).ln();
    start(log_f, two_bumps(), log_weights, 100)
}

#[test]
fn drift_to_a_normal_law_is_linear_with_the_known_slope() {
    for (var, t, x) in [(1.52, 0.0, 1.0), (1.52, 0.6, -2.0), (1.25, 0.3, 0.7)] {
        let mut noise = Quadrature { batch: 1, steps: UnitInputs { next: 0 } };
        let drift = to_normal(var, quadrature_weights(), 100).drift(&line(&[x]), t, &mut noise);
        // ln f = −c y²/2 averaged over N(x, τ(1−t)) is −c x²/(2 (1 + cτ(1−t))) up to a constant.
        let c = 1.0 / var - 1.0 / TAU;
        let expected = -c * x / (1.0 + c * TAU * (1.0 - t));
        assert_close(to_vec_f64(drift)[0], expected, 1e-12, &format!("b({x}, {t}), V = {var}")); // rounding
    }
}

#[test]
fn euler_reaches_a_normal_law_with_its_exact_variance() {
    let table = [
        (1.52, 100, 1.524_229_91),
        (1.52, 400, 1.521_056_37),
        (1.25, 100, 1.256_108_87),
        (1.25, 400, 1.251_524_38),
    ];
    for (var, steps, expected) in table {
        // One row per draw, and one that hears nothing.
        let batch = 1 + steps;
        let mut noise = Quadrature { batch, steps: UnitInputs { next: 1 } };
        let out = to_normal(var, quadrature_weights(), steps).run(line(&vec![0.0; batch]), &mut noise);
        let out = to_vec_f64(out);
        let got: f64 = out[1..].iter().map(|x| (x - out[0]).powi(2)).sum();
        assert_close(got, expected, 1e-8, &format!("V = {var}, N = {steps}")); // eight decimals
    }
}

const TWO_BUMP_DRIFTS: [(f64, f64, f64); 3] =
    [(0.5, 0.3, -0.061_798_88), (1.0, 0.5, -0.128_169_27), (-2.0, 0.9, 0.315_272_47)];

#[test]
fn drift_to_the_two_bumps_agrees_with_quadrature() {
    let bridge = to_two_bumps(quadrature_weights());
    for (x, t, expected) in TWO_BUMP_DRIFTS {
        let mut noise = Quadrature { batch: 1, steps: UnitInputs { next: 0 } };
        let got = to_vec_f64(bridge.drift(&line(&[x]), t, &mut noise))[0];
        assert_close(got, expected, 1e-7, &format!("b({x}, {t})")); // eight decimals
    }
}

/// Estimates of b(x, t) from `draws` draws each.
fn estimates(x: f64, t: f64, draws: usize, count: usize, rng: &mut Rng) -> Vec<f64> {
    to_vec_f64(to_two_bumps(vec![0.0; draws]).drift(&line(&vec![x; count]), t, rng))
}

#[test]
fn monte_carlo_drift_converges_at_the_rate_of_its_draws() {
    let count = 400;
    let mut rng = Rng::new(9);
    for (x, t, expected) in TWO_BUMP_DRIFTS {
        let mut errors = |draws: usize| -> Vec<f64> {
            estimates(x, t, draws, count, &mut rng).into_iter().map(|b| b - expected).collect()
        };
        let rms = |errors: &[f64]| (errors.iter().map(|e| e * e).sum::<f64>() / count as f64).sqrt();
        let (few, many) = (errors(32), errors(512));
        // A ratio of 16 in draws is one of 4 in error; each root mean square has a standard error
        // of 1/√800, so 4.5 of them for the pair are 23 %.
        assert_close(rms(&few) / rms(&many), 4.0, 0.23 * 4.0, &format!("b({x}, {t}), 32 → 512 draws"));
        let mean = many.iter().sum::<f64>() / count as f64;
        // 4.5 standard errors; the ratio's bias, of order rms², is far below one.
        assert!(mean.abs() < 4.5 * rms(&many) / (count as f64).sqrt(), "mean error {mean}");
    }
}

/// Mean and variance.
fn moments(samples: &[f64]) -> [f64; 2] {
    let n = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / n;
    [mean, samples.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n]
}

#[test]
fn samples_have_the_variance_of_the_smoothed_law_around_the_centre() {
    let (centre, count) = (3.0, 5000);
    let mut bridge = to_two_bumps(vec![0.0; 16]);
    bridge.centre = line(&[centre]);
    // A density ratio of one, whose score is that of the reference, leaves N(0, τ) about the centre.
    let reference = Gaussian::isotropic(&[0.0], TAU - EPSILON, DType::F64, &device());
    let mut silent = start(|_| 0.0, reference, vec![0.0; 16], 100);
    silent.centre = line(&[centre]);
    let [mean, var] = moments(&to_vec_f64(bridge.sample(count, &mut Rng::new(10))));
    let [_, of_silence] = moments(&to_vec_f64(silent.sample(count, &mut Rng::new(10))));
    let expected = common::BUMPS_VAR + EPSILON;
    assert_eq!(SmoothedScore::dim(&bridge.score), 1);
    assert_close(mean, centre, 4.5 * (expected / count as f64).sqrt(), "mean"); // 4.5 standard errors
    // 4.5 standard errors √(2/n) V, one of which is 2 %; Euler's bias at 100 steps is 0.3 %.
    let allowed = expected * 4.5 * (2.0 / count as f64).sqrt();
    assert_close(var, expected, allowed, "variance");
    assert!((of_silence - expected).abs() > allowed, "the reference passes: {of_silence}");
}
