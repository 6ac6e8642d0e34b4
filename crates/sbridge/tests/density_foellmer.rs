//! Föllmer's process of a Gaussian: drifts, score, flow and both ways of transport are known.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::Arc;

use common::{assert_close, device};
use sbridge::density::targets::GaussianMixture;
use sbridge::fit::{FitSettings, Trainer};
use sbridge::simulate::Flow;
use sbridge::solver::density::{Controls, Foellmer, Loss, Method, PathObjective, Sampler};
use sbridge::tensor::{Tensor, TensorData, to_vec_f64};
use sbridge::{Bridge as _, Direction, PairBridge, Rng};

const MEAN: f64 = 0.8;
const VAR: f64 = 0.5;

fn trained(density: &GaussianMixture, steps: usize) -> Controls {
    let mut rng = Rng::new(1);
    let mut objective =
        PathObjective::new(Sampler::new(Method::Pis, 50, density, device()), Loss::LogVariance);
    let settings = FitSettings {
        steps: steps.max(1),
        batch_size: 256,
        learning_rate: 3e-3,
        weight_decay: 0.0,
        clip_norm: 1.0,
        ema_decay: 0.98,
        patience: 0,
    };
    let controls = Method::Pis.controls(1, 1e4, &mut rng, &device());
    let mut trainer = Trainer::new(controls, settings, rng.fork("fit")).unwrap();
    while steps > 0 && !trainer.is_done() {
        trainer.step(&mut objective);
    }
    trainer.finished()
}

fn moments(rows: &Tensor<2>) -> (f64, f64) {
    let values = to_vec_f64(rows.clone());
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (mean, values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64)
}

/// Mean of the squared error of the score at states of p_t.
fn score_error(bridge: &Foellmer) -> f64 {
    let mut rng = Rng::new(3);
    let errors = [0.3, 0.6, 0.9].map(|t| {
        // X_t = t X₁ + √(t(1−t)) ξ.
        let var = t * t * VAR + t * (1.0 - t);
        let x: Tensor<2> = rng.normal::<2>([500, 1], &device()) * var.sqrt() + t * MEAN;
        let times = Tensor::from_data(TensorData::new(vec![t; 500], [500]), (&device(), x.dtype()));
        let known = -(x.clone() - t * MEAN) / var;
        let error = bridge.score(times, x) - known.clone();
        to_vec_f64(error.powi_scalar(2).mean())[0] / to_vec_f64(known.powi_scalar(2).mean())[0]
    });
    errors.iter().sum::<f64>() / 3.0
}

#[test]
fn the_process_of_a_gaussian_has_its_score_and_carries_both_ways() {
    let density = GaussianMixture::new(vec![MEAN], 1, VAR);
    let process = |steps| Foellmer::new(Arc::new(density.clone()), trained(&density, steps), 50);
    let bridge = Arc::new(process(500));
    // A network of 500 steps; one without training is off by as much as there is.
    assert!(score_error(&bridge) < 0.02, "{}", score_error(&bridge));
    assert!(score_error(&process(0)) > 0.1);
    let mut rng = Rng::new(2);
    let origin = Tensor::<2>::zeros([8000, 1], &device());
    let (mean, var) = moments(&bridge.transport(Direction::Forward, &origin, &mut rng));
    // Four standard errors of 8000 draws, and fifty steps.
    assert_close(mean, MEAN, 0.04, "mean");
    assert_close(var, VAR, 0.04, "variance");
    let draws = rng.normal::<2>([8000, 1], &device()) * VAR.sqrt() + MEAN;
    let back = bridge.skeleton(Direction::Backward, &draws, &mut rng);
    let (mean, var) = moments(&back[20]);
    assert_close(mean, 0.6 * MEAN, 0.04, "mean on the way");
    assert_close(var, 0.36 * VAR + 0.24, 0.03, "variance on the way");
    assert!(to_vec_f64(back[50].clone()).iter().all(|x| x.abs() < 1e-5), "it ends in the origin");
    // The flow keeps ranks, and p_t is Gaussian: back from 1 to 0.4 it is a straight line.
    let flow = Flow::new(bridge).skeleton(Direction::Backward, &draws, &mut rng);
    let known = (draws - MEAN) * ((0.16 * VAR + 0.24) / VAR).sqrt() + 0.4 * MEAN;
    let error = to_vec_f64((flow[30].clone() - known).powi_scalar(2).mean())[0].sqrt();
    assert!(error < 0.03, "{error}"); // of a network, over 30 steps; the law's deviation there is 0.57
}
