//! Functions of single features: sines and cosines of angles, and what draws large values together.

use burn::backend::DispatchAutodiffContext;
use burn::tensor::Tensor;

use crate::array::{Array, buffer};
use crate::elementary;
use crate::operation::{are_on_cpu, plain};
use crate::vectorise::vectorise;

/// The sines of every row, then its cosines. Outside of a graph this is fused; inside of one, and for
/// angles beyond some hundred in f32, use the tensor's own functions.
///
/// # Shapes
/// `angles: [batch, count]`, result `[batch, 2 · count]`.
pub fn sin_cos(angles: Tensor<2>) -> Tensor<2> {
    let [batch, count] = angles.dims();
    let inner = angles.clone().into_dispatch();
    if !are_on_cpu(&[&inner]) || inner.autodiff != DispatchAutodiffContext::Disabled || count == 0 {
        return Tensor::cat(vec![angles.clone().sin(), angles.cos()], 1);
    }
    let angles = Array::of(plain(inner));
    let mut out = buffer(2 * batch * count);
    vectorise(
        #[inline(always)]
        || {
            for (row, out) in angles.values().chunks_exact(count).zip(out.chunks_exact_mut(2 * count)) {
                let (sines, cosines) = out.split_at_mut(count);
                for ((x, sine), cosine) in row.iter().zip(sines).zip(cosines) {
                    (*sine, *cosine) = elementary::sin_cos(*x);
                }
            }
        },
    );
    Tensor::from_primitive::<burn::backend::Flex>(Array::new(out, [batch, 2 * count]).into_tensor())
}

/// asinh of every value, in its place.
pub fn asinh(values: &mut [f32]) {
    vectorise(
        #[inline(always)]
        || values.iter_mut().for_each(|x| *x = elementary::asinh(*x)),
    );
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::vectorise::forced::on_every_path;

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let angles: Vec<f32> = (0..60).map(|i| 0.71 * i as f32 - 20.0).collect();
        let angles = Tensor::<2>::from_data(TensorData::new(angles, [3, 20]), &Device::flex());
        let results = on_every_path(|| {
            let values = sin_cos(angles.clone()).try_into_vec_as::<f32>().expect("f32");
            values.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        });
        for (path, bits) in &results {
            assert_eq!(bits, &results[0].1, "{path:?}");
        }
    }
}
