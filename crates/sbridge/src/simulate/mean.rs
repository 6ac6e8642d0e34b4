//! The mean of paths that start in one place.
//!
//! A Schrödinger bridge with Brownian reference has Brownian bridges between its ends, whose mean is a straight line:
//!
//! E[X_s | X_0 = x] = (1 − s) x + s E[X_1 | X_0 = x] = x + s v(0, x),
//!
//! since the drift at the start, where no noise has passed, is v(0, x) = E[X_1 | X_0 = x] − x. So the mean of all paths
//! from x at any time takes one call of the drift.
//!
//! Tests: it is the mean of draws.

use crate::bridge::{Bridge, Direction};
use crate::tensor::{Tensor, per_row};

/// Means of the states after a share `elapsed` of paths along `bridge` from the rows of `x`.
///
/// # Shapes
/// `x: [batch, dim]`, result the same.
pub fn mean_state(bridge: &dyn Bridge, direction: Direction, elapsed: f64, x: &Tensor<2>) -> Tensor<2> {
    let [start, _] = direction.ends();
    x.clone() + bridge.drift(direction, per_row(start, x), x.clone()) * elapsed
}
