//! One network of a run, trained from its checkpoint if there is one.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use sbridge::executor::{self, Outcome};
use sbridge::fit::{FitSettings, Trainer};
use sbridge::latent::DataScaling;
use sbridge::net::{Autoencoder, AutoencoderKind};
use sbridge::objective::{Objective, Reconstruction};
use sbridge::rng::Rng;
use sbridge::tensor::{Tensor, head};

use crate::checkpoint;
use crate::config::AutoencoderConfig;
use crate::error::{Result, RunError};
use crate::folder::RunFolder;
use crate::manifest::Manifest;
use crate::watch::Watch;

/// Held-out samples an autoencoder is assessed on, at most; reconstruction errors vary little.
const MAX_ASSESSED: usize = 500;

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
        self.require_finished(outcome, manifest)?;
        checkpoint::save(&path, trainer.state()).map_err(|e| self.unsaved(manifest, e.to_string()))?;
        self.folder.write_manifest(manifest)?;
        Ok(trainer.finished())
    }

    /// Trains encoder and decoder for samples of `kind` on the rows of `train`, watching `held_out`; both are in data
    /// units, `[count, size]`.
    ///
    /// # Errors
    /// As [`train`](Self::train).
    pub(crate) fn train_autoencoder(
        &self,
        kind: &AutoencoderKind,
        settings: &AutoencoderConfig,
        scaling: &DataScaling,
        (train, held_out): (&Tensor<2>, Option<&Tensor<2>>),
        rng: &Rng,
        manifest: &mut Manifest,
    ) -> Result<Autoencoder> {
        let net = Autoencoder::new(kind, &settings.net, &mut rng.fork("init"), &train.device());
        let held_out = held_out.map(|rows| scaling.apply(head(rows, MAX_ASSESSED)));
        let mut objective =
            Reconstruction::new(scaling.apply(train.clone()), held_out, settings.loss.clone());
        self.train(net, &mut objective, settings.fit.clone(), rng.fork("fit"), manifest)
    }

    fn require_finished(&self, outcome: Outcome, manifest: &Manifest) -> Result<()> {
        match outcome {
            Outcome::Finished => Ok(()),
            Outcome::Interrupted => {
                Err(RunError::Interrupted { command: manifest.fit_command(), folder: self.folder_path() })
            }
            Outcome::Diverged { reason } => Err(RunError::Diverged {
                stage: self.name.into(),
                setting: self.learning_rate,
                reason,
                folder: self.folder_path(),
            }),
            Outcome::Unsaved { reason } => Err(self.unsaved(manifest, reason)),
        }
    }

    fn unsaved(&self, manifest: &Manifest, reason: String) -> RunError {
        RunError::Unsaved { reason, command: manifest.fit_command(), folder: self.folder_path() }
    }

    fn folder_path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}
