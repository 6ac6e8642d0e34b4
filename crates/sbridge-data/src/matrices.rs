//! Square matrices of complex numbers, one after the other: `.npy` and `.npz#key` of `[n, d, d]`, real ones too.
//!
//! Tests: both precisions, both orders in memory, both byte orders, archives; what is no list of square matrices is refused.

use std::path::Path;

use crate::dataset::digest_of_blocks;
use crate::file::read_file;
use crate::format::{npy, npz};
use crate::kind::SourceKind;
use crate::layout::{Array, Order};
use crate::reading::Reading;
use crate::{DataError, ElementType, Limits, Result, source};

/// Square matrices of complex numbers.
///
/// # Shapes
/// `values` is `[len, dim, dim, 2]`, row by row, the real part before the imaginary one.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrices {
    source: String,
    sha256: String,
    dim: usize,
    dtype: ElementType,
    values: Vec<f64>,
    notes: Vec<String>,
}

impl Matrices {
    /// Matrices of `dim` rows from values already in memory.
    ///
    /// # Errors
    /// When there are none, or a part of one.
    pub fn from_values(name: &str, dim: usize, values: Vec<f64>) -> Result<Self> {
        if dim == 0 || values.is_empty() || !values.len().is_multiple_of(2 * dim * dim) {
            return Err(DataError::Argument {
                what: format!("{} values are not matrices of {dim}×{dim} complex numbers", values.len()),
                fix: "give both parts of every entry of at least one matrix".to_owned(),
            });
        }
        let sha256 = digest_of_blocks(&values, |value| value.to_le_bytes());
        Ok(Self { source: name.to_owned(), sha256, dim, dtype: ElementType::C128, values, notes: Vec::new() })
    }

    /// As the user typed it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Digest of the file, or of the values in memory.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Number of matrices.
    pub fn len(&self) -> usize {
        self.values.len() / (2 * self.dim * self.dim)
    }

    /// Whether there are none; never so.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Rows of a matrix, as many as columns.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Element type in the file.
    pub fn dtype(&self) -> ElementType {
        self.dtype
    }

    /// Both parts of all entries.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Matrices one by one, `[dim, dim, 2]`.
    pub fn matrices(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(2 * self.dim * self.dim)
    }

    /// What was understood while reading.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// Reads the matrices in the file `source`; their entries may be NaN.
///
/// # Errors
/// A [`DataError`] that says what is wrong, the value, and the fix.
pub fn load_matrices(source: &str) -> Result<Matrices> {
    let limits = Limits::default();
    let reading = Reading { source, limits: &limits };
    let (array, note, sha256) = read(&reading)?;
    let [count, dim, columns] = array.dims[..] else {
        return Err(reading.unsupported(
            format!("an array of shape {:?} is not a list of matrices", array.dims),
            "reshape to [n, d, d]; one matrix is [1, d, d]",
        ));
    };
    if dim != columns {
        return Err(reading
            .unsupported(format!("matrices of {dim}×{columns} are not square"), "give states as [n, d, d]"));
    }
    if array.dtype.is_integer() && array.dtype != ElementType::Bool {
        let what = format!("matrices of whole numbers ({}) are no states", array.dtype);
        return Err(reading.unsupported(what, "save them as complex128: x.astype('complex128')"));
    }
    let width = if array.dtype.is_complex() { 2 } else { 1 };
    let place = |i: usize, j: usize, k: usize| match array.order {
        Order::C => (i * dim + j) * dim + k,
        Order::Fortran => i + count * (j + dim * k),
    };
    let mut values = Vec::with_capacity(2 * count * dim * dim);
    for (i, j) in (0..count).flat_map(|i| (0..dim).map(move |j| (i, j))) {
        for at in (0..dim).map(|k| width * place(i, j, k)) {
            let imaginary = if width == 2 { array.values.get(at + 1) } else { 0.0 };
            values.extend([array.values.get(at), imaginary]);
        }
    }
    let notes = note.into_iter().collect();
    Ok(Matrices { source: source.to_owned(), sha256, dim, dtype: array.dtype, values, notes })
}

/// The element type of an array.
///
/// # Errors
/// When the source is none.
pub(crate) fn dtype_of(reading: &Reading) -> Result<ElementType> {
    read(reading).map(|(array, ..)| array.dtype)
}

/// An array of any rank, a word on rounding, and the digest of the file.
fn read(reading: &Reading) -> Result<(Array, Option<String>, String)> {
    let (path, key) = source::split_key(reading.source);
    let path = Path::new(path);
    if !path.exists() {
        return Err(source::not_found(path, reading));
    }
    let file = read_file(path, reading)?;
    let (array, note) = match source::format_of(path, &file.bytes, reading)? {
        SourceKind::Npy => npy::read_any(&file.bytes, reading)?,
        SourceKind::Npz => npz::read_any(&file.bytes, key, reading)?,
        kind => {
            let fix = "save matrices with numpy.save or numpy.savez, as [n, d, d]";
            return Err(reading.unsupported(format!("a file read as {kind} holds no matrices"), fix));
        }
    };
    Ok((array, note, file.sha256))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Description, SeriesLayout, describe, write_npy, write_npy_complex};

