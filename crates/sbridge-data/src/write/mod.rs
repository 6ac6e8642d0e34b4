//! Writing arrays, tables and pictures, each file whole or not at all.

mod atomic;
mod csv;
mod npy;
mod npz;
mod png;
mod rows;

pub use self::csv::write_csv;
pub use self::npy::{write_npy, write_npy_f64};
pub use self::npz::{NamedArray, write_npz};
pub use self::png::write_png_grid;
pub use self::rows::RowWriter;

use crate::{DataError, Result};

/// Refuses to write anything but whole rows of `size` values.
fn check_rows(values: &[f32], size: usize) -> Result<()> {
    if size > 0 && values.len().is_multiple_of(size) {
        return Ok(());
    }
    Err(DataError::Argument {
        what: format!("{} values are not rows of {size}", values.len()),
        fix: "give rows × row length values".to_owned(),
    })
}
