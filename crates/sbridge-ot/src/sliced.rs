//! Sliced 2-Wasserstein distance: the root mean square of W₂ over one-dimensional projections.
//!
//! SW₂² = E_θ W₂²(θᵀX, θᵀY), θ uniform on the unit sphere                                               \[BRPP15\]
//!
//! No factor `dim` is applied: a shift by s has SW₂ = |s|/√dim on average.
//! Tests: exactly W₂ in one dimension; a shift; unequal sizes; the same number for any number of threads.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use crate::error::{OtError, Result, require_same_dim};
use crate::line::line_cost;
use crate::points::Points;

/// How to choose the directions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlicedSettings {
    /// Number of random directions; default 256, at least 1. The error falls as 1/√n_directions.
    pub n_directions: usize,
    /// Seed of the directions; default 0. Equal seeds give equal directions on every machine.
    pub seed: u64,
}

impl Default for SlicedSettings {
    fn default() -> Self {
        Self { n_directions: 256, seed: 0 }
    }
}

/// Sliced 2-Wasserstein distance of two clouds; sizes may differ.
///
/// # Errors
/// If the dimensions differ or there are no directions.
pub fn sliced_wasserstein2(x: &Points, y: &Points, settings: &SlicedSettings) -> Result<f64> {
    require_same_dim(x.dim(), y.dim())?;
    if settings.n_directions == 0 {
        return Err(OtError::Setting {
            name: "n_directions",
            requirement: "at least 1",
            value: 0.0,
            fix: "",
        });
    }
    let directions = random_directions(settings, x.dim());
    let costs: Vec<f64> = directions
        .par_iter()
        .map(|direction| line_cost(&project(x, direction), &project(y, direction), |d| d * d))
        .collect();
    Ok((costs.iter().sum::<f64>() / costs.len() as f64).sqrt())
}

/// Unit vectors, uniform on the sphere.
fn random_directions(settings: &SlicedSettings, dim: usize) -> Vec<Vec<f64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    let direction = |_| {
        let normals: Vec<f64> = (0..dim).map(|_| StandardNormal.sample(&mut rng)).collect();
        let norm = normals.iter().map(|z: &f64| z * z).sum::<f64>().sqrt();
        normals.iter().map(|z| z / norm).collect()
    };
    (0..settings.n_directions).map(direction).collect()
}

fn project(points: &Points, direction: &[f64]) -> Vec<f64> {
    points.rows().map(|row| row.iter().zip(direction).map(|(x, d)| x * d).sum()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::gaussian::Gaussian;
    use crate::wasserstein::wasserstein2;

    fn normal(n: usize, dim: usize, seed: u64) -> Points {
        let law = Gaussian::isotropic(vec![0.0; dim], 1.0).unwrap();
        law.sample(n, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap()
    }

    #[test]
    fn one_dimension_is_exact() {
        let (x, y) = (normal(50, 1, 1), normal(50, 1, 2));
        let sliced = sliced_wasserstein2(&x, &y, &SlicedSettings::default()).unwrap();
        // The only directions are ±1: the same sum, up to its order.
        assert!((sliced - wasserstein2(&x, &y).unwrap()).abs() < 1e-14);
    }

    #[test]
    fn a_shift_is_its_length_over_root_dim() {
        let x = normal(40, 3, 1);
        let shifted = Points::new(x.rows().flat_map(|p| [p[0] + 3.0, p[1], p[2]]).collect(), 3).unwrap();
        let settings = SlicedSettings { n_directions: 2000, seed: 7 };
        let squared = sliced_wasserstein2(&x, &shifted, &settings).unwrap().powi(2);
        // SW₂² = 9 E θ₁² = 3 with std 9 √(4/45) per direction; five standard errors.
        assert!((squared - 3.0).abs() < 5.0 * 9.0 * (4.0_f64 / 45.0 / 2000.0).sqrt());
    }

    #[test]
    fn it_never_exceeds_the_exact_distance() {
        let (x, y) = (normal(60, 2, 3), normal(60, 2, 4));
        assert!(
            sliced_wasserstein2(&x, &y, &SlicedSettings::default()).unwrap() <= wasserstein2(&x, &y).unwrap()
        );
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let (x, y) = (normal(100, 3, 5), normal(70, 3, 6));
        let distance = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| sliced_wasserstein2(&x, &y, &SlicedSettings::default()).unwrap())
        };
        assert_eq!(distance(1).to_bits(), distance(3).to_bits());
    }
}
