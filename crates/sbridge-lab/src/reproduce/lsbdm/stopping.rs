//! Stopping with variance v left costs √(s² + v) − s, and never more than √(d* v).

use sbridge::Result;
use sbridge::rng::Rng;
use sbridge::simulate::{Denoiser, EndRule, StepRule, VarGrid, exact_output_variance};

use super::laws::normal;
use crate::reproduce::{Check, Effort, Study};
use sbridge_report::{Plot, Scale, Series, SeriesStyle};

/// Steps of a second-order method, so that what is left is the stopping error.
const STEPS: usize = 4000;

/// W2 between N(0, s²) and the output of a sampler that stops at variance `v`.
fn stopping_error(std: f64, v: f64) -> Result<f64> {
    let var = std * std;
    let grid = VarGrid::Geometric.variances(1.0, v, STEPS)?;
    let denoiser = Denoiser::new(grid, StepRule::OdeHeun, EndRule::Plain)?;
    Ok(exact_output_variance(&denoiser, &normal(var), var + 1.0).sqrt() - std)
}

pub(super) fn study(_effort: Effort, _rng: &Rng) -> Result<Study> {
    let mut study = Study {
        title: "Early stopping".into(),
        text:
            "The sampler stops at variance v; its exact output is compared with the law it was heading for."
                .into(),
        note: "Tolerance 1e-5 relative to √v is the error of Heun's method on this grid; slopes between 10⁻⁴ and \
               10⁻³ carry the second-order term of √(s² + v) − s, v/4s², as well."
            .into(),
        ..Study::default()
    };
    let mut series = Vec::new();
    for std in [1.0_f64, 0.5, 0.0] {
        for v in [0.1_f64, 0.01] {
            let expected = (std * std + v).sqrt() - std;
            let name = format!("W2 left at v = {v}, s = {std}");
            study.checks.push(Check::near(name, stopping_error(std, v)?, expected, 1e-5 * v.sqrt()));
        }
        let slope = (stopping_error(std, 1e-3)? / stopping_error(std, 1e-4)?).log10();
        let expected = if std == 0.0 { 0.5 } else { 1.0 };
        study.checks.push(Check::near(format!("slope in v, s = {std}"), slope, expected, 2e-3));
        let points = [1e-4, 1e-3, 1e-2, 1e-1].map(|v| stopping_error(std, v).map(|w2| (v, w2)));
        let points = points.into_iter().collect::<Result<_>>()?;
        series.push(Series { name: format!("s = {std}"), style: SeriesStyle::Line, points });
    }
    study.plots.push(Plot {
        caption: "W2 left by stopping at variance v, exact (no sampling, so no floor)".into(),
        x_label: "variance v".into(),
        y_label: "W2".into(),
        x_scale: Scale::Log,
        y_scale: Scale::Log,
        series,
    });
    Ok(study)
}
