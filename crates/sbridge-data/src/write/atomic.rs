//! Replacing a file in one step: write a neighbour, flush it to the disk, rename it.
//!
//! A reader sees the old file or the new one, never half of one; so does a power failure.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{DataError, Result};

/// Writes `path` through `write`; if anything fails, `path` is as it was.
///
/// # Errors
/// When the folder does not exist or cannot be written, or `write` fails.
pub(super) fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<()> {
    let mut pending = Pending::create(path)?;
    pending.write(write)?;
    pending.keep()
}

/// A neighbour that is written bit by bit and takes the place of a file when it is whole; dropped before, it is removed.
pub(super) struct Pending {
    path: PathBuf,
    temporary: PathBuf,
    writer: BufWriter<File>,
    is_kept: bool,
}

impl Pending {
    /// # Errors
    /// When the folder does not exist or cannot be written.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let unwritable = |cause| DataError::Unwritable { path: path.display().to_string(), cause };
        let temporary = neighbour(path).map_err(unwritable)?;
        let file = OpenOptions::new().write(true).create_new(true).open(&temporary).map_err(unwritable)?;
        Ok(Self { path: path.to_owned(), temporary, writer: BufWriter::new(file), is_kept: false })
    }

    /// # Errors
    /// When `write` fails.
    pub(super) fn write(&mut self, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<()> {
        write(&mut self.writer).map_err(|cause| self.unwritable(cause))
    }

    /// Puts it in its place.
    ///
    /// # Errors
    /// When the disk refuses; the file is then as it was.
    pub(super) fn keep(mut self) -> Result<()> {
        self.write(|writer| {
            writer.flush()?;
            writer.get_ref().sync_all()
        })?;
        fs::rename(&self.temporary, &self.path).map_err(|cause| self.unwritable(cause))?;
        self.is_kept = true;
        Ok(())
    }

    fn unwritable(&self, cause: io::Error) -> DataError {
        DataError::Unwritable { path: self.path.display().to_string(), cause }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.is_kept {
            // The first failure is the one to report; a leftover neighbour harms nothing.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// A name in the same folder that no other write, here or in another process, uses.
fn neighbour(path: &Path) -> io::Result<PathBuf> {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    let unique = format!(
        ".{}.{}.{}.tmp",
        name.to_string_lossy(),
        process::id(),
        WRITES.fetch_add(1, Ordering::Relaxed)
    );
    Ok(path.with_file_name(unique))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        write_atomically(&path, |writer| writer.write_all(b"old")).unwrap();
        let failed = write_atomically(&path, |writer| {
            writer.write_all(b"new")?;
            Err(io::Error::other("disk full"))
        });
        assert!(failed.unwrap_err().to_string().contains("disk full"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        assert!(write_atomically(Path::new("/nonexistent/folder/x"), |_| Ok(())).is_err());
        assert!(write_atomically(Path::new("/"), |_| Ok(())).is_err());
    }
}
