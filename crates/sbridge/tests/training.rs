//! Training: the optimiser against hand calculation, divergence, and a score learned well enough to
//! sample with.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::ops::Range;

use common::network::{EPSILON, V_MIN, denoising, net, short_fit};
use common::{assert_close, device, score_at, two_bumps, two_bumps_density};
use sbridge::Rng;
use sbridge::executor::{self, Outcome, Silent};
use sbridge::fit::{FitSettings, Status, Trainer, TrainerState};
use sbridge::marginal::{Convolved, Marginal, SmoothedScore};
use sbridge::net::{Linear, NoisePredictor, weights_of};
use sbridge::objective::Objective;
use sbridge::simulate::{Denoiser, EndRule, StepRule, VarGrid};
use sbridge::tensor::{DType, Tensor, from_rows, per_row, to_vec_f64};
use sbridge_ot::{Points, wasserstein2};

fn settings(steps: usize) -> FitSettings {
    FitSettings {
        steps,
        batch_size: 1,
        learning_rate: 0.05,
        weight_decay: 0.0,
        clip_norm: 1e6,
        ema_decay: 0.5,
        patience: 0,
    }
}

// ---- The optimiser, on y = w x + b ----

fn affine() -> Linear {
    Linear::new(1, 1, 1.0, &mut Rng::new(3), &device())
}

/// The loss 3w + 4b: a constant gradient of norm 5.
struct ConstantSlope;

impl Objective for ConstantSlope {
    type Model = Linear;

    fn loss(&self, model: &Linear, _rows: Range<usize>, _rng: &mut Rng) -> Tensor<1> {
        weighted_outputs(model, [3.0, 1.0]).sum()
    }

    fn held_out_loss(&self, _model: &Linear, _rng: &mut Rng) -> Option<f64> {
        None
    }
}

/// Outputs at x = 1 and x = 0, that is w + b and b, times `factors`.
fn weighted_outputs(model: &Linear, factors: [f32; 2]) -> Tensor<2> {
    let x = from_rows(&[1.0, 0.0], 1, &device()).autodiff();
    model.forward(x) * from_rows(&factors, 1, &device()).autodiff()
}

/// (w, b).
fn parameters(state: &TrainerState) -> [f64; 2] {
    ["weight", "bias"].map(|name| f64::from(state.weights[name].1[0]))
}

fn flat(arrays: &[Vec<f32>]) -> [f64; 2] {
    [f64::from(arrays[0][0]), f64::from(arrays[1][0])]
}

fn assert_pair_close(got: [f64; 2], expected: [f64; 2], tolerance: f64, what: &str) {
    for (got, expected) in got.into_iter().zip(expected) {
        assert_close(got, expected, tolerance, what);
    }
}

#[test]
fn gradient_norm_is_reported_unbounded_and_bounded_before_use() {
    for (clip_norm, factor) in [(1.0, 0.2), (100.0, 1.0)] {
        let mut trainer =
            Trainer::new(affine(), FitSettings { clip_norm, ..settings(10) }, Rng::new(1)).unwrap();
        let info = trainer.step(&mut ConstantSlope);
        assert_close(info.grad_norm, 5.0, 1e-6, "norm of (3, 4)"); // f32
        let state = trainer.state();
        // After one step m = (1 − β₁) g and u = (1 − β₂) g², with (3, 4) scaled to the bound; f32.
        assert_pair_close(flat(&state.adam.first), [0.3 * factor, 0.4 * factor], 1e-6, "first moment");
        let second = [0.009, 0.016].map(|x| x * factor * factor);
        assert_pair_close(flat(&state.adam.second), second, 1e-8, "second moment");
    }
}

#[test]
fn gradient_of_a_batch_does_not_depend_on_how_it_is_divided() {
    for batch_size in [1, 2, 5] {
        let mut trainer =
            Trainer::new(affine(), FitSettings { batch_size, ..settings(10) }, Rng::new(1)).unwrap();
        let [w, b] = parameters(&trainer.state());
        let info = trainer.step(&mut ConstantSlope);
        assert_close(info.grad_norm, 5.0, 1e-6, "norm of (3, 4)"); // f32
        assert_close(info.loss, 3.0 * w + 4.0 * b, 1e-6, "loss"); // f32
    }
}

