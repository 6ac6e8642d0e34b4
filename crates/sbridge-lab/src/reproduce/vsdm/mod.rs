//! What is known of variational diffusions, measured: a Gaussian in closed form, stretched laws of the plane beside score
//! models, and forecasts beside naive ones.

mod exchange;
mod gaussian;
mod plane;

pub(super) use exchange::exchange_study;
pub(super) use plane::{checkerboard_study, spiral_study};

use super::OwnQuestion;

/// A Gaussian.
pub(super) const GAUSSIAN: &[(&str, OwnQuestion)] = &[("gaussian", gaussian::gaussian_study)];
