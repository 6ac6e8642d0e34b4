//! Equal Gaussians: ρ(x) = K⁻¹ Σ N(x; m_k, s² I), Z = 1.

use std::f64::consts::TAU;

use super::softplus;
use crate::density::{Modes, PointDensity, Target, normals};
use crate::rng::Rng;

/// A mixture of Gaussians of one variance and equal weights.
#[derive(Clone, Debug)]
pub struct GaussianMixture {
    means: Vec<f64>,
    dim: usize,
    var: f64,
}

impl GaussianMixture {
    /// Of these `means`, `[count, dim]` row by row, and this variance.
    pub fn new(means: Vec<f64>, dim: usize, var: f64) -> Self {
        Self { means, dim, var }
    }

    /// Nine modes on a grid of the plane, five apart, of variance 0.3.
    pub fn nine() -> Self {
        Self::grid(&[-5.0, 0.0, 5.0])
    }

    /// Twenty-five modes on a grid of the plane, five apart, of variance 0.3.
    pub fn twenty_five() -> Self {
        Self::grid(&[-10.0, -5.0, 0.0, 5.0, 10.0])
    }

    fn grid(line: &[f64]) -> Self {
        let means = line.iter().flat_map(|x| line.iter().flat_map(|y| [*x, *y])).collect();
        Self::new(means, 2, 0.3)
    }

    /// Forty modes at random in [−40, 40]² of the plane, of standard deviation softplus(1), drawn by the generator
    /// \[MN98\] of `seed`. \[MSSS23\]
    pub fn forty(seed: u32) -> Self {
        let mut generator = MersenneTwister::new(seed);
        // Single precision keeps 24 bits.
        let uniform = |word: u32| f64::from(word % (1 << 24)) / f64::from(1 << 24);
        let means = (0..80).map(|_| 80.0 * (uniform(generator.next()) - 0.5)).collect();
        Self::new(means, 2, softplus(1.0).powi(2))
    }

    fn count(&self) -> usize {
        self.means.len() / self.dim
    }

    fn mean(&self, k: usize) -> &[f64] {
        &self.means[k * self.dim..(k + 1) * self.dim]
    }
}

fn squared_distance(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(a, b)| (a - b).powi(2)).sum()
}

impl PointDensity for GaussianMixture {
    fn dim(&self) -> usize {
        self.dim
    }

    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let term = |k: usize| -0.5 * squared_distance(x, self.mean(k)) / self.var;
        let mut shares: Vec<f64> = (0..self.count()).map(term).collect();
        let largest = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        shares.iter_mut().for_each(|share| *share = (*share - largest).exp());
        let total: f64 = shares.iter().sum();
        gradient.fill(0.0);
        for (share, mean) in shares.iter().zip(self.means.chunks_exact(self.dim)) {
            let pull = gradient.iter_mut().zip(mean).zip(x);
            pull.for_each(|((slope, mean), x)| *slope += share / total * (mean - x) / self.var);
        }
        largest + total.ln() - (self.count() as f64).ln() - 0.5 * self.dim as f64 * (TAU * self.var).ln()
    }
}

impl Target for GaussianMixture {
    fn log_normaliser(&self) -> Option<(f64, f64)> {
        Some((0.0, 0.0))
    }

    fn sample(&self, count: usize, rng: &mut Rng) -> Option<Vec<f64>> {
        let noise = normals(count * self.dim, rng);
        let chosen = rng.indices(count, self.count());
        let centres = chosen.into_iter().flat_map(|k| self.mean(k));
        Some(centres.zip(noise).map(|(mean, xi)| mean + self.var.sqrt() * xi).collect())
    }

    fn modes(&self) -> Option<Modes> {
        let (count, law) = (self.count(), self.clone());
        let nearest = move |x: &[f64]| {
            let distance = |k: &usize| squared_distance(x, law.mean(*k));
            (0..law.count()).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(0)
        };
        let dim = self.dim;
        let of = Box::new(move |states: &[f64]| states.chunks_exact(dim).map(&nearest).collect());
        Some(Modes { shares: vec![1.0 / count as f64; count], of })
    }
}

/// The generator MT19937, by which published mixtures are drawn.                                                   \[MN98\]
struct MersenneTwister {
    state: [u32; 624],
    at: usize,
}

impl MersenneTwister {
    fn new(seed: u32) -> Self {
        let mut state = [seed; 624];
        for i in 1..624 {
            let before = state[i - 1];
            state[i] = 1_812_433_253u32.wrapping_mul(before ^ (before >> 30)).wrapping_add(i as u32);
        }
        Self { state, at: 624 }
    }

    fn next(&mut self) -> u32 {
        if self.at == 624 {
            self.twist();
        }
        let mut word = self.state[self.at];
        self.at += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    fn twist(&mut self) {
        for i in 0..624 {
            let joined = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % 624] & 0x7fff_ffff);
            let odd = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + 397) % 624] ^ (joined >> 1) ^ odd;
        }
        self.at = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_published_one() {
        // The 10,000th word of seed 5489, as the C++ standard has it.
        let mut generator = MersenneTwister::new(5489);
        let last = (0..10_000).map(|_| generator.next()).last();
        assert_eq!(last, Some(4_123_659_995));
        let first = |seed| GaussianMixture::forty(seed).mean(0).to_vec();
        for (seed, expected) in [(0, [-0.299_473, 21.457_744]), (42, [30.581_541, 33.200_316])] {
            let found = first(seed);
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{seed}: {found:?}");
        }
    }
}