/// Distances the parameters move in each step under a constant gradient, where Adam's quotient is
/// ±1 and so the distance is the learning rate.
fn learning_rates(settings: &FitSettings) -> Vec<f64> {
    let mut trainer = Trainer::new(affine(), settings.clone(), Rng::new(1)).unwrap();
    let mut before = parameters(&trainer.state());
    (0..settings.steps)
        .map(|_| {
            trainer.step(&mut ConstantSlope);
            let after = parameters(&trainer.state());
            let moved = [before[0] - after[0], before[1] - after[1]];
            // Differences of numbers below ten in f32.
            assert_close(moved[0], moved[1], 2e-6, "the size of a gradient does not matter");
            before = after;
            0.5 * (moved[0] + moved[1])
        })
        .collect()
}

#[test]
fn learning_rate_rises_at_the_start_then_falls_to_zero_as_a_cosine() {
    let rates = learning_rates(&settings(200));
    let peak = rates.iter().copied().fold(0.0, f64::max);
    // 2 % of 200 steps: four of them rise, by a quarter each, while the cosine falls by 10⁻³ of 0.05.
    for (k, rate) in rates[..4].iter().enumerate() {
        assert_close(*rate, 0.05 * (k as f64 + 0.5) / 4.0, 5e-5, "rise");
    }
    assert!((0.0499..=0.05 + 1e-5).contains(&peak), "peak {peak}");
    assert!(rates[4..].windows(2).all(|w| w[1] < w[0] + 1e-5), "falls");
    // Halfway down a cosine is half the height, and its two halves are mirror images.
    assert_close(0.5 * (rates[99] + rates[100]), 0.025, 1e-5, "middle");
    assert_close(rates[60] + rates[139], 0.05, 1e-5, "mirror images");
    assert!(rates[199] < 1e-4 * 0.05 + 2e-6, "last {}", rates[199]);
}

/// The loss (w + b − 1)² + 3 (b + 2)².
struct Bowl;

impl Bowl {
    fn gradient([w, b]: [f64; 2]) -> [f64; 2] {
        let (sum, bias) = (2.0 * (w + b - 1.0), 6.0 * (b + 2.0));
        [sum, sum + bias]
    }
}

impl Objective for Bowl {
    type Model = Linear;

    fn loss(&self, model: &Linear, _rows: Range<usize>, _rng: &mut Rng) -> Tensor<1> {
        let root = 3.0_f32.sqrt();
        let targets = from_rows(&[1.0, -2.0 * root], 1, &device()).autodiff();
        (weighted_outputs(model, [1.0, root]) - targets).powi_scalar(2).sum()
    }

    fn held_out_loss(&self, _model: &Linear, _rng: &mut Rng) -> Option<f64> {
        None
    }
}

#[test]
fn steps_follow_a_scalar_implementation_of_adam() {
    let steps = 60;
    let with = FitSettings { clip_norm: 4.0, weight_decay: 0.3, ..settings(steps) };
    let rates = learning_rates(&with_no_decay(&with));
    let mut trainer = Trainer::new(affine(), with.clone(), Rng::new(1)).unwrap();
    let mut theta = parameters(&trainer.state());
    let (mut m, mut u, mut bounded) = ([0.0; 2], [0.0; 2], 0);
    for (k, rate) in rates.iter().enumerate() {
        let info = trainer.step(&mut Bowl);
        let mut g = Bowl::gradient(theta);
        let norm = g[0].hypot(g[1]);
        assert_close(info.grad_norm, norm, 1e-4, "gradient norm"); // f32, and what follows
        if norm > with.clip_norm {
            g = g.map(|g| g * with.clip_norm / norm);
            bounded += 1;
        }
        let t = k as i32 + 1;
        for i in 0..2 {
            m[i] += 0.1 * (g[i] - m[i]);
            u[i] += 0.001 * (g[i] * g[i] - u[i]);
            let quotient =
                (m[i] / (1.0 - 0.9_f64.powi(t))) / ((u[i] / (1.0 - 0.999_f64.powi(t))).sqrt() + 1e-8);
            theta[i] -= rate * (quotient + 0.3 * theta[i]);
        }
        // Sixty steps in f32, and learning rates read off differences of weights.
        assert_pair_close(parameters(&trainer.state()), theta, 2e-5, &format!("step {t}"));
    }
    assert!(0 < bounded && bounded < steps, "{bounded} of {steps} gradients were bounded");
}

