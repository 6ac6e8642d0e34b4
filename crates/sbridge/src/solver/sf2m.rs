//! Simulation-free score and flow matching: one half-bridge each way on pairs of the entropic plan.         \[SF2M\]
//!
//! The paper learns flow u and score s, with v₊ = u + s and v₋ = s − u in units of ½σ². The squared errors of the two
//! pairs are minimised by the same fields, so the two drifts are learned directly. Exact as far as the plan between
//! parts of the samples is the plan between the laws; marginals are right in any case.

use crate::net::DriftNetSettings;
use crate::solver::alternation::{
    AlternationMethod, AlternationSettings, CacheSettings, StartingPairs, StepVariance, Target,
    half_bridge_fit,
};

/// \[SF\]²M, by its two drifts.
#[derive(Clone, Copy, Debug)]
pub struct Sf2m;

impl AlternationMethod for Sf2m {
    fn name(&self) -> &'static str {
        "sf2m"
    }

    fn defaults(&self) -> AlternationSettings {
        AlternationSettings {
            target: Target::Bridge,
            start: StartingPairs::Entropic,
            half_bridges: 2,
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
