//! One writer per run folder: a lock that the system releases when the process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::context::Context;
use crate::error::{Result, RunError};

/// The file that is locked. It stays behind, and means nothing by itself.
pub const LOCK_FILE: &str = "lock";

/// The right to write into a run folder, for as long as this lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the run folder at `folder`.
    ///
    /// # Errors
    /// [`RunError::Folder`] if another process has it, [`RunError::Disk`] if the file cannot be opened.
    pub fn take(folder: &Path, context: &Context) -> Result<Self> {
        let path = folder.join(LOCK_FILE);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|e| RunError::disk("open", &path, e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let problem = "is in use by another sbridge (wait until it has finished, or end it; what \
                               it has done is kept)";
                return Err(RunError::folder(folder, problem));
            }
            // Some network disks have no locks; that is no reason not to train there.
            Err(TryLockError::Error(e)) => {
                let folder = folder.display();
                context.warn(&format!("{folder} cannot be locked ({e}): let nothing else write there"));
            }
        }
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_has_one_writer_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path(), &Context::default()).unwrap();
        let refusal = Lock::take(folder.path(), &Context::default()).unwrap_err();
        assert!(refusal.to_string().contains("in use by another sbridge"), "{refusal}");
        assert_eq!(refusal.exit_code(), 2);
        drop(first);
        Lock::take(folder.path(), &Context::default()).unwrap();
    }
}
