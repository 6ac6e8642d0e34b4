//! Stopping with variance v left costs √(s² + v) − s, and never more than √(d* v).

use sbridge::rng::Rng;
use sbridge::simulate::{Denoiser, EndRule, StepRule, VarGrid};

use super::laws::output_variance;
use crate::reproduce::{Effort, Result, Study, line};

/// Steps of a second-order method, so that what is left is the stopping error.
const STEPS: usize = 4000;

/// W2 between N(0, s²) and the output of a sampler that stops at variance `v`.
fn stopping_error(std: f64, v: f64) -> Result<f64> {
    let grid = VarGrid::Geometric.variances(1.0, v, STEPS)?;
    let denoiser = Denoiser::new(grid, StepRule::OdeHeun, EndRule::Plain)?;
    Ok(output_variance(&denoiser, std * std).sqrt() - std)
}

pub(super) fn study(_effort: Effort, _rng: &Rng) -> Result<Study> {
    let mut study = Study::new(
        "Early stopping",
        "The sampler stops at variance v; its exact output is compared with the law it was heading for.",
        "Tolerance 1e-5 relative to √v is the error of Heun's method on this grid; slopes between 10⁻⁴ and \
         10⁻³ carry the second-order term of √(s² + v) − s, v/4s², as well.",
    );
    let mut series = Vec::new();
    for std in [1.0_f64, 0.5, 0.0] {
        for v in [0.1_f64, 0.01] {
            let (measured, expected) = (stopping_error(std, v)?, (std * std + v).sqrt() - std);
            study.near(format!("W2 left at v = {v}, s = {std}"), measured, expected, 1e-5 * v.sqrt());
        }
        let slope = (stopping_error(std, 1e-3)? / stopping_error(std, 1e-4)?).log10();
        let expected = if std == 0.0 { 0.5 } else { 1.0 };
        study.near(format!("slope in v, s = {std}"), slope, expected, 2e-3);
        let points = [1e-4, 1e-3, 1e-2, 1e-1].map(|v| Ok((v, stopping_error(std, v)?)));
        series.push(line(format!("s = {std}"), points.into_iter().collect::<Result<_>>()?));
    }
    study.log_plot(
        "W2 left by stopping at variance v, exact (no sampling, so no floor)",
        ["variance v", "W2"],
        series,
    );
    Ok(study)
}
