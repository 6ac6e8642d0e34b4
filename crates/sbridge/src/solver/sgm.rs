//! Score-based generative model: the first half-bridge of DSB, and no other.                        \[Song21; DSB\]
//!
//! Source samples diffuse by Brownian motion of variance ε; the backward drift is ε times the score of what they become,
//! learned by denoising. Right if the target looks like the source blurred by ε: so ε has to be large, or the
//! target has to be that. A baseline for everything that goes on from here.

use crate::net::DriftNetSettings;
use crate::solver::alternation::{
    AlternationMethod, AlternationSettings, CacheSettings, StartingPairs, StepVariance, Target,
    half_bridge_fit,
};

/// A score model.
#[derive(Clone, Copy, Debug)]
pub struct Sgm;

impl AlternationMethod for Sgm {
    fn name(&self) -> &'static str {
        "sgm"
    }

    fn defaults(&self) -> AlternationSettings {
        AlternationSettings {
            target: Target::Bridge,
            start: StartingPairs::Reference,
            half_bridges: 1,
            steps: 100,
            step_variance: StepVariance::Matched,
            known_drift: true,
            cache: CacheSettings::default(),
            paths: None,
            net: DriftNetSettings::default(),
            fit: half_bridge_fit(10_000),
        }
    }
}
