//! Bridges between pairs: against the bridge of known ends, and the laws of Gaussian pairs.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{assert_close, device};
use sbridge::fit::{FitSettings, Trainer};
use sbridge::net::{DriftNetSettings, MlpSettings, PairedNet};
use sbridge::solver::paired::{
    Known, PairBatch, PairData, PairPredictor, PairedRegression, Paths, PinnedBridge, Restoration, Schedule,
    Variant,
};
use sbridge::tensor::{DType, Module, Tensor, from_rows_f64, to_vec_f64};
use sbridge::{Bridge as _, Rng};

/// ε̂ by a formula of s² and x; what it is trained by is nothing.
#[derive(Module, Debug)]
struct By {
    #[module(skip)]
    formula: fn(f64, f64) -> f64,
    #[module(skip)]
    largest: Largest,
}

/// Largest β of the schedule that a formula is for.
#[derive(Clone, Copy, Debug)]
struct Largest(f64);

impl PairPredictor for By {
    fn predict(&self, t: Tensor<1>, x: Tensor<2>, _degraded: &Tensor<2>) -> Tensor<2> {
        let schedule = Schedule::of_images(self.largest.0, Variant::Fixed).unwrap();
        let dim = x.dims()[1];
        let times = to_vec_f64(t);
        let level = |t: f64| ((t - 1e-4) / (1.0 - 1e-4) * 999.0).round() as usize;
        let values: Vec<f64> = to_vec_f64(x.clone())
            .iter()
            .enumerate()
            .map(|(i, x)| (self.formula)(schedule.std_from_clean(level(times[i / dim])).powi(2), *x))
            .collect();
        from_rows_f64(&values, dim, &x.device()).cast(x.dtype())
    }
}

/// The clean state of the oracle.
const CLEAN: f64 = 0.3;

fn oracle() -> By {
    By { formula: |s2, x| (x - CLEAN) / s2.sqrt(), largest: Largest(0.3) }
}

fn constant(value: f64, shape: [usize; 2]) -> Tensor<2> {
    Tensor::full(shape, value, (&device(), DType::F64))
}

#[test]
fn who_knows_the_clean_state_returns_it_in_any_number_of_calls() {
    let (net, schedule) = (oracle(), Schedule::of_images(0.3, Variant::Fixed).unwrap());
    for paths in [Paths::Stochastic, Paths::Ode] {
        let restoration = Restoration {
            net: &net,
            schedule: &schedule,
            paths,
            known: Known::OnBridge,
            gaussian: None,
            bounds: None,
        };
        for calls in [1, 2, 7, 100, 999] {
            let x = restoration.run(&constant(-1.0, [3, 2]), None, calls, &mut Rng::new(1)).unwrap();
            assert!(to_vec_f64(x).iter().all(|x| (x - CLEAN).abs() < 1e-12), "{paths:?}, {calls}");
        }
    }
}

#[test]
fn steps_of_who_knows_the_clean_state_have_the_moments_of_the_bridge_at_every_level() {
    let schedule = Schedule::of_plans(64, Variant::Fixed).unwrap();
    for calls in [4, 63] {
        let (levels, _) = schedule.visits(calls).unwrap();
        // Shares of both ends, and the variance.
        let mut found = (0.0, 1.0, 0.0);
        for pair in levels.windows(2) {
            let step = schedule.step(pair[0], Some(pair[1]));
            found = (
                step.kept * found.0 + step.taken,
                step.kept * found.1,
                step.kept.powi(2) * found.2 + step.std.powi(2),
            );
            let (clean, degraded, std) = schedule.bridge(pair[1]);
            for (found, exact) in [(found.0, clean), (found.1, degraded), (found.2, std * std)] {
                assert_close(found, exact, 1e-12, &format!("{calls} calls, level {}", pair[1]));
            }
        }
    }
}

#[test]
fn what_is_known_stays_as_it_is_to_the_bit() {
    let (net, schedule) = (oracle(), Schedule::of_images(1.0, Variant::Fixed).unwrap());
    let degraded = Rng::new(2).normal([5, 4], &device());
    let unknown = from_rows_f64(&[1.0, 0.0, 0.0, 1.0].repeat(5), 4, &device());
    for (paths, known) in [(Paths::Stochastic, Known::OnBridge), (Paths::Ode, Known::Exact)] {
        let restoration = Restoration {
            net: &net,
            schedule: &schedule,
            paths,
            known,
            gaussian: None,
            bounds: Some((-1.0, 1.0)),
        };
        let x = restoration.run(&degraded, Some(&unknown), 4, &mut Rng::new(1)).unwrap();
        let [x, before] = [x, degraded.clone()].map(to_vec_f64);
        for (i, (x, before)) in x.iter().zip(before).enumerate() {
            assert_eq!(*x == before, i % 4 == 1 || i % 4 == 2, "{i}");
        }
    }
}

/// x₀ ~ N(m, a), x₁ = x₀ + N(0, c).
const MEAN: f64 = 0.4;
const CLEAN_VAR: f64 = 0.25;
const ADDED_VAR: f64 = 0.09;

/// S of the images' schedule with largest β 0.3.
const WHOLE: f64 = 0.141_03;

