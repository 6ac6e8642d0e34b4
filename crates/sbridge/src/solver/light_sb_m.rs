//! LightSB-M: the mixture potential by bridge matching, on pairs of any coupling.                            \[LSBM\]
//!
//! Among drifts of the form of [`MixtureDrift`](crate::net::MixtureDrift), which are those of Schrödinger bridges, the
//! one nearest to the bridges between *any* pairs with the right marginals is the bridge between the marginals: one
//! half-bridge each way, and no iteration.

use crate::fit::FitSettings;
use crate::net::{DriftNetSettings, MixtureSettings};
use crate::solver::alternation::{
    AlternationMethod, AlternationSettings, CacheSettings, StartingPairs, StepVariance, Target,
    half_bridge_fit,
};

/// LightSB-M, on independent pairs.
#[derive(Clone, Copy, Debug)]
pub struct LightSbM;

impl AlternationMethod for LightSbM {
    fn name(&self) -> &'static str {
        "light-sb-m"
    }

    fn defaults(&self) -> AlternationSettings {
        AlternationSettings {
            target: Target::Bridge,
            start: StartingPairs::Independent,
            half_bridges: 2,
            steps: 100,
            step_variance: StepVariance::Matched,
            known_drift: true,
            cache: CacheSettings::default(),
            paths: None,
            net: DriftNetSettings {
                mixture: Some(MixtureSettings::default()),
                ..DriftNetSettings::default()
            },
            fit: FitSettings { learning_rate: 1e-2, ..half_bridge_fit(6000) },
        }
    }
}
