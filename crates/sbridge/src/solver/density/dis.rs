//! The time-reversed diffusion sampler: from N(0, I), f = βx/2 and g = √β over T = 1, β from 10 to 0.1.               \[DIS\]
//!
//! What is held fixed is the noising of data, dY = −½βY dt + √β dW, read backward. In steps its volume is ln(1 + ½β dt) for every
//! axis, and not the integral ½β dt of the limit: with that A would be no ratio of kernels, and the bound none.

use super::chain::{Base, Chain};
use super::euler;

/// `steps` even steps of Euler and Maruyama.
pub fn dis(steps: usize) -> Chain {
    euler(steps, 1.0, 0.5, Base::OfStart { var: 1.0 })
}
