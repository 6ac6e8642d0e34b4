//! A run folder: where each file lies, and how it is opened.
//!
//! ```text
//! config.toml  manifest.json  model.safetensors  metrics.jsonl  events.out.tfevents.*
//! samples.npy  samples.png    evaluation.json    report.html    checkpoints/<stage>.safetensors
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use crate::atomic;
use crate::config::Config;
use crate::error::{Result, RunError};
use crate::manifest::{FORMAT, Manifest};

/// A folder that holds one run.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Checks that a new run can be made at `path`, without making it.
    ///
    /// # Errors
    /// [`RunError::Folder`] if something is there already.
    pub fn check_free(path: &Path) -> Result<()> {
        let taken = match fs::read_dir(path) {
            Ok(mut entries) => entries.next().is_some(),
            Err(_) => path.exists(),
        };
        if !taken {
            return Ok(());
        }
        let problem = if path.join("manifest.json").exists() {
            "holds a run already (choose another --out, or continue it with --resume)"
        } else {
            "exists already (choose another --out)"
        };
        Err(RunError::folder(path, problem))
    }

    /// Makes a new run at `path`.
    ///
    /// # Errors
    /// As [`check_free`](Self::check_free), or [`RunError::Disk`] if the folder cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        Self::check_free(path)?;
        let folder = Self { path: path.to_owned() };
        let inner = folder.path.join("checkpoints");
        fs::create_dir_all(&inner).map_err(|e| RunError::disk("create", &inner, e))?;
        Ok(folder)
    }

    /// Opens the run at `path`.
    ///
    /// # Errors
    /// [`RunError::Folder`] if there is none, or it is of another format.
    pub fn open(path: &Path) -> Result<Self> {
        let folder = Self { path: path.to_owned() };
        let manifest = folder.manifest()?;
        if manifest.format != FORMAT {
            let problem = format!(
                "is a run of format {}, this program reads format {FORMAT} (use sbridge {})",
                manifest.format, manifest.version
            );
            return Err(RunError::folder(path, problem));
        }
        if manifest.method != "latent" {
            let problem = format!("is a run of method {:?}, not latent", manifest.method);
            return Err(RunError::folder(path, problem));
        }
        Ok(folder)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The checkpoint of a stage.
    pub fn checkpoint(&self, stage: &str) -> PathBuf {
        self.path.join("checkpoints").join(format!("{stage}.safetensors"))
    }

    /// Reads the manifest.
    ///
    /// # Errors
    /// [`RunError::Folder`] if it is missing or damaged.
    pub fn manifest(&self) -> Result<Manifest> {
        let text = self.read("manifest.json")?;
        serde_json::from_str(&text)
            .map_err(|e| RunError::folder(self.file("manifest.json"), format!("cannot be read: {e}")))
    }

    /// Replaces the manifest.
    ///
    /// # Errors
    /// [`RunError::Disk`] if the disk refuses.
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<()> {
        let text = serde_json::to_string_pretty(manifest).expect("a manifest is plain data");
        atomic::write(&self.file("manifest.json"), text.as_bytes())
    }

    /// Reads the resolved settings.
    ///
    /// # Errors
    /// [`RunError::Folder`] if they are missing, [`RunError::Config`] if they are not settings.
    pub fn config(&self) -> Result<Config> {
        Config::from_toml(&self.read("config.toml")?, &[])
    }

    /// Reads a text file of the run.
    ///
    /// # Errors
    /// [`RunError::Folder`] if it is missing.
    pub fn read(&self, name: &str) -> Result<String> {
        fs::read_to_string(self.file(name)).map_err(|e| {
            let problem = format!("is not a run folder: {name} cannot be read ({e})");
            RunError::folder(&self.path, problem)
        })
    }
}
