//! A U-Net conditioned on a time: images in, images of the same shape out.
//!
//! Residual blocks at full and at half resolution, with a bridge from the way down to the way up:
//! x ← x + conv(silu(norm(conv(silu(norm(x))) + C e(t)))).                              \[RFB15\]

use sbridge_kernels::Activation::{Identity, Silu};

use crate::net::embedding::FourierEmbedding;
use crate::net::layers::{Convolution, Doubling, GroupNorm, Halving, Linear, from_nhwc, to_nhwc};
use crate::rng::Rng;
use crate::tensor::{Device, Module, Tensor};

/// Fourier features of the time.
const TIME_FEATURES: usize = 64;

/// A U-Net from flat images `[batch, c · h · w]` and a time to flat images; it starts at zero.
#[derive(Module, Debug)]
pub struct UNet {
    embedding: FourierEmbedding,
    time: Linear,
    lift: Convolution,
    down: Residual,
    halve: Halving,
    middle: Vec<Residual>,
    double: Doubling,
    up: Residual,
    norm: GroupNorm,
    output: Convolution,
    #[module(skip)]
    images: usize,
    #[module(skip)]
    shape: [usize; 3],
}

/// Two convolutions around the condition, added to their input.
#[derive(Module, Debug)]
struct Residual {
    first_norm: GroupNorm,
    first: Convolution,
    condition: Linear,
    second_norm: GroupNorm,
    second: Convolution,
}

impl UNet {
    /// A network for images of `[channels, height, width]`, `width` features wide at full resolution
    /// and twice as wide at half.
    pub fn new(shape: [usize; 3], width: usize, rng: &mut Rng, device: &Device) -> Self {
        Self::of_images(1, shape, width, rng, device)
    }

    /// The same from `images` images side by side, flat one after the other, to one.
    pub fn of_images(images: usize, shape: [usize; 3], width: usize, rng: &mut Rng, device: &Device) -> Self {
        let [colours, _, _] = shape;
        let residual = |width: usize, rng: &mut Rng| Residual::new(width, rng, device);
        Self {
            embedding: FourierEmbedding::of_time(TIME_FEATURES),
            time: Linear::new(TIME_FEATURES, TIME_FEATURES, 1.0, rng, device),
            lift: Convolution::new(images * colours, width, 1.0, rng, device),
            down: residual(width, rng),
            halve: Halving::new(width, 2 * width, rng, device),
            middle: (0..2).map(|_| residual(2 * width, rng)).collect(),
            double: Doubling::new(2 * width, width, rng, device),
            up: residual(width, rng),
            norm: GroupNorm::new(width, device),
            output: Convolution::new(width, colours, 0.0, rng, device),
            images,
            shape,
        }
    }

    /// # Shapes
    /// `t: [batch]`, `x: [batch, images · c · h · w]`, result `[batch, c · h · w]`.
    pub fn forward(&self, t: Tensor<1>, x: Tensor<2>) -> Tensor<2> {
        let [colours, height, width] = self.shape;
        let time = self.time.activated(self.embedding.forward(t), Silu);
        let fine =
            self.down.forward(self.lift.forward(to_nhwc(x, [self.images * colours, height, width])), &time);
        let halved = self.halve.forward(fine.clone(), Identity);
        let coarse = self.middle.iter().fold(halved, |x, block| block.forward(x, &time));
        let joined = self.double.forward(coarse, Identity) + fine;
        let out = self.up.forward(joined, &time);
        from_nhwc(self.output.forward(self.norm.forward(out, Silu)), self.shape)
    }
}

impl Residual {
    fn new(width: usize, rng: &mut Rng, device: &Device) -> Self {
        Self {
            first_norm: GroupNorm::new(width, device),
            first: Convolution::new(width, width, 1.0, rng, device),
            condition: Linear::new(TIME_FEATURES, width, 1.0, rng, device),
            second_norm: GroupNorm::new(width, device),
            second: Convolution::new(width, width, 0.0, rng, device),
        }
    }

    fn forward(&self, x: Tensor<4>, time: &Tensor<2>) -> Tensor<4> {
        let condition = self.condition.forward(time.clone());
        let inner = self.first.forward(self.first_norm.forward(x.clone(), Silu));
        let conditioned = inner + condition.unsqueeze_dims(&[1, 1]);
        x + self.second.forward(self.second_norm.forward(conditioned, Silu))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_shape_of_images_and_starts_at_zero() {
        let device = Device::flex();
        for shape in [[1, 28, 28], [3, 5, 9]] {
            let mut rng = Rng::new(1);
            let net = UNet::new(shape, 8, &mut rng, &device);
            let x = rng.normal([2, shape.iter().product()], &device);
            let out = net.forward(Tensor::ones([2], &device), x.clone());
            assert_eq!(out.to_data(), x.zeros_like().to_data());
        }
    }
}
