//! What a task learns with: stages that go on from their checkpoints, a log, and the cost said before.

pub mod cost;
mod log;
mod stage;

use std::path::PathBuf;
use std::time::Instant;

use sbridge::rng::Rng;
use sbridge::tensor::Device;

use crate::context::Context;
use crate::error::Result;
use crate::folder::manifest::Manifest;
use crate::folder::{RunFolder, atomic, checkpoint};
use crate::settings::Settings;

pub use cost::Cost;
pub use stage::Stage;

/// A run that learns, as its task sees it.
pub struct Learning<'a, S> {
    /// The method.
    pub method: &'a str,
    /// The settings; what is decided on the way is kept by [`keep_settings`](Self::keep_settings).
    pub settings: S,
    /// Where it lies.
    pub folder: &'a RunFolder,
    /// Its description.
    pub manifest: &'a mut Manifest,
    /// Who watches, and who may stop it.
    pub context: &'a Context,
    /// Where it computes.
    pub device: Device,
    /// The command that makes such a run, and continues it.
    pub(crate) command: String,
}

impl<S: Settings> Learning<'_, S> {
    /// The stream of the run called `name`.
    pub fn rng(&self, name: &str) -> Rng {
        Rng::new(self.settings.common().seed).fork(name)
    }

    /// A file of the run.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.file(name)
    }

    /// Forgets the checkpoint of the stage `name`, whose outcome is kept elsewhere.
    ///
    /// # Errors
    /// [`RunError::Disk`](crate::RunError::Disk) if the disk refuses.
    pub fn forget(&self, name: &str) -> Result<()> {
        checkpoint::remove(&self.folder.checkpoint(name))
    }

    /// Writes the settings down again, after something in them was decided.
    ///
    /// # Errors
    /// [`RunError::Disk`](crate::RunError::Disk) if the disk refuses.
    pub fn keep_settings(&self) -> Result<()> {
        atomic::write(&self.file("config.toml"), self.settings.to_toml().as_bytes())
    }

    /// Says what went otherwise than asked for, and keeps it with the run: its report says so, too.
    pub fn remark(&mut self, words: &str) {
        self.context.warn(words);
        if self.manifest.notes.iter().all(|note| note != words) {
            self.manifest.notes.push(words.into());
        }
    }

    /// Adds the seconds since `started` to what `stage` took, and writes them down.
    ///
    /// # Errors
    /// [`RunError::Disk`](crate::RunError::Disk) if the disk refuses.
    pub fn took(&mut self, stage: &str, started: Instant) -> Result<()> {
        self.manifest.add_seconds(stage, started.elapsed().as_secs_f64());
        self.folder.write_manifest(self.manifest)
    }

    /// Adds `lines` to `metrics.jsonl`, in the place of those of `stage` after step `done`.
    ///
    /// # Errors
    /// [`RunError::Disk`](crate::RunError::Disk) if the disk refuses.
    pub fn log(&self, stage: &str, done: usize, lines: &str) -> Result<()> {
        log::append(self.folder, stage, done, lines)
    }
}
