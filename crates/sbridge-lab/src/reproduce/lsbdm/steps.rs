//! The error of Euler's method falls as one over the steps, or as their root where the law is a point.

use sbridge::Result;
use sbridge::rng::Rng;
use sbridge::simulate::{Denoiser, EndRule, StepRule, VarGrid, exact_output_variance};

use super::laws::normal;
use crate::reproduce::{Check, Effort, Study};
use sbridge_report::{Plot, Scale, Series, SeriesStyle};

/// Variances of the laws: smooth, narrow, and a point.
const LAWS: [f64; 4] = [1.0, 0.25, 0.0625, 0.0];

/// Variance of the output for N(0, var) after `steps` Euler steps, ε = 1.
fn euler_variance(var: f64, steps: usize) -> Result<f64> {
    let grid = VarGrid::Uniform.variances(1.0, 0.0, steps)?;
    let denoiser = Denoiser::new(grid, StepRule::Euler, EndRule::Plain)?;
    Ok(exact_output_variance(&denoiser, &normal(var), var + 1.0))
}

/// W2 of two centred Gaussians on the line.
fn w2(var: f64, other: f64) -> f64 {
    (var.sqrt() - other.sqrt()).abs()
}

pub(super) fn study(effort: Effort, _rng: &Rng) -> Result<Study> {
    let many = effort.pick(4000, 20_000);
    let mut study = Study {
        title: "Step error".into(),
        text: "Exact variances of the output for Gaussian laws of variance s², read off the sampler, ε = 1. \
               Along smooth directions W2 falls as 1/N, along a degenerate one as N^(−½)."
            .into(),
        note: "Tolerances are the next order in 1/N; for a point the slope is exact.".into(),
        ..Study::default()
    };
    let mut series = Vec::new();
    for var in LAWS {
        let at = |steps| Ok::<f64, sbridge::Error>(w2(euler_variance(var, steps)?, var));
        let slope = (at(3200)? / at(1600)?).log2();
        let (expected, tolerance) = if var == 0.0 { (-0.5, 1e-9) } else { (-1.0, 0.002) };
        study.checks.push(Check::near(format!("slope of W2 in N, s² = {var}"), slope, expected, tolerance));
        if var > 0.0 {
            let constant = many as f64 * (euler_variance(var, many)? - var);
            let limit = 0.5 * (1.0 - (var / (var + 1.0)).powi(2));
            let name = format!("N (V − s²) at N = {many}, s² = {var}");
            study.checks.push(Check::near(name, constant, limit, 3.0 / many as f64));
        }
        let points = [25, 50, 100, 200, 400, 800, 1600, 3200].map(|n| at(n).map(|w2| (n as f64, w2)));
        let points = points.into_iter().collect::<Result<_>>()?;
        series.push(Series { name: format!("s² = {var}"), style: SeriesStyle::Line, points });
    }
    study.plots.push(Plot {
        caption: "W2 between the output and its law, exact (no sampling, so no floor)".into(),
        x_label: "steps N".into(),
        y_label: "W2".into(),
        x_scale: Scale::Log,
        y_scale: Scale::Log,
        series,
    });
    Ok(study)
}
