//! Error of the time discretisation: the distance between paths on a grid and on its refinement,
//! driven by the same Brownian motion.
//!
//! Each step is halved in variance; the coarse noise is what the two fine steps make of theirs. The
//! root mean square distance of the ends bounds W2 between the two discretised laws from above. A step
//! does not see the noise within it, so with noise the bound is of first order even where the law is
//! of second.

use crate::error::Result;
use crate::marginal::SmoothedScore;
use crate::rng::Rng;
use crate::simulate::{Denoiser, EndRule, Noise, StepRule};
use crate::tensor::{Tensor, to_vec_f64};

/// Bound on W2 between the law at the end of the grid of `denoiser` and that by its rule on a grid twice as fine, from paths
/// started in `start`.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) for a grid with no variance between two of its own.
pub fn step_error(
    score: &dyn SmoothedScore,
    denoiser: &Denoiser,
    start: Tensor<2>,
    rng: &mut Rng,
) -> Result<f64> {
    let (rule, fine) = (denoiser.rule(), refine(denoiser.variances()));
    let increments: Vec<Tensor<2>> = (1..fine.len()).map(|_| rng.normal_like(&start)).collect();
    let pairs = fine.windows(3).step_by(2).zip(increments.chunks(2));
    let coarse: Vec<Tensor<2>> = pairs.map(|(v, xi)| joined(rule, [v[0], v[1], v[2]], xi)).collect();
    let run = |variances: Vec<f64>, noise: Vec<Tensor<2>>| {
        let denoiser = Denoiser::new(variances, rule, EndRule::Plain)?;
        Ok::<_, crate::Error>(denoiser.run(score, start.clone(), &mut Given(noise.into_iter())))
    };
    let difference = run(denoiser.variances().to_vec(), coarse)? - run(fine, increments)?;
    Ok(to_vec_f64(difference.powi_scalar(2).sum_dim(1).mean())[0].sqrt())
}

/// The draw of one step over `[v, middle, next]` that adds what the draws `xi` of its halves add.
fn joined(rule: StepRule, [v, middle, next]: [f64; 3], xi: &[Tensor<2>]) -> Tensor<2> {
    let [first, second, whole] = [[v, middle], [middle, next], [v, next]].map(|ends| rule.noise(ends));
    if whole.std == 0.0 {
        return xi[0].zeros_like();
    }
    (xi[0].clone() * (first.std * second.kept) + xi[1].clone() * second.std) / whole.std
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
            let denoiser = Denoiser::new(grid, StepRule::Euler, EndRule::Plain).unwrap();
            step_error(&law, &denoiser, start.clone(), &mut rng).unwrap()
        };
        // Additive noise makes Euler first order; 5 % covers the sample and the next order.
        let ratio = error(50) / error(100);
        assert!((ratio - 2.0).abs() < 0.1, "ratio {ratio}");
    }

    #[test]
    fn the_draws_of_two_halves_make_one_of_unit_variance() {
        let device = Device::flex();
        let rows = |values: [f64; 2]| crate::tensor::from_rows_f64(&values, 1, &device);
        let (v, middle, next) = (1.0, 0.4, 0.1);
        for rule in [StepRule::Euler, StepRule::Ancestral, StepRule::Multistep] {
            // Responses to one draw and to the other.
            let found = to_vec_f64(joined(rule, [v, middle, next], &[rows([1.0, 0.0]), rows([0.0, 1.0])]));
            let variance: f64 = found.iter().map(|response| response.powi(2)).sum();
            assert!((variance - 1.0).abs() < 1e-14, "{rule:?}: {variance}");
        }
    }

    #[test]
    fn halving_the_steps_of_a_multistep_rule_quarters_the_error() {
        let law = Gaussian::isotropic(&[0.0], 1.0, DType::F64, &Device::flex());
        let mut rng = Rng::new(3);
        let start = crate::tensor::from_rows_f64(&rng.uniform(4000, -2.0, 2.0), 1, &Device::flex());
        let mut error = |rule, steps| {
            let grid = VarGrid::Geometric.variances(1.0, 1e-2, steps).unwrap();
            let denoiser = Denoiser::new(grid, rule, EndRule::Plain).unwrap();
            step_error(&law, &denoiser, start.clone(), &mut rng).unwrap()
        };
        let ratio = error(StepRule::OdeMultistep, 40) / error(StepRule::OdeMultistep, 80);
        // The next order at 40 steps, and the first step, which is of first order.
        assert!((ratio - 4.0).abs() < 0.5, "ratio {ratio}");
    }
}
