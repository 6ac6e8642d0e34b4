//! Writing arrays, tables and pictures, each file whole or not at all.

mod atomic;
mod csv;
mod npy;
mod npz;
mod png;

pub use self::csv::{write_csv, write_csv_f64};
pub use self::npy::{write_npy, write_npy_f64};
pub use self::npz::{NamedArray, write_npz};
pub use self::png::write_png_grid;

use crate::{DataError, Result};

/// Refuses to write anything but whole rows of `size` values.
fn check_rows(count: usize, size: usize) -> Result<()> {
    if size > 0 && count.is_multiple_of(size) {
        return Ok(());
    }
    Err(DataError::Argument {
        what: format!("{count} values are not rows of {size}"),
        fix: "give rows × row length values".to_owned(),
    })
}

/// How many values fill an array with these sides; none if no memory holds them.
fn values_of(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, side| product.checked_mul(*side))
}
