//! Samples as they are written where a user wants them; and those that are no numbers.

mod disk;

use std::path::{Path, PathBuf};

use sbridge::quantum::{States, c64};
use sbridge::tensor::{Tensor, from_rows, to_vec};
use sbridge_data::{RowWriter, SampleShape};

use crate::columns::{Column, Columns};
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
    /// Bytes that so many samples take, about, as f64 where they are `far` from zero.
    fn bytes(self, count: usize, shape: SampleShape, far: bool) -> f64 {
        let each = match (self, far) {
            (Self::Npy, false) => 4.0,
            (Self::Npy, true) => 8.0,
            // A number of six to nine digits, or twice as many, with its sign, point and separator.
            (Self::Csv, false) => 11.0,
            (Self::Csv, true) => 20.0,
            (Self::Png, _) => 0.0,
        };
        each * count as f64 * shape.size() as f64
    }

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

/// Refuses to write to the file that is read, under whatever name.
///
/// # Errors
/// [`RunError::Input`] if `path` is the file of `source`.
pub fn require_other_file(option: &str, path: &Path, source: &str) -> Result<()> {
    let file = |path: &Path| path.canonicalize().ok();
    // The key of an array in an archive is no part of the path.
    let read = file(Path::new(source)).or_else(|| file(Path::new(source.rsplit_once('#')?.0)));
    if read.is_none() || read != file(path) {
        return Ok(());
    }
    Err(RunError::Input(format!(
        "{option} {} is the file that is read, {source}, and would be written over (choose another name)",
        path.display()
    )))
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

/// Writes samples (`[count, size]`, data units) to `path`; those counted from an origin as f64, counted from zero. A picture is
/// black and white at the ends of `range`, or where there is none, of their own values.
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
    let mut writer = SampleWriter::create(path, samples.dims()[0], shape, range, origin)?;
    writer.write(samples)?;
    writer.finish()
}

/// Samples written as they come; the file is in its place when all have.
pub struct SampleWriter {
    path: PathBuf,
    shape: SampleShape,
    kind: Kind,
}

enum Kind {
    Rows(RowWriter),
    /// Of samples counted from elsewhere.
    FarRows(RowWriter<f64>, Origin),
    /// The samples that a picture shows, and values from black to white.
    Picture {
        count: usize,
        shown: Vec<f32>,
        range: Option<(f64, f64)>,
    },
}

impl SampleWriter {
    /// For `count` samples in data units, counted from `origin` if there is one.
    ///
    /// # Errors
    /// [`RunError::Input`] for a file name that says no format, or more than the disk has room for; [`RunError::Data`] if it
    /// cannot be written.
    pub fn create(
        path: &Path,
        count: usize,
        shape: SampleShape,
        range: Option<(f64, f64)>,
        origin: Option<&Origin>,
    ) -> Result<Self> {
        let format = SampleFormat::of_path(path, shape)?;
        disk::require_room(path, format.bytes(count, shape, origin.is_some()))?;
        let (sides, size) = (array_shape(count, shape), shape.size());
        let kind = match (format, origin.cloned()) {
            (SampleFormat::Npy, None) => Kind::Rows(RowWriter::npy(path, &sides)?),
            (SampleFormat::Npy, Some(origin)) => Kind::FarRows(RowWriter::npy(path, &sides)?, origin),
            (SampleFormat::Csv, None) => Kind::Rows(RowWriter::csv(path, count, size)?),
            (SampleFormat::Csv, Some(origin)) => Kind::FarRows(RowWriter::csv(path, count, size)?, origin),
            (SampleFormat::Png, _) => Kind::Picture { count, shown: Vec::new(), range },
        };
        Ok(Self { path: path.to_owned(), shape, kind })
    }

