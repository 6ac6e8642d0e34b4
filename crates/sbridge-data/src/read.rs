//! The read step: from a source as typed to a data set, before the finite check.

use std::path::Path;
use std::{fs, io};

use crate::dataset::Dataset;
use crate::doubts;
use crate::file::read_file;
use crate::format::{csv, folder, idx, npy, npz, part};
use crate::kind::SourceKind;
use crate::reading::Reading;
use crate::source;
use crate::{Limits, Result, builtin};

/// Reads a source; values may still be NaN or infinite.
///
/// # Errors
/// When the source is not found, not understood, damaged, or past the limits.
pub(crate) fn read(source: &str, limits: &Limits) -> Result<Dataset> {
    let reading = Reading { source, limits };
    if let Some(request) = source.strip_prefix("builtin:") {
        return builtin::generate(request, &reading);
    }
    let (path, column) = source::split_column(source);
    let (path, key) = if column.is_some() { (path, column) } else { source::split_key(source) };
    let path = Path::new(path);
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => folder::read(path, &reading),
        Ok(_) => read_one_file(path, key, &reading),
        Err(cause) if nothing_lies_there(&cause) => Err(source::not_found(path, &reading)),
        Err(cause) => Err(reading.unreadable(cause)),
    }
}

/// The times in a column of a table, `table.csv#day`, rising, each with the number of its rows; none for another source.
///
/// # Errors
/// When the table cannot be read, has no such column, or the column holds something else than numbers.
pub(crate) fn read_times(source: &str, limits: &Limits) -> Result<Option<Vec<(f64, usize)>>> {
    let (path, Some(column)) = source::split_column(source) else {
        return Ok(None);
    };
    let (path, reading) = (Path::new(path), Reading { source, limits });
    if !path.exists() {
        return Err(source::not_found(path, &reading));
    }
    part::times(&read_file(path, &reading)?.bytes, column, &reading).map(Some)
}

fn nothing_lies_there(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn read_one_file(path: &Path, key: Option<&str>, reading: &Reading) -> Result<Dataset> {
    let file = read_file(path, reading)?;
    let kind = source::format_of(path, &file.bytes, reading)?;
    let contents = match kind {
        SourceKind::Npy => npy::read(&file.bytes, reading)?,
        SourceKind::Npz => npz::read(&file.bytes, key, reading)?,
        SourceKind::Csv => csv::read(&file.bytes, key, reading)?,
        _ => idx::read_with_labels(&file.bytes, path, reading)?,
    };
    let data = Dataset::assemble(contents, reading.source, kind, file.sha256);
    let raised = doubts::of(&data);
    Ok(data.doubted(raised))
}
