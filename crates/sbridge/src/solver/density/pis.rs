//! The path integral sampler: from the origin, f = 0 and g = √0.2 over T = 5.                                        \[PIS\]
//!
//! What is held fixed is the diffusion without control, whose end is N(0, g²T): its optimum is Föllmer's process, the
//! Schrödinger bridge from a point.

use super::chain::{Base, Chain, Step};

const END: f64 = 5.0;
const VAR: f64 = 0.2;

/// `steps` even steps of Euler and Maruyama, over a time in which a path without control gets the variance `spread²`.
pub fn pis(steps: usize, spread: f64) -> Chain {
    let (dt, var) = (END / steps as f64, VAR * spread.powi(2));
    let step = |k: usize| Step {
        time: k as f64 * dt,
        share: k as f64 / steps as f64,
        diffusion: var.sqrt(),
        kept: 1.0,
        moved: var.sqrt() * dt,
        noise: (var * dt).sqrt(),
    };
    Chain { start_var: 0.0, steps: (0..steps).map(step).collect(), base: Base::OfEnd { var: var * END } }
}
