//! Empirical Lipschitz constants of encoder and decoder.
//!
//! max ‖F(a) − F(b)‖/‖a − b‖ over pairs of a point and a small random displacement of it: a lower
//! bound of the constant, taken where the data are. Units: scaled data, normalised codes.

use crate::latent::Codec;
use crate::rng::Rng;
use crate::tensor::{Tensor, to_vec_f64};

/// Displacements tried per point.
const DIRECTIONS: usize = 8;

/// Length of a displacement relative to the spread of the points: small enough to see the slope,
/// large enough for f32.
const REACH: f64 = 0.02;

/// L_D: how much further apart decoded samples can be than their codes, `codes: [count, dim]`.
pub fn decoder_lipschitz(codec: &Codec, codes: &Tensor<2>, rng: &mut Rng) -> f64 {
    let decode = |z: Tensor<2>| codec.autoencoder.decode(codec.normaliser.undo(z));
    largest_stretch(codes, decode, rng)
}

/// L_E: how much further apart codes can be than their samples, `rows: [count, size]` in data units.
pub fn encoder_lipschitz(codec: &Codec, rows: &Tensor<2>, rng: &mut Rng) -> f64 {
    let encode = |x: Tensor<2>| codec.normaliser.apply(codec.autoencoder.encode(x).mean);
    largest_stretch(&codec.scaling.apply(rows.clone()), encode, rng)
}

fn largest_stretch(points: &Tensor<2>, map: impl Fn(Tensor<2>) -> Tensor<2>, rng: &mut Rng) -> f64 {
    let image = map(points.clone());
    (0..DIRECTIONS)
        .map(|_| {
            let step = rng.normal_like(points) * REACH;
            let moved = map(points.clone() + step.clone());
            let stretch = norms(moved - image.clone()) / norms(step);
            to_vec_f64(stretch.max())[0]
        })
        .fold(0.0, f64::max)
}

fn norms(rows: Tensor<2>) -> Tensor<2> {
    rows.powi_scalar(2).sum_dim(1).sqrt()
}
