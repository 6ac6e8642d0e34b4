//! Diffusion Schrödinger bridge matching: iterative Markovian fitting.                          \[DSBM, Alg. 1; IDBM\]
//!
//! A half-bridge regresses the drift on Brownian bridges between pairs: the Markov projection of their mixture. The next
//! one takes the ends of its paths as pairs: the reciprocal projection. Both keep the marginals, and the divergence from
//! the Schrödinger bridge falls. With `start = "reference"` the iterates are those of proportional fitting instead.
//!
//! Departures: examples are weighted by the noise in their target (see `objective/bridge_matching.rs`), and a step of a
//! path has the variance that the regression leaves, which removes the chain's bias of order 1/N.

use crate::net::DriftNetSettings;
use crate::solver::alternation::{
    AlternationMethod, AlternationSettings, CacheSettings, StartingPairs, StepVariance, Target,
    half_bridge_fit,
};

/// DSBM, from independent pairs.
#[derive(Clone, Copy, Debug)]
pub struct Dsbm;

impl AlternationMethod for Dsbm {
    fn name(&self) -> &'static str {
        "dsbm"
    }

    fn defaults(&self) -> AlternationSettings {
        AlternationSettings {
            target: Target::Bridge,
            start: StartingPairs::Independent,
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
}
