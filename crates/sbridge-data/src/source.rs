//! What a source names: a built-in set, a folder, or a file of some format.
//!
//! The name decides the format where it can, the first bytes where it cannot; each reader then
//! verifies its own magic bytes, so a misnamed file is refused and not misread.

use std::path::Path;

use crate::builtin;
use crate::foreign;
use crate::kind::SourceKind;
use crate::reading::Reading;
use crate::suggest::did_you_mean;
use crate::{DataError, Result};

/// What can be read, for messages.
pub(crate) const READABLE: &str = "can read: IDX (MNIST), .npy, .npz#key, .csv/.tsv/.txt, each also as .gz; the rows of a table with one value in a column as FILE#COLUMN=VALUE; a folder of PNG or JPEG images; builtin:NAME";

/// Separates `file.npz#key`; a `#` anywhere else belongs to the path.
pub(crate) fn split_key(source: &str) -> (&str, Option<&str>) {
    match source.rsplit_once('#') {
        Some((path, key)) if is_archive_name(&path.to_lowercase()) => (path, Some(key)),
        _ => (source, None),
    }
}

fn is_archive_name(name: &str) -> bool {
    name.strip_suffix(".gz").unwrap_or(name).ends_with(".npz")
}

/// Separates `table.csv#column` or `table.csv#column=value`; a file that is called so is taken as it is.
pub(crate) fn split_column(source: &str) -> (&str, Option<&str>) {
    match source.rsplit_once('#') {
        Some((path, column)) if is_table_name(&path.to_lowercase()) && !Path::new(source).exists() => {
            (path, Some(column))
        }
        _ => (source, None),
    }
}

fn is_table_name(name: &str) -> bool {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    [".csv", ".tsv", ".txt"].iter().any(|ending| name.ends_with(ending))
}

/// The format of a file.
///
/// # Errors
/// When it is one of others, or neither the name nor the first bytes tell.
pub(crate) fn format_of(path: &Path, bytes: &[u8], reading: &Reading) -> Result<SourceKind> {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    if let Some(refusal) = foreign::refusal(name, bytes, reading) {
        return Err(refusal);
    }
    format_of_name(name)
        .or_else(|| format_of_bytes(bytes))
        .ok_or_else(|| unreadable_format(name, bytes, reading))
}

fn format_of_name(name: &str) -> Option<SourceKind> {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension {
        "npy" => Some(SourceKind::Npy),
        "npz" => Some(SourceKind::Npz),
        "csv" | "tsv" | "txt" => Some(SourceKind::Csv),
        "idx" => Some(SourceKind::Idx),
        _ if name.contains("idx") && name.ends_with("ubyte") => Some(SourceKind::Idx),
        _ => None,
    }
}

fn format_of_bytes(bytes: &[u8]) -> Option<SourceKind> {
    match bytes {
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Some(SourceKind::Npy),
        [b'P', b'K', 3, 4, ..] => Some(SourceKind::Npz),
        [0, 0, 0x08 | 0x09 | 0x0b..=0x0e, 1..=4, ..] => Some(SourceKind::Idx),
        _ => None,
    }
}

fn unreadable_format(name: &str, bytes: &[u8], reading: &Reading) -> DataError {
    let is_image = matches!(bytes, [0x89, b'P', b'N', b'G', ..] | [0xff, 0xd8, 0xff, ..]);
    if is_image {
        return reading
            .unsupported("a single image is not a data set", "give the folder that holds the images");
    }
    let what = match name.rsplit_once('.') {
        Some((_, extension)) => format!("cannot tell what a .{extension} file holds"),
        None => "cannot tell what the file holds: it has no extension and no known first bytes".to_owned(),
    };
    reading.unsupported(what, READABLE)
}

/// The error for a path where nothing lies, with the likeliest fix.
pub(crate) fn not_found(path: &Path, reading: &Reading) -> DataError {
    DataError::NotFound { source_name: reading.source.to_owned(), fix: fix_for_missing(path, reading.source) }
}

fn fix_for_missing(path: &Path, source: &str) -> String {
    if source.trim().is_empty() {
        return format!("give a path; {READABLE}");
    }
    if source.contains("://") {
        return "nothing is fetched from the network: download the file and give its path".to_owned();
    }
    if builtin::is_name(source) {
        return format!("did you mean builtin:{source}? A built-in set needs the prefix");
    }
    if path.is_symlink() {
        return "the link points to where nothing lies: mend it, or give the path of the file".to_owned();
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = std::fs::read_dir(parent) else {
        return format!("the folder {} does not exist either", parent.display());
    };
    let names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let typed = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let suggestion = did_you_mean(&typed, names.iter().map(String::as_str));
    format!("{suggestion}The folder {} holds {} entries", parent.display(), names.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_follows_only_an_archive() {
        assert_eq!(split_key("a.npz#x"), ("a.npz", Some("x")));
        assert_eq!(split_key("a.npz.gz#x"), ("a.npz.gz", Some("x")));
        assert_eq!(split_key("a#b.npz"), ("a#b.npz", None));
        assert_eq!(split_key("a.csv#x"), ("a.csv#x", None));
    }

    #[test]
    fn a_column_follows_only_a_table() {
        assert_eq!(split_column("a.csv#day=2"), ("a.csv", Some("day=2")));
        assert_eq!(split_column("a.tsv.gz#day"), ("a.tsv.gz", Some("day")));
        assert_eq!(split_column("a.npz#x"), ("a.npz#x", None));
    }

    #[test]
    fn names_decide_the_format() {
        assert_eq!(format_of_name("train-images-idx3-ubyte"), Some(SourceKind::Idx));
        assert_eq!(format_of_name("train-images.idx3-ubyte"), Some(SourceKind::Idx));
        assert_eq!(format_of_name("x.npy"), Some(SourceKind::Npy));
        assert_eq!(format_of_name("x.parquet"), None);
    }

    #[test]
    fn first_bytes_decide_where_the_name_does_not() {
        assert_eq!(format_of_bytes(b"\x93NUMPY\x01\x00"), Some(SourceKind::Npy));
        assert_eq!(format_of_bytes(&[0, 0, 8, 3]), Some(SourceKind::Idx));
        assert_eq!(format_of_bytes(b"a,b,c"), None);
    }
}
