//! Gaussians of any covariance and weight: ρ(x) = Σ w_k N(x; m_k, C_k), Z = 1.

use std::f64::consts::TAU;

use faer::{Mat, Side};

use crate::density::{Modes, PointDensity, Target, normals};
use crate::error::{Error, Result};
use crate::rng::Rng;

/// A mixture of Gaussians.
#[derive(Clone, Debug)]
pub struct Mixture {
    components: Vec<Component>,
    dim: usize,
}

#[derive(Clone, Debug)]
struct Component {
    weight: f64,
    mean: Vec<f64>,
    /// L with C = L Lᵀ, lower, row by row.
    factor: Vec<f64>,
    /// ln w − ln det L − ½ d ln 2π.
    log_constant: f64,
}

/// Modes whose centres lie so many standard deviations apart, seen from both, are told apart by the nearer centre: of either
/// 3·10⁻⁵ lie on the other's side.
const APART: f64 = 8.0;

impl Mixture {
    /// Of `means`, `[count][dim]`, `covariances`, `[count][dim · dim]` row by row, and `weights`, `[count]`, which are divided by
    /// their sum.
    ///
    /// # Errors
    /// [`Error::Shape`] for sizes that do not fit, [`Error::Setting`] for a weight that is not above zero or a covariance that is
    /// no symmetric positive definite matrix.
    pub fn new(means: Vec<Vec<f64>>, covariances: &[Vec<f64>], weights: &[f64]) -> Result<Self> {
        let (count, dim) = (means.len(), means.first().map_or(0, Vec::len));
        for (what, got) in [("covariances", covariances.len()), ("weights", weights.len())] {
            if got != count {
                return Err(Error::shape(what, count, got, "give every mean one"));
            }
        }
        let total: f64 = weights.iter().sum();
        if count == 0 || dim == 0 || means.iter().any(|mean| mean.len() != dim) {
            return Err(Error::shape(
                "means",
                "one length, above zero",
                format!("{means:?}"),
                "check the brackets",
            ));
        }
        let parts = means.into_iter().zip(covariances).zip(weights);
        let component = |((mean, covariance), weight): ((Vec<f64>, &Vec<f64>), &f64)| {
            if !(*weight > 0.0 && weight.is_finite()) {
                return Err(Error::setting("weights", "above zero", weight, "leave out what weighs nothing"));
            }
            Component::new(mean, covariance, weight / total)
        };
        Ok(Self { components: parts.map(component).collect::<Result<_>>()?, dim })
    }
}

impl Component {
    fn new(mean: Vec<f64>, covariance: &[f64], weight: f64) -> Result<Self> {
        let dim = mean.len();
        if covariance.len() != dim * dim {
            let fix = "give as many rows and columns as a mean has numbers";
            return Err(Error::shape("numbers in a covariance", dim * dim, covariance.len(), fix));
        }
        if let Some(x) = mean.iter().find(|x| !x.is_finite()) {
            return Err(Error::setting("means", "finite", x, "check the file"));
        }
        let matrix = Mat::from_fn(dim, dim, |i, j| covariance[i * dim + j]);
        let is_symmetric = (0..dim).all(|i| {
            let close = |j: usize| (matrix[(i, j)] - matrix[(j, i)]).abs() <= 1e-9 * matrix[(i, i)].abs();
            (0..i).all(close)
        });
        let factor = is_symmetric.then(|| matrix.llt(Side::Lower).ok()).flatten().ok_or_else(|| {
            let fix = "mirror it at the diagonal, and check that variances are above zero";
            Error::setting("covariances", "symmetric and positive definite", format!("{covariance:?}"), fix)
        })?;
        let lower: Vec<f64> = (0..dim * dim)
            .map(|at| if at % dim <= at / dim { factor.L()[(at / dim, at % dim)] } else { 0.0 })
            .collect();
        let half_log_det: f64 = (0..dim).map(|i| lower[i * dim + i].ln()).sum();
        let log_constant = weight.ln() - half_log_det - 0.5 * dim as f64 * TAU.ln();
        Ok(Self { weight, mean, factor: lower, log_constant })
    }

