//! A small convolutional classifier, whose features judge generated images.

use sbridge_kernels::Activation::Relu;

use crate::net::layers::{Halving, Linear, RECTIFIER_GAIN, to_nhwc};
use crate::rng::Rng;
use crate::tensor::{Device, Module, Tensor};

/// Two strided convolutions, a dense feature layer, and one logit per class.
#[derive(Module, Debug)]
pub struct Classifier {
    fine: Halving,
    coarse: Halving,
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
        let bottom = many * height.div_ceil(4) * width.div_ceil(4);
        Self {
            fine: Halving::new(colours, few, rng, device),
            coarse: Halving::new(few, many, rng, device),
            dense: Linear::new(bottom, FEATURES, RECTIFIER_GAIN, rng, device),
            logits: Linear::new(FEATURES, classes, 1.0, rng, device),
            shape,
        }
    }

    /// Features before the last layer.
    ///
    /// # Shapes
    /// `x: [batch, channels · height · width]`, result `[batch, 128]`.
    pub fn features(&self, x: Tensor<2>) -> Tensor<2> {
        let image = to_nhwc(x, self.shape);
        let deep = self.coarse.forward(self.fine.forward(image, Relu), Relu);
        self.dense.activated(deep.flatten::<2>(1, 3), Relu)
    }

    /// One logit per class.
    ///
    /// # Shapes
    /// `x: [batch, channels · height · width]`, result `[batch, classes]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.logits.forward(self.features(x))
    }
}
