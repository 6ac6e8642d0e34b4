//! The error of Euler's method falls as one over the steps, or as their root where the law is a point.

use sbridge::rng::Rng;

use super::laws::{PLAIN, PLAINLY_WEAK, SLIGHT, SLIGHTLY_WEAK, euler, output_variance};
use crate::reproduce::{Effort, Estimate, Result, Study, line};

/// Variances of the laws: smooth, narrow, and a point.
const LAWS: [f64; 4] = [1.0, 0.25, 0.0625, 0.0];

/// A score too weak by a share, 0 for the exact one.
#[derive(Clone, Copy)]
struct Weaker(f64);

impl Weaker {
    /// Variance of the output for N(0, var) after `steps` Euler steps, ε = 1.
    fn euler_variance(self, var: f64, steps: usize) -> Result<f64> {
        Ok(output_variance(&euler(1.0, steps)?, var, self.0))
    }

    /// W2 of the output and its law.
    fn w2(self, var: f64, steps: usize) -> Result<f64> {
        Ok((self.euler_variance(var, steps)?.sqrt() - var.sqrt()).abs())
    }

    /// The slope of ln W2 in ln N.
    fn slope(self, var: f64) -> Result<Estimate> {
        Ok(Estimate::exact((self.w2(var, 3200)? / self.w2(var, 1600)?).log2()))
    }

    /// N (V − s²).
    fn constant(self, var: f64, steps: usize) -> Result<Estimate> {
        Ok(Estimate::exact(steps as f64 * (self.euler_variance(var, steps)? - var)))
    }
}

const EXACT: Weaker = Weaker(0.0);

/// The control of a law of this variance: the slope of a point outlives a slight weakness, which only changes its constant.
fn control(var: f64) -> (&'static str, Weaker) {
    if var > 0.0 { (SLIGHTLY_WEAK, Weaker(SLIGHT)) } else { (PLAINLY_WEAK, Weaker(PLAIN)) }
}

pub(super) fn study(effort: Effort, _rng: &Rng) -> Result<Study> {
    let many = effort.pick(4000, 20_000);
    let mut study = Study::new(
        "Step error",
        "Exact variances of the output for Gaussian laws of variance s², read off the sampler, ε = 1. \
         Along smooth directions W2 falls as 1/N, along a degenerate one as N^(−½).",
        "Tolerances are the next order in 1/N; for a point the slope is exact.",
    );
    let mut series = Vec::new();
    for var in LAWS {
        let (what, spoiled) = control(var);
        let slope = EXACT.slope(var)?.beside(what, spoiled.slope(var)?);
        let (expected, tolerance) = if var == 0.0 { (-0.5, 1e-9) } else { (-1.0, 0.002) };
        study.near(format!("slope of W2 in N, s² = {var}"), slope, expected, tolerance);
        if var > 0.0 {
            let constant = EXACT.constant(var, many)?.beside(what, spoiled.constant(var, many)?);
            let limit = 0.5 * (1.0 - (var / (var + 1.0)).powi(2));
            study.near(format!("N (V − s²) at N = {many}, s² = {var}"), constant, limit, 3.0 / many as f64);
        }
        let points = [25, 50, 100, 200, 400, 800, 1600, 3200].map(|n| Ok((n as f64, EXACT.w2(var, n)?)));
        series.push(line(format!("s² = {var}"), points.into_iter().collect::<Result<_>>()?));
    }
    study.log_plot(
        "W2 between the output and its law, exact (no sampling, so no floor)",
        ["steps N", "W2"],
        series,
    );
    Ok(study)
}
