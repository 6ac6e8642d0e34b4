//! What a bridge between two sets will cost, said before it starts.

use std::ops::ControlFlow;
use std::time::Instant;

use sbridge::Codec as _;
use sbridge::fit::Trainer;
use sbridge::latent::ReferenceCovariance;
use sbridge::rng::Rng;
use sbridge::solver::alternation::{Alternation, AlternationSettings};
use sbridge::solver::light_sb::{LightSb, LightSbSettings};
use sbridge::tensor::{Tensor, head};
use sbridge::{Direction, PairBridge as _};

use crate::context::Context;
use crate::error::Result;
use crate::models::bridge::{PairConfig, PairData};
use crate::training::cost::{BASE_BYTES, Cost, TRIAL_STEPS, memory_of_autoencoder, seconds_of_autoencoder};

/// Samples walked along a path to time it.
const TRIAL_PATHS: usize = 500;

/// Seconds of training without networks below which nothing is said.
const WORTH_SAYING: f64 = 5.0;

/// Time and memory by a few trial steps; nothing where all takes seconds.
///
/// # Errors
/// Settings that the fit itself would refuse.
pub(super) fn cost(config: &PairConfig, data: &PairData, context: &Context) -> Result<Option<Cost>> {
    let (joined, sets) = (Joined::of(config, data)?, memory_of_sets(data));
    let (mut seconds, mut bytes) = (0.0, sets);
    if config.is_latent() {
        let device = context.open_device(&config.device)?;
        seconds += seconds_of_autoencoder(&config.autoencoder, &data.target, &device)?;
        bytes += memory_of_autoencoder(&config.autoencoder, data.target.shape().size());
    }
    if let Some(settings) = &config.networks {
        seconds += joined.seconds(settings, config.epsilon)?;
        bytes = bytes.max(sets + joined.memory(settings));
    }
    if let Some(settings) = &config.light_sb {
        seconds += joined.seconds_of_potentials(settings, config.epsilon)?;
        bytes = bytes.max(sets + joined.memory_of_potential(settings));
    }
    let is_worth_saying = config.networks.is_some() || seconds >= WORTH_SAYING;
    Ok(is_worth_saying.then_some(Cost { seconds, bytes }))
}

/// Bytes of the program and of both sets, as read, split, and in the units of the networks.
fn memory_of_sets(data: &PairData) -> usize {
    let values = (data.source.len() + data.target.len()) * data.target.shape().size();
    BASE_BYTES + 3 * values * size_of::<f32>()
}

/// ε, which of codes is not known yet, and no matter.
fn or_one(epsilon: f64) -> f64 {
    if epsilon > 0.0 { epsilon } else { 1.0 }
}

/// What the bridge joins: a few samples of each end, or where there are no codes yet, something of their size.
struct Joined {
    ends: [Tensor<2>; 2],
    image: Option<[usize; 3]>,
}

impl Joined {
    fn of(config: &PairConfig, data: &PairData) -> Result<Self> {
        let few = [&data.ends.source, &data.ends.target].map(|split| head(&split.train, TRIAL_PATHS));
        if !config.is_latent() {
            // The units of a covariance will do, and no matrix is decomposed for them.
            let units = match config.reference {
                ReferenceCovariance::Isotropic => ReferenceCovariance::Isotropic,
                ReferenceCovariance::Scaled | ReferenceCovariance::Covariance => ReferenceCovariance::Scaled,
            };
            let codec = units.codec(few.each_ref())?;
            let ends = codec.map_or(few.clone(), |codec| few.map(|rows| codec.encode(&rows)));
            return Ok(Self { ends, image: data.ends.image });
        }
        let dim = config.autoencoder.net.latent_dim;
        let codes = |rows: Tensor<2>| Rng::new(0).normal([rows.dims()[0], dim], &rows.device());
        Ok(Self { ends: few.map(codes), image: None })
    }

    /// Trial steps of the first half-bridge, and trial paths along what it learned.
    fn seconds(&self, settings: &AlternationSettings, epsilon: f64) -> Result<f64> {
        let [source, target] = &self.ends;
        let mut trial = settings.clone();
        trial.fit.steps = TRIAL_STEPS;
        trial.cache.rows = 1;
        let epsilon = or_one(epsilon);
        let mut alternation =
            Alternation::new(source, target, self.image, epsilon, trial.clone(), Rng::new(0))?;
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
        let walked = alternation.bridge().transport(Direction::Backward, target, &mut Rng::new(0)).dims()[0];
        let of_path = started.elapsed().as_secs_f64() / walked as f64;
        let fit = &settings.fit;
        let steps = (fit.steps * settings.half_bridges) as f64;
        Ok(steps * (of_steps + of_path * fit.batch_size as f64 * settings.paths_per_example()))
    }

    /// Two trial steps each way, of which the second is timed.
    fn seconds_of_potentials(&self, settings: &LightSbSettings, epsilon: f64) -> Result<f64> {
        let [source, target] = &self.ends;
        let trial = LightSbSettings { steps: 2, ..settings.clone() };
        let (mut last, mut of_steps) = (Instant::now(), 0.0);
        let mut watch = |_, step, _| {
            if step == 2 {
                of_steps += last.elapsed().as_secs_f64();
            }
            last = Instant::now();
            ControlFlow::Continue(())
        };
        LightSb::fit(source, target, or_one(epsilon), &trial, &Rng::new(0), &mut watch)?;
        Ok(of_steps * settings.steps as f64)
    }

    /// Bytes of a potential, its gradient, their moments and mean, of the components in their eigenbases, and of what
    /// becomes of a batch in each component.
    fn memory_of_potential(&self, settings: &LightSbSettings) -> usize {
        let dim = self.ends[0].dims()[1];
        settings.components * dim * (8 * dim + 4 * settings.batch_size) * size_of::<f64>()
    }

    /// Bytes held at the widest moment, beside the samples.
    fn memory(&self, settings: &AlternationSettings) -> usize {
        let size = self.ends[0].dims()[1];
        let batch = settings.fit.batch_size * size_of::<f32>();
        // Kept for the backward pass.
        let activations = match self.image {
            None => 4 * batch * settings.net.mlp.width * settings.net.mlp.layers,
            Some([channels, ..]) => 30 * batch * settings.net.unet.width * size / channels,
        };
        // What is simulated exists in blocks and joined.
        2 * settings.cache_bytes(size) + activations
    }
}