#[test]
fn gaussian_pairs_are_restored_to_the_law_of_clean_states() {
    let formula = |s2: f64, x: f64| {
        let w = s2 / WHOLE;
        let q = w * w * ADDED_VAR + s2 * (WHOLE - s2) / WHOLE;
        (x - MEAN) * q / ((CLEAN_VAR + q) * s2.sqrt())
    };
    let (net, schedule) =
        (By { formula, largest: Largest(0.3) }, Schedule::of_images(0.3, Variant::Fixed).unwrap());
    assert_close(schedule.whole(), WHOLE, 1e-5, "S");
    let (count, mut rng) = (4000, Rng::new(7));
    let normal = |rng: &mut Rng| rng.normal::<2>([count, 1], &device()).cast(DType::F64);
    let degraded = normal(&mut rng) * (CLEAN_VAR + ADDED_VAR).sqrt() + MEAN;
    let restored = |paths: Paths, rng: &mut Rng| {
        let restoration = Restoration {
            net: &net,
            schedule: &schedule,
            paths,
            known: Known::OnBridge,
            gaussian: None,
            bounds: None,
        };
        to_vec_f64(restoration.run(&degraded, None, 999, rng).unwrap())
    };
    let moments = |x: &[f64]| {
        let mean = x.iter().sum::<f64>() / count as f64;
        (mean, x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count as f64)
    };
    let (mean, var) = moments(&restored(Paths::Stochastic, &mut rng));
    // Four standard errors, of 0.5/√4000 and of √(2/4000).
    assert_close(mean, MEAN, 0.032, "mean");
    assert_close(var / CLEAN_VAR, 1.0, 0.09, "variance");
    // Without the noise that the network reckons with, the law is too narrow.
    let (_, var) = moments(&restored(Paths::Ode, &mut rng));
    assert!(var / CLEAN_VAR < 0.9, "{var}");
}

#[test]
fn the_pinned_bridge_has_the_score_of_the_bridge_of_known_ends() {
    let (net, schedule) = (oracle(), Schedule::of_images(0.3, Variant::Fixed).unwrap());
    let bridge = PinnedBridge { net: &net, schedule: &schedule, degraded: constant(-1.0, [4, 1]) };
    // Where levels end.
    let levels = [9, 300, 700, 990];
    let times: Vec<f64> = levels.iter().map(|k| (k + 1) as f64 / 1000.0).collect();
    let t = from_rows_f64(&times, 4, &device()).squeeze_dim::<1>(0);
    let x = from_rows_f64(&[0.1, 0.2, -0.4, -0.9], 1, &device());
    let found = to_vec_f64(bridge.score(t, x.clone()));
    for ((k, x), found) in levels.into_iter().zip(to_vec_f64(x)).zip(found) {
        let (clean, degraded, std) = schedule.bridge(k);
        let exact = -(x - clean * CLEAN + degraded) / (std * std);
        assert_close(found / exact, 1.0, 1e-3, &format!("level {k}")); // The clock rounds to a thousandth.
    }
}

/// Pairs of two coordinates: x₁ is a turned x₀ and noise.
struct Turned;

impl PairData for Turned {
    fn draw(&self, count: usize, rng: &mut Rng) -> PairBatch {
        let mut normal = || rng.normal::<2>([count, 2], &device());
        let (clean, noise) = (normal(), normal());
        let turn = from_rows_f64(&[0.6, 0.8, -0.8, 0.6], 2, &device()).cast(DType::F32);
        PairBatch { degraded: clean.clone().matmul(turn) + noise * 0.5, clean, unknown: None }
    }
}

#[test]
fn a_network_that_is_told_the_degraded_end_learns_the_conditional_law() {
    let schedule = Schedule::of_images(1.0, Variant::Fixed).unwrap();
    let settings =
        DriftNetSettings { mlp: MlpSettings { width: 64, layers: 3 }, ..DriftNetSettings::default() };
    let mut rng = Rng::new(4);
    let net = PairedNet::new((2, None), true, &settings, &mut rng, &device());
    let fit = FitSettings {
        steps: 1500,
        batch_size: 256,
        learning_rate: 3e-3,
        weight_decay: 0.0,
        clip_norm: 1.0,
        ema_decay: 0.99,
        patience: 0,
    };
    let mut objective = PairedRegression::new(&Turned, &schedule, Paths::Stochastic, Known::OnBridge);
    let mut trainer = Trainer::new(net.clone(), fit, rng.fork("fit")).unwrap();
    while !trainer.is_done() {
        trainer.step(&mut objective);
    }
    let input = [1.0, -0.5];
    let moments = |net: &PairedNet| {
        let count = 4000;
        let degraded = from_rows_f64(&input.repeat(count), 2, &device()).cast(DType::F32);
        let (schedule, paths, known) = (&schedule, Paths::Stochastic, Known::OnBridge);
        let restoration = Restoration { net, schedule, paths, known, gaussian: None, bounds: None };
        let x = restoration.run(&degraded, None, 100, &mut Rng::new(9)).unwrap().cast(DType::F64);
        let mean = x.clone().mean_dim(0);
        let centred = x - mean.clone();
        (to_vec_f64(mean), to_vec_f64(centred.clone().transpose().matmul(centred) / count as f64))
    };
    // x₀ | x₁ ~ N(x₁ Rᵀ/1.25, 0.25/1.25 I).
    let exact = [(0.6 * input[0] + 0.8 * input[1]) / 1.25, (-0.8 * input[0] + 0.6 * input[1]) / 1.25];
    let (mean, covariance) = moments(&trainer.finished());
    for (found, exact) in mean.iter().zip(exact) {
        assert_close(*found, exact, 0.05, "mean"); // Four errors of 0.45/√4000, and what training leaves.
    }
    for (found, exact) in covariance.iter().zip([0.2, 0.0, 0.0, 0.2]) {
        assert_close(*found, exact, 0.03, "covariance"); // Likewise, of 0.2 √(2/4000).
    }
    let (untrained, _) = moments(&net);
    assert!((untrained[0] - exact[0]).hypot(untrained[1] - exact[1]) > 0.3, "{untrained:?}");
}
