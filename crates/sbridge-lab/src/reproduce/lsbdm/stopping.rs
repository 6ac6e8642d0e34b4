//! Stopping with variance v left costs √(s² + v) − s, and never more than √(d* v).

use sbridge::rng::Rng;
use sbridge::simulate::{Denoiser, EndRule, StepRule, VarGrid};

use super::laws::{SLIGHT, SLIGHTLY_WEAK, output_variance};
use crate::reproduce::{Effort, Estimate, Result, Study, line};
use sbridge_run::RunError;

/// Steps of a second-order method, so that what is left is the stopping error.
const STEPS: usize = 4000;

/// W2 between N(0, s²) and the output of a sampler that stops at variance `v`, by a score too weak by a share `weaker`.
fn stopping_error(std: f64, v: f64, weaker: f64) -> Result<f64> {
    let grid = VarGrid::Geometric.variances(1.0, v, STEPS)?;
    let denoiser = Denoiser::new(grid, StepRule::OdeHeun, EndRule::Plain)?;
    Ok(output_variance(&denoiser, std * std, weaker).sqrt() - std)
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
            let left = |weaker| Ok::<_, RunError>(Estimate::exact(stopping_error(std, v, weaker)?));
            let beside = left(0.0)?.beside(SLIGHTLY_WEAK, left(SLIGHT)?);
            let expected = (std * std + v).sqrt() - std;
            study.near(format!("W2 left at v = {v}, s = {std}"), beside, expected, 1e-5 * v.sqrt());
        }
        let slope = |weaker| {
            let ratio = stopping_error(std, 1e-3, weaker)? / stopping_error(std, 1e-4, weaker)?;
            Ok::<_, RunError>(Estimate::exact(ratio.log10()))
        };
        let expected = if std == 0.0 { 0.5 } else { 1.0 };
        let beside = slope(0.0)?.beside(SLIGHTLY_WEAK, slope(SLIGHT)?);
        study.near(format!("slope in v, s = {std}"), beside, expected, 2e-3);
        let points = [1e-4, 1e-3, 1e-2, 1e-1].map(|v| Ok((v, stopping_error(std, v, 0.0)?)));
        series.push(line(format!("s = {std}"), points.into_iter().collect::<Result<_>>()?));
    }
    study.log_plot(
        "W2 left by stopping at variance v, exact (no sampling, so no floor)",
        ["variance v", "W2"],
        series,
    );
    Ok(study)
}
