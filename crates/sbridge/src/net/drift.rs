//! The drift of one direction as a module: a perceptron for vectors, a U-Net for images, or that of a mixture.

use serde::{Deserialize, Serialize};

use crate::error::{Result, require_count};
use crate::net::mixture::{MixtureDrift, MixtureSettings};
use crate::net::mlp::{Mlp, MlpSettings};
use crate::net::unet::UNet;
use crate::rng::Rng;
use crate::tensor::{Device, Module, Tensor};

/// Size of the network of a drift.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DriftNetSettings {
    /// For samples that are vectors.
    pub mlp: MlpSettings,
    /// For samples that are images.
    pub unet: UNetSettings,
    /// A mixture instead of a network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mixture: Option<MixtureSettings>,
}

/// Size of a U-Net.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UNetSettings {
    /// Features at full resolution. Default 32.
    pub width: usize,
}

impl Default for UNetSettings {
    fn default() -> Self {
        Self { width: 32 }
    }
}

impl DriftNetSettings {
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a size out of range.
    pub fn check(&self) -> Result<()> {
        require_count("unet.width", self.unet.width, 1..=1024, "32 is usual")?;
        if let Some(mixture) = &self.mixture {
            mixture.check()?;
        }
        self.mlp.check()
    }
}

/// A network v(t, x).
#[allow(clippy::large_enum_variant)] // two of them are held, and Burn derives modules of plain fields only
#[derive(Module, Debug)]
pub enum DriftNet {
    /// Of vectors.
    Mlp(Mlp),
    /// Of images, flat.
    UNet(UNet),
    /// Of a mixture potential.
    Mixture(MixtureDrift),
}

impl DriftNet {
    /// A network for vectors of dimension `dim`, or for images of `[channels, height, width]`.
    pub fn new(
        dim: usize,
        image: Option<[usize; 3]>,
        settings: &DriftNetSettings,
        rng: &mut Rng,
        device: &Device,
    ) -> Self {
        match image {
            None => Self::Mlp(Mlp::new(dim, &settings.mlp, rng, device)),
            Some(shape) => Self::UNet(UNet::new(shape, settings.unet.width, rng, device)),
        }
    }

    /// # Shapes
    /// `t: [batch]`, `x: [batch, dim]`, result `[batch, dim]`.
    pub fn forward(&self, t: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Mlp(net) => net.forward(t, x),
            Self::UNet(net) => net.forward(t, x),
            Self::Mixture(mixture) => mixture.forward(t, x),
        }
    }
}
