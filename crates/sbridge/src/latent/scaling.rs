//! Scaling of data and of codes, stored with the model and undone on the way out.

use serde::{Deserialize, Serialize};

use crate::tensor::{Device, Tensor, TensorData};

/// The affine map x ↦ (x − offset)/scale of each column, and the range of images.
#[derive(Clone, Debug)]
pub struct DataScaling {
    /// Subtracted from each column, `[1, size]`, in the data's own units.
    pub offset: Tensor<2>,
    /// Divisor of each column, `[1, size]`; never zero.
    pub scale: Tensor<2>,
    /// Black and white of images; vectors have no range to be clipped to.
    pub range: Option<(f64, f64)>,
}

impl DataScaling {
    /// Images: the common range `[low, high]` becomes `[0, 1]`.
    pub fn of_images(size: usize, low: f64, high: f64, device: &Device) -> Self {
        let row = |value: f64| Tensor::full([1, size], value, device);
        let width = if high > low { high - low } else { 1.0 };
        Self { offset: row(low), scale: row(width), range: Some((low, high)) }
    }

    /// Vectors: every column gets mean 0 and standard deviation 1; a constant column is only shifted.
    ///
    /// # Shapes
    /// `rows: [count, size]`.
    pub fn of_vectors(rows: &Tensor<2>) -> Self {
        let (mean, std) = column_moments(rows);
        Self { offset: mean, scale: or_one(std), range: None }
    }

    /// Into the units the networks see, `[batch, size]`.
    pub fn apply(&self, rows: Tensor<2>) -> Tensor<2> {
        (rows - self.offset.clone()) / self.scale.clone()
    }

    /// Back into the data's units, images clipped to their range, `[batch, size]`.
    pub fn undo(&self, rows: Tensor<2>) -> Tensor<2> {
        let restored = rows * self.scale.clone() + self.offset.clone();
        match self.range {
            Some((low, high)) => restored.clamp(low, high),
            None => restored,
        }
    }
}

/// What codes are divided by, and so the unit of ε.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalisation {
    /// Nothing: ε is in the units of the encoder.
    Off,
    /// One number, the root mean square deviation of all codes.
    Global,
    /// The standard deviation of each dimension.
    PerDimension,
}

/// The affine map z ↦ (z − mean)/scale of codes.
#[derive(Clone, Debug)]
pub struct Normaliser {
    /// `[1, dim]`.
    pub mean: Tensor<2>,
    /// `[1, dim]`.
    pub scale: Tensor<2>,
}

impl Normaliser {
    /// Measured on all codes of the target, `[count, dim]`.
    pub fn of_codes(codes: &Tensor<2>, normalisation: Normalisation) -> Self {
        let (mean, std) = column_moments(codes);
        match normalisation {
            Normalisation::Off => Self { mean: mean.zeros_like(), scale: std.ones_like() },
            Normalisation::Global => {
                let rms = std.clone().powi_scalar(2).mean().sqrt().unsqueeze::<2>();
                Self { mean, scale: or_one(rms.expand(std.dims())) }
            }
            Normalisation::PerDimension => Self { mean, scale: or_one(std) },
        }
    }

    /// Into the units of the bridge, `[count, dim]`.
    pub fn apply(&self, codes: Tensor<2>) -> Tensor<2> {
        (codes - self.mean.clone()) / self.scale.clone()
    }

    /// Back into the units of the decoder, `[count, dim]`.
    pub fn undo(&self, codes: Tensor<2>) -> Tensor<2> {
        codes * self.scale.clone() + self.mean.clone()
    }
}

/// Means and standard deviations of the columns, `[1, size]` each, accumulated in f64.
fn column_moments(rows: &Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let [count, size] = rows.dims();
    let values = crate::tensor::to_vec(rows.clone());
    let mut sums = vec![0f64; size];
    let mut squares = vec![0f64; size];
    for row in values.chunks_exact(size) {
        for (j, &x) in row.iter().enumerate() {
            sums[j] += f64::from(x);
        }
    }
    let mean: Vec<f64> = sums.iter().map(|s| s / count as f64).collect();
    for row in values.chunks_exact(size) {
        for (j, &x) in row.iter().enumerate() {
            squares[j] += (f64::from(x) - mean[j]).powi(2);
        }
    }
    let std: Vec<f64> = squares.iter().map(|s| (s / count as f64).sqrt()).collect();
    let row = |values| Tensor::from_data(TensorData::new(values, [1, size]), (&rows.device(), rows.dtype()));
    (row(mean), row(std))
}

/// A scale, with 1 in place of 0.
fn or_one(scale: Tensor<2>) -> Tensor<2> {
    let constant = scale.clone().equal_scalar(0.0);
    scale.mask_fill(constant, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{from_rows, to_vec};

    #[test]
    fn vectors_are_standardised_and_restored() {
        let rows = from_rows(&[1.0, 5.0, 3.0, 5.0, 8.0, 5.0], 2, &Device::flex());
        let scaling = DataScaling::of_vectors(&rows);
        let scaled = to_vec(scaling.apply(rows.clone()));
        let first: Vec<f32> = scaled.iter().step_by(2).copied().collect();
        // Three values in f32: rounding only.
        assert!(first.iter().sum::<f32>().abs() < 1e-6);
        assert!((first.iter().map(|x| x * x).sum::<f32>() / 3.0 - 1.0).abs() < 1e-6);
        let back = to_vec(scaling.undo(scaling.apply(rows.clone())));
        assert!(back.iter().zip(to_vec(rows)).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn images_are_clipped_to_their_range_and_vectors_never() {
        let scaling = DataScaling::of_images(2, 0.0, 255.0, &Device::flex());
        let out = scaling.undo(from_rows(&[-0.5, 2.0], 2, &Device::flex()));
        assert_eq!(to_vec(out), [0.0, 255.0]);
        // Columns 0 and 2 about 1: one standard deviation is 1, three lie beyond all that was seen.
        let seen = from_rows(&[0.0, 0.0, 2.0, 2.0], 2, &Device::flex());
        let out = DataScaling::of_vectors(&seen).undo(from_rows(&[3.0, -3.0], 2, &Device::flex()));
        assert_eq!(to_vec(out), [4.0, -2.0]);
    }

    #[test]
    fn constant_code_dimension_is_left_alone() {
        let codes = from_rows(&[2.0, 1.0, 2.0, 3.0], 2, &Device::flex());
        for kind in [Normalisation::Off, Normalisation::Global, Normalisation::PerDimension] {
            let normaliser = Normaliser::of_codes(&codes, kind);
            let back = normaliser.undo(normaliser.apply(codes.clone()));
            assert_eq!(to_vec(back), to_vec(codes.clone()), "{kind:?}");
        }
    }
}
