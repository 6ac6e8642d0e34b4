//! Networks: settings → `init` → a module, with every weight drawn from a named stream.

mod autoencoder;
mod classifier;
mod control_net;
mod drift;
mod embedding;
mod gaussian_drift;
mod gaussian_pair;
mod layers;
mod mixture;
mod mlp;
mod noise_predictor;
mod paired;
mod past_encoder;
mod plan_priors;
mod residual_mlp;
mod temporal_unet;
mod unet;
mod weights;

use crate::error::{Error, Result};

pub use autoencoder::{Autoencoder, AutoencoderKind, AutoencoderSettings, Code};
pub use classifier::Classifier;
pub use control_net::{ControlNet, Embedded};
pub use drift::{DriftNet, DriftNetSettings, UNetSettings};
pub use embedding::FourierEmbedding;
pub use gaussian_drift::GaussianDrift;
pub use gaussian_pair::{GaussianPair, KNOTS, Place};
pub use layers::{
    Convolution, Doubling, GroupNorm, Halving, LayerNorm, Linear, SequenceConvolution, SequenceEnlarging,
};
pub use mixture::{MixtureDrift, MixtureSettings};
pub use mlp::{Mlp, MlpSettings};
pub use noise_predictor::{NoisePredictor, Parametrisation};
pub use paired::PairedNet;
pub use past_encoder::PastEncoder;
pub use plan_priors::{ConvolutionPrior, PerceptronPrior};
pub use residual_mlp::{ResidualMlp, ResidualMlpSettings};
pub use temporal_unet::{TemporalUNet, TemporalUNetSettings};
pub use unet::UNet;
pub use weights::{Weights, load_weights, weights_of};

/// Width of a layer, at most.
pub(crate) const MAX_WIDTH: usize = 1 << 16;

/// Weights of hidden layers, at most: a gigabyte of them, and as much again for each of their moments.
const MAX_WEIGHTS: usize = 1 << 28;

/// Refuses `layers` of `width` whose weights would not fit into memory.
fn require_weights(width: usize, layers: usize) -> Result<()> {
    if width.saturating_mul(width).saturating_mul(layers) <= MAX_WEIGHTS {
        return Ok(());
    }
    let requirement = format!("such that width × width × layers is at most {MAX_WEIGHTS}");
    Err(Error::setting("width", requirement, width, format!("with {layers} layers; 128 is usual")))
}
