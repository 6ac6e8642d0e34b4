//! Costs that depend on the crowd: keeping distance, and being where few are.

use crate::crowd::{Costs, Crowd, StateCost, particle_by_particle, squared_distance};
use crate::rng::Rng;

/// 2/(|x − y|² + 1) with y another particle, drawn by a permutation: E over p ⊗ p, without a bias.      \[GSBM\]
#[derive(Clone, Copy, Debug)]
pub struct Congestion;

impl StateCost for Congestion {
    /// A particle is pushed by the one it is paired with, and by the one that is paired with it.
    fn evaluate(&self, crowd: &Crowd<'_>, rng: &mut Rng, costs: &mut Costs<'_>) {
        let (dim, count) = (crowd.dim, costs.values.len());
        for (i, j) in rng.permutation(count).into_iter().enumerate() {
            let of = |k: usize| &crowd.x[k * dim..(k + 1) * dim];
            let (x, y) = (of(i), of(j));
            let nearness = 1.0 / (squared_distance(x, y) + 1.0);
            costs.values[i] += 2.0 * nearness;
            for k in 0..dim {
                let push = -4.0 * nearness.powi(2) * (x[k] - y[k]);
                costs.slopes[i * dim + k] += push;
                costs.slopes[j * dim + k] -= push;
            }
        }
    }
}

/// ln p(x), whose mean is minus the entropy of the crowd. The law is held fixed in the derivative: that of E ln p by the
/// law is the same, as ∫p = 1.
#[derive(Clone, Copy, Debug)]
pub struct Entropy;

impl StateCost for Entropy {
    fn evaluate(&self, crowd: &Crowd<'_>, _rng: &mut Rng, costs: &mut Costs<'_>) {
        let (law, dim) = (crowd.law, crowd.dim as f64);
        let precisions: Vec<f64> = law.deviations.iter().map(|s| 1.0 / s.powi(2)).collect();
        let offsets: Vec<f64> = law.deviations.iter().map(|s| -dim * s.ln()).collect();
        let constant = -(offsets.len() as f64).ln() - 0.5 * dim * (2.0 * std::f64::consts::PI).ln();
        let components = columns(law.means, crowd.dim);
        let mut shares = vec![0.0; offsets.len()];
        particle_by_particle(crowd, costs, |x, slope| {
            shares.fill(0.0);
            for (x, column) in x.iter().zip(&components) {
                shares.iter_mut().zip(column).for_each(|(sum, m)| *sum += (x - m) * (x - m));
            }
            for ((share, precision), offset) in shares.iter_mut().zip(&precisions).zip(&offsets) {
                *share = *share * -0.5 * precision + offset;
            }
            let most = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            shares.iter_mut().for_each(|share| *share -= most);
            sbridge_ot::exponentials(&mut shares);
            let sum: f64 = shares.iter().sum();
            shares.iter_mut().zip(&precisions).for_each(|(share, precision)| *share *= precision);
            for ((slope, x), column) in slope.iter_mut().zip(x).zip(&components) {
                let pull: f64 = shares.iter().zip(column).map(|(share, m)| share * (m - x)).sum();
                *slope += pull / sum;
            }
            most + sum.ln() + constant
        });
    }
}

/// Row-major rows as columns.
fn columns(rows: &[f64], dim: usize) -> Vec<Vec<f64>> {
    (0..dim).map(|k| rows.iter().skip(k).step_by(dim).copied().collect()).collect()
}
