//! Error of the time discretisation: the distance between paths on a grid and on its refinement,
//! driven by the same Brownian motion.
//!
//! Each step is halved in variance; the coarse noise is the sum of the two fine increments. The
//! root mean square distance of the ends bounds W2 between the two discretised laws from above.

use crate::error::Result;
use crate::marginal::SmoothedScore;
use crate::rng::Rng;
use crate::simulate::{Denoiser, EndRule, Noise, StepRule};
use crate::tensor::{Tensor, to_vec_f64};

/// Bound on W2 between the law of `variances` with Euler steps and that of its refinement, from
/// paths started in `start`.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) for variances that do not decrease.
pub fn step_error(
    score: &dyn SmoothedScore,
    variances: &[f64],
    start: Tensor<2>,
    rng: &mut Rng,
) -> Result<f64> {
    let fine: Vec<f64> = refine(variances);
    let increments: Vec<Tensor<2>> = (1..fine.len()).map(|_| rng.normal_like(&start)).collect();
    let summed = fine.windows(3).step_by(2).zip(increments.chunks(2));
    let coarse = summed.map(|(v, xi)| {
        let (first, second) = (v[0] - v[1], v[1] - v[2]);
        let sum = xi[0].clone() * first.sqrt() + xi[1].clone() * second.sqrt();
        sum / (first + second).sqrt()
    });
    let coarse: Vec<Tensor<2>> = coarse.collect();
    let run = |variances: Vec<f64>, noise: Vec<Tensor<2>>| {
        let denoiser = Denoiser::new(variances, StepRule::Euler, EndRule::Plain)?;
        Ok::<_, crate::Error>(denoiser.run(score, start.clone(), &mut Given(noise.into_iter())))
    };
    let difference = run(variances.to_vec(), coarse)? - run(fine, increments)?;
    Ok(to_vec_f64(difference.powi_scalar(2).sum_dim(1).mean())[0].sqrt())
}

/// The grid with a point in the middle of every step.
fn refine(variances: &[f64]) -> Vec<f64> {
    let mut fine: Vec<f64> = variances.windows(2).flat_map(|w| [w[0], 0.5 * (w[0] + w[1])]).collect();
    fine.extend(variances.last());
    fine
}

/// Noise decided beforehand.
struct Given(std::vec::IntoIter<Tensor<2>>);

impl Noise for Given {
    fn draw(&mut self, _like: &Tensor<2>) -> Tensor<2> {
        self.0.next().expect("one draw per step")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::marginal::Gaussian;
    use crate::simulate::VarGrid;
    use crate::tensor::{DType, Device};

    #[test]
    fn halving_the_steps_halves_the_error_for_a_smooth_law() {
        let law = Gaussian::isotropic(&[0.0], 1.0, DType::F64, &Device::flex());
        let mut rng = Rng::new(3);
        let start = crate::tensor::from_rows_f64(&rng.uniform(4000, -2.0, 2.0), 1, &Device::flex());
        let mut error = |steps| {
            let grid = VarGrid::Uniform.variances(1.0, 0.0, steps).unwrap();
            step_error(&law, &grid, start.clone(), &mut rng).unwrap()
        };
        // Additive noise makes Euler first order; 5 % covers the sample and the next order.
        let ratio = error(50) / error(100);
        assert!((ratio - 2.0).abs() < 0.1, "ratio {ratio}");
    }
}
