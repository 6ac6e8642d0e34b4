//! A plain multilayer perceptron of state and time, without normalisation: [x, t] → silu → … → ℝᵈ.

use sbridge_kernels::Activation::Silu;
use serde::{Deserialize, Serialize};

use crate::error::{Result, require_count};
use crate::net::layers::Linear;
use crate::net::{MAX_WIDTH, require_weights};
use crate::rng::Rng;
use crate::tensor::{Device, Module, Tensor, column};

/// Size of a perceptron.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MlpSettings {
    /// Features of a hidden layer. Default 128.
    pub width: usize,
    /// Hidden layers. Default 4.
    pub layers: usize,
}

impl Default for MlpSettings {
    fn default() -> Self {
        Self { width: 128, layers: 4 }
    }
}

impl MlpSettings {
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a size of zero, or more weights than can be held.
    pub fn check(&self) -> Result<()> {
        require_count("width", self.width, 1..=MAX_WIDTH, "128 is usual")?;
        require_count("layers", self.layers, 1..=1000, "4 is usual")?;
        require_weights(self.width, self.layers)
    }
}

/// A perceptron from `[batch, dim]` and a time to `[batch, dim]`; it starts at zero.
#[derive(Module, Debug)]
pub struct Mlp {
    hidden: Vec<Linear>,
    output: Linear,
}

impl Mlp {
    /// A network for states of dimension `dim`.
    pub fn new(dim: usize, settings: &MlpSettings, rng: &mut Rng, device: &Device) -> Self {
        Self::between([dim, dim], settings, rng, device)
    }

    /// A network from `[batch, inputs]` and a time to `[batch, dim]`.
    pub fn between(
        [inputs, dim]: [usize; 2],
        settings: &MlpSettings,
        rng: &mut Rng,
        device: &Device,
    ) -> Self {
        let inputs = |layer: usize| if layer == 0 { inputs + 1 } else { settings.width };
        let hidden = |layer| Linear::new(inputs(layer), settings.width, 1.0, rng, device);
        Self {
            hidden: (0..settings.layers).map(hidden).collect(),
            output: Linear::new(settings.width, dim, 0.0, rng, device),
        }
    }

    /// # Shapes
    /// `t: [batch]`, `x: [batch, dim]`, result `[batch, dim]`.
    pub fn forward(&self, t: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        let input = Tensor::cat(vec![x, column(t)], 1);
        self.output.forward(self.hidden.iter().fold(input, |x, layer| layer.activated(x, Silu)))
    }
}
