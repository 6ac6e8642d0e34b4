//! A small convolutional classifier, whose features judge generated images.

use crate::net::layers::{Conv, Linear, RECTIFIER_GAIN, leaky};
use crate::rng::Rng;
use crate::tensor::{Device, Module, Tensor};

/// Two strided convolutions, a dense feature layer, and one logit per class.
#[derive(Module, Debug)]
pub struct Classifier {
    fine: Conv,
    coarse: Conv,
    dense: Linear,
    logits: Linear,
    #[module(skip)]
    shape: [usize; 3],
}

/// Channels of the two convolutions.
const CHANNELS: [usize; 2] = [32, 64];

/// Dimension of the feature space.
const FEATURES: usize = 128;

impl Classifier {
    /// A classifier of `[channels, height, width]` images into `classes`.
    pub fn new(shape: [usize; 3], classes: usize, rng: &mut Rng, device: &Device) -> Self {
        let [colours, height, width] = shape;
        let [few, many] = CHANNELS;
        // Kernel 4, stride 2, padding 1 halves a side, rounding down.
        let bottom = many * (height / 4) * (width / 4);
        Self {
            fine: Conv::halving(colours, few, rng, device),
            coarse: Conv::halving(few, many, rng, device),
            dense: Linear::new(bottom, FEATURES, RECTIFIER_GAIN, rng, device),
            logits: Linear::new(FEATURES, classes, 1.0, rng, device),
            shape,
        }
    }

    /// The smallest image side it can see.
    pub const MIN_SIDE: usize = 4;

    /// Features before the last layer.
    ///
    /// # Shapes
    /// `x: [batch, channels · height · width]`, result `[batch, 128]`.
    pub fn features(&self, x: Tensor<2>) -> Tensor<2> {
        let [colours, height, width] = self.shape;
        let [batch, _] = x.dims();
        let image = x.reshape([batch, colours, height, width]);
        let deep = leaky(self.coarse.forward(leaky(self.fine.forward(image))));
        leaky(self.dense.forward(deep.flatten::<2>(1, 3)))
    }

    /// One logit per class.
    ///
    /// # Shapes
    /// `x: [batch, channels · height · width]`, result `[batch, classes]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.logits.forward(self.features(x))
    }
}
