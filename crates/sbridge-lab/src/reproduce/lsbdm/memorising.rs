//! With the score of the sample itself, the bridge returns the sample's rows and the noise left.

use sbridge::marginal::{Convolved, Empirical, Marginal as _};
use sbridge::rng::Rng;
use sbridge::simulate::{Denoiser, EndRule, StepRule, VarGrid};
use sbridge::tensor::{Device, from_rows, points};
use sbridge_ot::nearest_neighbours;

use super::laws::{PLAIN, PLAINLY_WEAK, Weak};
use crate::reproduce::{Effort, Estimate, Result, Study, dashed, dots};

/// d*, and the mean length of a standard normal vector of that dimension.
const LENGTHS: [(usize, f64); 4] = [(1, 0.797_885), (2, 1.253_314), (3, 1.595_769), (8, 2.741_625)];

/// Codes, far apart along the first axis.
const CODES: usize = 16;
const APART: f32 = 6.0;
const EPSILON: f64 = 4.0;
const V_END: f64 = 0.02;
const STEPS: usize = 400;

/// Distances of `count` outputs to the nearest code, by the score of the codes, too weak by a share `weaker`.
fn distances(dim: usize, count: usize, weaker: f64, rng: &Rng) -> Result<Vec<f64>> {
    let mut rng = rng.fork(&format!("dim={dim}"));
    let mut rows = vec![0f32; CODES * dim];
    rows.iter_mut().step_by(dim).enumerate().for_each(|(i, x)| *x = APART * i as f32);
    let codes = from_rows(&rows, dim, &Device::flex());
    let law = Empirical::new(codes.clone());
    let grid = VarGrid::Geometric.variances(EPSILON, V_END / EPSILON, STEPS)?;
    let denoiser = Denoiser::new(grid, StepRule::Euler, EndRule::Plain)?;
    let start = Convolved::new(law.clone(), EPSILON).sample(count, &mut rng);
    let end = denoiser.run(&Weak { score: law, by: weaker }, start, &mut rng);
    Ok(nearest_neighbours(&points(&end)?, &points(&codes)?, 1)?.farthest_distances())
}

fn root_mean_square(values: &[f64]) -> Estimate {
    let squares = Estimate::mean(&values.iter().map(|x| x * x).collect::<Vec<_>>());
    squares.mapped(f64::sqrt, 0.5 / squares.measured.sqrt())
}

pub(super) fn study(effort: Effort, rng: &Rng) -> Result<Study> {
    let count = effort.pick(4000, 20_000);
    let mut study = Study::new(
        "The memorising sampler",
        format!(
            "The exact score of {CODES} codes, which an unconstrained fit converges to. Samples are the codes \
             plus noise of variance v_end = {V_END}: this is what over-fitting looks like."
        ),
        "Tolerances are 4.5 standard errors, and the bias of the steps on this grid: 1.5 % of a variance, \
         half of that of a length.",
    );
    let mut measured = Vec::new();
    for (dim, length) in LENGTHS {
        let [found, control] = [0.0, PLAIN].map(|weaker| distances(dim, count, weaker, rng));
        let (found, control) = (found?, control?);
        let (d, n) = (dim as f64, count as f64);
        let (rms, expected) = (root_mean_square(&found), (V_END * d).sqrt());
        let allowed = expected * (4.5 / (2.0 * d * n).sqrt() + 0.0075);
        let beside = rms.beside(PLAINLY_WEAK, root_mean_square(&control));
        study.near(format!("RMS distance to the code, d* = {dim}"), beside, expected, allowed);
        let expected = V_END.sqrt() * length;
        let spread = (d - length * length).sqrt() * V_END.sqrt();
        let allowed = 4.5 * spread / n.sqrt() + 0.0075 * expected;
        let beside = Estimate::mean(&found).beside(PLAINLY_WEAK, Estimate::mean(&control));
        study.near(format!("mean distance to the code, d* = {dim}"), beside, expected, allowed);
        let rms = rms.measured;
        measured.push((d, rms));
    }
    let exact = (1..=8).map(|d| (f64::from(d), (V_END * f64::from(d)).sqrt())).collect();
    study.plot(
        "RMS distance to the nearest code",
        ["dimension d*", "distance"],
        vec![dots("measured", measured), dashed("√(d* v_end)", exact)],
    );
    Ok(study)
}
