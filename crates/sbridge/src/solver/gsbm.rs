//! Generalised Schrödinger bridge matching: bridges that pay for where they go.                               \[GSBM\]
//!
//! A half-bridge regresses the drift on the paths between pairs on which they pay least for motion and place; the next one
//! takes the ends of its paths as pairs, and the paths as a start for theirs. Every half-bridge keeps the marginals, as the
//! pinned paths do, and the objective does not rise where the pairs' problems are solved. Without a cost it is
//! [`Dsbm`](crate::solver::Dsbm) whose second half-bridge starts from simulated pairs.
//!
//! Departures: what a step of a path leaves of noise is measured, as in the other methods; knots are moved by steps of
//! bounded length (see `crowd/descent.rs`), targets are means over a step, and some examples lie where no path does (see
//! `objective/conditional_matching.rs`). Implicit matching, by a potential, needs second derivatives of a network, which
//! fused operations do not have.

use crate::net::DriftNetSettings;
use crate::objective::PathSettings;
use crate::solver::alternation::{
    AlternationMethod, AlternationSettings, CacheSettings, StartingPairs, StepVariance, Target,
    half_bridge_fit,
};

/// GSBM, from independent pairs.
#[derive(Clone, Copy, Debug)]
pub struct Gsbm;

impl AlternationMethod for Gsbm {
    fn name(&self) -> &'static str {
        "crowd"
    }

    fn defaults(&self) -> AlternationSettings {
        AlternationSettings {
            target: Target::Bridge,
            start: StartingPairs::Independent,
            half_bridges: 6,
            steps: 100,
            step_variance: StepVariance::Matched,
            known_drift: false,
            cache: CacheSettings { rows: 1024, ..CacheSettings::default() },
            paths: Some(PathSettings::default()),
            net: DriftNetSettings::default(),
            fit: half_bridge_fit(2000),
        }
    }
}
