//! Encoder–decoder pairs: convolutional for images, dense for vectors, a matrix and its inverse, or none at all.
//!
//! The encoder gives a Gaussian N(μ, diag s²) over codes; only its mean is used once trained.
//! Tests: shapes for odd image sizes; the identity is exact.

use sbridge_kernels::Activation::{Relu, Sigmoid};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, require_count};
use crate::net::MAX_WIDTH;
use crate::net::layers::{Doubling, Halving, Linear, RECTIFIER_GAIN, from_nhwc, to_nhwc};
use crate::rng::Rng;
use crate::tensor::{Device, Module, Param, Tensor};

/// Shape of one sample: `[channels, height, width]`, or `[dim]` for a vector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AutoencoderKind {
    /// Rows of numbers.
    Vector {
        /// Length of a row.
        dim: usize,
    },
    /// Images with values in [0, 1], channel-major.
    Image {
        /// `[channels, height, width]`.
        shape: [usize; 3],
    },
}

/// Size of an autoencoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AutoencoderSettings {
    /// Dimension d* of a code, at most the size of a sample. Default 0: 20, or the size of a sample
    /// if that is smaller.
    pub latent_dim: usize,
    /// Channels of the first convolution; the second has twice as many. Default 32. Images only.
    pub channels: usize,
    /// Features of the dense hidden layers. Default 256.
    pub hidden: usize,
}

impl Default for AutoencoderSettings {
    fn default() -> Self {
        Self { latent_dim: 0, channels: 32, hidden: 256 }
    }
}

impl AutoencoderSettings {
    /// These settings with the dimension of a code decided for samples of `size` values.
    #[must_use]
    pub fn resolved(mut self, size: usize) -> Self {
        if self.latent_dim == 0 {
            self.latent_dim = size.min(20);
        }
        self
    }

    /// Checks the sizes against a sample of `size` values.
    ///
    /// # Errors
    /// [`Error::Setting`] for a size of zero or a code longer than a sample.
    pub fn check(&self, size: usize) -> Result<()> {
        if !(1..=size).contains(&self.latent_dim) {
            let requirement = format!("between 1 and the size of a sample, {size}");
            let fix = "set autoencoder.net.latent_dim, or --latent-dim";
            return Err(Error::setting("latent_dim", requirement, self.latent_dim, fix));
        }
        require_count("channels", self.channels, 1..=MAX_WIDTH, "see [autoencoder.net]")?;
        require_count("hidden", self.hidden, 1..=MAX_WIDTH, "see [autoencoder.net]")
    }
}

/// What the encoder says of a sample: a Gaussian over codes.
pub struct Code {
    /// μ, `[batch, latent_dim]`.
    pub mean: Tensor<2>,
    /// ln s², `[batch, latent_dim]`.
    pub log_var: Tensor<2>,
}

impl Code {
    /// `mean`, without any doubt.
    fn certain(mean: Tensor<2>) -> Self {
        Self { log_var: mean.full_like(f64::NEG_INFINITY), mean }
    }
}

/// An encoder and a decoder.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Autoencoder {
    /// A code is the sample itself.
    Identity(Identity),
    /// A code is a linear map of the sample.
    Linear(LinearAutoencoder),
    /// Dense layers.
    Dense(DenseAutoencoder),
    /// Strided convolutions around dense layers.
    Convolutional(ConvAutoencoder),
}

impl Autoencoder {
    /// The network for samples of this kind.
    pub fn new(
        kind: &AutoencoderKind,
        settings: &AutoencoderSettings,
        rng: &mut Rng,
        device: &Device,
    ) -> Self {
        match kind {
            AutoencoderKind::Vector { dim } => {
                Self::Dense(DenseAutoencoder::new(*dim, settings, rng, device))
            }
            AutoencoderKind::Image { shape } => {
                Self::Convolutional(ConvAutoencoder::new(*shape, settings, rng, device))
            }
        }
    }

    /// Codes that are the samples themselves.
    pub fn identity(dim: usize) -> Self {
        Self::Identity(Identity { dim })
    }

    /// Codes x W of samples x, and back by the inverse of W, `[dim, dim]` both.
    pub fn linear(weight: Tensor<2>, inverse: Tensor<2>) -> Self {
        let [dim, _] = weight.dims();
        let [encoder, decoder] = [weight, inverse].map(Param::from_tensor);
        Self::Linear(LinearAutoencoder { encoder, decoder, dim })
    }

    /// Whether a code has the axes of its sample, and decoding loses nothing.
    pub fn keeps_axes(&self) -> bool {
        matches!(self, Self::Identity(_) | Self::Linear(_))
    }

    /// Dimension d* of a code.
    pub fn latent_dim(&self) -> usize {
        match self {
            Self::Identity(identity) => identity.dim,
            Self::Linear(linear) => linear.dim,
            Self::Dense(net) => net.latent_dim,
            Self::Convolutional(net) => net.latent_dim,
        }
    }

    /// The Gaussian over codes of each sample.
    ///
    /// # Shapes
    /// `x: [batch, size]`, result `[batch, latent_dim]` twice.
    pub fn encode(&self, x: Tensor<2>) -> Code {
        let (both, latent_dim) = match self {
            Self::Identity(_) => return Code::certain(x),
            Self::Linear(linear) => return Code::certain(x.matmul(linear.encoder.val())),
            Self::Dense(net) => (net.encode(x), net.latent_dim),
            Self::Convolutional(net) => (net.encode(x), net.latent_dim),
        };
        let mean = both.clone().narrow(1, 0, latent_dim);
        let log_var = both.narrow(1, latent_dim, latent_dim);
        // A log-variance outside this range is a rounding error or an overflow, never information.
        Code { mean, log_var: log_var.clamp(-20.0, 10.0) }
    }

