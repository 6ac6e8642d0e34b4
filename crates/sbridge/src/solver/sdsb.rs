//! Simplified diffusion Schrödinger bridge: proportional fitting on the states of paths.                   \[SDSB\]
//!
//! As DSB, with the state before a step as the target: one call for a step instead of two, and the mean of the
//! reversal exactly. Published chains keep the variance of the reference, which biases the coupling more with every
//! half-bridge; here a step has the variance that the regression leaves.

use crate::solver::alternation::{AlternationSettings, StartingPairs, Target};
use crate::solver::dsbm::dsbm;

/// The settings that make the method.
pub fn sdsb() -> AlternationSettings {
    AlternationSettings { target: Target::State, start: StartingPairs::Reference, ..dsbm() }
}
