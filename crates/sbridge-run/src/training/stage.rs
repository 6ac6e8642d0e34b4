//! One network of a run, trained from its checkpoint if there is one.

use std::time::{Duration, Instant};

use sbridge::executor::{self, Outcome};
use sbridge::fit::{FitSettings, Trainer};
use sbridge::latent::DataScaling;
use sbridge::net::{Autoencoder, AutoencoderKind};
use sbridge::objective::{Objective, Reconstruction};
use sbridge::rng::Rng;
use sbridge::tensor::{Tensor, head};

use super::Learning;
use super::log::StageLog;
use crate::error::{Result, RunError};
use crate::folder::checkpoint;
use crate::settings::{AutoencoderConfig, Settings};

/// Held-out samples an autoencoder is assessed on, at most; reconstruction errors vary little.
const MAX_ASSESSED: usize = 500;

/// A network that is trained.
#[derive(Clone, Copy, Debug)]
pub struct Stage<'a> {
    /// Its name in logs and checkpoints.
    pub name: &'a str,
    /// The setting that holds its learning rate.
    pub learning_rate: &'static str,
}

impl Stage<'static> {
    /// Encoder and decoder.
    pub const AUTOENCODER: Self =
        Self { name: "autoencoder", learning_rate: "autoencoder.fit.learning_rate" };
}

impl<S: Settings> Learning<'_, S> {
    /// Trains `net` with randomness from `rng`, and leaves a checkpoint at the end.
    ///
    /// # Errors
    /// [`RunError`] if training is interrupted, diverges, or cannot be saved.
    pub fn train<O: Objective>(
        &mut self,
        stage: Stage<'_>,
        net: O::Model,
        objective: &mut O,
        fit: FitSettings,
        rng: Rng,
    ) -> Result<O::Model> {
        let started = Instant::now();
        let mut trainer = Trainer::new(net, fit, rng)?;
        let path = self.folder.checkpoint(stage.name);
        if let Some(state) = checkpoint::load(&path, self.context)? {
            trainer.restore(state)?;
        }
        if trainer.is_done() {
            return Ok(trainer.finished());
        }
        let interval = Duration::from_secs(self.settings.common().checkpoint_seconds);
        let (done, total) = (trainer.step_count(), trainer.step_budget());
        let mut log = StageLog::new(self.folder, self.context, stage.name, (done, total), interval)?;
        let outcome = executor::run(&mut trainer, objective, &mut log);
        drop(log);
        self.manifest.add_seconds(stage.name, started.elapsed().as_secs_f64());
        self.require_finished(stage, outcome)?;
        checkpoint::save(&path, trainer.state()).map_err(|e| self.unsaved(e.to_string()))?;
        self.folder.write_manifest(self.manifest)?;
        Ok(trainer.finished())
    }

    /// Trains encoder and decoder, as the stage `stage`, for samples of `kind` on the rows of `train`, watching `held_out`; both are in data
    /// units, `[count, size]`.
    ///
    /// # Errors
    /// As [`train`](Self::train).
    pub fn train_autoencoder(
        &mut self,
        stage: Stage<'_>,
        kind: &AutoencoderKind,
        settings: &AutoencoderConfig,
        scaling: &DataScaling,
        (train, held_out): (&Tensor<2>, Option<&Tensor<2>>),
    ) -> Result<Autoencoder> {
        let rng = self.rng(stage.name);
        let net = Autoencoder::new(kind, &settings.net, &mut rng.fork("init"), &train.device());
        let held_out = held_out.map(|rows| scaling.apply(head(rows, MAX_ASSESSED)));
        let mut objective =
            Reconstruction::new(scaling.apply(train.clone()), held_out, settings.loss.clone());
        self.train(stage, net, &mut objective, settings.fit.clone(), rng.fork("fit"))
    }

    fn require_finished(&self, stage: Stage<'_>, outcome: Outcome) -> Result<()> {
        let folder = self.folder.path().to_owned();
        match outcome {
            Outcome::Finished => Ok(()),
            Outcome::Interrupted => Err(sbridge::Error::Interrupted.into()),
            Outcome::Diverged { reason } => Err(RunError::Diverged {
                stage: stage.name.into(),
                fix: format!(
                    "a third of {}, and check the scale of the data with sbridge inspect",
                    stage.learning_rate
                ),
                reason,
                folder,
            }),
            Outcome::Unsaved { reason } => Err(self.unsaved(reason)),
        }
    }

    fn unsaved(&self, reason: String) -> RunError {
        let folder = self.folder.path().to_owned();
        RunError::Unsaved { reason, command: self.command.clone(), folder }
    }
}