fn with_no_decay(settings: &FitSettings) -> FitSettings {
    FitSettings { weight_decay: 0.0, clip_norm: 1e6, ..settings.clone() }
}

#[test]
fn average_of_the_weights_warms_up_to_its_decay() {
    let mut trainer = Trainer::new(affine(), settings(100), Rng::new(1)).unwrap();
    let mut average = parameters(&trainer.state());
    // (1 + k)/(10 + k), until the decay of 0.5 is smaller.
    let decays =
        [0.1, 2.0 / 11.0, 0.25, 4.0 / 13.0, 5.0 / 14.0, 0.4, 7.0 / 16.0, 8.0 / 17.0, 0.5, 0.5, 0.5, 0.5];
    for decay in decays {
        trainer.step(&mut ConstantSlope);
        let state = trainer.state();
        let theta = parameters(&state);
        for i in 0..2 {
            average[i] = decay * average[i] + (1.0 - decay) * theta[i];
        }
        assert_pair_close(flat(&state.adam.average), average, 1e-6, "average"); // f32
        let finished = weights_of(&trainer.finished());
        let finished = ["weight", "bias"].map(|name| f64::from(finished[name].1[0]));
        assert_pair_close(finished, average, 1e-6, "the finished model is the average");
    }
}

#[test]
fn without_averaging_the_finished_model_has_the_last_weights() {
    let mut trainer =
        Trainer::new(affine(), FitSettings { ema_decay: 0.0, ..settings(10) }, Rng::new(1)).unwrap();
    for _ in 0..3 {
        trainer.step(&mut ConstantSlope);
    }
    assert_eq!(weights_of(&trainer.finished()), trainer.state().weights);
}

// ---- Divergence ----

/// A loss that is not a number, or one whose gradient is infinite although it is finite itself.
enum Bad {
    Loss,
    Gradient,
}

impl Objective for Bad {
    type Model = Linear;

    fn loss(&self, model: &Linear, _rows: Range<usize>, _rng: &mut Rng) -> Tensor<1> {
        let outputs = weighted_outputs(model, [1.0, 1.0]);
        match self {
            Self::Loss => outputs.sum() * f64::NAN,
            Self::Gradient => (outputs.clone() - outputs.detach()).sqrt().sum(),
        }
    }

    fn held_out_loss(&self, _model: &Linear, _rng: &mut Rng) -> Option<f64> {
        None
    }
}

#[test]
fn numbers_that_are_not_finite_end_the_run_and_touch_no_weight() {
    for (mut bad, finite_loss) in [(Bad::Loss, false), (Bad::Gradient, true)] {
        let mut trainer = Trainer::new(affine(), settings(10), Rng::new(1)).unwrap();
        trainer.step(&mut ConstantSlope);
        let untouched = |state: TrainerState| (state.weights, state.adam, state.step, state.best);
        let before = untouched(trainer.state());
        let info = trainer.step(&mut bad);
        assert!(
            matches!(&info.status, Status::Diverged { reason } if reason.starts_with("step 2:")),
            "{info:?}"
        );
        assert_eq!(info.loss.is_finite(), finite_loss);
        assert_eq!(untouched(trainer.state()), before);
        let outcome = executor::run(&mut trainer, &mut bad, &mut Silent);
        assert!(matches!(outcome, Outcome::Diverged { .. }), "{outcome:?}");
        assert_eq!(untouched(trainer.state()), before);
    }
}

#[test]
fn a_recovery_halves_the_step_size() {
    let start = Trainer::new(affine(), settings(10), Rng::new(1)).unwrap().state();
    let half = FitSettings { learning_rate: 0.5 * settings(10).learning_rate, ..settings(10) };
    let mut slower = Trainer::new(affine(), half, Rng::new(1)).unwrap();
    let mut recovered = Trainer::new(affine(), settings(10), Rng::new(1)).unwrap();
    recovered.step(&mut ConstantSlope);
    recovered.recover(start).unwrap();
    for _ in 0..3 {
        slower.step(&mut ConstantSlope);
        recovered.step(&mut ConstantSlope);
    }
    assert_eq!(recovered.state().weights, slower.state().weights);
}

// ---- A network ----

