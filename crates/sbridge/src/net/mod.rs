//! Networks: settings → `init` → a module, with every weight drawn from a named stream.

mod autoencoder;
mod classifier;
mod drift;
mod embedding;
mod gaussian_drift;
mod layers;
mod mixture;
mod mlp;
mod noise_predictor;
mod past_encoder;
mod residual_mlp;
mod unet;
mod weights;

pub use autoencoder::{Autoencoder, AutoencoderKind, AutoencoderSettings, Code};
pub use classifier::Classifier;
pub use drift::{DriftNet, DriftNetSettings, UNetSettings};
pub use embedding::FourierEmbedding;
pub use gaussian_drift::GaussianDrift;
pub use layers::{Convolution, Doubling, GroupNorm, Halving, LayerNorm, Linear};
pub use mixture::{MixtureDrift, MixtureSettings};
pub use mlp::{Mlp, MlpSettings};
pub use noise_predictor::{NoisePredictor, Parametrisation};
pub use past_encoder::PastEncoder;
pub use residual_mlp::{ResidualMlp, ResidualMlpSettings};
pub use unet::UNet;
pub use weights::{Weights, load_weights, weights_of};
