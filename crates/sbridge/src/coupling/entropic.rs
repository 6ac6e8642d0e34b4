//! The entropic plan between samples: the coupling of the Schrödinger bridge, as far as a part of the samples shows it.
//!
//! Plans of parts are biased towards the independent coupling, and the less the larger the part.   \[SF2M\]
//! Where ε is so small that Sinkhorn's iteration hardly moves, the plan is a matching but for little, and the exact
//! matching is taken.

use sbridge_ot::{Points, SinkhornSettings, optimal_matching, sinkhorn};

use crate::coupling::{Coupling, Pairs, drawn};
use crate::error::{Result, require_positive};
use crate::rng::Rng;
use crate::tensor::{Tensor, points, select_rows};

/// Samples of each end that a plan joins, at most: time grows with the square.
const PLAN_SAMPLES: usize = 2048;

/// Marginal error of a plan at which it is taken, and sweeps after which a matching is taken instead.
const TOLERANCE: f64 = 1e-3;
const MAX_SWEEPS: usize = 300;

/// Samples on which it is tried whether plans can be had.
const TRIED: usize = 500;

/// Pairs drawn from the entropic plan between random parts of two samples.
#[derive(Clone, Debug)]
pub struct Entropic {
    source: Tensor<2>,
    target: Tensor<2>,
    settings: SinkhornSettings,
    /// Whether plans are taken to be matchings.
    is_matching: bool,
}

impl Entropic {
    /// Between `source` and `target`, `[count, dim]` of finite values, for the cost ½‖x − y‖².
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless `epsilon` is positive,
    /// [`Error::Transport`](crate::Error::Transport) for samples that are not finite.
    pub fn new(source: Tensor<2>, target: Tensor<2>, epsilon: f64, rng: &Rng) -> Result<Self> {
        require_positive("epsilon", epsilon, "set a variance in data units")?;
        let settings = SinkhornSettings { epsilon, tolerance: TOLERANCE, max_iterations: MAX_SWEEPS };
        let mut coupling = Self { source, target, settings, is_matching: false };
        let (x, y) = coupling.parts(TRIED, &mut rng.fork("tried"));
        coupling.is_matching = !sinkhorn(&points(&x)?, &points(&y)?, &coupling.settings)?.converged;
        Ok(coupling)
    }

    /// Random parts of both samples, of one size.
    fn parts(&self, most: usize, rng: &mut Rng) -> (Tensor<2>, Tensor<2>) {
        let count = [&self.source, &self.target].into_iter().fold(most, |n, rows| n.min(rows.dims()[0]));
        (drawn(&self.source, count, rng), drawn(&self.target, count, rng))
    }

    /// Rows of `y` that the rows `starts` of `x` go to.
    fn ends(&self, x: &Points, y: &Points, starts: &[usize], rng: &mut Rng) -> Result<Vec<usize>> {
        if self.is_matching {
            let matching = optimal_matching(x, y)?;
            return Ok(starts.iter().map(|&i| matching.column_of_row[i]).collect());
        }
        let plan = sinkhorn(x, y, &self.settings)?;
        Ok(drawn_from_rows(|i| plan.row(i), starts, &rng.uniform(starts.len(), 0.0, 1.0)))
    }
}

impl Coupling for Entropic {
    fn pairs(&self, count: usize, rng: &mut Rng) -> Pairs {
        let (x0, x1) = self.parts(PLAN_SAMPLES, rng);
        let starts = rng.epochs(count, x0.dims()[0]);
        let ends = points(&x0).and_then(|x| self.ends(&x, &points(&x1)?, &starts, rng));
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
    use crate::tensor::{Device, to_vec_f64};

    #[test]
    fn a_tiny_epsilon_matches_as_sorting_does() {
        let mut rng = Rng::new(1);
        let [x, y] = [0, 1].map(|_| rng.normal([200, 1], &Device::flex()));
        let coupling = Entropic::new(x, y * 2.0 + 3.0, 1e-7, &rng).unwrap();
        let Pairs { x0, x1 } = coupling.pairs(400, &mut rng);
        let mut pairs: Vec<(f64, f64)> = to_vec_f64(x0).into_iter().zip(to_vec_f64(x1)).collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(pairs.is_sorted_by(|a, b| a.1 <= b.1));
        assert!(coupling.is_matching);
    }

    #[test]
    fn pairs_of_gaussian_samples_have_the_covariance_of_the_bridge() {
        let (device, mut rng) = (Device::flex(), Rng::new(1));
        let normal = |rng: &mut Rng| rng.normal([20_000, 1], &device);
        let coupling = Entropic::new(normal(&mut rng), normal(&mut rng), 1.0, &Rng::new(2)).unwrap();
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