#[test]
fn a_state_of_another_model_is_refused() {
    let trainer = |width| Trainer::new(net(1, width), short_fit(0), Rng::new(2)).unwrap();
    assert!(trainer(16).restore(trainer(24).state()).is_err());
}

#[test]
fn seed_decides_the_weights() {
    let trained = |seed: u64| {
        let mut objective = denoising(1000);
        let root = Rng::new(seed);
        let mut trainer = Trainer::new(net(1, 16), short_fit(0), root.fork("fit")).unwrap();
        executor::run(&mut trainer, &mut objective, &mut Silent);
        weights_of(&trainer.finished())
    };
    assert_eq!(trained(5), trained(5));
    assert_ne!(trained(5), trained(6));
    assert_eq!(weights_of(&net(7, 16)), weights_of(&net(7, 16)));
    assert_ne!(weights_of(&net(7, 16)), weights_of(&net(8, 16)));
}

/// The mean over ln v uniform of v E‖s_θ − s‖², and of v E‖s‖² to compare it with, by quadrature.
fn score_error(model: &NoisePredictor) -> [f64; 2] {
    let z: Vec<f64> = (-400..=400).map(|i| f64::from(i) * 0.015).collect();
    let levels = 40;
    let mut sums = [0.0; 2];
    for k in 0..levels {
        let share = (f64::from(k) + 0.5) / f64::from(levels);
        let v = V_MIN * (EPSILON / V_MIN).powf(share);
        let exact = score_at(&two_bumps(), &z, v);
        let states = from_rows(&z.iter().map(|z| *z as f32).collect::<Vec<_>>(), 1, &device());
        let learned = to_vec_f64(model.score(states.clone(), per_row(v, &states)));
        for ((z, s), l) in z.iter().zip(&exact).zip(&learned) {
            let mass = two_bumps_density(*z, v) * 0.015 * v / f64::from(levels);
            sums[0] += mass * (l - s).powi(2);
            sums[1] += mass * s * s;
        }
    }
    sums
}

#[test]
fn denoising_learns_a_score_that_samples_the_two_bumps() {
    let fit = FitSettings { steps: 500, batch_size: 256, ema_decay: 0.99, ..short_fit(0) };
    let trainer = Trainer::new(net(1, 48), FitSettings { weight_decay: 0.0, ..fit }, Rng::new(2)).unwrap();
    let untrained = trainer.finished();
    let model = executor::run_silently(trainer, &mut denoising(20_000)).unwrap();
    let ([error, size], [before, _]) = (score_error(&model), score_error(&untrained));
    println!("score error {error:.5} of {size:.4}, untrained {before:.5}");
    // Girsanov: ½ ln(ε/v_min) = 3.8 times the error is the divergence of paths, here at most 0.02.
    assert!(error < 0.005 && error < 0.2 * before, "score error {error}, untrained {before}");

    let count = 4000;
    let points = |rows: Tensor<2>| Points::new(to_vec_f64(rows), 1).unwrap();
    let fresh = |seed| points(two_bumps().sample(count, &mut Rng::new(seed)));
    let grid = VarGrid::Power { rho: 7.0 }.variances(EPSILON, V_MIN / EPSILON, 60).unwrap();
    let denoiser = Denoiser::new(grid, StepRule::Euler, EndRule::Plain).unwrap();
    let mean_w2 = |samples: &dyn Fn(u64) -> Points| {
        (30..40).map(|seed| wasserstein2(&samples(seed), &fresh(seed)).unwrap()).sum::<f64>() / 10.0
    };
    let sampled = |score: &NoisePredictor| {
        let mut rng = Rng::new(3);
        let start = Convolved::new(two_bumps(), EPSILON).sample(count, &mut rng).cast(DType::F32);
        let samples = points(denoiser.run(score, start, &mut rng));
        mean_w2(&|_| samples.clone())
    };
    let floor = mean_w2(&|seed| fresh(seed + 20));
    let (learned, unlearned) = (sampled(&model), sampled(&untrained));
    println!("W2 {learned:.4}, floor {floor:.4}, untrained {unlearned:.4}");
    // Steps and stopping cost 0.01; the score error above allows about as much as the floor.
    assert!(learned < 2.0 * floor, "W2 {learned}, floor {floor}");
    assert!(unlearned > 4.0 * floor, "the test would not notice an untrained score: W2 {unlearned}");
}
