//! Simplified diffusion Schrödinger bridge: proportional fitting on the states of paths.                   \[SDSB\]
//!
//! As DSB, with the state before a step as the target: one call for a step instead of two, and the mean of the
//! reversal exactly. Published chains keep the variance of the reference, which biases the coupling more with every
//! half-bridge; here a step has the variance that the regression leaves.

use crate::error::{Error, Result};
use crate::net::DriftNetSettings;
use crate::solver::alternation::{
    AlternationMethod, AlternationSettings, CacheSettings, StartingPairs, StepVariance, Target,
    half_bridge_fit,
};

/// S-DSB, with the noise of a step that the regression leaves.
#[derive(Clone, Copy, Debug)]
pub struct Sdsb;

impl AlternationMethod for Sdsb {
    fn name(&self) -> &'static str {
        "sdsb"
    }

    fn defaults(&self) -> AlternationSettings {
        AlternationSettings {
            target: Target::State,
            start: StartingPairs::Reference,
            half_bridges: 10,
            steps: 20,
            step_variance: StepVariance::Matched,
            known_drift: true,
            cache: CacheSettings::default(),
            paths: None,
            net: DriftNetSettings::default(),
            fit: half_bridge_fit(2000),
        }
    }

    /// The first paths are those of the reference.
    fn check(&self, settings: &AlternationSettings) -> Result<()> {
        if settings.start == StartingPairs::Reference {
            return Ok(());
        }
        let requirement = "\"reference\" with this target";
        let start = format!("{:?}", format!("{:?}", settings.start).to_lowercase());
        let fix = "leave it out, or take dsbm: steps of paths are learned from the reference on";
        Err(Error::setting("start", requirement, start, fix))
    }
}
