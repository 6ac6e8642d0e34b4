//! Lipschitz constants of encoder and decoder, estimated: the largest norm of their Jacobians where the data are.
//!
//! ‖J‖ = max ‖J v‖ over unit v, by power iteration v ← JᵀJ v/‖JᵀJ v‖ at all points at once. J v is a difference quotient,
//! so every value is met between two points and bounds the constant from below; Jᵀ is a pass back. Random directions
//! would not do: they see the root mean square of the singular values over many dimensions, and not the largest.
//!
//! Units: scaled data, normalised codes. Tests: linear maps, whose constants are their largest singular values.

use crate::latent::{LatentCodec, Normaliser};
use crate::rng::Rng;
use crate::tensor::{Module as _, Tensor, row_blocks, to_vec_f64};

/// Sweeps of the power iteration: a singular value of 0.8 of the largest weighs 0.8²⁰, a hundredth, after these.
const SWEEPS: usize = 10;

/// Half the length over which a difference is taken, in units where points have a spread of about one for each
/// coordinate: small enough to see the slope, large enough for f32.
const REACH: f64 = 0.02;

/// L_D: how much further apart decoded samples can be than their codes, `codes: [count, dim]`.
pub fn decoder_lipschitz(codec: &LatentCodec, codes: &Tensor<2>, rng: &mut Rng) -> f64 {
    let decode = |codec: &LatentCodec, z| codec.autoencoder.decode(codec.normaliser.undo(z));
    let tracked = tracked(codec);
    largest_norm(codes, [&|z| decode(codec, z), &|z| decode(&tracked, z)], rng)
}

/// L_E: how much further apart codes can be than their samples, `rows: [count, size]` in data units.
pub fn encoder_lipschitz(codec: &LatentCodec, rows: &Tensor<2>, rng: &mut Rng) -> f64 {
    let encode = |codec: &LatentCodec, x| codec.normaliser.apply(codec.autoencoder.encode(x).mean);
    let tracked = tracked(codec);
    largest_norm(&codec.scaling.apply(rows.clone()), [&|x| encode(codec, x), &|x| encode(&tracked, x)], rng)
}

/// The same codec on tensors that are differentiated.
fn tracked(codec: &LatentCodec) -> LatentCodec {
    let LatentCodec { scaling, autoencoder, normaliser: Normaliser { mean, scale } } = codec.clone();
    let normaliser = Normaliser { mean: mean.autodiff(), scale: scale.autodiff() };
    LatentCodec { scaling, autoencoder: autoencoder.train(), normaliser }
}

/// A map of rows.
type Map<'a> = &'a dyn Fn(Tensor<2>) -> Tensor<2>;

/// The largest norm of the Jacobian of a map, given plain and on tensors that are differentiated, at the rows of `points`;
/// block by block to bound the memory.
fn largest_norm(points: &Tensor<2>, [map, tracked]: [Map<'_>; 2], rng: &mut Rng) -> f64 {
    let largest = row_blocks(points).into_iter().map(|block| {
        let mut direction = unit(rng.normal_like(&block));
        for _ in 0..SWEEPS {
            let image = pushed(&block, &direction, map);
            direction = unit(pulled(&block, image, tracked));
        }
        to_vec_f64(norms(pushed(&block, &direction, map)).max())[0]
    });
    largest.fold(0.0, f64::max)
}

/// J v for `directions` v at `points`.
fn pushed(points: &Tensor<2>, directions: &Tensor<2>, map: Map<'_>) -> Tensor<2> {
    let step = directions.clone() * REACH;
    (map(points.clone() + step.clone()) - map(points.clone() - step)) / (2.0 * REACH)
}

/// Jᵀ u for `images` u at `points`.
fn pulled(points: &Tensor<2>, images: Tensor<2>, tracked: Map<'_>) -> Tensor<2> {
    let x = points.clone().autodiff().require_grad();
    let gradients = (tracked(x.clone()) * images.autodiff()).sum().backward();
    x.grad(&gradients).expect("the image depends on the point")
}

/// The rows at unit length; those of length zero stay.
fn unit(rows: Tensor<2>) -> Tensor<2> {
    let lengths = norms(rows.clone());
    let none = lengths.clone().equal_scalar(0.0);
    rows / lengths.mask_fill(none, 1.0)
}

fn norms(rows: Tensor<2>) -> Tensor<2> {
    rows.powi_scalar(2).sum_dim(1).sqrt()
}

#[cfg(test)]
mod tests {
    use sbridge_ot::matrix::symmetric_eigen;

    use super::*;
    use crate::tensor::Device;

    /// The norm found of x ↦ x M at a few points.
    fn found(matrix: &Tensor<2>) -> f64 {
        let mut rng = Rng::new(3);
        let points = rng.normal([20, matrix.dims()[0]], &Device::flex());
        let plain = |x: Tensor<2>| x.matmul(matrix.clone());
        let tracked = |x: Tensor<2>| x.matmul(matrix.clone().autodiff());
        largest_norm(&points, [&plain, &tracked], &mut rng)
    }

    #[test]
    fn the_norm_of_a_map_from_many_dimensions_to_few_is_its_largest_singular_value() {
        // 784 × 20 entries of variance 1/784: singular values lie about 1 ± √(20/784), the largest near 1.14. Eight random
        // directions find 0.24.
        let matrix = Rng::new(1).normal([784, 20], &Device::flex()) * 784f64.sqrt().recip();
        let norm = norm_of(&matrix);
        let estimate = found(&matrix);
        // Close singular values mix: their mean after ten sweeps is a few hundredths below the largest.
        assert!(estimate < norm * 1.001 && estimate > 0.96 * norm, "{estimate} for {norm}");
    }

    #[test]
    fn one_dominant_direction_is_found() {
        let mut rng = Rng::new(2);
        let [left, right] = [[784, 1], [1, 20]].map(|shape| unit_all(rng.normal(shape, &Device::flex())));
        let noise = rng.normal([784, 20], &Device::flex()) * 784f64.sqrt().recip();
        let matrix = noise * 0.5 + left.matmul(right) * 6.0;
        let (estimate, norm) = (found(&matrix), norm_of(&matrix));
        // The others weigh (0.57/6)²⁰: difference quotients in f32 are all that is left.
        assert!((estimate / norm - 1.0).abs() < 1e-3, "{estimate} for {norm}");
    }

    /// The largest singular value, by the eigenvalues of MᵀM.
    fn norm_of(matrix: &Tensor<2>) -> f64 {
        let square = to_vec_f64(matrix.clone().transpose().matmul(matrix.clone()));
        let dim = matrix.dims()[1];
        let square = faer::Mat::from_fn(dim, dim, |i, j| square[i * dim + j]);
        let (eigenvalues, _) = symmetric_eigen("MᵀM", square.as_ref()).expect("a finite matrix");
        eigenvalues.into_iter().fold(0.0, f64::max).sqrt()
    }

    fn unit_all(rows: Tensor<2>) -> Tensor<2> {
        let length = to_vec_f64(rows.clone().powi_scalar(2).sum())[0].sqrt();
        rows / length
    }
}
