//! Whether a disk has room for a file, asked before the work that fills it.

use std::path::Path;

use crate::error::{Result, RunError};

/// Bytes of one file, at most.
const MOST_BYTES: f64 = 1e11;

/// Refuses a file that the disk has no room for, or that nobody wants.
///
/// # Errors
/// [`RunError::Input`], with both sizes.
pub(super) fn require_room(path: &Path, bytes: f64) -> Result<()> {
    let problem = match free_bytes(path) {
        _ if bytes > MOST_BYTES => format!("more than the {} that a file may have", gigabytes(MOST_BYTES)),
        Some(free) if bytes > free => format!("and {} are free on its disk", gigabytes(free)),
        _ => return Ok(()),
    };
    Err(RunError::Input(format!(
        "{} would take {}, {problem} (ask for less, or choose another disk)",
        path.display(),
        gigabytes(bytes)
    )))
}

fn gigabytes(bytes: f64) -> String {
    format!("{:.1} GB", 1e-9 * bytes)
}

/// Bytes free on the disk that `path` will lie on, where that can be known.
#[cfg(unix)]
fn free_bytes(path: &Path) -> Option<f64> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail as f64 * disk.f_frsize as f64)
}

#[cfg(not(unix))]
fn free_bytes(_path: &Path) -> Option<f64> {
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_no_disk_holds_is_refused_with_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        assert!(require_room(&path, 1e3).is_ok());
        let problem = require_room(&path, 8e11).unwrap_err().to_string();
        assert!(problem.contains("would take 800.0 GB, more than the 100.0 GB"), "{problem}");
        if let Some(free) = free_bytes(&path).filter(|free| *free < 5e10) {
            assert!(
                require_room(&path, free + 1e10).unwrap_err().to_string().contains("are free on its disk")
            );
        }
    }
}
