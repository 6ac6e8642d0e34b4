//! A residual multilayer perceptron conditioned on the noise level, and on a context where there is one.
//!
//! x ← x + W₂ relu(W₁ norm(x) + C e(v)), a number of times, between a lift and a read-out.

use sbridge_kernels::Activation::{Identity, Relu, Silu};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, require_count};
use crate::net::embedding::FourierEmbedding;
use crate::net::layers::{LayerNorm, Linear, RECTIFIER_GAIN};
use crate::net::{MAX_WIDTH, require_weights};
use crate::rng::Rng;
use crate::tensor::{Device, Module, Tensor};

/// Size of a residual network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResidualMlpSettings {
    /// Features of the residual stream. Default 384.
    pub width: usize,
    /// Residual blocks. Default 4.
    pub blocks: usize,
    /// Fourier features of the noise level. Default 64; even.
    pub time_features: usize,
}

impl Default for ResidualMlpSettings {
    fn default() -> Self {
        Self { width: 384, blocks: 4, time_features: 64 }
    }
}

impl ResidualMlpSettings {
    /// # Errors
    /// [`Error::Setting`] for a size of zero or an odd number of time features.
    pub fn check(&self) -> Result<()> {
        require_count("width", self.width, 1..=MAX_WIDTH, "128 to 512 is usual")?;
        require_count("blocks", self.blocks, 0..=1000, "3 or 4 is usual")?;
        require_count("time_features", self.time_features, 0..=MAX_WIDTH, "64 is usual")?;
        if self.time_features == 0 || self.time_features % 2 == 1 {
            let fix = "features come as sine and cosine";
            return Err(Error::setting("time_features", "even and > 0", self.time_features, fix));
        }
        require_weights(self.width, 2 * self.blocks.max(1))
    }
}

/// A residual network from `[batch, dim]` and a noise level to `[batch, dim]`; it starts at zero.
#[derive(Module, Debug)]
pub struct ResidualMlp {
    embedding: FourierEmbedding,
    time: Linear,
    lift: Linear,
    blocks: Vec<Block>,
    norm: LayerNorm,
    output: Linear,
}

#[derive(Module, Debug)]
struct Block {
    norm: LayerNorm,
    inward: Linear,
    condition: Linear,
    outward: Linear,
}

impl ResidualMlp {
    /// A network for states of dimension `dim`.
    pub fn new(dim: usize, settings: &ResidualMlpSettings, rng: &mut Rng, device: &Device) -> Self {
        Self::conditioned(dim, 0, settings, rng, device)
    }

    /// A network for states of dimension `dim` with `context` numbers of context for each of them.
    pub fn conditioned(
        dim: usize,
        context: usize,
        settings: &ResidualMlpSettings,
        rng: &mut Rng,
        device: &Device,
    ) -> Self {
        let width = settings.width;
        let embedding = FourierEmbedding::of_log_variance(settings.time_features);
        let level = embedding.features();
        let block = |rng: &mut Rng| Block {
            norm: LayerNorm::new(width, device),
            inward: Linear::new(width, width, RECTIFIER_GAIN, rng, device),
            condition: Linear::new(level + context, width, 1.0, rng, device),
            outward: Linear::new(width, width, 0.0, rng, device),
        };
        Self {
            time: Linear::new(level, level, 1.0, rng, device),
            embedding,
            lift: Linear::new(dim, width, 1.0, rng, device),
            blocks: (0..settings.blocks).map(|_| block(rng)).collect(),
            norm: LayerNorm::new(width, device),
            output: Linear::new(width, dim, 0.0, rng, device),
        }
    }

    /// # Shapes
    /// `x: [batch, dim]`, `v: [batch]`, result `[batch, dim]`.
    pub fn forward(&self, x: Tensor<2>, v: Tensor<1>) -> Tensor<2> {
        self.of_level(x, self.level(v))
    }

    /// # Shapes
    /// As [`forward`](Self::forward), `context: [batch, context]`.
    pub fn forward_conditioned(&self, x: Tensor<2>, v: Tensor<1>, context: Tensor<2>) -> Tensor<2> {
        self.of_level(x, Tensor::cat(vec![self.level(v), context], 1))
    }

    fn level(&self, v: Tensor<1>) -> Tensor<2> {
        self.time.activated(self.embedding.forward(v.log()), Silu)
    }

    fn of_level(&self, x: Tensor<2>, level: Tensor<2>) -> Tensor<2> {
        let lifted = self.lift.forward(x);
        let stream = self.blocks.iter().fold(lifted, |x, block| block.forward(x, &level));
        self.output.forward(self.norm.forward(stream, Silu))
    }
}

impl Block {
    fn forward(&self, x: Tensor<2>, level: &Tensor<2>) -> Tensor<2> {
        let condition = self.condition.forward(level.clone());
        let inner = self.inward.added_to(condition, self.norm.forward(x.clone(), Identity), Relu);
        self.outward.added_to(x, inner, Identity)
    }
}
