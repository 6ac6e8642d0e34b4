//! Writing `.npy` files, little-endian `f32` in C order.

use std::path::Path;

use npyz::WriterBuilder;

use super::atomic::write_atomically;
use crate::{DataError, Result};

/// Writes an array of any rank.
///
/// # Shapes
/// `values` is row-major of `shape`; its length is the product of the sides.
///
/// # Errors
/// When the length is not that product, or the file cannot be written.
pub fn write_npy(path: impl AsRef<Path>, values: &[f32], shape: &[usize]) -> Result<()> {
    if values.len() != shape.iter().product::<usize>() {
        return Err(DataError::Argument {
            what: format!("{} values do not fill shape {shape:?}", values.len()),
            fix: "give as many values as the product of the sides".to_owned(),
        });
    }
    let sides: Vec<u64> = shape.iter().map(|&side| side as u64).collect();
    let dtype = npyz::DType::Plain("<f4".parse().expect("<f4 is a NumPy type string"));
    write_atomically(path.as_ref(), |writer| {
        let mut array = npyz::WriteOptions::new().dtype(dtype).shape(&sides).writer(writer).begin_nd()?;
        array.extend(values)?;
        array.finish()
    })
}
