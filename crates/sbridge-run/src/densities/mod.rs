//! Where densities come from: a built-in name, a TOML file, or a compiled Stan model → something that can be evaluated.
//!
//! | target | density |
//! |-|-|
//! | `builtin:NAME` | one that samplers are measured on; some need data |
//! | `FILE.toml` | a logistic regression, a log-Gaussian Cox process or a mixture of Gaussians |
//! | `FILE.so`, `.dylib`, `.dll` | a Stan model compiled by BridgeStan, with its data in a JSON file |
//!
//! [`open`] reads, [`check()`] evaluates at a few points and refuses what no sampler could work on.

mod builtin;
mod check;
mod file;
mod rays;
mod stan;
mod table;

use std::path::Path;
use std::sync::Arc;

use sbridge::density::Target;
use sha2::{Digest as _, Sha256};

pub use builtin::BUILTIN;
pub use check::check;

use crate::context::Context;
use crate::error::{Result, RunError};

/// A density that can be evaluated, and what it was made from.
pub struct OpenDensity {
    /// The density, with what is known of it.
    pub target: Arc<dyn Target>,
    /// What it is, in a few words.
    pub title: String,
    /// The files it was made from: they must not change until a run is continued.
    pub files: Vec<DensityFile>,
    /// What to keep in mind, a line each.
    pub remarks: Vec<String>,
}

/// A file that a density was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DensityFile {
    /// As the user wrote it, or as a file of the user names it.
    pub source: String,
    /// Its digest, in hexadecimal.
    pub sha256: String,
}

impl OpenDensity {
    fn new(target: impl Target + 'static, title: impl Into<String>) -> Self {
        Self { target: Arc::new(target), title: title.into(), files: Vec::new(), remarks: Vec::new() }
    }

    fn made_from(mut self, files: impl IntoIterator<Item = DensityFile>) -> Self {
        self.files.extend(files);
        self
    }

    /// One digest of its title and of all files it was made from.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.title.as_bytes());
        for file in &self.files {
            hash.update([0]);
            hash.update(file.sha256.as_bytes());
        }
        hexadecimal(&hash.finalize())
    }
}

impl DensityFile {
    /// Of the bytes that were read from `source`.
    fn of(source: &str, bytes: &[u8]) -> Self {
        Self { source: source.into(), sha256: hexadecimal(&Sha256::digest(bytes)) }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The density that `target` names, with its `data` where it needs some.
///
/// # Errors
/// [`RunError::Input`] for a name that does not exist, data that are missing or do not fit, or a library that is no model;
/// [`RunError::Config`] for a file that does not say what it should; [`RunError::Data`] for data that cannot be read.
pub fn open(target: &str, data: Option<&str>, context: &Context) -> Result<OpenDensity> {
    if let Some(name) = target.strip_prefix("builtin:") {
        return builtin::open(name, data, &context.sources);
    }
    let path = Path::new(target);
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    match ending.as_deref() {
        Some("toml") => file::open(path, data, &context.sources),
        Some("so" | "dylib" | "dll") => stan::open(path, data),
        Some("stan") => Err(RunError::Input(format!(
            "{target} is the program of a Stan model: compile it first, in the folder of BridgeStan with make STAN_THREADS=True \
             {}, and give the library",
            path.with_extension("").display().to_string() + "_model.so"
        ))),
        _ if builtin::is_name(target) => {
            Err(RunError::Input(format!("there is no file {target} (did you mean builtin:{target}?)")))
        }
        _ => Err(RunError::Input(format!(
            "{target} names no density (give builtin:NAME, a TOML file that ends in .toml, or a compiled Stan model that ends in \
             .so)"
        ))),
    }
}

/// The bytes at `path`.
fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        RunError::Input(format!(
            "{} cannot be read: {error} (check the path and its permissions)",
            path.display()
        ))
    })
}
