//! Scores and samplers against closed forms: exact output variances of linear samplers, gradients
//! of log-densities, marginals of the bridge.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::Mutex;

use common::{
    BUMPS_VAR, NoNoise, assert_close, derivative, device, in_f64, line, output_variance, score_at, two_bumps,
    two_bumps_density,
};
use faer::mat;
use sbridge::Rng;
use sbridge::marginal::{Convolved, Empirical, Gaussian, Marginal, Mixture, SmoothedScore};
use sbridge::net::{NoisePredictor, Parametrisation, ResidualMlpSettings};
use sbridge::simulate::{self, Denoiser, EndRule, StepRule, VarGrid};
use sbridge::tensor::{DType, Tensor, from_rows_f64, to_vec_f64};
use sbridge_ot::{Points, bures_wasserstein2};

/// N(0, var) on the line, in f64.
fn normal(var: f64) -> Gaussian {
    Gaussian::isotropic(&[0.0], var, DType::F64, &device())
}

/// The uniform grid from variance 1 down to `one_minus_t`.
fn uniform(steps: usize, one_minus_t: f64, step: StepRule, end: EndRule) -> Denoiser {
    Denoiser::new(VarGrid::Uniform.variances(1.0, one_minus_t, steps).unwrap(), step, end).unwrap()
}

fn euler(steps: usize) -> Denoiser {
    uniform(steps, 0.0, StepRule::Euler, EndRule::Plain)
}

// ---- Scores ----

#[test]
fn two_bump_score_has_its_tabulated_values() {
    let law = two_bumps();
    let table = [
        (1.0, 1.0, -0.616_085_466_9),
        (1.0, 0.5, -0.859_973_666_8),
        (1.0, 0.25, -1.124_418_889_8),
        (1.0, 0.05, -1.923_548_541_3),
        (0.3, 0.05, 0.556_521_915_2),
    ];
    for (z, v, expected) in table {
        // The table has ten decimals.
        assert_close(score_at(&law, &[z], v)[0], expected, 1e-9, &format!("s({z}, {v})"));
    }
}

/// Checks every component of the score against differences of the log-density.
fn assert_is_gradient(law: &dyn SmoothedScore, log_density: impl Fn(&[f64], f64) -> f64) {
    let dim = law.dim();
    let points = Rng::new(1).uniform(6 * dim, -2.0, 2.0);
    for v in [1.7, 0.4, 0.05] {
        let score = score_at(law, &points, v);
        for (row, z) in points.chunks(dim).enumerate() {
            for j in 0..dim {
                let along = |x: f64| {
                    let mut moved = z.to_vec();
                    moved[j] = x;
                    log_density(&moved, v)
                };
                // Fifth derivatives up to 10⁴ at v = 0.05, see `derivative`; scores are of order 10.
                assert_close(
                    score[row * dim + j],
                    derivative(along, z[j]),
                    1e-8,
                    &format!("s_{j}({z:?}, {v})"),
                );
            }
        }
    }
}

#[test]
fn two_bump_score_is_the_gradient_of_the_log_density() {
    assert_is_gradient(&two_bumps(), |z, v| two_bumps_density(z[0], v).ln());
}

#[test]
fn score_of_an_uneven_mixture_in_the_plane_is_the_gradient_of_its_log_density() {
    let (weights, means, variances) = ([0.2, 0.8], [[1.0, -0.5], [-0.3, 0.7]], [[0.1, 0.9], [0.5, 0.2]]);
    let rows = |x: [[f64; 2]; 2]| from_rows_f64(&x.concat(), 2, &device());
    let given = from_rows_f64(&weights, 2, &device()).reshape([2]);
    let law = Mixture::new(given, rows(means), rows(variances)).unwrap();
    assert_is_gradient(&law, |z, v| {
        let component = |k: usize| {
            let along = |j: usize| common::normal_density(z[j] - means[k][j], variances[k][j] + v);
            weights[k] * along(0) * along(1)
        };
        (component(0) + component(1)).ln()
    });
}

