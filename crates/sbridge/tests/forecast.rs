//! Forecasts: a law of steps that is known is found again, and paths have the moments it gives them.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::Arc;

use common::device;
use sbridge::fit::FitSettings;
use sbridge::forecast::{ForecastNetSettings, Forecaster, History, Origin, Pasts};
use sbridge::net::ResidualMlpSettings;
use sbridge::rng::Rng;
use sbridge::solver::vsdm::{FlowSettings, VariationalModel, Vsdm, VsdmSettings};
use sbridge::tensor::to_vec_f64;

/// Steps that follow each other, Δ' = 0.8 Δ + noise of deviation 0.6: they have variance one.
fn momentum(count: usize, rng: &mut Rng) -> Vec<f64> {
    let noise = to_vec_f64(rng.normal([count, 1], &device()));
    let (mut step, mut at) = (0.0, 0.0);
    let walk = noise.into_iter().map(|z| {
        step = 0.8 * step + 0.6 * z;
        at += step;
        at
    });
    walk.collect()
}

#[test]
fn a_step_is_forecast_from_the_one_before() {
    let mut rng = Rng::new(1);
    let values = momentum(4000, &mut rng);
    let history = Arc::new(History::new(1, values, vec![0.0; 4000], &rng.fork("gaps")).unwrap());
    let context = 8;
    let net = ForecastNetSettings { width: 16, summary: 16 };
    let pasts = Pasts::new(history.clone(), context, (context..4000).collect(), net, &device());
    let settings = VsdmSettings {
        stages: 1,
        cooldown_steps: 0,
        t_min: 1e-2,
        net: ResidualMlpSettings { width: 32, blocks: 2, time_features: 16 },
        fit: FitSettings { steps: 1500, batch_size: 256, ..VsdmSettings::default().fit },
        ..VsdmSettings::default()
    };
    let learning = Vsdm::new(pasts, settings, rng.fork("fit")).unwrap();
    let untrained = learning.model().clone();
    let models = [learning.run().unwrap(), untrained];
    let spread = history.spread().to_vec();
    let [learned, untrained] = models.map(|model| Forecaster { model, spread: spread.clone(), context });
    // Whether mean and deviation of the next step are those that follow from the last one.
    let follows = |forecaster: &Forecaster, last_step: f64| {
        // The mean of what comes before such a step: the process is the same backward in time.
        let mut past = vec![0.0];
        past.extend((0..context - 1).rev().scan(0.0, |at, k| {
            *at += 0.8f64.powi(k as i32) * last_step;
            Some(*at)
        }));
        let last = past[context - 1];
        let origin = Origin { past, since: vec![], calendar: vec![vec![0.0]] };
        let paths = forecaster.sample(&[origin], 4000, &FlowSettings::default(), &Rng::new(5)).unwrap();
        let mean = paths.iter().sum::<f64>() / 4000.0 - last;
        let deviation = (paths.iter().map(|x| (x - last - mean).powi(2)).sum::<f64>() / 4000.0).sqrt();
        println!("after {last_step}: mean {mean:.3}, deviation {deviation:.3}");
        // Draws err by 0.6/√4000 = 0.01; the rest is the network, trained for seconds. One that ignores the past errs by 1.2
        // in the mean after a step of 1.5.
        (mean - 0.8 * last_step).abs() < 0.2 && (deviation - 0.6).abs() < 0.1
    };
    let all_follow =
        |forecaster| [-1.5, 0.0, 1.5].into_iter().all(|last_step| follows(forecaster, last_step));
    assert!(all_follow(&learned));
    assert!(!all_follow(&untrained), "an untrained network passes");
}

#[test]
fn a_model_that_learned_nothing_is_a_random_walk() {
    let mut rng = Rng::new(2);
    let steps = to_vec_f64(rng.normal([2000, 2], &device()));
    let walk: Vec<f64> = steps
        .chunks_exact(2)
        .scan([0.0, 0.0], |at, z| {
            *at = [at[0] + z[0], at[1] + 0.6 * z[0] + 0.8 * z[1]];
            Some(*at)
        })
        .flatten()
        .collect();
    let history = Arc::new(History::new(2, walk, vec![0.0; 2000], &rng.fork("gaps")).unwrap());
    let net = ForecastNetSettings { width: 8, summary: 8 };
    let pasts = Pasts::new(history.clone(), 16, (16..2000).collect(), net, &device());
    let vsdm = Vsdm::new(pasts, VsdmSettings::default(), rng.fork("fit")).unwrap();
    let model: VariationalModel<_> = vsdm.model().clone();
    let forecaster = Forecaster { model, spread: history.spread().to_vec(), context: 16 };
    let origin = Origin {
        past: (0..16).flat_map(|k| [k as f64, -(k as f64)]).collect(),
        since: vec![],
        calendar: vec![vec![0.0]; 9],
    };
    let sampler = FlowSettings { steps: 1, ..FlowSettings::default() };
    let paths = forecaster.sample(&[origin], 2000, &sampler, &Rng::new(5)).unwrap();
    let ends: Vec<[f64; 2]> = paths.chunks_exact(18).map(|path| [path[16] - 15.0, path[17] + 15.0]).collect();
    let mean = |f: &dyn Fn(&[f64; 2]) -> f64| ends.iter().map(f).sum::<f64>() / ends.len() as f64;
    let variances = [mean(&|x| x[0] * x[0]), mean(&|x| x[1] * x[1]), mean(&|x| x[0] * x[1])];
    // The past moves by one a time, so scales start at one; nine steps of scales that wander a little with what is drawn.
    // 4.5 standard errors of a variance are a seventh, and the moments of the steps err by as much in all.
    for (found, known) in variances.into_iter().zip([9.0, 9.0, 5.4]) {
        assert!((found - known).abs() < 0.3 * known, "{variances:?}");
    }

    // The second ended nine times before the first: of it nine steps and one are drawn, of the first one from its last value.
    let since = (16..25).flat_map(|k| [k as f64, f64::NAN]).collect();
    let past = (0..16).flat_map(|k| [k as f64, -(k as f64)]).collect();
    let origin = Origin { past, since, calendar: vec![vec![0.0]; 10] };
    let paths = forecaster.sample(&[origin], 2000, &sampler, &Rng::new(6)).unwrap();
    assert_eq!(paths.len(), 2 * 2000);
    let second = |at: usize, from: f64| {
        paths.chunks_exact(2).map(|path| (path[at] - from).powi(2)).sum::<f64>() / 2000.0
    };
    let variances = [second(0, 24.0), second(1, -15.0)];
    for (found, known) in variances.into_iter().zip([1.0, 10.0]) {
        assert!((found - known).abs() < 0.3 * known, "{variances:?}");
    }
}
