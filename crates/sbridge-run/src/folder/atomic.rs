//! Files that are either complete or absent: written beside, flushed to the disk, renamed.
//!
//! A reader sees the old file or the new one, never half of one; so does a power failure, since the
//! folder is flushed as well. What a killed program left beside is overwritten by the next write.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sbridge_report::Report;
use serde::Serialize;

use crate::error::{Result, RunError};

/// Replaces `path` by `bytes` in one step.
///
/// # Errors
/// [`RunError::Disk`] if a step fails; `path` is then the old file or the new one, whole.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(&mut System, path, None, bytes)
}

/// Replaces `path` by `bytes`, and `previous` by what was at `path`.
///
/// # Errors
/// [`RunError::Disk`] if a step fails; what was at `path` is then whole, there or at `previous`.
pub fn write_keeping(path: &Path, previous: &Path, bytes: &[u8]) -> Result<()> {
    replace(&mut System, path, Some(previous), bytes)
}

/// The operations a write consists of. Tests let any of them fail.
trait Disk {
    fn create(&mut self, path: &Path) -> io::Result<File> {
        File::create(path)
    }

    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}

/// The disk as it is.
struct System;

impl Disk for System {}

fn replace(disk: &mut impl Disk, path: &Path, previous: Option<&Path>, bytes: &[u8]) -> Result<()> {
    let part = part_of(path);
    let replaced = write_and_sync(disk, &part, bytes).and_then(|()| {
        if let Some(previous) = previous.filter(|_| path.exists()) {
            disk.rename(path, previous)?;
        }
        disk.rename(&part, path)?;
        sync_folder_of(disk, path)
    });
    replaced.map_err(|e| {
        // The first failure is the one to report.
        let _ = disk.remove(&part);
        RunError::disk("write", path, e)
    })
}

fn write_and_sync(disk: &mut impl Disk, part: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = disk.create(part)?;
    disk.write(&mut file, bytes)?;
    disk.sync(&file)
}

/// Flushes the folder of `path`, where a rename is recorded. Only Unix opens folders like files.
fn sync_folder_of(disk: &mut impl Disk, path: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    disk.sync(&File::open(parent.unwrap_or(Path::new(".")))?)
}

/// Where a file is written before it takes its place.
fn part_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    path.with_file_name(name)
}

/// Writes `value`, which is plain data, as JSON to `path` in one step.
///
/// # Errors
/// As [`write()`].
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let json = serde_json::to_string_pretty(value).expect("plain data");
    write(path, json.as_bytes())
}

/// Writes the page of `report` to `path` in one step.
///
/// # Errors
/// As [`write()`]; [`RunError::Input`] if it cannot be drawn.
pub fn write_page(path: &Path, report: &Report) -> Result<()> {
    let html = report.render().map_err(|e| RunError::Input(format!("the report cannot be drawn: {e}")))?;
    write(path, html.as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    /// A disk on which one operation fails, and every later one too if the program is killed there.
    struct Failing {
        good: usize,
        kills: bool,
        /// Bytes that reach the disk when it is a write that fails.
        bytes: usize,
    }

    impl Failing {
        fn operation(&mut self) -> io::Result<()> {
            match self.good.checked_sub(1) {
                Some(left) => self.good = left,
                None if self.kills => return Err(io::Error::other("killed")),
                None => {
                    self.good = usize::MAX;
                    return Err(io::Error::other("no space"));
                }
            }
            Ok(())
        }
    }

    impl Disk for Failing {
        fn create(&mut self, path: &Path) -> io::Result<File> {
            self.operation().and_then(|()| System.create(path))
        }

        fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
            let failed = self.operation();
            let written = if failed.is_ok() { bytes.len() } else { self.bytes.min(bytes.len()) };
            System.write(file, &bytes[..written]).and(failed)
        }

        fn sync(&mut self, file: &File) -> io::Result<()> {
            self.operation().and_then(|()| System.sync(file))
        }

        fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
            self.operation().and_then(|()| System.rename(from, to))
        }

        fn remove(&mut self, path: &Path) -> io::Result<()> {
            self.operation().and_then(|()| System.remove(path))
        }
    }

    fn content(path: &Path) -> Option<Vec<u8>> {
        path.exists().then(|| fs::read(path).unwrap())
    }

    proptest! {
        #[test]
        fn whatever_fails_a_file_is_the_old_one_or_the_new_one(
            old in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)),
            new in proptest::collection::vec(any::<u8>(), 0..40),
            (good, bytes, kills) in (0usize..7, 0usize..40, any::<bool>()),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("x");
            if let Some(old) = &old {
                write(&path, old).unwrap();
            }
            let outcome = replace(&mut Failing { good, kills, bytes }, &path, None, &new);
            let found = content(&path);
            prop_assert!(found == old || found.as_ref() == Some(&new), "{found:?}");
            prop_assert!(outcome.is_err() || found.as_ref() == Some(&new));
            prop_assert!(kills || !part_of(&path).exists(), "a part is left behind");
            // Whatever a killed program left beside does not matter to the next one.
            write(&path, b"next").unwrap();
            prop_assert_eq!(content(&path).unwrap(), b"next");
            prop_assert!(!part_of(&path).exists());
        }

        #[test]
        fn whatever_fails_the_last_file_is_whole_here_or_as_the_previous_one(
            new in proptest::collection::vec(any::<u8>(), 0..40),
            (good, bytes, kills) in (0usize..8, 0usize..40, any::<bool>()),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let (path, previous) = (folder.path().join("x"), folder.path().join("x.previous"));
            write(&previous, b"oldest").unwrap();
            write(&path, b"old").unwrap();
            let outcome = replace(&mut Failing { good, kills, bytes }, &path, Some(&previous), &new);
            let found = (content(&path), content(&previous).unwrap());
            let (old, oldest) = (b"old".to_vec(), b"oldest".to_vec());
            let possible = [(Some(old.clone()), oldest), (None, old.clone()), (Some(new), old)];
            prop_assert!(possible.contains(&found), "{found:?}");
            prop_assert!(outcome.is_err() || found == possible[2]);
        }
    }

    #[test]
    fn a_missing_folder_is_an_error_of_the_disk() {
        let error = write(Path::new("/nonexistent/folder/x"), b"").unwrap_err();
        assert!(error.to_string().starts_with("cannot write /nonexistent/folder/x"), "{error}");
        assert_eq!(error.exit_code(), 1);
    }
}
