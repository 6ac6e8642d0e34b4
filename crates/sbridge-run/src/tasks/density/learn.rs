//! From a density to a sampler: baselines, units, controls.

use sbridge::density::{Affine, Coordinates};
use sbridge::rng::Rng;
use sbridge::solver::density::{Examples, Exploration, PathObjective, Sampler};
use sbridge::tensor::Device;

use super::{DensityConfig, MODEL_FILE, baselines, file};
use crate::densities::OpenDensity;
use crate::error::{Result, RunError};
use crate::training::{Cost, Learning, Stage, cost};

/// The controls.
const CONTROL: Stage<'static> = Stage { name: "control", learning_rate: "fit.learning_rate" };

/// Share of the training in which controls are cut lower.
const WARM_UP: f64 = 0.25;

/// What to do about paths that diverge.
const FIX: &str = "more sampler.steps, a sampler.spread nearer to the width of the law, a lower sampler.clip (10, say), or a third \
                   of fit.learning_rate";

/// Runs what is not run yet, and writes the sampler.
///
/// # Errors
/// [`RunError`] if training is interrupted, diverges, or cannot be saved, or the density fails.
pub(super) fn learn(run: &mut Learning<'_, DensityConfig>, open: &OpenDensity) -> Result<()> {
    baselines::run(run, open)?;
    let coordinates = units(run, open)?;
    let density = Affine::new(open.target.as_ref(), &coordinates);
    let (method, rng) = (run.settings.sampler.method.method(), run.rng(CONTROL.name));
    let sampler = Sampler::new(method, run.settings.sampler.steps, &density, run.device.clone());
    let clip = run.settings.sampler.clip;
    let nets = method.controls(coordinates.dim(), clip, &mut rng.fork("init"), &run.device);
    let mut objective = objective(&run.settings, sampler);
    if run.settings.follows_draws() {
        follow(&mut objective, run, &coordinates)?;
    }
    let fit = run.settings.fit.clone();
    let controls = run.train(CONTROL, nets, &mut objective, fit, rng.fork("fit"));
    let controls = controls.map_err(|error| failed(error, &objective))?;
    file::save(&run.file(MODEL_FILE), &run.settings, &coordinates, &controls)
}

/// Why training ended: the density failed, or paths diverged.
fn failed(error: RunError, objective: &PathObjective<'_>) -> RunError {
    match (error, objective.failure()) {
        (RunError::Diverged { .. }, Some(failure)) => {
            RunError::Input(format!("the target could not be evaluated on the way: {failure}"))
        }
        (RunError::Diverged { stage, reason, folder, .. }, None) => {
            RunError::Diverged { stage, reason, folder, fix: FIX.into() }
        }
        (error, _) => error,
    }
}

/// What controls are trained by.
fn objective<'a>(settings: &DensityConfig, sampler: Sampler<'a>) -> PathObjective<'a> {
    let mut objective = PathObjective::new(sampler, settings.objective.loss());
    objective.bound = settings.objective.max_action;
    let paths = settings.paths();
    objective.warm_up = (paths * WARM_UP) as usize;
    objective.exploration = (settings.objective.exploration > 0.0).then(|| Exploration {
        noise: settings.objective.exploration,
        until: ((paths * settings.objective.explored) as usize).max(1),
    });
    objective
}

/// Has controls follow the draws of `smc` first, which leads them where the loss is finite: nothing is cut on the way.
fn follow(
    objective: &mut PathObjective<'_>,
    run: &Learning<'_, DensityConfig>,
    coordinates: &Coordinates,
) -> Result<()> {
    let states = coordinates.inward(&baselines::load(run.folder, "smc")?.states);
    if states.is_empty() {
        return Ok(());
    }
    let until = (run.settings.paths() * run.settings.objective.examples) as usize;
    objective.examples = Some(Examples { states, until });
    objective.warm_up = 0;
    Ok(())
}

/// Centre and width of the law: of the draws of a baseline, or as the settings say.
fn units(run: &mut Learning<'_, DensityConfig>, open: &OpenDensity) -> Result<Coordinates> {
    let (dim, spread) = (open.target.dim(), run.settings.sampler.spread);
    if !run.settings.measures_units() {
        return Ok(Coordinates::scaled(dim, spread));
    }
    let kept = baselines::load(run.folder, "smc")?;
    match Coordinates::of_draws(&kept.states, dim) {
        Some(coordinates) => Ok(coordinates),
        None => {
            run.remark(
                "smc gave no draws to measure centre and width by: the law is taken for one about the origin \
                        of width 1 (say another with sampler.spread)",
            );
            Ok(Coordinates::scaled(dim, 1.0))
        }
    }
}

/// What a run will take, by a few steps.
///
/// # Errors
/// Settings that training would refuse.
pub(super) fn expected(settings: &DensityConfig, open: &OpenDensity, device: &Device) -> Result<Cost> {
    let (dim, method) = (open.target.dim(), settings.sampler.method.method());
    let coordinates = Coordinates::scaled(dim, settings.sampler.spread.max(1.0));
    let density = Affine::new(open.target.as_ref(), &coordinates);
    let sampler = Sampler::new(method, settings.sampler.steps, &density, device.clone());
    let nets = method.controls(dim, settings.sampler.clip, &mut Rng::new(0), device);
    let seconds = cost::trial(nets, &mut objective(settings, sampler), &settings.fit, &Rng::new(0))?;
    let rows = settings.fit.batch_size * settings.sampler.steps;
    // Of every state on a path: itself, noise, control, score and what pulls; and ten layers of 64 features for the way back.
    let bytes = cost::BASE_BYTES + rows * (8 * dim + 10 * 64) * size_of::<f32>();
    Ok(Cost { seconds, bytes })
}