    /// Adds samples, `[block, size]`.
    ///
    /// # Errors
    /// [`RunError::Data`] if the disk refuses.
    pub fn write(&mut self, samples: &Tensor<2>) -> Result<()> {
        let values = to_vec(samples.clone());
        match &mut self.kind {
            Kind::Rows(writer) => writer.write(&values)?,
            Kind::FarRows(writer, origin) => writer.write(&origin.added_to(&values))?,
            Kind::Picture { count, shown, .. } => {
                let left = grid(*count).1 * self.shape.size() - shown.len();
                shown.extend(values.iter().take(left));
            }
        }
        Ok(())
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// [`RunError::Data`] if the disk refuses.
    pub fn finish(self) -> Result<()> {
        match self.kind {
            Kind::Rows(writer) => writer.finish()?,
            Kind::FarRows(writer, _) => writer.finish()?,
            Kind::Picture { count, shown, range } => {
                let shown = unit_range(&shown, range.unwrap_or_else(|| own_range(&shown)));
                sbridge_data::write_png_grid(&self.path, &shown, self.shape, grid(count).0, 2)?;
            }
        }
        Ok(())
    }
}

/// Writes the states of paths, `[count, size]` each, to the `.npy` file `path` as `[states, count, size]`; those counted from
/// an origin as f64, counted from zero.
///
/// # Errors
/// [`RunError::Data`] if the disk refuses.
pub fn write_paths(path: &Path, states: &[Tensor<2>], origin: Option<&Origin>) -> Result<()> {
    let [count, dim] = states[0].dims();
    let sides = [states.len(), count, dim];
    let values: Vec<f32> = states.iter().flat_map(|x| to_vec(x.clone())).collect();
    match origin {
        None => Ok(sbridge_data::write_npy(path, &values, &sides)?),
        Some(origin) => Ok(sbridge_data::write_npy_f64(path, &origin.added_to(&values), &sides)?),
    }
}

/// The name of the column of weights.
const LOG_WEIGHT: &str = "log_weight";

/// Refuses a file that draws cannot be written to.
///
/// # Errors
/// [`RunError::Input`] for another ending than `.npy`, `.csv` or `.parquet`.
pub fn check_draws(path: &Path) -> Result<()> {
    match path.extension().and_then(|end| end.to_str()) {
        Some("npy" | "csv" | "parquet") => Ok(()),
        _ => Err(RunError::Input(format!(
            "draws go to .npy, .csv or .parquet, got {} (change the ending of --out)",
            path.display()
        ))),
    }
}

/// Writes draws, `[count, names]` row by row in f64, and the logarithms of their weights, `[count]`, as a last column if they are
/// wanted. Tables have the names at their head.
///
/// # Errors
/// As [`check_draws`], and if the disk refuses.
pub fn write_draws(path: &Path, names: &[String], rows: &[f64], log_weights: Option<&[f64]>) -> Result<()> {
    check_draws(path)?;
    let count = rows.len() / names.len();
    let column = |k: usize| rows.iter().skip(k).step_by(names.len()).copied().collect::<Vec<f64>>();
    let mut columns: Vec<(String, Vec<f64>)> =
        names.iter().cloned().zip((0..names.len()).map(column)).collect();
    columns.extend(log_weights.map(|logs| (LOG_WEIGHT.to_owned(), logs.to_vec())));
    if path.extension().is_some_and(|end| end == "npy") {
        let row = |i: usize| columns.iter().map(move |(_, values)| values[i]);
        let values: Vec<f64> = (0..count).flat_map(row).collect();
        return Ok(sbridge_data::write_npy_f64(path, &values, &[count, columns.len()])?);
    }
    let table = columns
        .iter()
        .fold(Columns::new(count), |table, (name, values)| table.with(name, Column::Numbers(values)));
    match path.extension().is_some_and(|end| end == "csv") {
        true => table.write_csv(path),
        false => table.write_parquet(path),
    }
}

/// Writes quantum states to `path`, complex numbers `[count, dim, dim]` in double precision.
///
/// # Errors
/// [`RunError::Input`] for another ending than `.npy` or a disk without room, [`RunError::Data`] if the disk refuses.
pub fn write_states(path: &Path, states: &States) -> Result<()> {
    write_complex(path, states.values(), &[states.count(), states.dim(), states.dim()])
}

/// Writes the states of paths to `path`, `[times, count, dim, dim]`.
///
/// # Errors
/// As [`write_states`].
pub fn write_state_paths(path: &Path, times: &[States]) -> Result<()> {
    let values: Vec<c64> = times.iter().flat_map(|states| states.values()).copied().collect();
    let [count, dim] = times.first().map_or([0, 0], |states| [states.count(), states.dim()]);
    write_complex(path, &values, &[times.len(), count, dim, dim])
}

fn write_complex(path: &Path, values: &[c64], shape: &[usize]) -> Result<()> {
    require_ending("--out", path, "npy", "complex matrices")?;
    disk::require_room(path, 16.0 * values.len() as f64)?;
    let parts: Vec<f64> = values.iter().flat_map(|z| [z.re, z.im]).collect();
    Ok(sbridge_data::write_npy_complex(path, &parts, shape)?)
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
    fn a_file_that_is_read_is_not_written_over_under_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let [read, other] = ["x.npz", "y.npz"].map(|name| folder.path().join(name));
        std::fs::write(&read, "x").unwrap();
        let source = format!("{}#points", read.display());
        let roundabout = folder.path().join(".").join("x.npz");
        assert!(require_other_file("--out", &roundabout, &source).is_err());
        assert!(require_other_file("--out", &other, &source).is_ok());
        assert!(require_other_file("--out", &read, "builtin:moons").is_ok());
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&read, &other).unwrap();
            assert!(require_other_file("--out", &other, read.to_str().unwrap()).is_err());
        }
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