    /// L⁻¹(x − m).
    fn whitened(&self, x: &[f64]) -> Vec<f64> {
        let dim = self.mean.len();
        let mut z = vec![0.0; dim];
        for i in 0..dim {
            let row = &self.factor[i * dim..(i + 1) * dim];
            let known: f64 = row[..i].iter().zip(&z).map(|(l, z)| l * z).sum();
            z[i] = (x[i] - self.mean[i] - known) / row[i];
        }
        z
    }

    /// L⁻ᵀ z, in place.
    fn pulled_back(&self, z: &mut [f64]) {
        let dim = self.mean.len();
        for i in (0..dim).rev() {
            z[i] /= self.factor[i * dim + i];
            let solved = z[i];
            (0..i).for_each(|j| z[j] -= self.factor[i * dim + j] * solved);
        }
    }

    fn log_density(&self, z: &[f64]) -> f64 {
        self.log_constant - 0.5 * z.iter().map(|z| z * z).sum::<f64>()
    }

    fn draw(&self, noise: &[f64]) -> Vec<f64> {
        let dim = self.mean.len();
        let row =
            |i: usize| self.factor[i * dim..=i * dim + i].iter().zip(noise).map(|(l, z)| l * z).sum::<f64>();
        (0..dim).map(|i| self.mean[i] + row(i)).collect()
    }
}

impl PointDensity for Mixture {
    fn dim(&self) -> usize {
        self.dim
    }

    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let mut whitened: Vec<Vec<f64>> = self.components.iter().map(|part| part.whitened(x)).collect();
        let terms = self.components.iter().zip(&whitened).map(|(part, z)| part.log_density(z));
        let terms: Vec<f64> = terms.collect();
        let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = terms.iter().map(|term| (term - largest).exp()).sum();
        gradient.fill(0.0);
        for ((part, z), term) in self.components.iter().zip(&mut whitened).zip(&terms) {
            part.pulled_back(z);
            let share = (term - largest).exp() / total;
            gradient.iter_mut().zip(z.iter()).for_each(|(slope, pull)| *slope -= share * pull);
        }
        largest + total.ln()
    }
}

impl Target for Mixture {
    fn log_normaliser(&self) -> Option<(f64, f64)> {
        Some((0.0, 0.0))
    }

    fn sample(&self, count: usize, rng: &mut Rng) -> Option<Vec<f64>> {
        let noise = normals(count * self.dim, rng);
        let chosen = rng.uniform(count, 0.0, 1.0).into_iter().map(|mut left| {
            let is_here = |part: &&Component| {
                left -= part.weight;
                left < 0.0
            };
            self.components.iter().find(is_here).or(self.components.last())
        });
        let draws = chosen.zip(noise.chunks_exact(self.dim));
        Some(draws.flat_map(|(part, noise)| part.map_or_else(Vec::new, |part| part.draw(noise))).collect())
    }

    /// The Gaussians, if they lie so far apart that each is a mode of its own.
    fn modes(&self) -> Option<Modes> {
        let distance =
            |part: &Component, x: &[f64]| part.whitened(x).iter().map(|z| z * z).sum::<f64>().sqrt();
        let parts = self.components.iter().enumerate();
        let is_apart = |(k, part): (usize, &Component)| {
            let mut others = self.components.iter().enumerate().filter(|(other, _)| *other != k);
            others.all(|(_, other)| distance(part, &other.mean) > APART)
        };
        if !parts.clone().all(is_apart) {
            return None;
        }
        let law = self.clone();
        let likeliest = move |x: &[f64]| {
            let of = |part: &Component| part.log_density(&part.whitened(x));
            let terms = law.components.iter().map(of).enumerate();
            terms.max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(k, _)| k)
        };
        let dim = self.dim;
        let of = Box::new(move |states: &[f64]| states.chunks_exact(dim).map(&likeliest).collect());
        Some(Modes { shares: self.components.iter().map(|part| part.weight).collect(), of })
    }
}
