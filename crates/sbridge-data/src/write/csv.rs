//! Writing tables, one sample per line, no header.

use std::io::{self, Write};
use std::path::Path;

use super::atomic::write_atomically;
use super::{Float, check_rows};
use crate::Result;

/// Writes rows of `dim` numbers, separated by commas.
///
/// Every number is written with the fewest digits that read back to the same `f32`.
///
/// # Errors
/// When `values` is not whole rows, or the file cannot be written.
pub fn write_csv(path: impl AsRef<Path>, values: &[f32], dim: usize) -> Result<()> {
    write(path.as_ref(), values, dim)
}

/// The same of `f64`, with the fewest digits that read back to it.
///
/// # Errors
/// As [`write_csv`].
pub fn write_csv_f64(path: impl AsRef<Path>, values: &[f64], dim: usize) -> Result<()> {
    write(path.as_ref(), values, dim)
}

fn write(path: &Path, values: &[impl Float], dim: usize) -> Result<()> {
    check_rows(values.len(), dim)?;
    write_atomically(path, |writer| write_rows(writer, values, dim))
}

/// Writes whole rows, a line each.
pub(super) fn write_rows(writer: &mut impl Write, values: &[impl Float], dim: usize) -> io::Result<()> {
    for row in values.chunks_exact(dim) {
        for (column, value) in row.iter().enumerate() {
            let separator = if column == 0 { "" } else { "," };
            write!(writer, "{separator}{value}")?;
        }
        writeln!(writer)?;
    }
    Ok(())
}
