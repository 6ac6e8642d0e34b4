//! The path integral sampler: from the origin, f = 0 and g = √0.2 over T = 5.                                        \[PIS\]
//!
//! What is held fixed is the diffusion without control, whose end is N(0, g²T) = N(0, 1): its optimum is Föllmer's process, the
//! Schrödinger bridge from a point.

use super::chain::{Base, Chain, Knot, Step};

/// T.
pub(super) const END: f64 = 5.0;

/// g².
pub(super) const VAR: f64 = 0.2;

/// `steps` even steps of Euler and Maruyama.
pub fn pis(steps: usize) -> Chain {
    let dt = END / steps as f64;
    let knot = |k: usize| Knot { time: k as f64 * dt, share: k as f64 / steps as f64, diffusion: VAR.sqrt() };
    let step = Step { kept: 1.0, moved: VAR.sqrt() * dt, noise: (VAR * dt).sqrt() };
    Chain {
        start_var: 0.0,
        knots: (0..=steps).map(knot).collect(),
        steps: vec![step; steps],
        base: Base::OfEnd { var: VAR * END },
    }
}
