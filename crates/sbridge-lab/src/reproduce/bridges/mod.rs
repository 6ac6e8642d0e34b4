//! What is known of bridges learned half by half, measured: Gaussian ends in closed form, and tables of the plane.

mod conformance;
mod gaussian;
mod plane;

pub(super) use conformance::CONFORMANCE;
pub(super) use gaussian::{DSB_GAUSSIAN, DSBM_GAUSSIAN};
pub(super) use plane::DSB_2D;
