//! Latent bridges: encode, carry a smoothed law of codes to the clean one, decode.
//!
//! Stage A trains an encoder and a decoder, possibly on other data than the target; stage B learns
//! the score of the smoothed codes of the target; stage C runs the bridge from the start law and
//! decodes. \[LSBDM\]

mod codec;
mod foellmer;
mod model;
mod scaling;
mod settings;
mod start;
mod whitening;

pub use codec::LatentCodec;
pub use foellmer::{FoellmerStart, LogRatio};
pub use model::{LatentModel, start_law};
pub use scaling::{DataScaling, Normalisation, Normaliser};
pub use settings::{BridgeSettings, SamplerSettings};
pub use start::StartLaw;
pub use whitening::ReferenceCovariance;