    /// Samples from codes.
    ///
    /// # Shapes
    /// `z: [batch, latent_dim]`, result `[batch, size]`.
    pub fn decode(&self, z: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Identity(_) => z,
            Self::Linear(linear) => z.matmul(linear.decoder.val()),
            Self::Dense(net) => net.decode(z),
            Self::Convolutional(net) => net.decode(z),
        }
    }
}

/// No encoder at all.
#[derive(Module, Debug)]
pub struct Identity {
    #[module(skip)]
    dim: usize,
}

/// A matrix and its inverse.
#[derive(Module, Debug)]
pub struct LinearAutoencoder {
    encoder: Param<Tensor<2>>,
    decoder: Param<Tensor<2>>,
    #[module(skip)]
    dim: usize,
}

/// Dense layers: size – hidden – hidden – code and back.
#[derive(Module, Debug)]
pub struct DenseAutoencoder {
    encoder: [Linear; 3],
    decoder: [Linear; 3],
    #[module(skip)]
    latent_dim: usize,
}

impl DenseAutoencoder {
    fn new(size: usize, settings: &AutoencoderSettings, rng: &mut Rng, device: &Device) -> Self {
        let &AutoencoderSettings { latent_dim, hidden, .. } = settings;
        let mut rectified = |i, o| Linear::new(i, o, RECTIFIER_GAIN, rng, device);
        let encoder = [rectified(size, hidden), rectified(hidden, hidden)];
        let decoder = [rectified(latent_dim, hidden), rectified(hidden, hidden)];
        let [first, second] = encoder;
        let code = Linear::new(hidden, 2 * latent_dim, 1.0, rng, device);
        let [third, fourth] = decoder;
        let output = Linear::new(hidden, size, 1.0, rng, device);
        Self { encoder: [first, second, code], decoder: [third, fourth, output], latent_dim }
    }

    fn encode(&self, x: Tensor<2>) -> Tensor<2> {
        let [first, second, code] = &self.encoder;
        code.forward(second.activated(first.activated(x, Relu), Relu))
    }

    fn decode(&self, z: Tensor<2>) -> Tensor<2> {
        let [first, second, output] = &self.decoder;
        output.forward(second.activated(first.activated(z, Relu), Relu))
    }
}

/// Two strided convolutions, a dense layer, and the mirror image; the output is squashed to [0, 1].
///
/// Images whose sides are not multiples of four are padded with zeros and cropped again.
#[derive(Module, Debug)]
pub struct ConvAutoencoder {
    fine: Halving,
    coarse: Halving,
    inward: Linear,
    code: Linear,
    outward: Linear,
    spread: Linear,
    refine: Doubling,
    paint: Doubling,
    #[module(skip)]
    latent_dim: usize,
    #[module(skip)]
    shape: [usize; 3],
}

impl ConvAutoencoder {
    fn new(shape: [usize; 3], settings: &AutoencoderSettings, rng: &mut Rng, device: &Device) -> Self {
        let &AutoencoderSettings { latent_dim, channels, hidden } = settings;
        let [colours, height, width] = shape;
        let bottom = 2 * channels * height.div_ceil(4) * width.div_ceil(4);
        let mut dense = |i, o, gain| Linear::new(i, o, gain, rng, device);
        let inward = dense(bottom, hidden, RECTIFIER_GAIN);
        let code = dense(hidden, 2 * latent_dim, 1.0);
        let outward = dense(latent_dim, hidden, RECTIFIER_GAIN);
        let spread = dense(hidden, bottom, RECTIFIER_GAIN);
        Self {
            fine: Halving::new(colours, channels, rng, device),
            coarse: Halving::new(channels, 2 * channels, rng, device),
            inward,
            code,
            outward,
            spread,
            refine: Doubling::new(2 * channels, channels, rng, device),
            paint: Doubling::new(channels, colours, rng, device),
            latent_dim,
            shape,
        }
    }

    fn encode(&self, x: Tensor<2>) -> Tensor<2> {
        let image = to_nhwc(x, self.shape);
        let deep = self.coarse.forward(self.fine.forward(image, Relu), Relu);
        self.code.forward(self.inward.activated(deep.flatten::<2>(1, 3), Relu))
    }

    fn decode(&self, z: Tensor<2>) -> Tensor<2> {
        let [_, height, width] = self.shape;
        let [batch, _] = z.dims();
        let (rows, columns) = (height.div_ceil(4), width.div_ceil(4));
        let flat = self.spread.activated(self.outward.activated(z, Relu), Relu);
        let channels = flat.dims()[1] / (rows * columns);
        let deep = flat.reshape([batch, rows, columns, channels]);
        let painted = self.paint.forward(self.refine.forward(deep, Relu), Sigmoid);
        from_nhwc(painted, self.shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn convolutional_pair_keeps_odd_image_sizes() {
        let device = Device::flex();
        for shape in [[1, 28, 28], [3, 5, 9], [1, 1, 1]] {
            let kind = AutoencoderKind::Image { shape };
            let settings = AutoencoderSettings { latent_dim: 1, channels: 2, hidden: 8 };
            let net = Autoencoder::new(&kind, &settings, &mut Rng::new(1), &device);
            let size = shape.iter().product();
            let code = net.encode(Tensor::ones([3, size], &device));
            assert_eq!(code.mean.dims(), [3, 1]);
            assert_eq!(net.decode(code.mean).dims(), [3, size]);
        }
    }

    #[test]
    fn identity_returns_what_it_is_given() {
        let x = Rng::new(2).normal([4, 3], &Device::flex());
        let net = Autoencoder::identity(3);
        let there_and_back = net.decode(net.encode(x.clone()).mean);
        assert_eq!(there_and_back.to_data(), x.to_data());
    }
}
