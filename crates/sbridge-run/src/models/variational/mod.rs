//! Variational diffusions, of samples or of the steps of series: cost, file, stages, whitening.

pub mod cost;
pub mod file;
mod learn;
mod whitening;

pub use learn::{Models, of_forward_score};
pub use whitening::Whitening;

use sbridge::solver::vsdm::{FlowSettings, VsdmSettings};

use crate::settings::Refusal;

/// Values in a sample, or series at once, at most, where matrices of as many rows and columns are kept for every node.
pub const MAX_DIM: usize = 256;

/// Name of a baseline, of its file and stages: a score model of the same network and training.
pub const SCORE_MODEL: &str = "score-model";

/// Name of another: a score model of whitened data.
pub const WHITENED: &str = "whitened-score-model";

/// Names of the models that a run of `method` learns, with baselines or without.
pub fn models(method: &'static str, baselines: bool) -> Vec<&'static str> {
    if baselines { vec![method, SCORE_MODEL, WHITENED] } else { vec![method] }
}

/// Refuses what cannot be learned or drawn, by the section of the setting.
///
/// # Errors
/// [`Refusal`] for the first value out of range.
pub fn check_learned(vsdm: &VsdmSettings, sampler: &FlowSettings) -> Result<(), Refusal> {
    let parts = [
        ("vsdm.schedule", vsdm.schedule.check()),
        ("vsdm.net", vsdm.net.check()),
        ("vsdm.fit", vsdm.fit.check()),
        ("vsdm", vsdm.check()),
        ("sampler", sampler.check()),
    ];
    for (section, checked) in parts {
        checked.map_err(|error| Refusal::in_section(section, &error))?;
    }
    Ok(())
}
