//! Samples as they are written where a user wants them; and those that are no numbers.

use std::path::Path;

use sbridge::tensor::{Tensor, from_rows, to_vec};
use sbridge_data::SampleShape;

use crate::context::Context;
use crate::error::{Result, RunError};
use crate::origin::Origin;

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

/// Share of paths that may diverge before the samples are refused.
const MAX_DIVERGED: f64 = 0.01;

/// Refuses a file named by `option` that does not end in `ending`, with what it is to hold.
///
/// # Errors
/// [`RunError::Input`] if it does not.
pub fn require_ending(option: &str, path: &Path, ending: &str, holds: &str) -> Result<()> {
    if path.extension().is_some_and(|end| end == ending) {
        return Ok(());
    }
    Err(RunError::Input(format!("{option} must end in .{ending}, got {} (it holds {holds})", path.display())))
}

/// The rows without a value that is not finite. Codes are asked before they are decoded: a decoder
/// that clips would hide one.
///
/// # Errors
/// [`RunError::PathsDiverged`] if more than one in a hundred has one; fewer are left out, with a warning.
pub fn finite_rows(rows: Tensor<2>, context: &Context) -> Result<Tensor<2>> {
    let [count, size] = rows.dims();
    let values = to_vec(rows.clone());
    let finite: Vec<&[f32]> =
        values.chunks_exact(size).filter(|row| row.iter().all(|x| x.is_finite())).collect();
    let diverged = count - finite.len();
    if diverged == 0 {
        return Ok(rows);
    }
    if diverged as f64 > MAX_DIVERGED * count as f64 {
        return Err(RunError::PathsDiverged { diverged, count });
    }
    context.warn(&format!("{diverged} of {count} paths diverged and were left out"));
    Ok(from_rows(&finite.concat(), size, &rows.device()))
}

/// Columns of a picture of `count` samples, and how many of them it shows.
fn grid(count: usize) -> (usize, usize) {
    let columns = (count as f64).sqrt().ceil().clamp(1.0, 16.0) as usize;
    (columns, count.min(columns * 16))
}

/// Writes samples (`[count, size]`, data units) to `path`; those counted from an origin as f64, counted from zero. A picture is black and white at the ends of `range`, or where
/// there is none, of their own values.
///
/// # Errors
/// [`RunError::Input`] for a file name that says no format, [`RunError::Data`] if the disk refuses.
pub fn write(
    path: &Path,
    samples: &Tensor<2>,
    shape: SampleShape,
    range: Option<(f64, f64)>,
    origin: Option<&Origin>,
) -> Result<()> {
    let format = SampleFormat::of_path(path, shape)?;
    let values = to_vec(samples.clone());
    let sides = array_shape(samples.dims()[0], shape);
    match (format, origin.map(|origin| origin.added_to(&values))) {
        (SampleFormat::Npy, None) => sbridge_data::write_npy(path, &values, &sides)?,
        (SampleFormat::Npy, Some(far)) => sbridge_data::write_npy_f64(path, &far, &sides)?,
        (SampleFormat::Csv, None) => sbridge_data::write_csv(path, &values, shape.size())?,
        (SampleFormat::Csv, Some(far)) => sbridge_data::write_csv_f64(path, &far, shape.size())?,
        (SampleFormat::Png, _) => {
            let (columns, shown) = grid(sides[0]);
            let shown = &values[..shown * shape.size()];
            let shown = unit_range(shown, range.unwrap_or_else(|| own_range(shown)));
            sbridge_data::write_png_grid(path, &shown, shape, columns, 2)?;
        }
    }
    Ok(())
}

/// Writes the states of paths, `[count, size]` each, to the `.npy` file `path` as `[states, count, size]`; those counted from an
/// origin as f64, counted from zero.
///
/// # Errors
/// [`RunError::Data`] if the disk refuses.
pub fn write_paths(path: &Path, states: &[Tensor<2>], origin: Option<&Origin>) -> Result<()> {
    let [count, dim] = states[0].dims();
    let (values, sides) =
        (states.iter().flat_map(|x| to_vec(x.clone())).collect::<Vec<f32>>(), [states.len(), count, dim]);
    match origin {
        None => Ok(sbridge_data::write_npy(path, &values, &sides)?),
        Some(origin) => Ok(sbridge_data::write_npy_f64(path, &origin.added_to(&values), &sides)?),
    }
}

fn own_range(values: &[f32]) -> (f64, f64) {
    let bounds = values.iter().fold((f32::MAX, f32::MIN), |(low, high), x| (low.min(*x), high.max(*x)));
    (bounds.0.into(), bounds.1.into())
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use sbridge::tensor::open_device;

    use super::*;

    /// 200 rows of two values, the first of `diverged` of them not a number.
    fn rows(diverged: usize) -> Tensor<2> {
        let mut values: Vec<f32> = (0..400u16).map(f32::from).collect();
        for row in 0..diverged {
            values[6 * row] = f32::NAN;
        }
        from_rows(&values, 2, &open_device("cpu").unwrap())
    }

    #[test]
    fn few_diverged_paths_are_left_out_and_many_are_refused() {
        assert_eq!(to_vec(finite_rows(rows(0), &Context::default()).unwrap()), to_vec(rows(0)));
        let kept = to_vec(finite_rows(rows(2), &Context::default()).unwrap());
        assert_eq!(&kept[..6], [2.0, 3.0, 4.0, 5.0, 8.0, 9.0]);
        assert_eq!(kept.len(), 2 * 198);
        for diverged in [3, 60] {
            let error = finite_rows(rows(diverged), &Context::default()).unwrap_err();
            assert!(error.to_string().starts_with(&format!("{diverged} of 200 paths diverged")), "{error}");
            assert_eq!(error.exit_code(), 3);
        }
    }
}
