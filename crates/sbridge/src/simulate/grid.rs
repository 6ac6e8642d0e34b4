//! Variance grids v₀ = ε > … > v_K ≥ 0 along which noise is removed.
//!
//! - `Uniform`:   v_k = ε (1 − k/N) for k ≤ ⌊N T⌋; T = 1 ends at v = 0.
//! - `Geometric`: v_k = ε (1 − T)^(k/K).
//! - `Power ρ`:   √v_k = (σ^(1/ρ) + (k/K)(√v_end^(1/ρ) − σ^(1/ρ)))^ρ.                 [EDM, Eq. 5]
//!
//! Here v_end = ε (1 − T). Computed in f64: products of single-precision factors drift.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, require_count, require_positive};

/// Steps of a grid, at most.
const MAX_GRID: usize = 1_000_000;

/// How the variance decreases over the steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum VarGrid {
    /// Equal steps of variance; the only grid that may end at zero noise.
    Uniform,
    /// Equal ratios of variance.
    Geometric,
    /// Equal steps of std^(1/rho).
    Power {
        /// Exponent ρ ≥ 1; larger spends more steps at small noise.
        rho: f64,
    },
}

impl VarGrid {
    /// The variances v₀ … v_K for `steps` steps from `epsilon` down to `epsilon · one_minus_t`.
    /// `Uniform` divides the whole unit time into `steps` and stops at ⌊steps · T⌋ of them.
    ///
    /// # Errors
    /// [`Error::Setting`] for `epsilon ≤ 0`, no step, `one_minus_t` outside `[0, 1)`, a grid other
    /// than `Uniform` with `one_minus_t = 0`, or `rho < 1`.
    pub fn variances(self, epsilon: f64, one_minus_t: f64, steps: usize) -> Result<Vec<f64>> {
        self.check(epsilon, one_minus_t, steps)?;
        let n = steps as f64;
        let fraction = |k: usize| k as f64 / n;
        let variances = match self {
            Self::Uniform => {
                // Rounded up a hair so that T = 0.9 with N = 10 gives 9 steps, not 8.
                let last = (n * (1.0 - one_minus_t) + 1e-9).floor() as usize;
                (0..=last).map(|k| epsilon * (1.0 - fraction(k))).collect()
            }
            Self::Geometric => (0..=steps).map(|k| epsilon * one_minus_t.powf(fraction(k))).collect(),
            Self::Power { rho } => {
                let first = epsilon.powf(0.5 / rho);
                let last = (epsilon * one_minus_t).powf(0.5 / rho);
                (0..=steps).map(|k| (first + fraction(k) * (last - first)).powf(2.0 * rho)).collect()
            }
        };
        Ok(variances)
    }

    fn check(self, epsilon: f64, one_minus_t: f64, steps: usize) -> Result<()> {
        require_positive("epsilon", epsilon, "use 2 to 25 times the variance of the codes")?;
        require_count("steps", steps, 1..=MAX_GRID, "100 is a good start")?;
        if !(0.0..1.0).contains(&one_minus_t) {
            let fix = "it is the share of epsilon left at the end, for example 1e-4";
            return Err(Error::setting("one_minus_t", "in [0, 1)", one_minus_t, fix));
        }
        if one_minus_t == 0.0 && self != Self::Uniform {
            let fix = "set one_minus_t = 1e-4, or use the uniform grid";
            return Err(Error::setting("one_minus_t", "> 0 on this grid", one_minus_t, fix));
        }
        match self {
            Self::Uniform if (steps as f64) * (1.0 - one_minus_t) < 1.0 => Err(Error::setting(
                "steps",
                "enough for one step of the uniform grid",
                steps,
                "raise steps or lower one_minus_t",
            )),
            Self::Power { rho } if !(rho.is_finite() && rho >= 1.0) => {
                Err(Error::setting("rho", "a finite number >= 1", rho, "7 is the usual choice"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const GRIDS: [VarGrid; 3] = [VarGrid::Uniform, VarGrid::Geometric, VarGrid::Power { rho: 7.0 }];

    proptest! {
        #[test]
        fn variances_fall_from_epsilon_to_the_end(
            which in 0usize..3, epsilon in 0.01f64..100.0, one_minus_t in 1e-4f64..0.5, steps in 4usize..300,
        ) {
            let v = GRIDS[which].variances(epsilon, one_minus_t, steps).unwrap();
            // Powers and roots cost a few roundings.
            prop_assert!((v[0] / epsilon - 1.0).abs() < 1e-12);
            prop_assert!(v.windows(2).all(|w| w[1] < w[0]));
            let last = v[v.len() - 1];
            prop_assert!(last >= epsilon * one_minus_t * (1.0 - 1e-9));
            if which > 0 {
                prop_assert!((last / (epsilon * one_minus_t) - 1.0).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn uniform_grid_reaches_zero_at_full_time() {
        let v = VarGrid::Uniform.variances(4.0, 0.0, 8).unwrap();
        assert_eq!((v.len(), v[8]), (9, 0.0));
    }

    #[test]
    fn uniform_grid_counts_the_steps_of_the_stopped_time() {
        assert_eq!(VarGrid::Uniform.variances(1.0, 0.1, 50).unwrap().len(), 46);
    }

    #[test]
    fn wrong_settings_are_refused_with_value_and_fix() {
        let refuse = |grid: VarGrid, epsilon, rest, steps| {
            grid.variances(epsilon, rest, steps).unwrap_err().to_string()
        };
        assert!(refuse(VarGrid::Geometric, 1.0, 0.0, 10).contains("uniform grid"));
        assert!(refuse(VarGrid::Uniform, -1.0, 0.0, 10).contains("got -1"));
        assert!(refuse(VarGrid::Uniform, 1.0, 1.0, 10).contains("[0, 1)"));
        assert!(refuse(VarGrid::Uniform, 1.0, 0.9, 5).contains("raise steps"));
        assert!(refuse(VarGrid::Power { rho: 0.5 }, 1.0, 0.1, 5).contains("rho"));
    }
}
