//! LightSB against Gaussian bridges in closed form, quadrature, and its own simulated paths.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::ops::ControlFlow;
use std::sync::Arc;

use common::{assert_close, device};
use faer::{Mat, mat};
use rayon::prelude::*;
use sbridge::simulate::{Flow, mean_state};
use sbridge::solver::Frame;
use sbridge::solver::light_sb::{LightPotential, LightSb, LightSbSettings};
use sbridge::tensor::{DType, Tensor, TensorData, from_rows_f64, per_row, to_vec_f64};
use sbridge::{Bridge, Direction, Error, PairBridge, Rng};
use sbridge_ot::{Gaussian, GaussianBridge, Points};

/// A fit that nobody stops.
fn go_on(_: Direction, _: usize, _: f64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// The potential whose plan is the Gaussian bridge's: y | x ~ N(r + S x, ε S) with S = S₀⁻¹C.
fn of_gaussians(bridge: &GaussianBridge, source: &Gaussian, target: &Gaussian) -> LightPotential {
    let inverse = Mat::from_fn(2, 2, |i, j| {
        let s = source.cov();
        let det = s[(0, 0)] * s[(1, 1)] - s[(0, 1)] * s[(1, 0)];
        if i == j { s[(1 - i, 1 - i)] / det } else { -s[(i, j)] / det }
    });
    let slope = inverse * bridge.cross_covariance();
    // Only a symmetric slope is a covariance; rounding makes it slightly less so.
    let slope = Mat::from_fn(2, 2, |i, j| 0.5 * (slope[(i, j)] + slope[(j, i)]));
    let centre =
        (0..2).map(|i| target.mean()[i] - (0..2).map(|j| slope[(i, j)] * source.mean()[j]).sum::<f64>());
    let factor = slope.llt(faer::Side::Lower).unwrap().L().to_owned();
    LightPotential::from_factors(bridge.epsilon(), vec![0.0], vec![centre.collect()], vec![factor]).unwrap()
}

#[test]
fn one_gaussian_is_the_gaussian_bridge() {
    let source = Gaussian::new(vec![0.3, -0.2], mat![[1.0, 0.3], [0.3, 0.5]]).unwrap();
    let target = Gaussian::new(vec![-1.0, 2.0], mat![[0.8, -0.4], [-0.4, 1.5]]).unwrap();
    for epsilon in [0.1, 1.0, 4.0] {
        let bridge = GaussianBridge::new(&source, &target, epsilon).unwrap();
        let potential = of_gaussians(&bridge, &source, &target);
        for t in [0.0, 0.3, 0.9, 0.999] {
            let expected = bridge.forward_drift(t);
            for x in [[0.1, -0.7], [2.0, 1.0]] {
                let drift = potential.drift(t, &x);
                let known = expected.apply(&x);
                for (a, b) in drift.iter().zip(&known) {
                    assert_close(*a, *b, 1e-8 / (1.0 - t), &format!("ε = {epsilon}, t = {t}")); // rounding over 1 − t
                }
            }
        }
    }
}

#[test]
fn states_at_times_of_their_own_have_the_drift_they_have_alone() {
    let potential = two_components(0.6);
    let frame = Frame { means: [vec![0.5], vec![-1.0]], scale: 2.0 };
    let bridge = LightSb { frame, forward: potential.clone(), backward: potential };
    // More than a block of states, times in no order, some of them alike.
    let count = 700;
    let times: Vec<f64> = (0..count).map(|k| ((k * 37) % 90) as f64 / 100.0).collect();
    let states = Rng::new(5).normal([count, 1], &device()).cast(DType::F64);
    let column = Tensor::from_data(TensorData::new(times.clone(), [count]), (&device(), DType::F64));
    for direction in [Direction::Forward, Direction::Backward] {
        let together = to_vec_f64(bridge.drift(direction, column.clone(), states.clone()));
        for row in (0..count).step_by(50) {
            let x = states.clone().narrow(0, row, 1);
            let alone = to_vec_f64(bridge.drift(direction, per_row(times[row], &x), x.clone()))[0];
            // The same operations in the same order, but for products of matrices of other sizes.
            assert_close(together[row], alone, 1e-12 * (1.0 + alone.abs()), "drift");
        }
    }
}

/// Two components on the line.
fn two_components(epsilon: f64) -> LightPotential {
    let factors = [0.3f64, 0.8].map(|s| mat![[s.sqrt()]]).to_vec();
    LightPotential::from_factors(epsilon, vec![-0.2, -1.1], vec![vec![1.2], vec![-0.7]], factors).unwrap()
}

#[test]
fn drift_is_the_gradient_of_the_potential_carried_back() {
    let epsilon = 0.6;
    let potential = two_components(epsilon);
    // ln v(y), and h_t(x) = ∫ N(y | x, ε(1−t)) e^{y²/2ε} v(y) dy by the trapezoidal rule; v₊ = ε ∂ ln h_t.
    let v = |y: f64| {
        let term = |a: f64, r: f64, s: f64| a.exp() * common::normal_density(y - r, epsilon * s);
        term(-0.2, 1.2, 0.3) + term(-1.1, -0.7, 0.8)
    };
    for t in [0.1, 0.5, 0.8] {
        let h = |x: f64| {
            let width = 0.005;
            let integrand = |y: f64| {
                common::normal_density(y - x, epsilon * (1.0 - t)) * (y * y / (2.0 * epsilon)).exp() * v(y)
            };
            (-4000..=4000).map(|i| width * integrand(f64::from(i) * width)).sum::<f64>().ln()
        };
        for x in [-1.5, 0.2, 2.0] {
            let expected = epsilon * common::derivative(h, x);
            assert_close(potential.drift(t, &[x])[0], expected, 1e-8, &format!("t = {t}, x = {x}")); // five-point formula
        }
    }
}

#[test]
fn simulated_paths_end_in_the_plan() {
    let epsilon = 0.6;
    let (potential, count, steps) = (two_components(epsilon), 20_000, 500);
    let mut rng = Rng::new(1);
    let start = vec![0.4; count];
    let moments = |values: &[f64]| {
        let mean = values.iter().sum::<f64>() / count as f64;
        (mean, values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count as f64)
    };
    let (mean, covariance) = potential.conditional_moments(&[0.4]);
    let mean = mean[0];
    let var = covariance[(0, 0)];
    let (drawn_mean, drawn_var) = moments(&potential.sample(&start, &mut rng));
    let mut x = start;
    let h = 1.0 / steps as f64;
    for k in 0..steps {
        let drift = potential.drift(k as f64 * h, &x);
        let mut noise = vec![0f32; count];
        rng.fill_normal(&mut noise);
        for ((x, v), z) in x.iter_mut().zip(drift).zip(noise) {
            *x += h * v + (epsilon * h).sqrt() * f64::from(z);
        }
    }
    let (walked_mean, walked_var) = moments(&x);
    // 4.5 standard errors; the fourth moment of two bumps is below that of a Gaussian.
    let (of_mean, of_var) = (4.5 * (var / count as f64).sqrt(), 4.5 * var * (2.0 / count as f64).sqrt());
    assert_close(drawn_mean, mean, of_mean, "mean of draws");
    assert_close(drawn_var, var, of_var, "variance of draws");
    // Euler leaves ε/N of noise and an error of first order besides.
    assert_close(walked_mean, mean, of_mean + 3.0 * h, "mean of paths");
    assert_close(walked_var, var, of_var + 3.0 * h, "variance of paths");
}

/// A pair of Gaussian laws, by what they do to each other.
fn laws(kind: &str, dim: usize) -> [Gaussian; 2] {
    let diagonal = |f: &dyn Fn(usize) -> f64| Mat::from_fn(dim, dim, |i, j| if i == j { f(i) } else { 0.0 });
    let stretched = diagonal(&|i| if i % 2 == 0 { 1.5 } else { 0.4 });
    let (mean, cov) = match kind {
        "equal" => (0.0, diagonal(&|_| 1.0)),
        "shifted" => (3.0, diagonal(&|_| 1.0)),
        "anisotropic" => (0.0, stretched),
        _ => {
            // Pairs of axes turned by 30 degrees.
            let turn = Mat::from_fn(dim, dim, |i, j| match (i / 2 == j / 2, i == j) {
                (true, true) if dim.is_multiple_of(2) || i + 1 < dim => 0.75f64.sqrt(),
                (_, true) => 1.0,
                (true, false) => {
                    if i < j {
                        -0.5
                    } else {
                        0.5
                    }
                }
                _ => 0.0,
            });
            (0.5, &turn * stretched * turn.transpose())
        }
    };
    [Gaussian::isotropic(vec![0.0; dim], 1.0).unwrap(), Gaussian::new(vec![mean; dim], cov).unwrap()]
}

fn rows_of(law: &Gaussian, count: usize, rng: &mut Rng) -> Tensor<2> {
    let dim = law.dim();
    let factor = law.cov().llt(faer::Side::Lower).unwrap().L().to_owned();
    let z = to_vec_f64(rng.normal([count, dim], &device()));
    let row = |z: &[f64]| -> Vec<f64> {
        (0..dim).map(|i| law.mean()[i] + (0..=i).map(|j| factor[(i, j)] * z[j]).sum::<f64>()).collect()
    };
    from_rows_f64(&z.chunks(dim).flat_map(row).collect::<Vec<_>>(), dim, &device())
}

/// The largest error of samples that `fitted` carries from `starts`, beside the bridge in closed form, in units of what is
/// allowed.
fn largest_error(
    fitted: &LightSb,
    starts: &[Tensor<2>; 2],
    laws: &[Gaussian; 2],
    exact: &GaussianBridge,
) -> f64 {
    let ([count, dim], mut worst) = (starts[0].dims(), 0.0f64);
    // 4.5 standard errors √(2/n) of a variance of one, for the sample fitted to and for the one carried; variances
    // go up to 1.5.
    let allowed = 2.0 * 4.5 * (2.0 / count as f64).sqrt();
    for direction in [Direction::Forward, Direction::Backward] {
        let ([start, _], [_, law]) = (direction.along(starts.each_ref()), direction.along(laws.each_ref()));
        let end = fitted.transport(direction, start, &mut Rng::new(7));
        let joint = Points::new(to_vec_f64(Tensor::cat(vec![start.clone(), end], 1)), 2 * dim).unwrap();
        let (mean, cov) = (joint.mean(), joint.covariance().unwrap());
        let mut compare = |what: &str, found: f64, known: f64, allowed: f64| {
            println!("{direction:?}, {what}: {found:.4}, expected {known:.4} ± {allowed:.4}");
            worst = worst.max((found - known).abs() / allowed);
        };
        for i in 0..dim {
            compare("mean", mean[dim + i], law.mean()[i], allowed);
            for j in 0..dim {
                compare("covariance", cov[(dim + i, dim + j)], law.cov()[(i, j)], 1.5 * allowed);
                let [a, b] = direction.along([i, j]);
                compare(
                    "cross-covariance",
                    cov[(i, dim + j)],
                    exact.cross_covariance()[(a, b)],
                    1.5 * allowed,
                );
            }
        }
    }
    worst
}

/// Fits between samples of Gaussian laws: it is the bridge in closed form, and not that of ten times the noise.
fn assert_conforms(kind: &str, dim: usize, epsilon: f64) {
    let (count, laws) = (20_000, laws(kind, dim));
    let mut rng = Rng::new(5);
    let mut draw = || laws.each_ref().map(|law| rows_of(law, count, &mut rng));
    let ([x, y], starts) = (draw(), draw());
    let settings = LightSbSettings { components: 3, steps: 2000, ..Default::default() };
    let fitted = LightSb::fit(&x, &y, epsilon, &settings, &Rng::new(6), &mut go_on).unwrap();
    let error = |epsilon: f64| {
        let exact = GaussianBridge::new(&laws[0], &laws[1], epsilon).unwrap();
        largest_error(&fitted, &starts, &laws, &exact)
    };
    let (found, control) = (error(epsilon), error(10.0 * epsilon));
    assert!(found <= 1.0, "{kind}, d = {dim}, ε = {epsilon}: {found} of what is allowed");
    assert!(control > 1.0, "{kind}, d = {dim}, ε = {epsilon}: ten times the noise passes");
}

#[test]
fn fitted_bridges_have_the_moments_of_the_closed_form() {
    let mut cases = vec![("rotated", 20, 1.0)];
    for kind in ["equal", "shifted", "anisotropic", "rotated"] {
        for dim in [1, 2, 5] {
            cases.extend([0.1, 1.0, 4.0].map(|epsilon| (kind, dim, epsilon)));
        }
    }
    cases.into_par_iter().for_each(|(kind, dim, epsilon)| assert_conforms(kind, dim, epsilon));
}

#[test]
fn drifts_both_ways_obey_nelsons_identity_on_gaussians() {
    let [source, target] = laws("rotated", 2);
    let mut rng = Rng::new(6);
    let (x, y) = (rows_of(&source, 20_000, &mut rng), rows_of(&target, 20_000, &mut rng));
    let settings = LightSbSettings { components: 1, steps: 2000, ..Default::default() };
    let fitted = LightSb::fit(&x, &y, 1.0, &settings, &rng, &mut go_on).unwrap();
    let exact = GaussianBridge::new(&source, &target, 1.0).unwrap();
    let at = from_rows_f64(&[0.5, -0.3, -1.0, 1.2], 2, &device());
    let mut of_a_standard_normal = 0.0f64;
    for t in [0.1, 0.5, 0.9] {
        let score = to_vec_f64(fitted.score(per_row(t, &at), at.clone()));
        let marginal = Gaussian::new(exact.mean(t), exact.covariance(t)).unwrap();
        for (row, x) in to_vec_f64(at.clone()).chunks(2).enumerate() {
            for j in 0..2 {
                let along = |value: f64| {
                    let mut moved = x.to_vec();
                    moved[j] = value;
                    marginal.log_density(&Points::new(moved, 2).unwrap()).unwrap()[0]
                };
                // Conditional means from 20 000 samples are good to 0.03, and a drift divides by the time left.
                let allowed = 0.03 / f64::min(t, 1.0 - t);
                let expected = common::derivative(along, x[j]);
                assert_close(score[2 * row + j], expected, allowed, &format!("score at t = {t}"));
                of_a_standard_normal = of_a_standard_normal.max((-x[j] - expected).abs() / allowed);
            }
        }
    }
    assert!(of_a_standard_normal > 1.0, "the score of N(0, I) passes");
}

#[test]
fn a_fit_ends_where_its_caller_stops_it() {
    let x = from_rows_f64(&[0.0, 1.0], 1, &device());
    let mut seen = Vec::new();
    let mut stop = |direction, step, _| {
        seen.push((direction, step));
        if step == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let settings = LightSbSettings { components: 1, steps: 10, ..Default::default() };
    let stopped = LightSb::fit(&x, &x, 1.0, &settings, &Rng::new(1), &mut stop);
    assert!(matches!(stopped, Err(Error::Interrupted)));
    assert_eq!(seen, [1, 2, 3].map(|step| (Direction::Forward, step)));
}

#[test]
fn settings_and_shapes_that_cannot_be_are_refused() {
    let (x, y) = (from_rows_f64(&[0.0, 1.0], 1, &device()), from_rows_f64(&[0.0, 1.0], 2, &device()));
    let refused = |target: &Tensor<2>, epsilon, settings: LightSbSettings| {
        LightSb::fit(&x, target, epsilon, &settings, &Rng::new(1), &mut go_on).unwrap_err().to_string()
    };
    let settings = LightSbSettings { steps: 1, ..Default::default() };
    assert!(refused(&y, 1.0, settings.clone()).contains("same space"));
    assert!(refused(&x, -1.0, settings.clone()).contains("epsilon"));
    assert!(refused(&x, 1.0, LightSbSettings { components: 0, ..settings }).contains("components"));
}

#[test]
fn the_mean_of_paths_is_the_mean_of_draws() {
    let (epsilon, count) = (0.5, 20_000);
    let way = |centres: [f64; 2]| {
        let centres = centres.iter().map(|c| vec![*c, -c]).collect();
        let factor = mat![[0.6, 0.0], [0.3, 0.4]];
        LightPotential::from_factors(epsilon, vec![0.2, -0.1], centres, vec![factor.clone(), factor]).unwrap()
    };
    let bridge = LightSb { frame: Frame::identity(2), forward: way([-1.0, 1.5]), backward: way([0.5, -2.0]) };
    for direction in [Direction::Forward, Direction::Backward] {
        let x = from_rows_f64(&[0.3, -0.8], 2, &device());
        let draws = bridge.transport(direction, &x.clone().repeat_dim(0, count), &mut Rng::new(1));
        let spread = to_vec_f64(draws.clone().var(0)).into_iter().fold(0.0, f64::max);
        for share in [0.0, 0.25, 1.0] {
            let expected = to_vec_f64(x.clone() * (1.0 - share) + draws.clone().mean_dim(0) * share);
            let means = to_vec_f64(mean_state(&bridge, direction, share, &x));
            for (mean, expected) in means.into_iter().zip(expected) {
                // 4.5 standard errors of the mean of draws; rounding.
                let allowed = 4.5 * share * (spread / count as f64).sqrt() + 1e-6;
                assert_close(mean, expected, allowed, &format!("{direction:?}, after {share}"));
            }
        }
    }
}

#[test]
fn the_flow_between_gaussians_on_the_line_is_the_monotone_map() {
    let (epsilon, means, variances) = (0.7, [1.0, -2.0], [1.0, 4.0f64]);
    let law = |k: usize| Gaussian::isotropic(vec![means[k]], variances[k]).unwrap();
    let exact = GaussianBridge::new(&law(0), &law(1), epsilon).unwrap();
    let way = |from: usize, to: usize| {
        let slope = exact.cross_covariance()[(0, 0)] / variances[from];
        let centre = means[to] - slope * means[from];
        LightPotential::from_factors(epsilon, vec![0.0], vec![vec![centre]], vec![mat![[slope.sqrt()]]])
            .unwrap()
    };
    let bridge = LightSb { frame: Frame::identity(1), forward: way(0, 1), backward: way(1, 0) };
    let flow = Flow::new(Arc::new(bridge));
    let x = from_rows_f64(&[-1.0, 1.0, 2.5], 1, &device());
    let y = flow.transport(Direction::Forward, &x, &mut Rng::new(1));
    let stretch = (variances[1] / variances[0]).sqrt();
    for (x, y) in to_vec_f64(x.clone()).into_iter().zip(to_vec_f64(y.clone())) {
        // A hundred steps of Euler, each off by h²/2 times a second derivative of at most two.
        assert_close(y, means[1] + stretch * (x - means[0]), 0.01 * (1.0 + x.abs()), "forward");
    }
    let back = flow.transport(Direction::Backward, &y, &mut Rng::new(2));
    for (x, back) in to_vec_f64(x).into_iter().zip(to_vec_f64(back)) {
        assert_close(back, x, 0.02 * (1.0 + x.abs()), "there and back"); // twice as much
    }
}
