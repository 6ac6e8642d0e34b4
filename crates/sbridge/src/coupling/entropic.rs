//! The entropic plan between samples: the coupling of the Schrödinger bridge, as far as a part of the samples shows it.
//!
//! Plans of parts are biased towards the independent coupling, and the less the larger the part.   \[SF2M\]
//! Plans that are not at their end after so many sweeps are used as they are, and counted: their rows are those of a plan
//! for this ε, to other masses.

use std::sync::Arc;

use sbridge_ot::{SinkhornSettings, sinkhorn};

use crate::coupling::{Coupling, Pairs, PlanCounter, drawn};
use crate::error::{Result, require_positive};
use crate::rng::Rng;
use crate::tensor::{Tensor, points, select_rows};

/// Samples of each end that a plan joins, at most: time grows with the square.
const PLAN_SAMPLES: usize = 2048;

/// Marginal error of a plan at which it is at its end, and sweeps after which it is taken as it is.
const TOLERANCE: f64 = 1e-3;
const MAX_SWEEPS: usize = 300;

/// Pairs drawn from the entropic plan between random parts of two samples.
#[derive(Clone, Debug)]
pub struct Entropic {
    source: Tensor<2>,
    target: Tensor<2>,
    settings: SinkhornSettings,
    counter: Arc<PlanCounter>,
}

impl Entropic {
    /// Between `source` and `target`, `[count, dim]` of finite values, for the cost ½‖x − y‖²; plans are counted by `counter`.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless `epsilon` is positive,
    /// [`Error::Transport`](crate::Error::Transport) for samples that are not finite.
    pub fn new(
        source: Tensor<2>,
        target: Tensor<2>,
        epsilon: f64,
        counter: Arc<PlanCounter>,
    ) -> Result<Self> {
        require_positive("epsilon", epsilon, "set a variance in data units")?;
        points(&source)?;
        points(&target)?;
        let settings = SinkhornSettings { epsilon, tolerance: TOLERANCE, max_iterations: MAX_SWEEPS };
        Ok(Self { source, target, settings, counter })
    }

    /// Random parts of both samples, of one size.
    fn parts(&self, most: usize, rng: &mut Rng) -> (Tensor<2>, Tensor<2>) {
        let count = [&self.source, &self.target].into_iter().fold(most, |n, rows| n.min(rows.dims()[0]));
        (drawn(&self.source, count, rng), drawn(&self.target, count, rng))
    }

    /// Rows of `y` that the rows `starts` of `x` go to.
    fn ends(&self, x: &Tensor<2>, y: &Tensor<2>, starts: &[usize], rng: &mut Rng) -> Result<Vec<usize>> {
        let (x, y) = (points(x)?, points(y)?);
        let plan = sinkhorn(&x, &y, &self.settings)?;
        self.counter.add(plan.converged);
        Ok(drawn_from_rows(|i| plan.row(i), starts, &rng.uniform(starts.len(), 0.0, 1.0)))
    }
}

impl Coupling for Entropic {
    fn pairs(&self, count: usize, rng: &mut Rng) -> Pairs {
        let (x0, x1) = self.parts(PLAN_SAMPLES, rng);
        let starts = rng.epochs(count, x0.dims()[0]);
        let ends = self.ends(&x0, &x1, &starts, rng);
        let ends = ends.expect("finite samples of one dimension, as many of each, and settings in range");
        Pairs { x0: select_rows(&x0, &starts), x1: select_rows(&x1, &ends) }
    }
}

/// A column for every one of `starts`, by a row of masses each; `levels` are uniform numbers.
fn drawn_from_rows(row: impl Fn(usize) -> Vec<f64>, starts: &[usize], levels: &[f64]) -> Vec<usize> {
    let mut draws: Vec<(usize, usize)> = starts.iter().copied().enumerate().map(|(k, i)| (i, k)).collect();
    // Row by row, so that each is computed once.
    draws.sort_unstable();
    let mut ends = vec![0; starts.len()];
    for of_row in draws.chunk_by(|a, b| a.0 == b.0) {
        let masses = cumulative(row(of_row[0].0));
        let total = masses[masses.len() - 1];
        for &(_, k) in of_row {
            ends[k] = masses.partition_point(|mass| *mass < levels[k] * total).min(masses.len() - 1);
        }
    }
    ends
}

fn cumulative(mut row: Vec<f64>) -> Vec<f64> {
    let mut total = 0.0;
    for mass in &mut row {
        total += *mass;
        *mass = total;
    }
    row
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::coupling::PlanCount;
    use crate::tensor::{Device, to_vec_f64};

    #[test]
    fn a_small_epsilon_matches_nearly_as_sorting_does() {
        let mut rng = Rng::new(1);
        let [x, y] = [0, 1].map(|_| rng.normal([200, 1], &Device::flex()));
        let counter = Arc::new(PlanCounter::default());
        let coupling = Entropic::new(x, y * 2.0 + 3.0, 1e-4, counter.clone()).unwrap();
        let Pairs { x0, x1 } = coupling.pairs(400, &mut rng);
        // Sorted, y is 2x + 3 but for what 200 samples say of it: they match to a hundredth of the spread of the ends.
        let correlation = |a: &[f64], b: &[f64]| {
            let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
            let (ma, mb) = (mean(a), mean(b));
            let cross = |u: &[f64], mu: f64, v: &[f64], mv: f64| {
                u.iter().zip(v).map(|(u, v)| (u - mu) * (v - mv)).sum::<f64>()
            };
            cross(a, ma, b, mb) / (cross(a, ma, a, ma) * cross(b, mb, b, mb)).sqrt()
        };
        let (x0, x1) = (to_vec_f64(x0), to_vec_f64(x1));
        assert!(correlation(&x0, &x1) > 0.98);
        assert_eq!(counter.count().made, 1);
    }

    #[test]
    fn plans_used_before_they_have_converged_are_counted() {
        let counter = PlanCounter::default();
        [true, false, true].into_iter().for_each(|has_converged| counter.add(has_converged));
        assert_eq!(counter.count(), PlanCount { made: 3, unconverged: 1 });
    }

    #[test]
    fn pairs_of_gaussian_samples_have_the_covariance_of_the_bridge() {
        let (device, mut rng) = (Device::flex(), Rng::new(1));
        let normal = |rng: &mut Rng| rng.normal([20_000, 1], &device);
        let coupling = Entropic::new(normal(&mut rng), normal(&mut rng), 1.0, Arc::default()).unwrap();
        let covariance = |rng: &mut Rng| {
            let Pairs { x0, x1 } = coupling.pairs(4096, rng);
            to_vec_f64((x0 * x1).mean())[0]
        };
        let plans = 8;
        let mean = (0..plans).map(|_| covariance(&mut rng)).sum::<f64>() / f64::from(plans);
        // (√5 − 1)/2 in the limit. 4.5 standard errors √((1 + c²)/n) with the n = 8 · 2048 samples the plans see; a
        // plan of 2048 points is off by less than a tenth of that.
        let allowed = 4.5 * (1.4f64 / (8.0 * 2048.0)).sqrt();
        assert!((mean - 0.618_034).abs() < allowed, "{mean}");
    }
}
