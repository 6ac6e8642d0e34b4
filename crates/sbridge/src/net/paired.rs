//! A network of a state, a time, and what is known beside them: a perceptron for vectors, a U-Net for images.

use crate::net::drift::DriftNetSettings;
use crate::net::mlp::Mlp;
use crate::net::unet::UNet;
use crate::rng::Rng;
use crate::tensor::{Device, Module, Tensor};

/// From a time, a state and, if it was made for one, a condition of the same shape, to something of that shape; it starts at zero.
#[derive(Module, Debug)]
pub struct PairedNet {
    net: Kind,
    #[module(skip)]
    is_conditioned: bool,
}

#[allow(clippy::large_enum_variant)] // one of them is held, and Burn derives modules of plain fields only
#[derive(Module, Debug)]
enum Kind {
    Vectors(Mlp),
    Images(UNet),
}

impl PairedNet {
    /// A network for vectors of dimension `dim`, or for images of `[channels, height, width]`, that is told a condition or not.
    pub fn new(
        (dim, image): (usize, Option<[usize; 3]>),
        is_conditioned: bool,
        settings: &DriftNetSettings,
        rng: &mut Rng,
        device: &Device,
    ) -> Self {
        let inputs = if is_conditioned { 2 } else { 1 };
        let net = match image {
            None => Kind::Vectors(Mlp::between([inputs * dim, dim], &settings.mlp, rng, device)),
            Some(shape) => Kind::Images(UNet::of_images(inputs, shape, settings.unet.width, rng, device)),
        };
        Self { net, is_conditioned }
    }

    /// # Shapes
    /// `t: [batch]`, `x` and `condition: [batch, dim]`, result `[batch, dim]`.
    pub fn forward(&self, t: Tensor<1>, x: Tensor<2>, condition: &Tensor<2>) -> Tensor<2> {
        let input = match self.is_conditioned {
            true => Tensor::cat(vec![x, condition.clone()], 1),
            false => x,
        };
        match &self.net {
            Kind::Vectors(net) => net.forward(t, input),
            Kind::Images(net) => net.forward(t, input),
        }
    }
}
