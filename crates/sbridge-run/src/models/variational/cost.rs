//! What a variational diffusion will cost, said before it starts.

use std::time::Instant;

use sbridge::fit::Trainer;
use sbridge::rng::Rng;
use sbridge::solver::vsdm::{Family, Part, ScoreData, VariationalModel, Vsdm, VsdmSettings};
use sbridge::tensor::Module;
use sbridge_report::digits;

use crate::error::Result;
use crate::training::cost::{BASE_BYTES, Cost, TRIAL_STEPS};

/// Matrices, or rows, that are kept for a node.
const KEPT_AT_A_NODE: usize = 5;

/// Rows as long as a sample that a backward path takes while it is walked.
const KEPT_OF_A_PATH: usize = 10;

/// A step of training is a pass through the network and two back.
const PASSES_OF_A_STEP: f64 = 3.0;

/// Nodes of the paths that decide a step of the forward score, about.
const NODES_OF_PATHS: usize = 100;

/// A fit that tries a few steps of `settings` on `data`.
///
/// # Errors
/// Settings or data that the fit itself would refuse.
pub fn trial<D: ScoreData>(data: D, settings: &VsdmSettings) -> Result<Vsdm<D>> {
    let mut trial = VsdmSettings { stages: 1, cooldown_steps: 0, ..settings.clone() };
    trial.fit.steps = TRIAL_STEPS;
    Ok(Vsdm::new(data, trial, Rng::new(0))?)
}

/// Time and memory of `models` models fitted by `settings`, by a few steps on `data` that take `bytes` as they are.
///
/// # Errors
/// Settings or data that the fit itself would refuse.
pub fn cost<D: ScoreData>(data: D, settings: &VsdmSettings, models: usize, bytes: usize) -> Result<Cost> {
    let mut trial = trial(data, settings)?;
    let dim: usize = trial.model().parts.iter().map(|part| part.data.dim()).sum();
    let mut seconds_of_step = 0.0;
    let fit = trial.fit();
    trial.learn(|net, matching, rng| {
        let mut trainer = Trainer::new(net, fit, rng.clone())?;
        trainer.step(matching);
        let started = Instant::now();
        (1..TRIAL_STEPS).for_each(|_| drop(trainer.step(matching)));
        seconds_of_step = started.elapsed().as_secs_f64() / (TRIAL_STEPS - 1) as f64;
        Ok::<_, sbridge::Error>(trainer.finished())
    })?;
    let steps = (settings.stages * settings.fit.steps + settings.cooldown_steps) as f64;
    let walked = (settings.paths * NODES_OF_PATHS) as f64 / settings.fit.batch_size as f64 / PASSES_OF_A_STEP;
    let seconds = models as f64 * (steps + (settings.stages - 1) as f64 * walked) * seconds_of_step;
    let entries = match settings.family {
        Family::Diagonal => dim,
        Family::Full | Family::Symmetric => dim * dim,
    };
    let nodes = settings.nodes.max(NODES_OF_PATHS) * KEPT_AT_A_NODE * entries;
    let walking = settings.paths * dim * KEPT_OF_A_PATH * size_of::<f32>();
    // Matrices are in f32 where rows are multiplied, and in f64 where they are made.
    let memory = BASE_BYTES + bytes + walking + nodes * (size_of::<f32>() + size_of::<f64>());
    Ok(Cost { seconds, bytes: memory })
}

/// Share of the spread of the data that the noise left in samples may have unsaid.
const UNSEEN: f64 = 0.1;

/// Directions narrower than this share of the widest are taken for none: rounding makes them.
const NONE: f64 = 1e-6;

/// What speaks against data as narrow as those of `model` in some direction: the noise that is left in samples hides it.
pub fn doubt<N: Module>(model: &VariationalModel<N>) -> Option<String> {
    let variances = |part: &Part| part.data.cov().self_adjoint_eigenvalues(faer::Side::Lower);
    let variances = model.parts.iter().filter_map(|part| variances(part).ok()).flatten();
    let spreads: Vec<f64> = variances.map(f64::sqrt).collect();
    let widest = spreads.iter().copied().fold(0.0, f64::max);
    let narrowest = spreads.into_iter().filter(|spread| *spread > NONE * widest).fold(f64::MAX, f64::min);
    let left = model.schedule().elapsed(model.t_min).sqrt();
    (left > UNSEEN * narrowest).then(|| {
        format!(
            "samples keep noise of deviation {}, and the data vary by {} along their narrowest direction: what is finer \
             is lost (multiply the data by {}, or lower vsdm.t_min)",
            digits(left),
            digits(narrowest),
            digits(1.0 / narrowest)
        )
    })
}
