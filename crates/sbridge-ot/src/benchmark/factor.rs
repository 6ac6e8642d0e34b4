//! What one part of a potential is along one of its axes: a Gaussian, or an interval.
//!
//! With e(z, v) = ln ∫ N(y | z, v) f(y) dy for the factor f, the weight of a part is the sum of its e, the drift the sum
//! of their slopes, and the plan along the axis the law ∝ N(y | z, ε) f(y).
//!
//! Tests: each by quadrature, and far out in the tails.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

use super::truncated::Truncated;

/// One factor.
#[derive(Clone, Copy, Debug)]
pub(super) enum Factor {
    /// The density of N(mean, var).
    Gaussian { mean: f64, var: f64 },
    /// One within `half` of `centre`, and zero elsewhere.
    Interval { centre: f64, half: f64 },
}

/// A factor as it is seen through noise of variance v: what does not depend on the state is computed once.
#[derive(Clone, Copy, Debug)]
pub(super) enum Blurred {
    /// ln of the largest value, and 1/(var + v).
    Gaussian { mean: f64, ln_peak: f64, precision: f64 },
    /// The ends, and √v.
    Interval { centre: f64, half: f64, unit: f64 },
}

impl Blurred {
    /// e(z, v), up to a constant that is the same for all z.
    pub(super) fn log_evidence(self, z: f64) -> f64 {
        match self {
            Self::Gaussian { mean, ln_peak, precision } => ln_peak - 0.5 * (z - mean).powi(2) * precision,
            Self::Interval { .. } => self.truncated(z).ln_mass(),
        }
    }

    /// Its derivative in z.
    pub(super) fn slope(self, z: f64) -> f64 {
        match self {
            Self::Gaussian { mean, precision, .. } => (mean - z) * precision,
            Self::Interval { unit, .. } => self.truncated(z).mean() / unit,
        }
    }

    /// The standard normal law between the ends of the interval, as seen from `z`.
    fn truncated(self, z: f64) -> Truncated {
        let Self::Interval { centre, half, unit } = self else { unreachable!("asked of intervals only") };
        Truncated::new((centre - half - z) / unit, (centre + half - z) / unit)
    }
}

impl Factor {
    /// Through noise of variance `v`.
    pub(super) fn blurred(self, v: f64) -> Blurred {
        match self {
            Self::Gaussian { mean, var } => {
                Blurred::Gaussian { mean, ln_peak: -0.5 * (var + v).ln(), precision: 1.0 / (var + v) }
            }
            Self::Interval { centre, half } => Blurred::Interval { centre, half, unit: v.sqrt() },
        }
    }

    /// Mean and variance of the law ∝ N(y | z, v) f(y).
    pub(super) fn posterior(self, z: f64, v: f64) -> (f64, f64) {
        match self {
            Self::Gaussian { mean, var } => {
                let posterior = v * var / (v + var);
                (posterior * (z / v + mean / var), posterior)
            }
            Self::Interval { .. } => {
                let standard = self.blurred(v).truncated(z);
                (z + v.sqrt() * standard.mean(), v * standard.variance())
            }
        }
    }

    /// A draw of that law.
    pub(super) fn draw(self, z: f64, v: f64, rng: &mut impl Rng) -> f64 {
        match self {
            Self::Gaussian { .. } => {
                let (mean, var) = self.posterior(z, v);
                let noise: f64 = StandardNormal.sample(rng);
                mean + var.sqrt() * noise
            }
            Self::Interval { .. } => z + v.sqrt() * self.blurred(v).truncated(z).draw(&mut || rng.random()),
        }
    }
}
