//! The law of a path at time t is the target smoothed with variance ε(1 − t).

use sbridge::marginal::{Convolved, Marginal as _};
use sbridge::rng::Rng;
use sbridge::tensor::{Tensor, to_vec_f64};

use super::laws::{BUMPS_VAR, PLAIN, PLAINLY_WEAK, Weak, euler, two_bumps};
use crate::reproduce::{Effort, Estimate, Result, Study, dashed, line};

const PATHS: usize = 20_000;
const STEPS: usize = 500;

/// Variance of simulated paths where the noise left has variance `v`.
struct Seen {
    v: f64,
    variance: Estimate,
}

/// Variances along paths by the score of two bumps, too weak by a share `weaker`.
fn simulated(weaker: f64, rng: &Rng) -> Result<Vec<Seen>> {
    let law = two_bumps()?;
    let mut rng = rng.fork("paths");
    let start = Convolved::new(law.clone(), 1.0).sample(PATHS, &mut rng);
    let mut seen = Vec::new();
    let mut observe = |v: f64, z: &Tensor<2>| {
        let squares = to_vec_f64(z.clone().powi_scalar(2));
        seen.push(Seen { v, variance: Estimate::mean(&squares) });
    };
    euler(1.0, STEPS)?.run_observed(&Weak { score: law, by: weaker }, start, &mut rng, &mut observe);
    Ok(seen)
}

pub(super) fn study(_effort: Effort, rng: &Rng) -> Result<Study> {
    let (seen, control) = (simulated(0.0, rng)?, simulated(PLAIN, rng)?);
    let mut study = Study::new(
        "Marginals of the bridge",
        format!(
            "{PATHS} paths of {STEPS} Euler steps with the exact score of two bumps of variance {BUMPS_VAR}; \
             the law at time t has that variance plus ε(1 − t), ε = 1."
        ),
        "Tolerances are 4.5 standard errors of a variance and the bias of the steps.",
    );
    for (v, tolerance) in [(0.75, 0.060), (0.5, 0.048), (0.25, 0.036)] {
        let at = |seen: &[Seen]| seen[((1.0 - v) * STEPS as f64).round() as usize].variance;
        let beside = at(&seen).beside(PLAINLY_WEAK, at(&control));
        study.near(format!("variance at t = {}", 1.0 - v), beside, BUMPS_VAR + v, tolerance);
    }
    let simulated = seen.iter().map(|seen| (1.0 - seen.v, seen.variance.measured)).collect();
    let exact = seen.iter().map(|seen| (1.0 - seen.v, BUMPS_VAR + seen.v)).collect();
    study.plot(
        "Variance along the bridge",
        ["time t", "variance"],
        vec![line("simulated", simulated), dashed("exact", exact)],
    );
    Ok(study)
}
