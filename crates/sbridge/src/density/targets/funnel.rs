//! Neal's funnel: x₀ ~ N(0, s²), xᵢ | x₀ ~ N(0, e^{x₀}); Z = 1.                                                    \[Nea03\]

use std::f64::consts::TAU;

use super::log_normal;
use crate::density::{PointDensity, Target, normals};
use crate::rng::Rng;

/// A funnel in ten dimensions.
#[derive(Clone, Copy, Debug)]
pub struct Funnel {
    var: f64,
}

const DIM: usize = 10;

impl Funnel {
    /// The usual one: the neck's standard deviation is 3.
    pub fn new() -> Self {
        Self { var: 9.0 }
    }

    /// One whose neck has a standard deviation of 1.
    pub fn easy() -> Self {
        Self { var: 1.0 }
    }
}

impl Default for Funnel {
    fn default() -> Self {
        Self::new()
    }
}

impl PointDensity for Funnel {
    fn dim(&self) -> usize {
        DIM
    }

    fn value_and_gradient(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let (value, slope) = log_normal(x[0], self.var);
        let precision = (-x[0]).exp();
        // Where e^{−x₀} overflows, 0 is still 0.
        let scaled = |x: f64| if x == 0.0 { 0.0 } else { x * precision };
        let spread: f64 = x[1..].iter().map(|x| x * scaled(*x)).sum();
        gradient[1..].iter_mut().zip(&x[1..]).for_each(|(slope, x)| *slope = -scaled(*x));
        let count = (DIM - 1) as f64;
        gradient[0] = slope + 0.5 * (spread - count);
        value - 0.5 * (spread + count * (x[0] + TAU.ln()))
    }
}

impl Target for Funnel {
    fn log_normaliser(&self) -> Option<(f64, f64)> {
        Some((0.0, 0.0))
    }

    fn sample(&self, count: usize, rng: &mut Rng) -> Option<Vec<f64>> {
        let mut states = normals(count * DIM, rng);
        for row in states.chunks_exact_mut(DIM) {
            row[0] *= self.var.sqrt();
            let spread = (0.5 * row[0]).exp();
            row[1..].iter_mut().for_each(|x| *x *= spread);
        }
        Some(states)
    }
}
