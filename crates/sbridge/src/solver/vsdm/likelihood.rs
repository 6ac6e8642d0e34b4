//! The density of a sample, by the probability flow to the end of the forward process.                    \[Song21, §4.3\]
//!
//! Along dx/du = −½ (D x − 2b + s) with s = −P⁻¹(x − m) + r,
//!
//! ln p₀(x₀) = ln p_T(x_T) − ½ ∫ (tr D − tr P⁻¹ + div r) du,   d ln det P/du = −tr D + tr P⁻¹,
//!
//! so that only the divergence of what the network adds is integrated: for Gaussian data nothing is.
//!
//! The process ends at t_min, in the law of M x + h + N(0, Σ). Data without that noise are no draws of it: to judge by them
//! would flatter a density, by half a nat for each direction in which they are thinner than the noise.

use faer::Mat;
use faer::linalg::solvers::DenseSolveCore as _;
use sbridge_ot::Gaussian;
use sbridge_ot::matrix::log_det_pd;

use crate::bridge::{Bridge as _, Direction};
use crate::error::{Error, Result};
use crate::reference::Kernel;
use crate::solver::vsdm::parts::{RowMap, joined};
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

    /// The noise that the backward process leaves, in the units of the data: C = M⁻¹ Σ M⁻ᵀ of the kernel to t_min,
    /// `[dim, dim]`.
    ///
    /// # Errors
    /// As [`LinearDiffusion::kernel`](crate::reference::LinearDiffusion::kernel).
    pub fn noise_left(&self) -> Result<Mat<f64>> {
        let mut noise = Mat::zeros(self.dim(), self.dim());
        let mut first = 0;
        for kernel in self.kernels_to_end()? {
            let (dim, inverse) = (kernel.shift.len(), kernel.map.full_piv_lu().inverse());
            let of_part = &inverse * kernel.covariance * inverse.transpose();
            noise.submatrix_mut(first, first, dim, dim).copy_from(&of_part);
            first += dim;
        }
        Ok(noise)
    }

    /// ln of the density of data with that noise, ln p(M y + h) + ln |det M|, at the rows of `y`, `[count, dim]`, in the
    /// units of the data.
    ///
    /// # Errors
    /// As [`log_density`](Self::log_density).
    pub fn log_density_of_noised(&self, y: &Tensor<2>, from: StartLaw, steps: usize) -> Result<Vec<f64>> {
        let (kernels, device) = (self.kernels_to_end()?, y.device());
        let volume: f64 = kernels.iter().map(|kernel| kernel.map.determinant().abs().ln()).sum();
        let maps: Vec<_> = kernels.iter().map(|kernel| kernel.map.transpose().to_owned()).collect();
        let shift = joined(kernels.iter().map(|kernel| kernel.shift.as_slice()), &device);
        let moved = RowMap::of(&maps, &device).apply(y.clone()) + shift;
        Ok(self.log_density(&moved, from, steps)?.into_iter().map(|one| one + volume).collect())
    }

    /// The kernel of each part from the data to where the backward process ends.
    fn kernels_to_end(&self) -> Result<Vec<Kernel>> {
        let end = self.schedule().elapsed(self.t_min);
        self.parts.iter().map(|part| part.diffusion.kernel(0.0, end)).collect()
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