#[test]
fn score_of_a_correlated_gaussian_is_the_gradient_of_its_log_density() {
    let mean = vec![0.5, -1.0];
    let law = sbridge_ot::Gaussian::new(mean.clone(), mat![[1.0, 0.6], [0.6, 0.5]]).unwrap();
    assert_is_gradient(&Gaussian::new(&law, DType::F64, &device()).unwrap(), |z, v| {
        let smoothed = sbridge_ot::Gaussian::new(mean.clone(), mat![[1.0 + v, 0.6], [0.6, 0.5 + v]]).unwrap();
        smoothed.log_density(&Points::new(z.to_vec(), 2).unwrap()).unwrap()[0]
    });
}

#[test]
fn score_of_a_sample_is_that_of_a_mixture_of_points() {
    let rows = from_rows_f64(&Rng::new(2).uniform(14, -1.0, 1.0), 2, &device());
    let narrow = 1e-12;
    let weights = Tensor::<1>::ones([7], (&device(), DType::F64));
    let mixture = Mixture::new(weights, rows.clone(), rows.full_like(narrow)).unwrap();
    let sample = Empirical::new(rows);
    let z = Rng::new(3).uniform(1200, -2.0, 2.0); // 600 states: three blocks of the kernel matrix
    for v in [2.0, 0.1, 0.01] {
        let (a, b) = (score_at(&sample, &z, v), score_at(&mixture, &z, v));
        // The width of the points changes scores of order 1/v by a factor 1 + 10⁻¹²/v.
        let gap = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(gap < 1e-7, "{gap} at v = {v}");
    }
}

// ---- Marginals of the bridge ----

#[test]
fn simulated_paths_have_the_variances_of_the_bridge() {
    let paths = 20_000;
    let mut rng = Rng::new(8);
    let start = Convolved::new(two_bumps(), 1.0).sample(paths, &mut rng);
    let mut seen = Vec::new();
    let mut observe = |v: f64, z: &Tensor<2>| {
        if [0.75, 0.5, 0.25].iter().any(|at| (v - at).abs() < 1e-9) {
            seen.push((v, to_vec_f64(z.clone().powi_scalar(2).mean())[0]));
        }
    };
    let denoiser = uniform(500, 0.25, StepRule::Euler, EndRule::Plain);
    denoiser.run_observed(&two_bumps(), start, &mut rng, &mut observe);
    assert_eq!(seen.len(), 3);
    // 4.5 standard errors of a variance from 20 000 samples, and Euler's bias at 500 steps.
    for ((v, var), tolerance) in seen.into_iter().zip([0.060, 0.048, 0.036]) {
        assert_close(var, BUMPS_VAR + v, tolerance, &format!("variance at v = {v}"));
    }
}

// ---- Exact variances of linear samplers ----

/// Output variances for p = N(0, s²), ε = 1, a uniform grid to v = 0: s², N, then Euler, Euler with
/// Tweedie, ancestral, Euler on the flow, Heun on the flow.
const OUTPUT_VARIANCES: [(f64, usize, [f64; 5]); 4] = [
    (1.0, 50, [1.007_558_33, 0.968_433_61, 0.938_761_45, 1.002_503_05, 1.000_080_16]),
    (1.0, 200, [1.001_878_65, 0.991_934_50, 0.978_221_35, 1.000_625_19, 1.000_005_06]),
    (0.25, 50, [0.259_864_19, 0.222_791_66, 0.210_597_76, 0.254_030_83, 0.250_286_99]),
    (0.25, 200, [0.252_416_53, 0.242_614_89, 0.234_366_30, 0.251_001_98, 0.250_018_72]),
];

const RULES: [(StepRule, EndRule); 5] = [
    (StepRule::Euler, EndRule::Plain),
    (StepRule::Euler, EndRule::Tweedie),
    (StepRule::Ancestral, EndRule::Plain),
    (StepRule::OdeEuler, EndRule::Plain),
    (StepRule::OdeHeun, EndRule::Plain),
];

fn assert_output_variances(
    var: f64,
    steps: usize,
    expected: [f64; 5],
    law: &dyn SmoothedScore,
    dtype: DType,
) {
    // The table has eight decimals; f32 rounds 200 steps of factors near one.
    let tolerance = if dtype == DType::F64 { 1e-8 } else { 1e-5 };
    for ((step, end), expected) in RULES.into_iter().zip(expected) {
        let got = output_variance(&uniform(steps, 0.0, step, end), law, var + 1.0, dtype);
        assert_close(got, expected, tolerance, &format!("{step:?} {end:?}, s² = {var}, N = {steps}"));
    }
}

