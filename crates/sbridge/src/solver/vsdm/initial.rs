//! The forward score before the first stage: of Gaussian data with the moments of ours, in closed form.       \[VSDM\]

use faer::Mat;
use sbridge_ot::matrix::{symmetric_eigen, symmetric_part};
use sbridge_ot::{Gaussian, PriorBridge};

use crate::error::Result;
use crate::reference::{LinearDiffusion, LinearDrift, Schedule, decayed, product};
use crate::solver::vsdm::{Family, Initial, Part, VsdmSettings};
use crate::tensor::{Tensor, points, to_vec_f64};

/// The forward process as `settings` have it begin, of the law of the rows of `states`.
///
/// # Errors
/// [`Error::Transport`](crate::Error::Transport) for states that are not finite, or fewer than two.
pub(super) fn initial_parts(states: &Tensor<2>, settings: &VsdmSettings) -> Result<Vec<Part>> {
    let moments = match settings.family {
        Family::Diagonal => moments_of_columns(states)?,
        Family::Full | Family::Symmetric => vec![Gaussian::fit(&points(states)?)?],
    };
    let part = |data: Gaussian| {
        let drifts = initial_drifts(&data, settings)?;
        let drifts = drifts.into_iter().map(LinearDrift::in_single_precision).collect();
        Ok(Part { diffusion: LinearDiffusion::evenly(settings.schedule, drifts)?, data })
    };
    moments.into_iter().map(part).collect()
}

/// The drift in each interval.
fn initial_drifts(data: &Gaussian, settings: &VsdmSettings) -> Result<Vec<LinearDrift>> {
    let (span, intervals) = (settings.schedule.total(), settings.intervals);
    Ok(match settings.initial {
        Initial::Zero => vec![LinearDrift::standard(data.dim()); intervals],
        Initial::Matched => vec![moment_matched(data, span)?; intervals],
        Initial::Bridge => bridge_drifts(data, settings.schedule, intervals)?,
    })
}

/// The drift of the Schrödinger bridge from `data` to N(0, I), at the middle of each of `intervals` equal parts of the clock.
///
/// # Errors
/// [`Error::Transport`](crate::Error::Transport) for a covariance that is none.
fn bridge_drifts(data: &Gaussian, schedule: Schedule, intervals: usize) -> Result<Vec<LinearDrift>> {
    let prior = Gaussian::isotropic(vec![0.0; data.dim()], 1.0)?;
    let bridge = PriorBridge::new(data, &prior, schedule.total())?;
    let middle = |k: usize| schedule.total() * (k as f64 + 0.5) / intervals as f64;
    let drift = |k: usize| {
        let score = bridge.score(middle(k));
        LinearDrift::of_score(symmetric_part(score.matrix.as_ref()).as_ref(), score.offset)
    };
    Ok((0..intervals).map(drift).collect())
}

/// Mean and variance of each column.
fn moments_of_columns(states: &Tensor<2>) -> Result<Vec<Gaussian>> {
    let [count, dim] = states.dims();
    let (values, n) = (to_vec_f64(states.clone()), count as f64);
    let column = |j: usize| values.iter().skip(j).step_by(dim);
    let moments = |j: usize| {
        let mean = column(j).sum::<f64>() / n;
        let variance = column(j).map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
        Ok(Gaussian::isotropic(vec![mean], variance)?)
    };
    (0..dim).map(moments).collect()
}

/// The drift, constant and symmetric, that carries a law with the moments of `data` to N(0, I) over `span` of the clock:
/// where the updates rest for ζ = 1, without a simulation.
///
/// In the eigenbasis of the covariance, with eigenvalues c: c e^{−lU} + φ(l, U) = 1 for each l of D.
///
/// # Errors
/// [`Error::Transport`](crate::Error::Transport) if the covariance has no eigenvalues to rounding.
pub fn moment_matched(data: &Gaussian, span: f64) -> Result<LinearDrift> {
    let dim = data.dim();
    let (variances, vectors) = symmetric_eigen("the covariance of the data", data.cov())?;
    let values: Vec<f64> = variances.iter().map(|c| matched(c.max(0.0), span)).collect();
    let means = product(vectors.transpose(), data.mean());
    let along = values.iter().zip(&means).map(|(l, m)| -(-0.5 * l * span).exp() * m / decayed(0.5 * l, span));
    let offset = product(vectors.as_ref(), &along.collect::<Vec<_>>());
    let scaled = Mat::from_fn(dim, dim, |i, j| vectors[(i, j)] * values[j]);
    Ok(LinearDrift { matrix: symmetric_part((scaled * vectors.transpose()).as_ref()), offset })
}

/// l with c e^{−lU} + φ(l, U) = 1: the left side falls in l.
fn matched(c: f64, span: f64) -> f64 {
    let excess = |l: f64| c * (-l * span).exp() + decayed(l, span) - 1.0;
    let (mut low, mut high) = (0.0, 1.0);
    while excess(high) > 0.0 {
        high *= 2.0;
    }
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if excess(middle) > 0.0 { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}
