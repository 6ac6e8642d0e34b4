//! What keeps a record of a stage: `metrics.jsonl` and TensorBoard for machines, checkpoints for later.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sbridge::executor::Observer;
use sbridge::fit::{StepInfo, TrainerState};

use crate::context::Context;
use crate::error::{Result, RunError};
use crate::folder::tensorboard::EventWriter;
use crate::folder::{RunFolder, atomic, checkpoint, metrics};
use crate::watch::{Heeding, Progress};

/// The log of one stage of training, and what is shown of it.
pub(super) struct StageLog<'a> {
    stage: String,
    context: &'a Context,
    metrics: File,
    metrics_path: PathBuf,
    events: EventWriter,
    checkpoint: PathBuf,
    checkpoint_interval: Duration,
    last_checkpoint: Instant,
    progress: Progress<'a>,
    smoothed_loss: Option<f64>,
    /// A stop leaves a checkpoint.
    _heeding: Heeding,
}

impl<'a> StageLog<'a> {
    /// Of `stage` of the run in `folder`, from step `done` of `total`.
    ///
    /// # Errors
    /// [`RunError::Disk`] if a log cannot be opened.
    pub(super) fn new(
        folder: &RunFolder,
        context: &'a Context,
        stage: &str,
        (done, total): (usize, usize),
        checkpoint_interval: Duration,
    ) -> Result<Self> {
        let metrics_path = folder.file("metrics.jsonl");
        Ok(Self {
            stage: stage.to_owned(),
            context,
            metrics: open_metrics(&metrics_path, stage, done)?,
            metrics_path,
            events: EventWriter::append(folder.path())
                .map_err(|e| RunError::disk("open an event file in", folder.path(), e))?,
            checkpoint: folder.checkpoint(stage),
            checkpoint_interval,
            last_checkpoint: Instant::now(),
            progress: context.progress(stage, done, total),
            smoothed_loss: None,
            _heeding: context.cancel.heed(),
        })
    }

    fn log(&mut self, step: usize, name: &str, value: f64) {
        // A full disk shows at the next checkpoint, which is not a convenience.
        let _ = self.metrics.write_all(metrics::line(&self.stage, step, name, value).as_bytes());
        let _ = self.events.scalar(&format!("{}/{name}", self.stage), step as u64, value as f32);
    }
}

impl Drop for StageLog<'_> {
    fn drop(&mut self) {
        // The event file is a convenience; the run does not fail over it.
        let _ = self.events.flush();
    }
}

/// Adds `lines` to the metrics of the run in `folder`, in the place of those of `stage` after step `done`.
///
/// # Errors
/// [`RunError::Disk`] if the disk refuses.
pub(super) fn append(folder: &RunFolder, stage: &str, done: usize, lines: &str) -> Result<()> {
    let path = folder.file("metrics.jsonl");
    let mut file = open_metrics(&path, stage, done)?;
    file.write_all(lines.as_bytes()).map_err(|e| RunError::disk("write", path, e))
}

/// Opens the metrics to append to, without the lines of `stage` after step `done`, which are written
/// again, and without what a killed program left of a line.
fn open_metrics(path: &Path, stage: &str, done: usize) -> Result<File> {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let is_kept = |line: &&str| {
        let Ok(value) = serde_json::from_str::<serde_json::Value>(line) else { return false };
        value["stage"] != stage || value["step"].as_u64().is_some_and(|s| s as usize <= done)
    };
    let kept: String = text.lines().filter(is_kept).flat_map(|line| [line, "\n"]).collect();
    atomic::write(path, kept.as_bytes())?;
    OpenOptions::new().append(true).open(path).map_err(|e| RunError::disk("open", path, e))
}

impl Observer for StageLog<'_> {
    fn on_step(&mut self, info: &StepInfo) {
        let smoothed = self.smoothed_loss.map_or(info.loss, |old| 0.98 * old + 0.02 * info.loss);
        self.smoothed_loss = Some(smoothed);
        self.progress.loss(info.step, smoothed);
        if info.step.is_multiple_of(metrics::INTERVAL) {
            self.log(info.step, "loss", info.loss);
            self.log(info.step, "grad_norm", info.grad_norm);
        }
    }

    fn on_assessment(&mut self, step: usize, held_out_loss: f64) {
        self.log(step, "held_out_loss", held_out_loss);
        self.progress.assess(held_out_loss);
    }

    fn on_measure(&mut self, step: usize, name: &'static str, value: f64) {
        self.log(step, name, value);
    }

    fn on_recovery(&mut self, step: usize, back_to: usize, reason: &str) {
        let text = format!("{}: {reason}; going on from step {back_to} with half the step size", self.stage);
        self.context.warn(&text);
        // As for any line of the log, a full disk shows at the next checkpoint.
        if let Ok(metrics) = open_metrics(&self.metrics_path, &self.stage, back_to) {
            self.metrics = metrics;
        }
        self.log(step, "back_to", back_to as f64);
        self.smoothed_loss = None;
    }

    fn wants_checkpoint(&mut self, _step: usize) -> bool {
        self.last_checkpoint.elapsed() >= self.checkpoint_interval
    }

    fn keep(&mut self, state: &TrainerState) -> std::result::Result<(), String> {
        checkpoint::save(&self.checkpoint, state.clone()).map_err(|e| e.to_string())?;
        self.last_checkpoint = Instant::now();
        Ok(())
    }

    fn is_interrupted(&self) -> bool {
        self.context.cancel.is_requested()
    }
}
