//! Drawing samples from a trained run, and writing them where a user wants them.

use std::path::Path;

use sbridge::latent::{LatentModel, SamplerSettings};
use sbridge::rng::Rng;
use sbridge::tensor::{Tensor, to_vec};
use sbridge_data::SampleShape;

use crate::error::{Result, RunError};
use crate::watch::Progress;

/// Kinds of file samples can be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleFormat {
    /// NumPy, in the shape and units of the data.
    Npy,
    /// One row per sample, in the units of the data.
    Csv,
    /// A grid of images.
    Png,
}

impl SampleFormat {
    /// The format a file name asks for, for samples of this shape.
    ///
    /// # Errors
    /// [`RunError::Input`] for another ending, or a picture of vectors.
    pub fn of_path(path: &Path, shape: SampleShape) -> Result<Self> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("npy") => Ok(Self::Npy),
            Some("csv") => Ok(Self::Csv),
            Some("png") if shape.is_image() => Ok(Self::Png),
            Some("png") => Err(RunError::Input(format!(
                "{} cannot hold vectors (write them to .npy or .csv)",
                path.display()
            ))),
            _ => Err(RunError::Input(format!(
                "samples go to .npy, .csv or .png, got {} (change the ending of --out)",
                path.display()
            ))),
        }
    }
}

/// Draws `count` samples in the units of the data, `[count, size]`.
///
/// # Errors
/// [`RunError::Library`] for settings that do not fit the model.
pub fn draw(model: &LatentModel, settings: &SamplerSettings, count: usize, seed: u64) -> Result<Tensor<2>> {
    let rng = Rng::new(seed).fork("sample");
    let mut progress = Progress::new("sample", 0, count);
    let codes = model.sample_codes(count, settings, &rng, &mut |done| progress.show(done, ""))?;
    progress.finish();
    let samples = model.decode(&codes);
    check_finite(&samples)?;
    Ok(samples)
}

/// Simulated paths that left the range of numbers are a failure of the score, not a sample.
fn check_finite(samples: &Tensor<2>) -> Result<()> {
    let bad = to_vec(samples.clone()).iter().filter(|x| !x.is_finite()).count();
    if bad == 0 {
        return Ok(());
    }
    let reason = format!("sampling: {bad} of the generated values are not finite");
    Err(RunError::Library(sbridge::Error::Diverged(reason)))
}

/// Columns of a picture of `count` samples, and how many of them it shows.
fn grid(count: usize) -> (usize, usize) {
    let columns = (count as f64).sqrt().ceil().clamp(1.0, 16.0) as usize;
    (columns, count.min(columns * 16))
}

/// Writes samples (`[count, size]`, data units) of a data set with values in `range` to `path`.
///
/// # Errors
/// [`RunError::Input`] for a file name that says no format, [`RunError::Data`] if the disk refuses.
pub fn write(path: &Path, samples: &Tensor<2>, shape: SampleShape, range: (f64, f64)) -> Result<()> {
    let format = SampleFormat::of_path(path, shape)?;
    let values = to_vec(samples.clone());
    let count = samples.dims()[0];
    match format {
        SampleFormat::Npy => sbridge_data::write_npy(path, &values, &array_shape(count, shape))?,
        SampleFormat::Csv => sbridge_data::write_csv(path, &values, shape.size())?,
        SampleFormat::Png => {
            let (columns, shown) = grid(count);
            let shown = unit_range(&values[..shown * shape.size()], range);
            sbridge_data::write_png_grid(path, &shown, shape, columns, 2)?;
        }
    }
    Ok(())
}

/// Values from `range` to [0, 1].
pub fn unit_range(values: &[f32], (low, high): (f64, f64)) -> Vec<f32> {
    let width = (high - low).max(f64::MIN_POSITIVE);
    values.iter().map(|&x| (((f64::from(x) - low) / width) as f32).clamp(0.0, 1.0)).collect()
}

fn array_shape(count: usize, shape: SampleShape) -> Vec<usize> {
    match shape {
        SampleShape::Vector { dim } => vec![count, dim],
        SampleShape::Image { channels: 1, height, width } => vec![count, height, width],
        SampleShape::Image { channels, height, width } => vec![count, channels, height, width],
    }
}
