//! Two controls: a diffusion from N(0, I) and its noising are both learned, f = 0 and g = 1 over T = 1.         \[LV, Section 2\]
//!
//! Which of the many pairs with the right ends is found is left to chance. A is the ratio of both kernels of every step: the
//! noising's control looks from the later state.

use super::chain::{Base, Chain, Knot, Step};

/// `steps` even steps of Euler and Maruyama.
pub fn two_sided(steps: usize) -> Chain {
    let dt = 1.0 / steps as f64;
    let knot = |k: usize| Knot { time: k as f64 * dt, share: k as f64 * dt, diffusion: 1.0 };
    Chain {
        start_var: 1.0,
        knots: (0..=steps).map(knot).collect(),
        steps: vec![Step { kept: 1.0, moved: dt, noise: dt.sqrt() }; steps],
        base: Base::OfStart { var: 1.0 },
    }
}