#[test]
fn output_variances_of_normal_laws_are_exact() {
    let narrow = (0.0625, 200, [0.065_057_92, 0.055_776_68, 0.052_634_10, 0.063_687_27, 0.062_570_83]);
    for (var, steps, expected) in OUTPUT_VARIANCES.into_iter().chain([narrow]) {
        for dtype in [DType::F64, DType::F32] {
            let law = Gaussian::isotropic(&[0.0], var, dtype, &device());
            assert_output_variances(var, steps, expected, &law, dtype);
        }
    }
}

#[test]
fn a_point_is_left_with_the_noise_of_the_last_step() {
    for steps in [1, 7, 50] {
        let at = |step, end| output_variance(&uniform(steps, 0.0, step, end), &normal(0.0), 1.0, DType::F64);
        // Roundings of a few operations on numbers of order one, then squared or not.
        assert_close(at(StepRule::Euler, EndRule::Plain), 1.0 / steps as f64, 1e-14, "ε/N");
        assert_close(at(StepRule::Euler, EndRule::Tweedie), 0.0, 1e-28, "posterior mean of a point");
        assert_close(at(StepRule::Ancestral, EndRule::Plain), 0.0, 1e-28, "posterior of a point");
    }
}

#[test]
fn multistep_rules_are_of_second_order_and_exact_for_a_point() {
    let at = |rule, var: f64, steps| {
        let variances = VarGrid::Power { rho: 7.0 }.variances(1.0, 1e-3, steps).unwrap();
        let denoiser = Denoiser::new(variances, rule, EndRule::Plain).unwrap();
        output_variance(&denoiser, &normal(var), var + 1.0, DType::F64)
    };
    for (rule, var) in [StepRule::Multistep, StepRule::OdeMultistep]
        .into_iter()
        .flat_map(|rule| [1.0, 0.25].map(|var| (rule, var)))
    {
        let error = |steps| (at(rule, var, steps) - (var + 1e-3)).abs();
        // Twice the steps, a quarter of the error; the next order at 80 steps, and the first step, which is of first order.
        let order = (error(80) / error(160)).log2();
        assert!((1.7..2.3).contains(&order), "{rule:?}, s² = {var}: order {order}");
        assert!(
            error(20) < 0.2 * (at(StepRule::Euler, var, 20) - (var + 1e-3)).abs(),
            "{rule:?}, s² = {var}"
        );
    }
    for rule in [StepRule::Multistep, StepRule::OdeMultistep] {
        // A point is denoised to itself from anywhere.
        assert_close(at(rule, 0.0, 7), 1e-3, 1e-16, "point"); // roundings of 1e-3
    }
}

#[test]
fn output_variances_are_read_off_every_rule() {
    let variances = VarGrid::Power { rho: 7.0 }.variances(1.0, 1e-3, 12).unwrap();
    for (rule, end) in [
        (StepRule::Euler, EndRule::Plain),
        (StepRule::Ancestral, EndRule::Tweedie),
        (StepRule::OdeHeun, EndRule::Tweedie),
        (StepRule::Multistep, EndRule::Tweedie),
        (StepRule::OdeMultistep, EndRule::Plain),
    ] {
        let denoiser = Denoiser::new(variances.clone(), rule, end).unwrap();
        let known = output_variance(&denoiser, &normal(0.25), 1.25, DType::F64);
        let found = simulate::exact_output_variance(&denoiser, &normal(0.25), 1.25);
        assert_close(found, known, 1e-13, &format!("{rule:?} {end:?}")); // roundings of a dozen steps
    }
}

#[test]
fn output_variances_on_geometric_and_power_grids_are_exact() {
    let vars = [1.0, 0.25, 0.0625, 0.0];
    let geometric = [1.018_701_92, 0.262_561_98, 0.067_623_41, 0.001_148_01];
    let power = [1.015_718_83, 0.260_945_07, 0.067_281_97, 0.001_181_33];
    for (grid, expected) in [(VarGrid::Geometric, geometric), (VarGrid::Power { rho: 7.0 }, power)] {
        let variances = grid.variances(1.0, 1e-3, 50).unwrap();
        let denoiser = Denoiser::new(variances, StepRule::Euler, EndRule::Plain).unwrap();
        for (var, expected) in vars.into_iter().zip(expected) {
            let got = output_variance(&denoiser, &normal(var), var + 1.0, DType::F64);
            assert_close(got, expected, 1e-8, &format!("{grid:?}, s² = {var}")); // eight decimals
        }
    }
}

