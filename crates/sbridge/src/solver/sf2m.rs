//! Simulation-free score and flow matching: one half-bridge each way on pairs of the entropic plan.         \[SF2M\]
//!
//! The paper learns flow u and score s, with v₊ = u + s and v₋ = s − u in units of ½σ². The squared errors of the two
//! pairs are minimised by the same fields, so the two drifts are learned directly. Exact as far as the plan between
//! parts of the samples is the plan between the laws; marginals are right in any case.

use crate::fit::FitSettings;
use crate::solver::alternation::{AlternationSettings, StartingPairs};
use crate::solver::dsbm::dsbm;

/// The settings that make the method.
pub fn sf2m() -> AlternationSettings {
    let base = dsbm();
    let fit = FitSettings { steps: 10_000, ..base.fit };
    AlternationSettings { start: StartingPairs::Entropic, half_bridges: 2, steps: 100, fit, ..base }
}
