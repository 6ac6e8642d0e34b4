//! Costs and drifts of which the optimal path is known: V = α|x − c|², f = A(c − x).
//!
//! With V = α|x|², f = 0 and h = σ√(2α) the path between x₀ and x₁ is Gaussian,
//! mean = \[sinh(h(1−t)) x₀ + sinh(ht) x₁\]/sinh h and var = σ² sinh(ht) sinh(h(1−t))/(h sinh h).   \[GSBM\]

use crate::crowd::{BaseDrift, Costs, Crowd, StateCost, particle_by_particle, require_coordinates};
use crate::error::{Error, Result};
use crate::rng::Rng;

/// |x − c|², which a weight α makes α|x − c|².
#[derive(Clone, Debug)]
pub struct Quadratic {
    /// c; nothing for the origin.
    pub centre: Option<Vec<f64>>,
}

impl StateCost for Quadratic {
    fn evaluate(&self, crowd: &Crowd<'_>, _rng: &mut Rng, costs: &mut Costs<'_>) {
        let origin = vec![0.0; crowd.dim];
        let centre = self.centre.as_ref().unwrap_or(&origin);
        particle_by_particle(crowd, costs, |x, slope| {
            let mut value = 0.0;
            for ((slope, x), c) in slope.iter_mut().zip(x).zip(centre) {
                *slope += 2.0 * (x - c);
                value += (x - c).powi(2);
            }
            value
        });
    }

    fn require_dim(&self, dim: usize) -> Result<()> {
        let wanted = self.centre.as_ref().map_or(dim, Vec::len);
        require_coordinates(
            "centre of a quadratic cost",
            wanted,
            dim,
            "give a centre of as many values as a sample has",
        )
    }
}

impl Quadratic {
    /// Mean and variance at time `t` of the optimal path from `x0` to `x1`, numbers, for V = `alpha` x² and σ = `sigma`.
    pub fn optimal_path(alpha: f64, sigma: f64, [x0, x1]: [f64; 2], t: f64) -> [f64; 2] {
        let h = sigma * (2.0 * alpha).sqrt();
        if h < 1e-6 {
            return [(1.0 - t) * x0 + t * x1, sigma.powi(2) * t * (1.0 - t)];
        }
        // sinh(a)/sinh(b) = e^(a−b) (1 − e^(−2a))/(1 − e^(−2b)), which does not overflow.
        let ratio = |a: f64| (a - h).exp() * (-2.0 * a).exp_m1() / (-2.0 * h).exp_m1();
        let [left, right] = [ratio(h * (1.0 - t)), ratio(h * t)];
        // sinh(ht) sinh(h(1−t))/sinh h likewise.
        let left_over = |a: f64| -(-2.0 * a).exp_m1();
        let product = left_over(h * t) * left_over(h * (1.0 - t)) / (2.0 * left_over(h));
        let var = sigma.powi(2) / h * product;
        [left * x0 + right * x1, var]
    }
}

/// f = rate (c − x), along each coordinate.
#[derive(Clone, Debug)]
pub struct LinearDrift {
    rate: f64,
    centre: Vec<f64>,
}

impl LinearDrift {
    /// Towards `centre`, `[dim]`, at `rate` per unit of time; away from it if that is negative.
    ///
    /// # Errors
    /// [`Error::Setting`] for numbers that are not finite.
    pub fn new(rate: f64, centre: Vec<f64>) -> Result<Self> {
        if !rate.is_finite() || centre.iter().any(|c| !c.is_finite()) {
            return Err(Error::setting("drift", "finite numbers", rate, "0.5 is a slow decay"));
        }
        Ok(Self { rate, centre })
    }
}

impl BaseDrift for LinearDrift {
    fn drift(&self, _t: f64, x: &[f64], out: &mut [f64]) {
        for ((out, x), c) in out.iter_mut().zip(x).zip(&self.centre) {
            *out = self.rate * (c - x);
        }
    }

    fn pull(&self, _t: f64, _x: &[f64], weight: &[f64], slope: &mut [f64]) {
        slope.iter_mut().zip(weight).for_each(|(slope, w)| *slope -= self.rate * w);
    }
}