    /// Two matrices of two rows, with NumPy's header for `dtype` and `order`.
    fn written(dtype: &str, fortran: bool, shape: &str, bytes: &[u8]) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let order = if fortran { "True" } else { "False" };
        let text = format!("{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend((text.len() as u16).to_le_bytes());
        file.extend(text.as_bytes());
        file.extend(bytes);
        std::fs::write(&path, file).unwrap();
        let source = path.display().to_string();
        (folder, source)
    }

    #[test]
    fn what_is_written_is_read_in_every_precision_and_order() {
        let values: Vec<f64> = (0..16).map(|x| f64::from(x) / 3.0).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        write_npy_complex(&path, &values, &[2, 2, 2]).unwrap();
        let found = load_matrices(path.to_str().unwrap()).unwrap();
        assert_eq!(
            (found.len(), found.dim(), found.dtype(), found.values()),
            (2, 2, ElementType::C128, &values[..])
        );

        let single: Vec<f32> = (0..16u8).map(f32::from).collect();
        let bytes = |value: &f32| value.to_be_bytes();
        let (_kept, source) =
            written(">c8", false, "(2, 2, 2)", &single.iter().flat_map(bytes).collect::<Vec<u8>>());
        let found = load_matrices(&source).unwrap();
        assert!(found.values().iter().zip(&single).all(|(x, y)| *x == f64::from(*y)));
        // Fortran: the first index runs fastest.
        let little: Vec<u8> = single.iter().flat_map(|x| x.to_le_bytes()).collect();
        let (_kept, source) = written("<c8", true, "(2, 2, 2)", &little);
        let found = load_matrices(&source).unwrap();
        let place = |i: usize, j: usize, k: usize| (i + 2 * (j + 2 * k)) as f64;
        let at = |i: usize, j: usize, k: usize| found.values()[2 * ((i * 2 + j) * 2 + k)] / 2.0;
        assert!((0..8).all(|n| at(n / 4, n / 2 % 2, n % 2) == place(n / 4, n / 2 % 2, n % 2)));

        let real = folder.path().join("real.npy");
        write_npy(&real, &[0.5, 0.0, 0.0, 0.5], &[1, 2, 2]).unwrap();
        let found = load_matrices(real.to_str().unwrap()).unwrap();
        assert_eq!(found.values(), [0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.0]);
    }

    #[test]
    fn what_is_no_list_of_square_matrices_is_refused() {
        let refused = |shape: &str, numbers: usize| {
            let (_kept, source) = written("<c16", false, shape, &vec![0; 16 * numbers]);
            load_matrices(&source).unwrap_err().to_string()
        };
        assert!(refused("(2, 3, 2)", 12).contains("matrices of 3×2 are not square"));
        assert!(refused("(2, 2)", 4).contains("[1, d, d]"));
        assert!(refused("(2, 2, 2)", 7).contains("needs 128 bytes, but 112"));
        let (_kept, source) = written("<c16", false, "(4294967296, 65536, 16)", &[]);
        assert!(matches!(load_matrices(&source), Err(DataError::TooLarge { .. })));
        assert!(matches!(load_matrices("nowhere.npy"), Err(DataError::NotFound { .. })));
        let (_kept, source) = written("<i8", false, "(1, 1, 1)", &[0; 8]);
        assert!(load_matrices(&source).unwrap_err().to_string().contains("whole numbers"));
    }

    #[test]
    fn damaged_files_are_errors_and_never_panics() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        write_npy_complex(&path, &[0.5; 16], &[2, 2, 2]).unwrap();
        let (good, source) = (std::fs::read(&path).unwrap(), path.to_str().unwrap());
        for at in 0..good.len() {
            std::fs::write(&path, &good[..at]).unwrap();
            assert!(load_matrices(source).is_err(), "cut at {at}");
            let mut flipped = good.clone();
            flipped[at] ^= 0x55;
            std::fs::write(&path, flipped).unwrap();
            let _ = load_matrices(source);
        }
    }

    #[test]
    fn complex_files_are_no_samples_and_are_described_as_matrices() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        write_npy_complex(&path, &[0.5, 0.0, 0.0, 0.25, 0.0, -0.25, 0.75, 0.0], &[1, 2, 2]).unwrap();
        let source = path.to_str().unwrap();
        assert!(crate::load(source).unwrap_err().to_string().contains("fit quantum"));
        let Description::Matrices(found) = describe(source, &SeriesLayout::default()).unwrap() else {
            panic!("matrices")
        };
        assert_eq!((found.count, found.dim, found.least_trace, found.hermitian_error), (1, 2, 1.25, 0.0));
        assert!(found.to_string().contains("2×2"), "{found}");
    }
}
