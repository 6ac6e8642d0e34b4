//! What is known of variational diffusions, measured: a Gaussian in closed form, stretched laws of the plane beside score
//! models, and forecasts beside naive ones.

mod exchange;
mod gaussian;
mod plane;

pub(super) use exchange::exchange_study;
pub(super) use plane::{CHECKERBOARD, SPIRAL};

use super::OwnQuestions;

/// A Gaussian.
pub(super) const GAUSSIAN: OwnQuestions = &[("gaussian", gaussian::gaussian_study)];
