//! The law of a path at time t is the target smoothed with variance ε(1 − t).

use sbridge::marginal::{Convolved, Marginal as _};
use sbridge::rng::Rng;
use sbridge::tensor::{Tensor, to_vec_f64};

use super::laws::{BUMPS_VAR, euler, two_bumps};
use crate::reproduce::{Effort, Result, Study, dashed, line};

const PATHS: usize = 20_000;
const STEPS: usize = 500;

/// Variance of simulated paths where the noise left has variance `v`.
struct Seen {
    v: f64,
    variance: f64,
}

pub(super) fn study(_effort: Effort, rng: &Rng) -> Result<Study> {
    let law = two_bumps()?;
    let mut rng = rng.fork("paths");
    let start = Convolved::new(law.clone(), 1.0).sample(PATHS, &mut rng);
    let mut seen = Vec::new();
    let mut observe = |v: f64, z: &Tensor<2>| {
        seen.push(Seen { v, variance: to_vec_f64(z.clone().powi_scalar(2).mean())[0] });
    };
    euler(1.0, STEPS)?.run_observed(&law, start, &mut rng, &mut observe);
    let mut study = Study::new(
        "Marginals of the bridge",
        format!(
            "{PATHS} paths of {STEPS} Euler steps with the exact score of two bumps of variance {BUMPS_VAR}; \
             the law at time t has that variance plus ε(1 − t), ε = 1."
        ),
        "Tolerances are 4.5 standard errors of a variance and the bias of the steps.",
    );
    for (v, tolerance) in [(0.75, 0.060), (0.5, 0.048), (0.25, 0.036)] {
        let measured = seen[((1.0 - v) * STEPS as f64).round() as usize].variance;
        study.near(format!("variance at t = {}", 1.0 - v), measured, BUMPS_VAR + v, tolerance);
    }
    let simulated = seen.iter().map(|seen| (1.0 - seen.v, seen.variance)).collect();
    let exact = seen.iter().map(|seen| (1.0 - seen.v, BUMPS_VAR + seen.v)).collect();
    study.plot(
        "Variance along the bridge",
        ["time t", "variance"],
        vec![line("simulated", simulated), dashed("exact", exact)],
    );
    Ok(study)
}
