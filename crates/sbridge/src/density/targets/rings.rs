//! Three rings in the plane: ln ρ = −100 min_k (|x| − r_k)², r = 1, 3, 5.

use std::f64::consts::{PI, TAU};

use crate::density::{Modes, PointDensity, Target, normals};
use crate::rng::Rng;

/// Rings of radius 1, 3 and 5, of thickness 0.07.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rings;

const RADII: [f64; 3] = [1.0, 3.0, 5.0];
const STEEPNESS: f64 = 100.0;

/// Which ring is nearest.
fn ring(radius: f64) -> usize {
    let distance = |k: &usize| (radius - RADII[*k]).abs();
    (0..RADII.len()).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(0)
}

impl PointDensity for Rings {
    fn dim(&self) -> usize {
        2
    }

    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let radius = x[0].hypot(x[1]);
        let gap = radius - RADII[ring(radius)];
        // At the centre there is no direction outward.
        let outward = if radius > 0.0 { 1.0 / radius } else { 0.0 };
        gradient.iter_mut().zip(x).for_each(|(slope, x)| *slope = -2.0 * STEEPNESS * gap * x * outward);
        -STEEPNESS * gap * gap
    }
}

impl Target for Rings {
    /// A ring of radius r has the mass 2πr · √(π/100), but for tails of e⁻¹⁰⁰.
    fn log_normaliser(&self) -> Option<(f64, f64)> {
        let lengths: f64 = RADII.iter().map(|radius| TAU * radius).sum();
        Some(((lengths * (PI / STEEPNESS).sqrt()).ln(), 0.0))
    }

    /// Radii by rejection: the density of one is r e^{−100(r − r_k)²}.
    fn sample(&self, count: usize, rng: &mut Rng) -> Option<Vec<f64>> {
        let (total, spread) = (RADII.iter().sum::<f64>(), (0.5 / STEEPNESS).sqrt());
        let mut states = Vec::with_capacity(2 * count);
        while states.len() < 2 * count {
            let [choice, accept, angle] = [0, 1, 2].map(|_| rng.uniform(1, 0.0, 1.0)[0]);
            let chosen = match choice * total {
                c if c < RADII[0] => 0,
                c if c < RADII[0] + RADII[1] => 1,
                _ => 2,
            };
            let radius = RADII[chosen] + spread * normals(1, rng)[0];
            // Fourteen spreads away a radius is twice its ring's.
            if radius > 0.0 && accept < radius / (2.0 * RADII[chosen]) {
                states.extend([radius * (TAU * angle).cos(), radius * (TAU * angle).sin()]);
            }
        }
        Some(states)
    }

    fn modes(&self) -> Option<Modes> {
        let total: f64 = RADII.iter().sum();
        let of = |states: &[f64]| states.chunks_exact(2).map(|x| ring(x[0].hypot(x[1]))).collect();
        Some(Modes { shares: RADII.map(|radius| radius / total).to_vec(), of: Box::new(of) })
    }
}
