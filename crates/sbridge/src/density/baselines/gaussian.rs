//! A Gaussian that a density is compared with: its draws, its density, and importance sampling from a Student law of its shape.

use std::f64::consts::{PI, TAU};

use faer::linalg::solvers::Solve as _;
use faer::{Mat, MatRef, Side};

use super::{Drawn, rows, systematic};
use crate::density::weights::Weights;
use crate::density::{LogDensity, normals};
use crate::error::Result;
use crate::rng::Rng;

/// N(m, L Lᵀ).
#[derive(Clone, Debug)]
pub struct Gaussian {
    /// m, `[dim]`.
    pub mean: Vec<f64>,
    /// L, lower triangular, `[dim, dim]`.
    pub factor: Mat<f64>,
}

/// Effective sample size, as a share, below which weights may miss where the mass is.
const TRUSTED: f64 = 0.05;

impl Gaussian {
    /// N(0, I).
    pub(super) fn standard(dim: usize) -> Self {
        Self { mean: vec![0.0; dim], factor: Mat::identity(dim, dim) }
    }

    /// With these standard deviations along the axes.
    pub(super) fn diagonal(mean: Vec<f64>, stds: &[f64]) -> Self {
        let factor = Mat::from_fn(stds.len(), stds.len(), |i, j| if i == j { stds[i] } else { 0.0 });
        Self { mean, factor }
    }

    /// Of the mean and covariance of `states`, `[count, dim]`; nothing if that is not positive definite to rounding.
    pub(super) fn of_draws(states: &[f64], dim: usize) -> Option<Self> {
        let count = states.len() / dim;
        let mean: Vec<f64> =
            (0..dim).map(|axis| states.iter().skip(axis).step_by(dim).sum::<f64>() / count as f64).collect();
        let centred = Mat::from_fn(dim, count, |axis, k| states[k * dim + axis] - mean[axis]);
        let covariance = product(centred.as_ref(), centred.transpose()) / faer::Scale(count as f64);
        let factor = covariance.llt(Side::Lower).ok()?.L().to_owned();
        Some(Self { mean, factor })
    }

    /// Of this `precision`; nothing if that is not positive definite to rounding.
    pub(crate) fn of_precision(mean: Vec<f64>, precision: MatRef<'_, f64>) -> Option<Self> {
        let dim = mean.len();
        let covariance = precision.llt(Side::Lower).ok()?.solve(Mat::<f64>::identity(dim, dim));
        let factor = covariance.llt(Side::Lower).ok()?.L().to_owned();
        Some(Self { mean, factor })
    }

    /// The same with standard deviations `share` times as large.
    pub(super) fn widened(mut self, share: f64) -> Self {
        self.factor *= faer::Scale(share);
        self
    }

    /// Dimension of a state.
    pub(super) fn dim(&self) -> usize {
        self.mean.len()
    }

    /// States m + L z for `z`, `[count, dim]`.
    pub(crate) fn at(&self, z: &[f64]) -> Vec<f64> {
        let mut states = flat(&product(self.factor.as_ref(), columns(z, self.dim())));
        for row in states.chunks_exact_mut(self.dim()) {
            row.iter_mut().zip(&self.mean).for_each(|(x, mean)| *x += mean);
        }
        states
    }

    /// Gradients in z, Lᵀ g, of `gradients` g in x = m + L z, `[count, dim]`.
    pub(crate) fn pulled(&self, gradients: &[f64]) -> Vec<f64> {
        flat(&product(self.factor.transpose(), columns(gradients, self.dim())))
    }

    /// z = L⁻¹(x − m) of `states` x, `[count, dim]`.
    pub(crate) fn whitened(&self, states: &[f64]) -> Vec<f64> {
        let centred: Vec<f64> = states
            .chunks_exact(self.dim())
            .flat_map(|x| x.iter().zip(&self.mean).map(|(x, mean)| x - mean))
            .collect();
        let mut z = columns(&centred, self.dim()).to_owned();
        self.factor.solve_lower_triangular_in_place(&mut z);
        flat(&z)
    }

    /// ln |det L|.
    pub(crate) fn log_det(&self) -> f64 {
        (0..self.dim()).map(|i| self.factor[(i, i)].ln()).sum()
    }

