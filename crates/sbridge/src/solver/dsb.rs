//! Diffusion Schrödinger bridge: iterative proportional fitting by mean matching.                      \[DSB, Alg. 1\]
//!
//! πⁿ⁺¹ = argmin KL(π ‖ πⁿ) with one end right, the other end in the next half-bridge. Each learns the reversal of the
//! chain before it from that chain's own paths, the first from Brownian motion. KL(SB ‖ πⁿ) falls with every
//! half-bridge [DSB, Prop. 4]. The marginals of the chain are off by O(1/N).
//!
//! Departures: networks go on from the half-bridge before last instead of starting anew; the average of the weights is
//! used.

use crate::error::{Error, Result};
use crate::net::DriftNetSettings;
use crate::solver::Sdsb;
use crate::solver::alternation::{
    AlternationMethod, AlternationSettings, CacheSettings, StartingPairs, StepVariance, Target,
    half_bridge_fit,
};

/// DSB, as published: mean matching along paths of the reference's noise.
#[derive(Clone, Copy, Debug)]
pub struct Dsb;

impl AlternationMethod for Dsb {
    fn name(&self) -> &'static str {
        "dsb"
    }

    fn defaults(&self) -> AlternationSettings {
        AlternationSettings {
            target: Target::Mean,
            start: StartingPairs::Reference,
            half_bridges: 10,
            steps: 20,
            step_variance: StepVariance::Reference,
            known_drift: true,
            cache: CacheSettings::default(),
            paths: None,
            net: DriftNetSettings::default(),
            fit: half_bridge_fit(2000),
        }
    }

    /// Steps have the noise of the reference, and the first paths are its own.
    fn check(&self, settings: &AlternationSettings) -> Result<()> {
        if settings.step_variance == StepVariance::Matched {
            let requirement = "\"reference\" with target \"mean\"";
            let fix =
                "residuals of the carried-over mean are not the noise of a step: the coupling would be off";
            return Err(Error::setting("step_variance", requirement, "\"matched\"", fix));
        }
        Sdsb.check(settings)
    }
}