#[test]
fn an_untrained_predictor_samples_the_unit_normal_law() {
    let settings = ResidualMlpSettings { width: 8, blocks: 1, time_features: 4 };
    let mut rng = Rng::new(4);
    let narrow = NoisePredictor::new(1, Parametrisation::Preconditioned, &settings, &mut rng, &device());
    let wide = in_f64(narrow.clone());
    for (var, steps, expected) in OUTPUT_VARIANCES.into_iter().filter(|(var, ..)| *var == 1.0) {
        assert_output_variances(var, steps, expected, &narrow, DType::F32);
        assert_output_variances(var, steps, expected, &wide, DType::F64);
    }
}

// ---- Stopping early ----

fn normal_w2(a: f64, b: f64) -> f64 {
    let law = |var| sbridge_ot::Gaussian::isotropic(vec![0.0], var).unwrap();
    bures_wasserstein2(&law(a), &law(b)).unwrap().sqrt()
}

#[test]
fn stopping_early_costs_what_the_noise_left_costs() {
    let table = [
        (1.0, 0.1, 0.048_808_85),
        (1.0, 0.01, 0.004_987_56),
        (0.5, 0.1, 0.091_607_98),
        (0.5, 0.01, 0.009_901_95),
    ];
    for (std, v, expected) in table {
        let var = std * std;
        assert_close(normal_w2(var + v, var), expected, 1e-8, "closed form"); // eight decimals
        assert!(expected <= f64::sqrt(v));
        let denoiser = uniform(1000, v, StepRule::OdeHeun, EndRule::Plain);
        let output = output_variance(&denoiser, &normal(var), var + 1.0, DType::F64);
        // Heun is second order: its error at 200 steps, 2·10⁻⁵ at most, divided by 25.
        assert_close(normal_w2(output, var), expected, 1e-6, &format!("sampler, s = {std}, v = {v}"));
    }
}

#[test]
fn stopping_error_is_linear_in_the_variance_left_unless_the_law_is_a_point() {
    let slope = |var: f64| (normal_w2(var + 1e-3, var) / normal_w2(var + 1e-4, var)).log10();
    // √(s²+v) − s has the relative second-order term −v/4s², 10⁻³/4 here.
    assert_close(slope(1.0), 1.0, 3e-4, "smooth law");
    // √v exactly, to the rounding of squared distances.
    assert_close(slope(0.0), 0.5, 1e-9, "point");
}

// ---- Step error ----

#[test]
fn variance_from_gains_agrees_with_unit_inputs() {
    for var in [1.0, 0.25] {
        let (a, b) = (
            simulate::exact_output_variance(&euler(200), &normal(var), var + 1.0),
            output_variance(&euler(200), &normal(var), var + 1.0, DType::F64),
        );
        assert_close(a, b, 1e-12, "two ways to the same variance"); // 200 steps of rounding
    }
}

#[test]
fn variance_bias_of_euler_is_first_order_with_the_known_constant() {
    let steps = 20_000;
    for (var, expected) in [(1.0, 0.375_01), (0.25, 0.480_03), (0.0625, 0.498_40)] {
        let bias = simulate::exact_output_variance(&euler(steps), &normal(var), var + 1.0) - var;
        // The table has five decimals; rounding adds 20 000 · 10⁻¹³.
        assert_close(bias * steps as f64, expected, 1e-5, &format!("N (V − s²), s² = {var}"));
        // (ε/2)(1 − (s²/(s²+ε))²) is the limit; the next order, larger for narrow laws, is below 3/N.
        let limit = 0.5 * (1.0 - (var / (var + 1.0)).powi(2));
        assert_close(bias * steps as f64, limit, 3.0 / steps as f64, "first-order constant");
    }
}

#[test]
fn step_error_in_w2_falls_as_one_over_the_steps_or_their_root_for_a_point() {
    let slope = |var: f64| {
        let at =
            |steps| normal_w2(simulate::exact_output_variance(&euler(steps), &normal(var), var + 1.0), var);
        (at(3200) / at(1600)).log2()
    };
    for var in [1.0, 0.25, 0.0625] {
        assert_close(slope(var), -1.0, 0.002, &format!("s² = {var}")); // next order at 1600 steps
    }
    assert_close(slope(0.0), -0.5, 1e-9, "point"); // exact: W2 = √(ε/N)
}

