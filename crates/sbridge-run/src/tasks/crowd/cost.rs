//! What a crowd will cost, said before it starts; and less of it where samples have many values.

use std::time::Instant;

use sbridge::Direction;
use sbridge::PairBridge as _;
use sbridge::fit::Trainer;
use sbridge::rng::Rng;
use sbridge::solver::Gsbm;
use sbridge::solver::alternation::{Alternation, AlternationMethod as _, AlternationSettings};
use sbridge::tensor::{Tensor, head};

use super::settings::CrowdConfig;
use super::{CrowdData, METHOD};
use crate::context::Context;
use crate::error::Result;
use crate::training::cost::{BASE_BYTES, Cost, TRIAL_STEPS};

/// Samples of an end that a trial sees.
const TRIAL_SAMPLES: usize = 500;

/// Steps of a descent in a trial.
const TRIAL_ITERATIONS: usize = 3;

/// Costs by name that take so long at a place that few are looked at.
const SLOW: [&str; 2] = ["builtin:lidar", "builtin:opinion"];

/// Fewer pairs, places and steps for costs that are slow, where nobody has said how many.
pub(super) fn lighten(settings: &mut CrowdConfig, context: &Context) {
    if !SLOW.contains(&settings.cost.as_str()) || settings.networks != Gsbm.defaults() {
        return;
    }
    settings.networks.cache.rows = 512;
    if let Some(paths) = &mut settings.networks.paths {
        (paths.descent.iterations, paths.descent.samples, paths.descent.times) = (150, 2, 40);
        paths.descent.mean_knots = 30;
    }
    context.info(&format!(
        "{} takes long at every place: 512 pairs, 150 steps of 2 particles at 40 times (networks.cache.rows, \
         networks.paths.descent)",
        settings.cost
    ));
}

/// Time and memory by a few trial steps.
///
/// # Errors
/// Settings that the fit itself would refuse.
pub(super) fn cost(settings: &CrowdConfig, data: &CrowdData) -> Result<Cost> {
    let ends = [&data.pair.ends.source, &data.pair.ends.target].map(|end| head(&end.train, TRIAL_SAMPLES));
    let dim = ends[0].dims()[1];
    let mut seconds = seconds(&settings.networks, settings.epsilon, data, &ends)?;
    if settings.plain > 0 {
        seconds += seconds_of_steps(&settings.plain_networks(), settings.epsilon, &ends)?;
    }
    let samples = 3 * (data.pair.source.len() + data.pair.target.len()) * dim * size_of::<f32>();
    let networks = &settings.networks;
    let of_pairs = networks.paths.as_ref().map_or(0, |paths| {
        let weighted = paths.resampled * paths.resampled_times * dim * size_of::<f32>();
        let knots = paths.descent.mean_knots * dim + paths.descent.width_knots;
        networks.cache.rows * (weighted + 4 * knots * size_of::<f64>())
    });
    Ok(Cost { seconds, bytes: BASE_BYTES + samples + of_pairs + (1 << 26) })
}

/// Trial steps of a descent and of a network, and trial paths along it.
fn seconds(
    settings: &AlternationSettings,
    epsilon: f64,
    data: &CrowdData,
    ends: &[Tensor<2>; 2],
) -> Result<f64> {
    let mut trial = settings.clone();
    trial.fit.steps = TRIAL_STEPS;
    let (mut pairs, mut iterations) = (0, 0);
    if let Some(paths) = &mut trial.paths {
        // Two crowds, side by side.
        trial.cache.rows = settings.cache.rows.min((2 * paths.descent.crowd).max(settings.fit.batch_size));
        (pairs, iterations) = (trial.cache.rows, paths.descent.iterations);
        (paths.descent.iterations, paths.resampled) = (TRIAL_ITERATIONS, 0);
    }
    let [source, target] = ends;
    let rng = Rng::new(0).fork(METHOD);
    let alternation = Alternation::new(source, target, None, epsilon, trial.clone(), rng)?;
    let mut alternation = alternation.with_problem(&data.scene.problem)?;
    let (started, mut of_descent, mut of_steps) = (Instant::now(), 0.0, 0.0);
    alternation.learn::<crate::RunError>(|_, net, regression, rng| {
        let mut trainer = Trainer::new(net, trial.fit.clone(), rng.clone())?;
        trainer.step(regression);
        of_descent = started.elapsed().as_secs_f64();
        let begun = Instant::now();
        (1..TRIAL_STEPS).for_each(|_| drop(trainer.step(regression)));
        of_steps = begun.elapsed().as_secs_f64() / (TRIAL_STEPS - 1) as f64;
        Ok(trainer.finished())
    })?;
    let begun = Instant::now();
    let walked = alternation.bridge().transport(Direction::Backward, target, &mut Rng::new(0)).dims()[0];
    let of_path = begun.elapsed().as_secs_f64() / walked as f64;
    let share = settings.cache.rows as f64 / pairs.max(1) as f64;
    let of_half = of_descent * share * iterations as f64 / TRIAL_ITERATIONS as f64
        + of_path * settings.cache.rows as f64
        + of_steps * settings.fit.steps as f64;
    Ok(of_half * settings.half_bridges as f64)
}

/// Trial steps of the plain bridge.
fn seconds_of_steps(settings: &AlternationSettings, epsilon: f64, ends: &[Tensor<2>; 2]) -> Result<f64> {
    let mut trial = settings.clone();
    (trial.fit.steps, trial.cache.rows) = (TRIAL_STEPS, 1);
    let [source, target] = ends;
    let mut alternation = Alternation::new(source, target, None, epsilon, trial.clone(), Rng::new(0))?;
    let mut of_steps = 0.0;
    alternation.learn::<crate::RunError>(|_, net, regression, rng| {
        let mut trainer = Trainer::new(net, trial.fit.clone(), rng.clone())?;
        trainer.step(regression);
        let begun = Instant::now();
        (1..TRIAL_STEPS).for_each(|_| drop(trainer.step(regression)));
        of_steps = begun.elapsed().as_secs_f64() / (TRIAL_STEPS - 1) as f64;
        Ok(trainer.finished())
    })?;
    Ok(2.0 * of_steps * (settings.fit.steps * settings.half_bridges) as f64)
}
