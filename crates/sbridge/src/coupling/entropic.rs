//! The entropic plan between samples: the coupling of the Schrödinger bridge, as far as a part of the samples shows it.
//!
//! Plans of parts are biased towards the independent coupling, and the less the larger the part.   \[SF2M, §3.2\]

use sbridge_ot::{Points, SinkhornSettings, sinkhorn};

use crate::coupling::{Coupling, Pairs, drawn};
use crate::error::{Result, require_positive};
use crate::rng::Rng;
use crate::tensor::{Tensor, select_rows, to_vec_f64};

/// Samples of each end that a plan joins, at most: time grows with the square.
const PLAN_SAMPLES: usize = 2048;

/// Marginal error of a plan at which it is taken, and sweeps after which it is in any case.
const TOLERANCE: f64 = 1e-3;
const MAX_SWEEPS: usize = 500;

/// Pairs drawn from the entropic plan between random parts of two samples.
#[derive(Clone, Debug)]
pub struct Entropic {
    source: Tensor<2>,
    target: Tensor<2>,
    epsilon: f64,
}

impl Entropic {
    /// Between `source` and `target`, `[count, dim]` of finite values, for the cost ½‖x − y‖².
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless `epsilon` is positive,
    /// [`Error::Transport`](crate::Error::Transport) for samples that are not finite.
    pub fn new(source: Tensor<2>, target: Tensor<2>, epsilon: f64) -> Result<Self> {
        require_positive("epsilon", epsilon, "set a variance in data units")?;
        for rows in [&source, &target] {
            points(rows)?;
        }
        Ok(Self { source, target, epsilon })
    }
}

impl Coupling for Entropic {
    fn pairs(&self, count: usize, rng: &mut Rng) -> Pairs {
        let part = |rows: &Tensor<2>, rng: &mut Rng| drawn(rows, rows.dims()[0].min(PLAN_SAMPLES), rng);
        let (x0, x1) = (part(&self.source, rng), part(&self.target, rng));
        let of = |rows: &Tensor<2>| points(rows).expect("checked when the coupling was made");
        let (x, y) = (of(&x0), of(&x1));
        let settings =
            SinkhornSettings { epsilon: self.epsilon, tolerance: TOLERANCE, max_iterations: MAX_SWEEPS };
        let plan = sinkhorn(&x, &y, &settings).expect("clouds of one dimension, and settings in range");
        let starts = rng.epochs(count, x.len());
        let levels = rng.uniform(count, 0.0, 1.0);
        let mut draws: Vec<(usize, usize)> =
            starts.iter().copied().enumerate().map(|(k, i)| (i, k)).collect();
        // Row by row, so that a row of the plan is computed once.
        draws.sort_unstable();
        let mut ends = vec![0; count];
        for of_row in draws.chunk_by(|a, b| a.0 == b.0) {
            let row = cumulative(plan.row(of_row[0].0));
            for &(_, k) in of_row {
                let level = levels[k] * row[row.len() - 1];
                ends[k] = row.partition_point(|mass| *mass < level).min(row.len() - 1);
            }
        }
        Pairs { x0: select_rows(&x0, &starts), x1: select_rows(&x1, &ends) }
    }
}

fn points(rows: &Tensor<2>) -> Result<Points> {
    Ok(Points::new(to_vec_f64(rows.clone()), rows.dims()[1])?)
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
    use crate::tensor::Device;

    #[test]
    fn pairs_of_gaussian_samples_have_the_covariance_of_the_bridge() {
        let (device, mut rng) = (Device::flex(), Rng::new(1));
        let normal = |rng: &mut Rng| rng.normal([20_000, 1], &device);
        let coupling = Entropic::new(normal(&mut rng), normal(&mut rng), 1.0).unwrap();
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
