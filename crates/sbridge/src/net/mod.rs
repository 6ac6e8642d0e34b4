//! Networks: settings → `init` → a module, with every weight drawn from a named stream.

mod autoencoder;
mod classifier;
mod embedding;
mod layers;
mod noise_predictor;
mod residual_mlp;
mod unet;
mod weights;

pub use autoencoder::{Autoencoder, AutoencoderKind, AutoencoderSettings, Code};
pub use classifier::Classifier;
pub use embedding::LogVarianceEmbedding;
pub use layers::{Convolution, Doubling, GroupNorm, Halving, LayerNorm, Linear};
pub use noise_predictor::{NoisePredictor, Parametrisation};
pub use residual_mlp::{ResidualMlp, ResidualMlpSettings};
pub use unet::UNet;
pub use weights::{Weights, load_weights, weights_of};
