//! Score-based generative model: the first half-bridge of DSB, and no other.                        \[Song21; DSB\]
//!
//! Source samples diffuse by Brownian motion of variance ε; the backward drift is ε times the score of what they become,
//! learned by denoising. Right if the target looks like the source blurred by ε: so ε has to be large, or the
//! target has to be that. A baseline for everything that goes on from here.

use crate::fit::FitSettings;
use crate::solver::alternation::{AlternationSettings, StartingPairs};
use crate::solver::dsbm::dsbm;

/// The settings that make the method.
pub fn sgm() -> AlternationSettings {
    let base = dsbm();
    let fit = FitSettings { steps: 10_000, ..base.fit };
    AlternationSettings { start: StartingPairs::Reference, half_bridges: 1, steps: 100, fit, ..base }
}
