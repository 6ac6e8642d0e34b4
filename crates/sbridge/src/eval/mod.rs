//! Evaluation: how good samples are, beside floors and baselines, and where the error comes from.

mod decomposition;
mod feature_space;
mod lipschitz;
mod quality;
mod step_error;

pub use decomposition::{Decomposition, Term, decompose, reconstruction_error};
pub use feature_space::{ClassifierSettings, FeatureSpace};
pub use lipschitz::{decoder_lipschitz, encoder_lipschitz};
pub use quality::{Judge, Quality};
pub use step_error::step_error;

use crate::error::Result;
use crate::tensor::{Tensor, to_vec};

/// The rows of a tensor as points in f64.
///
/// # Errors
/// [`Error::Transport`](crate::Error::Transport) if a value is not finite.
pub fn points(rows: &Tensor<2>) -> Result<sbridge_ot::Points> {
    Ok(sbridge_ot::Points::from_f32(&to_vec(rows.clone()), rows.dims()[1])?)
}
