//! The density of a sample, by the probability flow to the end of the forward process.                    \[Song21, §4.3\]
//!
//! Along dx/du = −½ (D x − 2b + s) with s = −P⁻¹(x − m) + r,
//!
//! ln p₀(x₀) = ln p_T(x_T) − ½ ∫ (tr D − tr P⁻¹ + div r) du,   d ln det P/du = −tr D + tr P⁻¹,
//!
//! so that only the divergence of what the network adds is integrated: for Gaussian data nothing is.

use sbridge_ot::Gaussian;
use sbridge_ot::matrix::log_det_pd;

use crate::bridge::{Bridge as _, Direction};
use crate::error::{Error, Result};
use crate::solver::vsdm::{ProbabilityFlow, StartLaw, VariationalModel};
use crate::tensor::{Module as _, Tensor, points, to_vec_f64};

/// Coordinates, at most: each costs a pass back through the network at every node.
pub const MAX_DIM: usize = 10;

/// Samples carried at once.
const BLOCK: usize = 1000;

impl VariationalModel {
    /// ln p of the rows of `x`, `[count, dim]`, at the time the backward process ends, with paths back from `from`, along
    /// the flow in `steps` steps, by exact divergences.
    ///
    /// # Errors
    /// [`Error::Shape`] for more than [`MAX_DIM`] coordinates, [`Error::Transport`] for values that are not finite.
    pub fn log_density(&self, x: &Tensor<2>, from: StartLaw, steps: usize) -> Result<Vec<f64>> {
        if self.dim() > MAX_DIM {
            let limit = format!("at most {MAX_DIM}");
            return Err(Error::shape("coordinates", limit, self.dim(), "densities are exact in few only"));
        }
        let nodes = self.schedule().nodes_in_noise(self.t_min, steps);
        let flow = ProbabilityFlow::new(&self.with_nodes(&nodes)?, Direction::Forward, &self.device())?;
        let blocks = x.clone().split(BLOCK, 0).into_iter();
        Ok(blocks.map(|block| self.along(&flow, block, from)).collect::<Result<Vec<_>>>()?.concat())
    }

    fn along(&self, flow: &ProbabilityFlow, x: Tensor<2>, from: StartLaw) -> Result<Vec<f64>> {
        let (frames, clock) = (flow.frames(), flow.clock());
        let trained = self.net.clone().train();
        let mut diverged = vec![0.0; x.dims()[0]];
        let arrived = flow.integrate(&|x, level| self.net.forward(x, level), x, &mut |k, x| {
            // The trapezoidal rule.
            let weight = 0.5 * (clock[(k + 1).min(clock.len() - 1)] - clock[k.saturating_sub(1)]);
            let divergence = frames[k].divergence(&|x, level| trained.forward(x, level), x);
            diverged.iter_mut().zip(to_vec_f64(divergence)).for_each(|(total, d)| *total += weight * d);
        });
        let [first, last] = [&frames[0], &frames[frames.len() - 1]];
        let volume =
            |laws: &[Gaussian]| laws.iter().map(|law| log_det_pd(law.cov())).sum::<sbridge_ot::Result<f64>>();
        let stretched = 0.5 * (volume(&last.laws)? - volume(&first.laws)?);
        let mut densities: Vec<f64> = diverged.into_iter().map(|d| stretched - 0.5 * d).collect();
        let mut column = 0;
        for law in self.end(from)? {
            let of_part = points(&arrived.clone().narrow(1, column, law.dim()))?;
            densities.iter_mut().zip(law.log_density(&of_part)?).for_each(|(total, one)| *total += one);
            column += law.dim();
        }
        Ok(densities)
    }
}
