//! Writing arrays, tables and pictures, each file whole or not at all.

mod atomic;
mod csv;
mod npy;
mod npz;
mod png;
mod rows;

pub use self::csv::{write_csv, write_csv_f64};
pub use self::npy::{write_npy, write_npy_complex, write_npy_f64};
pub use self::npz::{NamedArray, write_npz};
pub use self::png::write_png_grid;
pub use self::rows::RowWriter;

use std::fmt::Display;
use std::io::{self, Write};

use crate::{DataError, Result};

/// Numbers that files hold.
pub trait Number: Copy + Display + private::Sealed {
    /// What NumPy calls them, of little-endian byte order.
    const DTYPE: &'static str;

    /// Writes the bytes of one.
    ///
    /// # Errors
    /// What the writer says.
    fn write(self, writer: &mut impl Write) -> io::Result<()>;
}

impl Number for f32 {
    const DTYPE: &'static str = "<f4";

    fn write(self, writer: &mut impl Write) -> io::Result<()> {
        writer.write_all(&self.to_le_bytes())
    }
}

impl Number for f64 {
    const DTYPE: &'static str = "<f8";

    fn write(self, writer: &mut impl Write) -> io::Result<()> {
        writer.write_all(&self.to_le_bytes())
    }
}

mod private {
    /// Only the numbers here can be written.
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

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
