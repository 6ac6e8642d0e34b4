//! Writing `.npy` files, little-endian `f32`, `f64` or complex numbers of two `f64` in C order.

use std::io::Write;
use std::path::Path;

use super::atomic::write_atomically;
use super::{Number, values_of};
use crate::{DataError, Result};

/// Writes an array of any rank.
///
/// # Shapes
/// `values` is row-major of `shape`; its length is the product of the sides.
///
/// # Errors
/// When the length is not that product, or the file cannot be written.
pub fn write_npy(path: impl AsRef<Path>, values: &[f32], shape: &[usize]) -> Result<()> {
    write(path.as_ref(), values, shape)
}

/// The same of `f64`.
///
/// # Errors
/// As [`write_npy`].
pub fn write_npy_f64(path: impl AsRef<Path>, values: &[f64], shape: &[usize]) -> Result<()> {
    write(path.as_ref(), values, shape)
}

/// Complex numbers in double precision, of whose parts `values` holds both, one after the other.
///
/// # Errors
/// As [`write_npy`], where values are twice as many as the product of the sides.
pub fn write_npy_complex(path: impl AsRef<Path>, values: &[f64], shape: &[usize]) -> Result<()> {
    check_filled(&[shape, &[2]].concat(), values.len())?;
    write_atomically(path.as_ref(), |writer| {
        writer.write_all(&header_of("<c16", shape))?;
        values.iter().try_for_each(|value| value.write(writer))
    })
}

fn write<T: Number>(path: &Path, values: &[T], shape: &[usize]) -> Result<()> {
    check_filled(shape, values.len())?;
    write_atomically(path, |writer| {
        writer.write_all(&header::<T>(shape))?;
        values.iter().try_for_each(|value| value.write(writer))
    })
}

/// Refuses values that are not as many as the sides say.
fn check_filled(shape: &[usize], values: usize) -> Result<()> {
    if values_of(shape) == Some(values) {
        return Ok(());
    }
    Err(DataError::Argument {
        what: format!("{values} values do not fill shape {shape:?}"),
        fix: "give as many values as the product of the sides".to_owned(),
    })
}

/// Magic number, version 1.0, and a dictionary padded so that data start at a multiple of 64 bytes.
pub(super) fn header<T: Number>(shape: &[usize]) -> Vec<u8> {
    header_of(T::DTYPE, shape)
}

fn header_of(dtype: &str, shape: &[usize]) -> Vec<u8> {
    let sides: String = shape.iter().map(|side| format!("{side}, ")).collect();
    let text = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({sides}), }}");
    let prefix = 10;
    let length = (prefix + text.len() + 1).next_multiple_of(64) - prefix;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(format!("{text:width$}\n", width = length - 1).into_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_of_eight_bytes_keep_their_digits() {
        let folder = tempfile::tempdir().unwrap();
        let (path, values) = (folder.path().join("x.npy"), [1e9 + 0.125, -1.0 / 3.0]);
        write_npy_f64(&path, &values, &[2, 1]).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(npyz::NpyFile::new(&bytes[..]).unwrap().into_vec::<f64>().unwrap(), values);
    }

    #[test]
    fn an_independent_reader_reads_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        for shape in [&[6][..], &[2, 3], &[1, 3, 2, 1], &[0, 4]] {
            let path = folder.path().join("x.npy");
            let values: Vec<f32> = (0..shape.iter().product()).map(|i| i as f32 - 0.5).collect();
            write_npy(&path, &values, shape).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            let file = npyz::NpyFile::new(&bytes[..]).unwrap();
            let sides: Vec<usize> = file.shape().iter().map(|&side| side as usize).collect();
            assert_eq!(sides, shape);
            assert_eq!(file.into_vec::<f32>().unwrap(), values);
            // The format wants data to start at a multiple of 64 bytes.
            assert_eq!((bytes.len() - 4 * values.len()) % 64, 0);
        }
    }
}
