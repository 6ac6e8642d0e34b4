//! Writing `.npz` archives: a ZIP file of `.npy` members.

use std::io::{Cursor, Write as _};
use std::path::Path;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::atomic::write_atomically;
use super::npy::header;
use super::values_of;
use crate::{DataError, Result};

/// An array to be written: its name, its values, its shape.
pub type NamedArray<'a> = (&'a str, &'a [f32], &'a [usize]);

/// Writes `arrays` under their names, as `numpy.savez_compressed` does.
///
/// # Shapes
/// Values are row-major; their number is the product of the sides.
///
/// # Errors
/// When values do not fill their shape, or the file cannot be written.
pub fn write_npz(path: impl AsRef<Path>, arrays: &[NamedArray<'_>]) -> Result<()> {
    if let Some((name, values, shape)) = arrays.iter().find(|(_, v, s)| values_of(s) != Some(v.len())) {
        return Err(DataError::Argument {
            what: format!("{} values of {name} do not fill shape {shape:?}", values.len()),
            fix: "give as many values as the product of the sides".to_owned(),
        });
    }
    let path = path.as_ref();
    let archive = archive(arrays)
        .map_err(|cause| DataError::Unwritable { path: path.display().to_string(), cause: cause.into() })?;
    write_atomically(path, |writer| writer.write_all(&archive))
}

fn archive(arrays: &[NamedArray<'_>]) -> zip::result::ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, values, shape) in arrays {
        let large = size_of_val(*values) as u64 > u64::from(u32::MAX) / 2;
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default().large_file(large))?;
        zip.write_all(&header::<f32>(shape))?;
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        zip.write_all(&bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn arrays_of_an_archive_are_read_back_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npz");
        let (plan, f) = ([0.5, 0.0, 0.25, 0.25, 1e-9, 3.0], [1.0, -2.0]);
        write_npz(&path, &[("plan", &plan, &[2, 3]), ("f", &f, &[2])]).unwrap();
        let read = |key: &str| crate::load(&format!("{}#{key}", path.display())).unwrap();
        assert_eq!((read("plan").len(), read("plan").values()), (2, &plan[..]));
        assert_eq!(read("f").values(), f);
    }

    #[test]
    fn values_that_do_not_fill_their_shape_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let message = write_npz(folder.path().join("x.npz"), &[("f", &[1.0], &[2])]).unwrap_err().to_string();
        assert!(message.contains("1 values of f do not fill shape [2]"), "{message}");
    }
}
