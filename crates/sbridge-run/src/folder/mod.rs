//! A run folder: where each file lies, and how it is opened.
//!
//! ```text
//! config.toml  manifest.json  model.safetensors  metrics.jsonl  events.out.tfevents.*
//!                             (or bridge, codec, vsdm, forecast: what the method makes)
//! samples.npy  samples.png    evaluation.json    report.html    checkpoints/<stage>.safetensors
//! lock                                                          checkpoints/<stage>.previous.safetensors
//! ```
//!
//! A run exists once its manifest is written. A folder with no more than the beginnings of one, left by
//! a program that was killed before, counts as empty.

pub mod atomic;
pub mod checkpoint;
pub mod lock;
pub mod manifest;
pub mod metrics;
pub mod tensor_file;
pub mod tensorboard;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::error::{Result, RunError};
use lock::{LOCK_FILE, Lock};
use manifest::{FORMAT, FORMAT_WITH_ORIGIN, Manifest, RunStatus, peak_memory};

/// What a folder holds before its manifest, all of it or a part.
const BEGINNINGS: [&str; 5] =
    [LOCK_FILE, "checkpoints", "config.toml", "config.toml.part", "manifest.json.part"];

/// A folder that holds one run.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Held by whoever writes into the folder.
    _lock: Option<Lock>,
}

impl RunFolder {
    /// Checks that a new run can be made at `path`, without making it.
    ///
    /// # Errors
    /// [`RunError::Folder`] if something is there already, [`RunError::Disk`] if nobody can tell.
    pub fn check_free(path: &Path) -> Result<()> {
        let names: Vec<_> = match fs::read_dir(path) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect(),
            Err(e) if e.kind() == ErrorKind::NotADirectory && path.exists() => vec![path.into()],
            Err(e) if matches!(e.kind(), ErrorKind::NotADirectory | ErrorKind::NotFound) => Vec::new(),
            Err(e) => return Err(RunError::disk("read", path, e)),
        };
        // The lock comes first: settings alone are a user's own.
        let has_begun = names.iter().any(|name| name == LOCK_FILE);
        let is_ours = |name| has_begun && BEGINNINGS.iter().any(|beginning| name == *beginning);
        if names.iter().all(is_ours) {
            return Ok(());
        }
        let problem = if path.join("manifest.json").exists() {
            "holds a run already (choose another --out, or continue it with --resume)"
        } else {
            "exists already (choose another --out)"
        };
        Err(RunError::folder(path, problem))
    }

    /// Makes a new run at `path`, to write into.
    ///
    /// # Errors
    /// As [`check_free`](Self::check_free); also if the folder cannot be made, or if another process
    /// writes into it.
    pub fn create(path: &Path, context: &Context) -> Result<Self> {
        Self::check_free(path)?;
        fs::create_dir_all(path)
            .map_err(|e| RunError::folder(path, format!("cannot be made: {e} (choose another --out)")))?;
        let folder = Self { path: path.to_owned(), _lock: Some(Lock::take(path, context)?) };
        // Another run may have begun here, and ended, before the lock was taken.
        Self::check_free(path)?;
        let inner = folder.path.join("checkpoints");
        fs::create_dir_all(&inner).map_err(|e| RunError::disk("create", &inner, e))?;
        Ok(folder)
    }

    /// Opens the run at `path`, to read.
    ///
    /// # Errors
    /// [`RunError::Folder`] if there is none, or it is of another format.
    pub fn open(path: &Path) -> Result<Self> {
        let folder = Self { path: path.to_owned(), _lock: None };
        folder.check_manifest()?;
        Ok(folder)
    }

    /// Opens the run at `path`, to write into.
    ///
    /// # Errors
    /// As [`open`](Self::open), and [`RunError::Folder`] if another process writes into it.
    pub fn open_to_write(path: &Path, context: &Context) -> Result<Self> {
        let folder = Self::open(path)?;
        Ok(Self { _lock: Some(Lock::take(path, context)?), ..folder })
    }

    /// Refuses runs that this program would misread.
    fn check_manifest(&self) -> Result<()> {
        let path = &self.path;
        let manifest = self.manifest()?;
        if ![FORMAT, FORMAT_WITH_ORIGIN].contains(&manifest.format) {
            let problem = format!(
                "is a run of format {}, this program reads formats {FORMAT} and {FORMAT_WITH_ORIGIN} (use sbridge {})",
                manifest.format, manifest.version
            );
            return Err(RunError::folder(path, problem));
        }
        Ok(())
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
        self.read_json("manifest.json")
    }

    /// Replaces the manifest.
    ///
    /// # Errors
    /// [`RunError::Disk`] if the disk refuses.
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<()> {
        atomic::write_json(&self.file("manifest.json"), manifest)
    }

    /// The file of the model `name`, which a run has once its first stage is learned.
    ///
    /// # Errors
    /// [`RunError::Folder`] if it is not there.
    pub fn model_file(&self, name: &str) -> Result<PathBuf> {
        let path = self.file(&format!("{name}.safetensors"));
        if path.exists() {
            return Ok(path);
        }
        let problem = "holds no model: the fit did not get that far (continue it with --resume)";
        Err(RunError::folder(&self.path, problem))
    }

    /// Writes down in the manifest how the work `done` ended, and passes it on.
    ///
    /// # Errors
    /// That of `done`, or else [`RunError::Disk`] if the disk refuses.
    pub(crate) fn conclude(&self, manifest: &mut Manifest, done: Result<()>) -> Result<()> {
        manifest.status = RunStatus::of(&done);
        manifest.peak_memory = peak_memory();
        let recorded = self.write_manifest(manifest);
        // What ended the work matters more than that it could not be written down.
        done.and(recorded)
    }

    /// Refuses a fit, made by `command`, that did not come to its end: half of it may be as it was before training.
    ///
    /// # Errors
    /// [`RunError::Folder`] for one.
    pub fn require_finished(&self, manifest: &Manifest, command: &str) -> Result<()> {
        let problem = match &manifest.status {
            RunStatus::Finished => return Ok(()),
            RunStatus::Diverged { reason } => format!(
                "diverged ({reason}); fit again into another --out, with a smaller learning rate or larger epsilon"
            ),
            _ => format!(
                "holds a bridge that is not finished (continue it with sbridge {command} --resume {})",
                self.path.display()
            ),
        };
        Err(RunError::folder(&self.path, problem))
    }

    /// Reads a JSON file of the run.
    ///
    /// # Errors
    /// [`RunError::Folder`] if it is missing or damaged.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        serde_json::from_str(&self.read(name)?)
            .map_err(|e| RunError::folder(self.file(name), format!("cannot be read: {e}")))
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
