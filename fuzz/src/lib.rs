//! What every target does: bytes become a file, the file is read as a user would read it.
//!
//! Readers take paths, so the file is real; it lies in memory where the system has such a folder.
//! An error is an answer. A panic, a hang, memory past the fuzzer's limit, or a data set that breaks
//! its own invariants is a finding.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use sbridge_data::{Limits, inspect_with, load_with};
use tempfile::TempDir;

/// Far above what a fuzzer's input can rightly hold, far below the fuzzer's limit on memory.
const LIMITS: Limits = Limits { max_bytes: 64 << 20 };

/// The folder of this process. A fuzzer ends by a signal, so it is left behind; it holds one file.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    folder.expect("a folder for the file")
});

/// Writes the only file of this process.
pub fn write(name: &str, bytes: &[u8]) -> PathBuf {
    let path = FOLDER.path().join(name);
    fs::write(&path, bytes).expect("room for the file");
    path
}

/// Loads and inspects a source, and checks what is promised of a result.
pub fn read(source: &str) {
    if let Ok(set) = load_with(source, &LIMITS) {
        assert!(!set.is_empty() && set.values().iter().all(|value| value.is_finite()));
        assert_eq!(set.values().len(), set.len() * set.shape().size());
        assert!(set.labels().is_none_or(|labels| labels.len() == set.len()));
        assert!(set.column_names().is_none_or(|names| names.len() == set.shape().size()));
    }
    match inspect_with(source, &LIMITS) {
        Ok(inspection) => drop(inspection.to_string()),
        Err(error) => check_message(&error.to_string()),
    }
}

/// A message is one line that fits a terminal, whatever stood in the file.
fn check_message(message: &str) {
    assert!(message.chars().count() < 2000, "a message of {} characters", message.chars().count());
    assert!(!message.contains(char::is_control), "control characters in the message {message:?}");
}
