//! Evaluation: how good samples are, beside floors and baselines, and where the error comes from.

mod decomposition;
mod feature_space;
mod image_quality;
mod journey;
mod lipschitz;
mod path_statistics;
mod quality;
mod step_error;

pub use decomposition::{Decomposition, Term, TermName, decompose, reconstruction_error};
pub use feature_space::{ClassifierSettings, FeatureSpace};
pub use image_quality::{psnr, ssim};
pub use journey::Journey;
pub use lipschitz::{decoder_lipschitz, encoder_lipschitz};
pub use path_statistics::PathStatistics;
pub use quality::{Judge, Quality};
pub use step_error::step_error;
