//! Files that are either complete or absent: written beside, flushed to the disk, renamed.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use crate::error::{Result, RunError};

/// Replaces `path` by `bytes` in one step.
///
/// # Errors
/// [`RunError::Disk`] if a step fails; `path` is then as it was.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = File::create(&part).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)
    });
    written.map_err(|e| {
        let _ = fs::remove_file(&part);
        RunError::disk("write", path, e)
    })
}
