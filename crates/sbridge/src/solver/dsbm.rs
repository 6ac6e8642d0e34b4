//! Diffusion Schrödinger bridge matching: iterative Markovian fitting.                          \[DSBM, Alg. 1; IDBM\]
//!
//! A half-bridge regresses the drift on Brownian bridges between pairs: the Markov projection of their mixture. The next
//! one takes the ends of its paths as pairs: the reciprocal projection. Both keep the marginals, and the divergence from
//! the Schrödinger bridge falls. With `start = "reference"` the iterates are those of proportional fitting instead.
//!
//! Departures: examples are weighted by the noise in their target (see `objective/bridge_matching.rs`), and a step of a
//! path has the variance that the regression leaves, which removes the chain's bias of order 1/N.

use crate::fit::FitSettings;
use crate::net::DriftNetSettings;
use crate::solver::alternation::{AlternationSettings, CacheSettings, StartingPairs, StepVariance, Target};

/// The settings that make the method.
pub fn dsbm() -> AlternationSettings {
    AlternationSettings {
        target: Target::Bridge,
        start: StartingPairs::Independent,
        half_bridges: 10,
        steps: 20,
        step_variance: StepVariance::Matched,
        cache: CacheSettings::default(),
        net: DriftNetSettings::default(),
        fit: FitSettings {
            steps: 2000,
            batch_size: 256,
            learning_rate: 5e-3,
            weight_decay: 0.0,
            clip_norm: 1.0,
            ema_decay: 0.99,
            patience: 0,
        },
    }
}
