//! Start laws: what stands in for q_ε = p * N(0, εI) when sampling begins.
//!
//! The divergence of the start law from q_ε bounds that of everything after it. `GaussianMoment`
//! has the least of all Gaussians; with ε at least twice the variance of the codes it is small.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, require_count};

/// The law of Z₀.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum StartLaw {
    /// Training codes plus noise: exact for the empirical law, and leaks it where ε is small.
    ConvolveTrain,
    /// Held-out codes plus noise: exact up to their number.
    ConvolveHeldout,
    /// N(0, εI).
    GaussianIso,
    /// N(m, εI + Σ) with the moments of the codes.
    GaussianMoment,
    /// A Gaussian mixture fitted to the codes, convolved.
    Mixture {
        /// Number of components.
        components: usize,
    },
    /// A Föllmer bridge from a point to q_ε, driven by a learned density ratio.
    DensityRatio {
        /// Variance τ of the reference at its end, as a multiple of ε; above ½ Var(q_ε)/ε.
        tau_over_epsilon: f64,
        /// Monte Carlo draws per drift.
        draws: usize,
        /// Steps of the bridge.
        steps: usize,
    },
}

impl StartLaw {
    /// # Errors
    /// [`Error::Setting`] for a value outside its range.
    pub fn check(&self) -> Result<()> {
        match *self {
            Self::Mixture { components } => {
                require_count("components", components, 1..=10_000, "10 is a good start")
            }
            Self::DensityRatio { tau_over_epsilon, .. }
                if tau_over_epsilon.is_nan() || tau_over_epsilon <= 0.5 =>
            {
                let fix = "2 is safe where epsilon is at least the variance of the codes";
                Err(Error::setting("tau_over_epsilon", "> 0.5", tau_over_epsilon, fix))
            }
            Self::DensityRatio { draws, steps, .. } => {
                require_count("draws", draws, 4..=10_000, "16 is the usual number")?;
                require_count("steps", steps, 50..=100_000, "100 to 1000 is usual")
            }
            _ => Ok(()),
        }
    }
}
