//! Laws, and samplers with exact scores, that several studies share.

use sbridge::marginal::{Gaussian, Mixture, SmoothedScore};
use sbridge::rng::Rng;
use sbridge::simulate::{Denoiser, EndRule, StepRule, VarGrid, exact_output_variance};
use sbridge::tensor::{DType, Device, Tensor, from_rows};
use sbridge_run::Result;

/// Variance of [`two_bumps`]: 0.6² + 0.16.
pub(super) const BUMPS_VAR: f64 = 0.52;

/// ½ N(0.6, 0.16) + ½ N(−0.6, 0.16).
pub(super) fn two_bumps() -> Result<Mixture> {
    let device = Device::flex();
    let weights = Tensor::<1>::ones([2], &device);
    let (means, vars) = (from_rows(&[-0.6, 0.6], 1, &device), from_rows(&[0.16, 0.16], 1, &device));
    Ok(Mixture::new(weights, means, vars)?)
}

/// Even Euler steps from ε all the way.
pub(super) fn euler(epsilon: f64, steps: usize) -> Result<Denoiser> {
    let grid = VarGrid::Uniform.variances(epsilon, 0.0, steps)?;
    Ok(Denoiser::new(grid, StepRule::Euler, EndRule::Plain)?)
}

/// Variance of what `denoiser` makes of N(0, `var`) on the line, exactly, by a score that is too weak by a share
/// `weaker`.
pub(super) fn output_variance(denoiser: &Denoiser, var: f64, weaker: f64) -> f64 {
    let score = Gaussian::isotropic(&[0.0], var, DType::F64, &Device::flex());
    exact_output_variance(denoiser, &Weak { score, by: weaker }, var + denoiser.variances()[0])
}

/// A score spoiled by a stated amount: too weak by a share.
pub(super) struct Weak<S> {
    pub(super) score: S,
    pub(super) by: f64,
}

impl<S: SmoothedScore> SmoothedScore for Weak<S> {
    fn dim(&self) -> usize {
        self.score.dim()
    }

    fn score(&self, z: Tensor<2>, v: Tensor<1>) -> Tensor<2> {
        self.score.score(z, v) * (1.0 - self.by)
    }
}

/// The control of what is computed exactly.
pub(super) const SLIGHT: f64 = 0.01;
pub(super) const SLIGHTLY_WEAK: &str = "score 1 % too weak";

/// The control of what is drawn.
pub(super) const PLAIN: f64 = 0.3;
pub(super) const PLAINLY_WEAK: &str = "score 30 % too weak";

/// Codes spread evenly over a cube whose sides have variance one: connected, with a density bounded below.
pub(super) fn cube(count: usize, dim: usize, rng: &mut Rng) -> Tensor<2> {
    let side = 3f64.sqrt();
    let values: Vec<f32> = rng.uniform(count * dim, -side, side).into_iter().map(|x| x as f32).collect();
    from_rows(&values, dim, &Device::flex())
}

/// `dim` orthonormal directions in ℝ^`size` as rows, `[dim, size]`: Gram–Schmidt on normal draws.
pub(super) fn directions(dim: usize, size: usize, rng: &mut Rng) -> Vec<Vec<f64>> {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    while basis.len() < dim {
        let mut draw = vec![0f32; size];
        rng.fill_normal(&mut draw);
        let mut v: Vec<f64> = draw.into_iter().map(f64::from).collect();
        for b in &basis {
            let along = dot(&v, b);
            v.iter_mut().zip(b).for_each(|(v, b)| *v -= along * b);
        }
        let length = dot(&v, &v).sqrt();
        basis.push(v.into_iter().map(|x| x / length).collect());
    }
    basis
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Codes along `directions`, `[count, size]`.
pub(super) fn embed(codes: &Tensor<2>, directions: &[Vec<f64>]) -> Tensor<2> {
    let map: Vec<f32> = directions.iter().flatten().map(|x| *x as f32).collect();
    codes.clone().matmul(from_rows(&map, directions[0].len(), &codes.device()))
}
