//! What every reader knows about the source it reads: its name, for messages, and the limits.

use std::io;
use std::path::Path;

use crate::shown::on_one_line;
use crate::values::Values;
use crate::{DataError, Limits, Result};

/// More sides than this are not even listed in a message; NumPy itself stops at 64.
const MAX_RANK: usize = 64;

/// The source being read, and the bounds it must keep.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) source: &'a str,
    pub(crate) limits: &'a Limits,
}

impl Reading<'_> {
    /// The content breaks the rules of its format.
    pub(crate) fn malformed(&self, what: impl Into<String>, fix: impl Into<String>) -> DataError {
        DataError::Malformed {
            source_name: self.source.to_owned(),
            what: on_one_line(what.into()),
            fix: on_one_line(fix.into()),
        }
    }

    /// The content is of a kind that is not read.
    pub(crate) fn unsupported(&self, what: impl Into<String>, fix: impl Into<String>) -> DataError {
        DataError::Unsupported {
            source_name: self.source.to_owned(),
            what: on_one_line(what.into()),
            fix: on_one_line(fix.into()),
        }
    }

    /// An array with this many sides has no reading as samples.
    pub(crate) fn unsupported_rank(&self, rank: usize) -> DataError {
        self.unsupported(
            format!("an array of rank {rank} is not a list of samples"),
            "reshape to [n, dim], [n, height, width] or [n, channels, height, width]",
        )
    }

    /// A name that does not exist.
    pub(crate) fn unknown(&self, what: impl Into<String>, fix: impl Into<String>) -> DataError {
        DataError::Unknown {
            source_name: self.source.to_owned(),
            what: on_one_line(what.into()),
            fix: on_one_line(fix.into()),
        }
    }

    /// The operating system refused the source itself.
    pub(crate) fn unreadable(&self, cause: io::Error) -> DataError {
        DataError::Unreadable { source_name: self.source.to_owned(), cause }
    }

    /// The operating system refused one file of the source.
    pub(crate) fn unreadable_file(&self, path: &Path, cause: &io::Error) -> DataError {
        self.unreadable(io::Error::new(cause.kind(), format!("{}: {cause}", path.display())))
    }

    /// `bytes` are more than `limit`.
    pub(crate) fn too_large(&self, what: impl Into<String>, limit: u64) -> DataError {
        DataError::TooLarge {
            source_name: self.source.to_owned(),
            what: what.into(),
            limit,
            fix: "keep fewer samples; a program of yours may raise Limits::max_bytes".to_owned(),
        }
    }

    /// Refuses values that take more than the limits allow.
    ///
    /// # Errors
    /// When they do.
    pub(crate) fn admit_values(&self, values: &Values) -> Result<()> {
        let (count, bytes) = (values.len() as u64, values.bytes_each());
        if count.saturating_mul(bytes) <= self.limits.max_bytes {
            return Ok(());
        }
        Err(self
            .too_large(format!("there are {count} values of {bytes} bytes or more"), self.limits.max_bytes))
    }

    /// The number of values of an array with these sides, if they fit the limits.
    ///
    /// # Errors
    /// When there are too many sides, a side is 0, or the values would take more than the limits allow.
    pub(crate) fn admit(&self, dims: &[u64]) -> Result<usize> {
        if dims.len() > MAX_RANK {
            return Err(self.unsupported_rank(dims.len()));
        }
        if dims.contains(&0) {
            return Err(self.malformed(
                format!("the array has shape {dims:?} and holds no values"),
                "write at least one sample",
            ));
        }
        dims.iter()
            .try_fold(1u64, |product, &side| product.checked_mul(side))
            .filter(|&count| count <= self.limits.max_values())
            .and_then(|count| usize::try_from(count).ok())
            .ok_or_else(|| {
                self.too_large(
                    format!("the header claims shape {dims:?} of 4-byte values"),
                    self.limits.max_bytes,
                )
            })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn absurd_shapes_are_refused_before_allocation() {
        let limits = Limits { max_bytes: 400 };
        let reading = Reading { source: "x.npy", limits: &limits };
        assert_eq!(reading.admit(&[10, 10]).unwrap(), 100);
        assert!(matches!(reading.admit(&[10, 11]), Err(DataError::TooLarge { .. })));
        assert!(matches!(reading.admit(&[u64::MAX, u64::MAX]), Err(DataError::TooLarge { .. })));
        assert!(matches!(reading.admit(&[u64::MAX, 0]), Err(DataError::Malformed { .. })));
        assert!(matches!(reading.admit(&[1; 100_000]), Err(DataError::Unsupported { .. })));
    }
}
