//! Writing more rows than memory holds, as they come.

use std::io::Write as _;
use std::marker::PhantomData;
use std::path::Path;

use super::atomic::Pending;
use super::csv::write_rows;
use super::npy::header;
use super::{Float, check_rows, values_of};
use crate::{DataError, Result};

/// A file of rows that is written bit by bit, and is in its place when it is whole.
pub struct RowWriter<T: Float = f32> {
    pending: Pending,
    values: PhantomData<T>,
    is_table: bool,
    /// Values of a row.
    size: usize,
    /// Values still to come.
    left: usize,
}

impl<T: Float> RowWriter<T> {
    /// An array of this shape; its first side counts the rows.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn npy(path: impl AsRef<Path>, shape: &[usize]) -> Result<Self> {
        let size = values_of(&shape[1.min(shape.len())..]).unwrap_or(0);
        let mut writer = Self::new(path.as_ref(), shape.first().copied().unwrap_or(0), size, false)?;
        writer.pending.write(|file| file.write_all(&header::<T>(shape)))?;
        Ok(writer)
    }

    /// A table of `count` rows of `dim` numbers, without a header.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn csv(path: impl AsRef<Path>, count: usize, dim: usize) -> Result<Self> {
        Self::new(path.as_ref(), count, dim, true)
    }

    fn new(path: &Path, count: usize, size: usize, is_table: bool) -> Result<Self> {
        let left = count.checked_mul(size).filter(|_| size > 0).ok_or_else(|| DataError::Argument {
            what: format!("{count} rows of {size} values are no file"),
            fix: "give rows of at least one value, and fewer".to_owned(),
        })?;
        Ok(Self { pending: Pending::create(path)?, values: PhantomData, is_table, size, left })
    }

    /// Adds whole rows.
    ///
    /// # Errors
    /// When `values` is not whole rows or more than were announced, or the disk refuses.
    pub fn write(&mut self, values: &[T]) -> Result<()> {
        check_rows(values.len(), self.size)?;
        self.left = self.left.checked_sub(values.len()).ok_or_else(|| DataError::Argument {
            what: format!("{} values are more than the {} still to come", values.len(), self.left),
            fix: "give as many rows as were announced".to_owned(),
        })?;
        let (is_table, size) = (self.is_table, self.size);
        self.pending.write(|file| match is_table {
            true => write_rows(file, values, size),
            false => values.iter().try_for_each(|value| value.write_bytes(file)),
        })
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// When rows are missing, or the disk refuses.
    pub fn finish(self) -> Result<()> {
        if self.left > 0 {
            return Err(DataError::Argument {
                what: format!("{} values are missing", self.left),
                fix: "give as many rows as were announced".to_owned(),
            });
        }
        self.pending.keep()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{write_csv, write_npy};

    #[test]
    fn rows_that_come_bit_by_bit_make_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let values: Vec<f32> = (0..12).map(|i| i as f32 / 7.0).collect();
        write_npy(path("whole.npy"), &values, &[3, 2, 2]).unwrap();
        write_csv(path("whole.csv"), &values, 4).unwrap();
        let writers = [
            ("npy", RowWriter::npy(path("parts.npy"), &[3, 2, 2]).unwrap()),
            ("csv", RowWriter::csv(path("parts.csv"), 3, 4).unwrap()),
        ];
        for (kind, mut writer) in writers {
            writer.write(&values[..8]).unwrap();
            assert!(!path(&format!("parts.{kind}")).exists());
            writer.write(&values[8..]).unwrap();
            writer.finish().unwrap();
            let bytes = |name: &str| std::fs::read(path(&format!("{name}.{kind}"))).unwrap();
            assert_eq!(bytes("parts"), bytes("whole"));
        }
    }

    #[test]
    fn what_is_not_whole_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let mut writer = RowWriter::npy(&path, &[3, 2]).unwrap();
        writer.write(&[1.0; 4]).unwrap();
        assert!(writer.finish().unwrap_err().to_string().contains("2 values are missing"));
        let mut writer = RowWriter::npy(&path, &[1, 2]).unwrap();
        assert!(writer.write(&[1.0; 4]).is_err() && writer.write(&[1.0; 1]).is_err());
        drop(writer);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
