//! Baselines of a run: run once, kept in the folder, read by whoever measures, judges or draws a page.

use std::time::Instant;

use sbridge::density::baselines::{self, Drawn};
use sbridge::net::Weights;
use serde::{Deserialize, Serialize};

use super::DensityConfig;
use crate::densities::OpenDensity;
use crate::error::{Result, RunError};
use crate::folder::{RunFolder, tensor_file};
use crate::training::Learning;

/// What a baseline found, beside its draws.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// ln Z and its standard error, if it has one.
    pub(super) log_z: Option<(f64, f64)>,
    /// Its lower bound of ln Z and the error of that, if it has one.
    pub(super) elbo: Option<(f64, f64)>,
    /// Effective sample size, as a share.
    pub(super) ess: f64,
    /// States that the gradient was evaluated at.
    pub(super) gradients: usize,
    /// What to know before using it.
    pub(super) remarks: Vec<String>,
    /// Seconds it took.
    pub(super) seconds: f64,
}

/// A baseline that was run.
pub(super) struct Kept {
    /// Its name.
    pub(super) name: String,
    /// What it found, or why it found nothing.
    pub(super) outcome: std::result::Result<Outcome, String>,
    /// Its draws, `[count, dim]`.
    pub(super) states: Vec<f64>,
}

/// Draws that are kept, at most.
const MOST_KEPT: usize = 20_000;

/// The files' description.
type Description = std::result::Result<Outcome, String>;

fn file_of(name: &str) -> String {
    format!("baseline-{name}.safetensors")
}

/// Runs those of the run's baselines that were not run yet.
///
/// # Errors
/// [`RunError::Disk`] if the disk refuses. A baseline that finds nothing is no error: it is kept why.
pub(super) fn run(run: &mut Learning<'_, DensityConfig>, open: &OpenDensity) -> Result<()> {
    let names: Vec<String> = run.settings.baselines().into_iter().map(String::from).collect();
    for name in names {
        let path = run.file(&file_of(&name));
        if path.exists() {
            continue;
        }
        if run.context.cancel.is_requested() {
            return Err(sbridge::Error::Interrupted.into());
        }
        let baseline = baselines::named(&name).ok_or_else(|| {
            RunError::Config(format!("there is no baseline {name:?} (leave it out of compare)"))
        })?;
        run.context.info(&format!("running {name}"));
        let (started, rng) = (Instant::now(), run.rng("baselines"));
        let drawn = baseline.run(open.target.as_ref(), &rng);
        let seconds = started.elapsed().as_secs_f64();
        let mut arrays = Weights::new();
        let description: Description = match drawn {
            Ok(drawn) => {
                let dim = open.target.dim();
                let count = (drawn.states.len() / dim).min(MOST_KEPT);
                let states = drawn.states[..count * dim].iter().map(|x| *x as f32).collect();
                arrays.insert("states".into(), (vec![count, dim], states));
                Ok(outcome(drawn, seconds))
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(reason) = &description {
            run.context.warn(&format!("{name} finds nothing here: {reason}"));
        }
        tensor_file::save(&path, &arrays, &description)?;
        run.took(&name, started)?;
    }
    Ok(())
}

fn outcome(drawn: Drawn, seconds: f64) -> Outcome {
    let Drawn { log_z, elbo, ess, gradients, remarks, .. } = drawn;
    Outcome { log_z, elbo, ess, gradients, remarks, seconds }
}

/// What the baseline called `name` left in `folder`.
///
/// # Errors
/// [`RunError::Folder`] if it is missing or damaged.
pub(super) fn load(folder: &RunFolder, name: &str) -> Result<Kept> {
    let (mut arrays, outcome): (_, Description) = tensor_file::load(&folder.file(&file_of(name)))?;
    let states = arrays.remove("states").map_or(Vec::new(), |(_, values)| tensor_file::widen(&values));
    Ok(Kept { name: name.into(), outcome, states })
}

/// What all baselines of `settings` left in `folder`.
///
/// # Errors
/// As [`load`].
pub(super) fn load_all(folder: &RunFolder, settings: &DensityConfig) -> Result<Vec<Kept>> {
    settings.baselines().into_iter().map(|name| load(folder, name)).collect()
}
