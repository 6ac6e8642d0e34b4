//! The law of a path at time t is the target smoothed with variance ε(1 − t).

use sbridge::Result;
use sbridge::marginal::{Convolved, Marginal as _};
use sbridge::rng::Rng;
use sbridge::simulate::{Denoiser, EndRule, StepRule, VarGrid};
use sbridge::tensor::{Tensor, to_vec_f64};

use super::laws::{BUMPS_VAR, two_bumps};
use crate::reproduce::{Check, Effort, Study};
use sbridge_report::{Plot, Series, SeriesStyle};

const PATHS: usize = 20_000;
const STEPS: usize = 500;

pub(super) fn study(_effort: Effort, rng: &Rng) -> Result<Study> {
    let law = two_bumps()?;
    let mut rng = rng.fork("paths");
    let start = Convolved::new(law.clone(), 1.0).sample(PATHS, &mut rng);
    let grid = VarGrid::Uniform.variances(1.0, 0.0, STEPS)?;
    let mut seen = Vec::new();
    let mut observe = |v: f64, z: &Tensor<2>| seen.push((v, to_vec_f64(z.clone().powi_scalar(2).mean())[0]));
    Denoiser::new(grid, StepRule::Euler, EndRule::Plain)?.run_observed(&law, start, &mut rng, &mut observe);
    let at = |v: f64| seen[((1.0 - v) * STEPS as f64).round() as usize].1;
    let checks = [(0.75, 0.060), (0.5, 0.048), (0.25, 0.036)].map(|(v, tolerance)| {
        Check::near(format!("variance at t = {}", 1.0 - v), at(v), BUMPS_VAR + v, tolerance)
    });
    let series = |name: &str, style, of: &dyn Fn(&(f64, f64)) -> f64| Series {
        name: name.into(),
        style,
        points: seen.iter().map(|seen| (1.0 - seen.0, of(seen))).collect(),
    };
    let plot = Plot {
        caption: "Variance along the bridge".into(),
        x_label: "time t".into(),
        y_label: "variance".into(),
        series: vec![
            series("simulated", SeriesStyle::Line, &|seen| seen.1),
            series("exact", SeriesStyle::Dashed, &|seen| BUMPS_VAR + seen.0),
        ],
        ..Plot::default()
    };
    Ok(Study {
        title: "Marginals of the bridge".into(),
        text: format!(
            "{PATHS} paths of {STEPS} Euler steps with the exact score of two bumps of variance {BUMPS_VAR}; \
             the law at time t has that variance plus ε(1 − t), ε = 1."
        ),
        checks: checks.into(),
        note: "Tolerances are 4.5 standard errors of a variance and the bias of the steps.".into(),
        plots: vec![plot],
        ..Study::default()
    })
}
