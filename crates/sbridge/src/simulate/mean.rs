//! The mean of paths that start in one place.
//!
//! A Schrödinger bridge has the bridges of its reference between its ends. Their mean is known in closed form, and the
//! drift at the start gives E[X_1 | X_0 = x]: so the mean of all paths from x at any time takes one call of the drift.
//!
//! Tests: it is the mean of draws.

use crate::bridge::{Direction, PairBridge};
use crate::tensor::{Tensor, per_row};

/// E\[X_s | X_0 = x\]: means of the states after a share `elapsed`, in [0, 1], of paths along `bridge` from the rows of
/// `x`, in units of the state.
///
/// # Shapes
/// `x: [batch, dim]`, result the same.
pub fn mean_state(bridge: &dyn PairBridge, direction: Direction, elapsed: f64, x: &Tensor<2>) -> Tensor<2> {
    let [start, _] = direction.ends();
    let drift = bridge.drift(direction, per_row(start, x), x.clone());
    bridge.reference().mean_from_drift(elapsed, x.clone(), drift)
}