// ---- Memorising ----

#[test]
fn the_score_of_one_point_returns_the_point_and_the_noise_left() {
    let point = 0.3;
    let law = Empirical::new(line(&[point]));
    for (steps, expected) in [(50, 0.110_560_81), (200, 0.102_516_60), (1000, 0.100_496_66)] {
        let denoiser = uniform(steps, 0.1, StepRule::Euler, EndRule::Plain);
        let got = output_variance(&denoiser, &law, 1.0, DType::F64);
        assert_close(got, expected, 1e-8, &format!("N = {steps}")); // eight decimals
        let end = to_vec_f64(denoiser.run(&law, line(&[point]), &mut NoNoise))[0];
        assert_close(end, point, 1e-12, "the point is its own mean"); // rounding of (z₁ − z)/v
    }
}

#[test]
fn the_score_of_a_sample_returns_its_rows_and_the_noise_left() {
    // Eight points far apart in the plane.
    let rows: Vec<f64> = (0..8).flat_map(|i| [f64::from(i % 4) * 6.0, f64::from(i / 4) * 6.0]).collect();
    let law = Empirical::new(from_rows_f64(&rows, 2, &device()));
    let (epsilon, v_end, count) = (4.0, 0.02, 2000);
    let variances = VarGrid::Geometric.variances(epsilon, v_end / epsilon, 200).unwrap();
    let denoiser = Denoiser::new(variances, StepRule::Euler, EndRule::Plain).unwrap();
    let mut rng = Rng::new(5);
    let start = Convolved::new(law.clone(), epsilon).sample(count, &mut rng);
    let samples = Points::new(to_vec_f64(denoiser.run(&law, start, &mut rng)), 2).unwrap();
    let nearest = sbridge_ot::nearest_neighbours(&samples, &Points::new(rows, 2).unwrap(), 1).unwrap();
    let distances = nearest.farthest_distances();
    let mean = distances.iter().sum::<f64>() / count as f64;
    // The mean of a Rayleigh law is √(π/2) σ; its standard deviation 0.66 σ gives 4.5 standard errors
    // of 0.066 σ; the variance falls by 200^(1/200) in the last step, which adds 1.3 % to σ.
    let std = f64::sqrt(v_end);
    assert_close(mean / std, 1.253_314, 0.066 + 0.017, "mean distance to the nearest row");
}

// ---- What the sampler asks of the score ----

/// Keeps the smallest variance asked for in every call.
struct Watched<'a> {
    law: &'a dyn SmoothedScore,
    asked: Mutex<Vec<f64>>,
}

impl SmoothedScore for Watched<'_> {
    fn dim(&self) -> usize {
        self.law.dim()
    }

    fn score(&self, z: Tensor<2>, v: Tensor<1>) -> Tensor<2> {
        let smallest = to_vec_f64(v.clone()).into_iter().fold(f64::INFINITY, f64::min);
        self.asked.lock().unwrap().push(smallest);
        self.law.score(z, v)
    }
}

#[test]
fn sampler_announces_its_calls_and_its_smallest_variance() {
    let law = normal(1.0);
    let steps = [
        StepRule::Euler,
        StepRule::Ancestral,
        StepRule::OdeEuler,
        StepRule::OdeHeun,
        StepRule::Multistep,
        StepRule::OdeMultistep,
    ];
    for (step, end, rest) in steps.into_iter().flat_map(|step| {
        let ends = [EndRule::Plain, EndRule::Tweedie];
        ends.into_iter().flat_map(move |end| [0.0, 0.1].map(|rest| (step, end, rest)))
    }) {
        let denoiser = uniform(10, rest, step, end);
        let watched = Watched { law: &law, asked: Mutex::default() };
        denoiser.run(&watched, line(&[0.5]), &mut NoNoise);
        let asked = watched.asked.into_inner().unwrap();
        let smallest = asked.iter().copied().fold(f64::INFINITY, f64::min);
        assert_eq!(asked.len(), denoiser.score_calls(), "{step:?} {end:?} {rest}");
        assert_eq!(smallest, denoiser.smallest_query(), "{step:?} {end:?} {rest}");
        assert!(smallest > 0.0);
    }
}