    /// Draws of `density` by importance sampling, of the normal noise `name` of `rng`, from the Student law of this shape: of
    /// 20 degrees of freedom, or of as many as there are dimensions, for in high ones the radius of a wider tail misses the
    /// shell where the mass is. With ln Z, and the mean of ln ρ − ln q under the Gaussian itself.
    pub(super) fn importance(&self, density: &dyn LogDensity, draws: usize, rng: &mut Rng) -> Result<Drawn> {
        let (dim, freedom) = (self.dim(), (self.dim() / 2 * 2).max(20));
        let noise = normals(draws * dim, rng);
        // z √(ν/χ²) has a Student law of ν degrees of freedom.
        let scale = |_: usize| {
            let chi: f64 = normals(freedom, rng).iter().map(|z| z * z).sum();
            (freedom as f64 / chi).sqrt()
        };
        let scales: Vec<f64> = (0..draws).map(scale).collect();
        let scaled: Vec<f64> = noise
            .chunks_exact(dim)
            .zip(scales)
            .flat_map(|(z, scale)| z.iter().map(move |z| z * scale))
            .collect();
        let states = self.at(&scaled);
        let proposal = scaled.chunks_exact(dim).map(|z| log_student(z, freedom) - self.log_det());
        let logs: Vec<f64> =
            density.values(&states)?.into_iter().zip(proposal).map(|(value, q)| value - q).collect();
        let weights = Weights::of_logs(&logs);
        let chosen = systematic(&weights.relative, draws, rng);
        let few = weights.ess < TRUSTED;
        let remark =
            format!("{:.1} % of the draws carry the weight: ln Z is a lower bound", 100.0 * weights.ess);
        Ok(Drawn {
            states: rows(&states, &chosen, dim),
            log_z: Some((weights.log_mean, weights.variance_of_log_mean().sqrt())),
            elbo: None,
            ess: weights.ess,
            gradients: 0,
            remarks: few.then_some(remark).into_iter().collect(),
        })
    }
}

/// Dimension above which a product is worth the waiting of threads for each other.
const SPREAD: usize = 256;

/// A B.
fn product(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    if a.nrows() > SPREAD { a * b } else { sbridge_ot::matrix::times(a, b) }
}

/// `[count, dim]`, row by row, as the columns of a matrix.
pub(super) fn columns(rows: &[f64], dim: usize) -> MatRef<'_, f64> {
    MatRef::from_column_major_slice(rows, dim, rows.len() / dim)
}

/// The columns of a matrix, one after the other.
fn flat(matrix: &Mat<f64>) -> Vec<f64> {
    matrix.col_iter().flat_map(|column| column.iter().copied().collect::<Vec<f64>>()).collect()
}

/// ln N(z; 0, I).
pub(super) fn log_standard(z: &[f64]) -> f64 {
    -0.5 * (z.len() as f64 * TAU.ln() + z.iter().map(|z| z * z).sum::<f64>())
}

/// ln of the density of a Student law of an even number of degrees of freedom and unit shape.
fn log_student(z: &[f64], freedom: usize) -> f64 {
    let (dim, freedom_f) = (z.len() as f64, freedom as f64);
    let square: f64 = z.iter().map(|z| z * z).sum();
    let volume = ln_gamma_ratio(freedom / 2, z.len()) - 0.5 * dim * (freedom_f * PI).ln();
    volume - 0.5 * (freedom_f + dim) * (square / freedom_f).ln_1p()
}

/// ln Γ(h + d/2) − ln Γ(h) for a whole h: by steps of one, and for odd d from Γ(½ + n).
fn ln_gamma_ratio(half: usize, dim: usize) -> f64 {
    let whole = (0..dim / 2).map(|k| ((half + k) as f64).ln()).sum::<f64>();
    if dim.is_multiple_of(2) {
        return whole;
    }
    // Γ(n + ½) = √π Π_{k ≤ n} (k − ½), Γ(n) = (n − 1)!
    let n = half + dim / 2;
    let ln_half = 0.5 * PI.ln() + (1..=n).map(|k| (k as f64 - 0.5).ln()).sum::<f64>();
    let ln_factorial = (1..n).map(|k| (k as f64).ln()).sum::<f64>();
    whole + ln_half - ln_factorial
}
