//! Diffusion Schrödinger bridge: iterative proportional fitting by mean matching.                      \[DSB, Alg. 1\]
//!
//! πⁿ⁺¹ = argmin KL(π ‖ πⁿ) with one end right, the other end in the next half-bridge. Each learns the reversal of the
//! chain before it from that chain's own paths, the first from Brownian motion. KL(SB ‖ πⁿ) falls with every
//! half-bridge [DSB, Prop. 4]. The marginals of the chain are off by O(1/N).
//!
//! Departures: networks go on from the half-bridge before last instead of starting anew; the average of the weights is
//! used.

use crate::solver::alternation::{AlternationSettings, StartingPairs, StepVariance, Target};
use crate::solver::dsbm::dsbm;

/// The settings that make the method.
pub fn dsb() -> AlternationSettings {
    AlternationSettings {
        target: Target::Mean,
        start: StartingPairs::Reference,
        // As published.
        step_variance: StepVariance::Reference,
        ..dsbm()
    }
}
