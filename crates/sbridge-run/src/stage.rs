//! One network of a run, trained from its checkpoint if there is one.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use sbridge::executor::{self, Outcome};
use sbridge::fit::{FitSettings, Trainer};
use sbridge::objective::Objective;
use sbridge::rng::Rng;

use crate::checkpoint;
use crate::error::{Result, RunError};
use crate::folder::RunFolder;
use crate::manifest::Manifest;
use crate::watch::Watch;

/// Where and how a network is trained.
pub(crate) struct Stage<'a> {
    /// The run it belongs to.
    pub(crate) folder: &'a RunFolder,
    /// Its name in logs and checkpoints.
    pub(crate) name: &'a str,
    /// Seconds between checkpoints.
    pub(crate) checkpoint_seconds: u64,
    /// The setting that holds its learning rate.
    pub(crate) learning_rate: &'static str,
}

impl Stage<'_> {
    /// Trains `net` with randomness from `rng`, and leaves a checkpoint at the end.
    ///
    /// # Errors
    /// [`RunError`] if training is interrupted, diverges, or cannot be saved.
    pub(crate) fn train<O: Objective>(
        &self,
        net: O::Model,
        objective: &mut O,
        fit: FitSettings,
        rng: Rng,
        manifest: &mut Manifest,
    ) -> Result<O::Model> {
        let started = Instant::now();
        let mut trainer = Trainer::new(net, fit, rng)?;
        let path = self.folder.checkpoint(self.name);
        if let Some(state) = checkpoint::load(&path)? {
            trainer.restore(state)?;
        }
        if trainer.is_done() {
            return Ok(trainer.finished());
        }
        let interval = Duration::from_secs(self.checkpoint_seconds);
        let (done, total) = (trainer.step_count(), trainer.step_budget());
        let mut watch = Watch::new(self.folder, self.name, done, total, interval)?;
        let outcome = executor::run(&mut trainer, objective, &mut watch);
        watch.finish();
        manifest.add_seconds(self.name, started.elapsed().as_secs_f64());
        self.require_finished(outcome, &manifest.method)?;
        checkpoint::save(&path, trainer.state())
            .map_err(|e| self.unsaved(&manifest.method, e.to_string()))?;
        self.folder.write_manifest(manifest)?;
        Ok(trainer.finished())
    }

    fn require_finished(&self, outcome: Outcome, method: &str) -> Result<()> {
        match outcome {
            Outcome::Finished => Ok(()),
            Outcome::Interrupted => {
                Err(RunError::Interrupted { method: method.into(), folder: self.folder_path() })
            }
            Outcome::Diverged { reason } => Err(RunError::Diverged {
                stage: self.name.into(),
                setting: self.learning_rate,
                reason,
                folder: self.folder_path(),
            }),
            Outcome::Unsaved { reason } => Err(self.unsaved(method, reason)),
        }
    }

    fn unsaved(&self, method: &str, reason: String) -> RunError {
        RunError::Unsaved { reason, method: method.into(), folder: self.folder_path() }
    }

    fn folder_path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}
