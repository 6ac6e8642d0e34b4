//! The executor owns the loop around a trainer: observers, checkpoints, interruption, divergence.
//!
//! Every [`SNAPSHOT_INTERVAL`] steps the state is copied. If the numbers go bad, training goes back to
//! the last copy, once, with half the step size. Checkpoints are such copies and nothing else: so a
//! resumed run has the same state to go back to as one that was never interrupted, and ends with the
//! same bits.

use crate::error::Result;
use crate::fit::{Status, StepInfo, Trainer, TrainerState};
use crate::objective::Objective;

/// Steps between two copies of the state.
pub const SNAPSHOT_INTERVAL: usize = 100;

/// What watches a training run. Every method has a default that does nothing.
pub trait Observer {
    /// After a step was taken.
    fn on_step(&mut self, _info: &StepInfo) {}

    /// After the averaged weights were assessed on held-out data.
    fn on_assessment(&mut self, _step: usize, _held_out_loss: f64) {}

    /// After the averaged weights were measured otherwise, by the name of what was found.
    fn on_measure(&mut self, _step: usize, _name: &'static str, _value: f64) {}

    /// After the numbers went bad for `reason` at `step`, and training went back to step `back_to` with
    /// half the step size.
    fn on_recovery(&mut self, _step: usize, _back_to: usize, _reason: &str) {}

    /// Whether a checkpoint is due now; asked whenever the state has been copied.
    fn wants_checkpoint(&mut self, _step: usize) -> bool {
        false
    }

    /// Keeps a checkpoint.
    ///
    /// # Errors
    /// Whatever keeps it from being kept, in words; the run stops.
    fn keep(&mut self, _state: &TrainerState) -> std::result::Result<(), String> {
        Ok(())
    }

    /// Whether the user asked to stop.
    fn is_interrupted(&self) -> bool {
        false
    }
}

/// An observer that does nothing.
pub struct Silent;

impl Observer for Silent {}

/// How a training run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All steps were taken, or patience ran out.
    Finished,
    /// The user asked to stop; a checkpoint was kept.
    Interrupted,
    /// The numbers went bad again after a recovery; the last checkpoint stands.
    Diverged {
        /// Which quantity, at which step.
        reason: String,
    },
    /// A checkpoint could not be kept.
    Unsaved {
        /// Why.
        reason: String,
    },
}

/// Trains until done, interrupted or diverged.
pub fn run<O: Objective>(
    trainer: &mut Trainer<O::Model>,
    objective: &mut O,
    observer: &mut dyn Observer,
) -> Outcome {
    let mut snapshot = trainer.state();
    while !trainer.is_done() {
        if observer.is_interrupted() {
            return match observer.keep(&snapshot) {
                Ok(()) => Outcome::Interrupted,
                Err(reason) => Outcome::Unsaved { reason },
            };
        }
        let info = trainer.step(objective);
        if let Status::Diverged { reason } = &info.status {
            if trainer.has_recovered() {
                return Outcome::Diverged { reason: reason.clone() };
            }
            trainer.recover(snapshot.clone()).expect("the snapshot is of this trainer");
            observer.on_recovery(info.step, snapshot.step, reason);
            continue;
        }
        observer.on_step(&info);
        if let Some(loss) = trainer.assess(objective) {
            observer.on_assessment(info.step, loss);
        }
        for (name, value) in trainer.measure(objective) {
            observer.on_measure(info.step, name, value);
        }
        if info.step.is_multiple_of(SNAPSHOT_INTERVAL) {
            snapshot = trainer.state();
            if observer.wants_checkpoint(info.step)
                && let Err(reason) = observer.keep(&snapshot)
            {
                return Outcome::Unsaved { reason };
            }
        }
    }
    Outcome::Finished
}

/// Trains without an observer and returns the finished model.
///
/// # Errors
/// [`Error::Diverged`](crate::Error::Diverged) if the numbers go bad.
pub fn run_silently<O: Objective>(mut trainer: Trainer<O::Model>, objective: &mut O) -> Result<O::Model> {
    match run(&mut trainer, objective, &mut Silent) {
        Outcome::Diverged { reason } => Err(crate::Error::Diverged(reason)),
        _ => Ok(trainer.finished()),
    }
}
