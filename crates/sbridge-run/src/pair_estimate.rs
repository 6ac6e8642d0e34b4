//! What a bridge of networks will cost, said before it starts.

use std::time::Instant;

use sbridge::fit::Trainer;
use sbridge::rng::Rng;
use sbridge::solver::alternation::{Alternation, AlternationSettings};
use sbridge::tensor::{Tensor, head};
use sbridge::{Direction, PairBridge as _};

use crate::error::Result;
use crate::estimate::{BASE_BYTES, TRIAL_STEPS, human_time};
use crate::fit_pair::Pair;
use crate::pair_config::PairConfig;

/// Samples walked along a path to time it.
const TRIAL_PATHS: usize = 500;

/// Takes a few trial steps and prints the expected time and memory; nothing for methods that take seconds.
///
/// # Errors
/// Settings that the fit itself would refuse.
pub(crate) fn announce(config: &PairConfig, pair: &Pair) -> Result<()> {
    let Some(settings) = &config.networks else { return Ok(()) };
    let seconds = seconds(config, settings, pair)?;
    let gigabytes = memory(settings, pair) as f64 / 1e9;
    eprintln!("about {} of training and {gigabytes:.1} GB of memory", human_time(seconds));
    Ok(())
}

/// Trial steps of the second half-bridge, which walks along a network, and trial paths.
fn seconds(config: &PairConfig, settings: &AlternationSettings, pair: &Pair) -> Result<f64> {
    let few = |rows: &Tensor<2>| head(rows, TRIAL_PATHS);
    let (source, target) = (few(&pair.of_source.train), few(&pair.of_target.train));
    let mut trial = settings.clone();
    trial.fit.steps = TRIAL_STEPS;
    trial.cache.rows = 1;
    let mut alternation =
        Alternation::new(&source, &target, pair.image(), config.epsilon, trial.clone(), Rng::new(0))?;
    let mut of_steps = 0.0;
    alternation.learn::<crate::RunError>(|_, net, regression, rng| {
        let mut trainer = Trainer::new(net, trial.fit.clone(), rng.clone())?;
        trainer.step(regression);
        let started = Instant::now();
        (1..TRIAL_STEPS).for_each(|_| drop(trainer.step(regression)));
        of_steps = started.elapsed().as_secs_f64() / (TRIAL_STEPS - 1) as f64;
        Ok(trainer.finished())
    })?;
    let started = Instant::now();
    let walked = alternation.bridge().transport(Direction::Backward, &target, &mut Rng::new(0)).dims()[0];
    let of_path = started.elapsed().as_secs_f64() / walked as f64;
    let fit = &settings.fit;
    let steps = (fit.steps * settings.half_bridges) as f64;
    Ok(steps * (of_steps + of_path * fit.batch_size as f64 * settings.paths_per_example()))
}

/// Bytes held at the widest moment.
fn memory(settings: &AlternationSettings, pair: &Pair) -> usize {
    let (float, size) = (size_of::<f32>(), pair.target.shape().size());
    // Each set exists as read, split, and in the units of the networks.
    let sets = 3 * (pair.source.len() + pair.target.len()) * size * float;
    let batch = settings.fit.batch_size;
    // Kept for the backward pass.
    let activations = match pair.image() {
        None => 4 * batch * settings.net.mlp.width * settings.net.mlp.layers * float,
        Some([channels, ..]) => 30 * batch * settings.net.unet.width * size / channels * float,
    };
    // What is simulated exists in blocks and joined.
    BASE_BYTES + sets + 2 * settings.cache_bytes(size) + activations
}
