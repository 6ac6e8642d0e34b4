//! What watches training: progress for people, `metrics.jsonl` and TensorBoard for machines,
//! checkpoints for later.

use std::fs::{File, OpenOptions};
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use sbridge::executor::Observer;
use sbridge::fit::{StepInfo, TrainerState};

use crate::checkpoint;
use crate::error::{Result, RunError};
use crate::folder::RunFolder;
use crate::metrics;
use crate::tensorboard::EventWriter;

/// Whether a stage is training, so that a stop leaves a checkpoint.
static TRAINING: AtomicBool = AtomicBool::new(false);

/// Whether the user asked to stop; looked at between steps.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Asks for a stop. Returns false if nothing will heed it: nothing is training, or it was asked for
/// before.
pub fn request_stop() -> bool {
    !INTERRUPTED.swap(true, Ordering::Relaxed) && TRAINING.load(Ordering::Relaxed)
}

/// Watches one stage of training.
pub struct Watch {
    stage: String,
    metrics: File,
    metrics_path: PathBuf,
    events: EventWriter,
    checkpoint: PathBuf,
    checkpoint_interval: Duration,
    last_checkpoint: Instant,
    progress: Progress,
    smoothed_loss: Option<f64>,
}

impl Watch {
    /// Watches `stage` of the run in `folder`, from step `done` of `total`.
    ///
    /// # Errors
    /// [`RunError::Disk`] if a log cannot be opened.
    pub fn new(
        folder: &RunFolder,
        stage: &str,
        done: usize,
        total: usize,
        checkpoint_interval: Duration,
    ) -> Result<Self> {
        TRAINING.store(true, Ordering::Relaxed);
        let metrics_path = folder.file("metrics.jsonl");
        Ok(Self {
            stage: stage.to_owned(),
            metrics: open_metrics(&metrics_path, stage, done)?,
            metrics_path,
            events: EventWriter::append(folder.path())
                .map_err(|e| RunError::disk("open an event file in", folder.path(), e))?,
            checkpoint: folder.checkpoint(stage),
            checkpoint_interval,
            last_checkpoint: Instant::now(),
            progress: Progress::new(stage, done, total),
            smoothed_loss: None,
        })
    }

    /// Ends the display and flushes the logs.
    pub fn finish(mut self) {
        TRAINING.store(false, Ordering::Relaxed);
        self.progress.finish();
        // The event file is a convenience; the run does not fail over it.
        let _ = self.events.flush();
    }

    fn log(&mut self, step: usize, name: &str, value: f64) {
        // A full disk shows at the next checkpoint, which is not a convenience.
        let _ = self.metrics.write_all(metrics::line(&self.stage, step, name, value).as_bytes());
        let _ = self.events.scalar(&format!("{}/{name}", self.stage), step as u64, value as f32);
    }
}

/// Adds `lines` to the metrics of the run in `folder`, in the place of those of `stage` after step `done`.
///
/// # Errors
/// [`RunError::Disk`] if the disk refuses.
pub fn append(folder: &RunFolder, stage: &str, done: usize, lines: &str) -> Result<()> {
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
    crate::atomic::write(path, kept.as_bytes())?;
    OpenOptions::new().append(true).open(path).map_err(|e| RunError::disk("open", path, e))
}

impl Observer for Watch {
    fn on_step(&mut self, info: &StepInfo) {
        let smoothed = self.smoothed_loss.map_or(info.loss, |old| 0.98 * old + 0.02 * info.loss);
        self.smoothed_loss = Some(smoothed);
        self.progress.advance(info.step, smoothed);
        if info.step.is_multiple_of(metrics::INTERVAL) {
            self.log(info.step, "loss", info.loss);
            self.log(info.step, "grad_norm", info.grad_norm);
        }
    }

    fn on_assessment(&mut self, step: usize, held_out_loss: f64) {
        self.log(step, "held_out_loss", held_out_loss);
        self.progress.assess(held_out_loss);
    }

    fn on_recovery(&mut self, step: usize, back_to: usize, reason: &str) {
        tracing::warn!("{}: {reason}; going on from step {back_to} with half the step size", self.stage);
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
        INTERRUPTED.load(Ordering::Relaxed)
    }
}

/// A bar on a terminal; elsewhere a line now and then.
pub struct Progress {
    stage: String,
    bar: Option<ProgressBar>,
    done: usize,
    total: usize,
    started: Instant,
    first: usize,
    last_line: Instant,
    held_out: Option<f64>,
}

/// Time between two plain lines.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

impl Progress {
    /// Progress of `stage` from `done` to `total`.
    pub fn new(stage: &str, done: usize, total: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = "{prefix:>12} {bar:32} {pos}/{len}  {eta} left  {msg}";
            let style = ProgressStyle::with_template(style).expect("the template is valid");
            let bar = ProgressBar::new(total as u64).with_style(style);
            bar.set_prefix(stage.to_owned());
            bar.set_position(done as u64);
            bar.reset_eta();
            bar
        });
        let now = Instant::now();
        let stage = stage.to_owned();
        Self { stage, bar, done, total, started: now, first: done, last_line: now, held_out: None }
    }

    /// Moves to `done` and shows the loss.
    pub fn advance(&mut self, done: usize, loss: f64) {
        self.show(done, &format!("loss {loss:.4}"));
    }

    /// Moves to `done` with a message.
    pub fn show(&mut self, done: usize, message: &str) {
        self.done = done;
        let held_out = self.held_out.map_or(String::new(), |loss| format!(", held-out {loss:.4}"));
        match &self.bar {
            Some(bar) => {
                bar.set_position(done as u64);
                bar.set_message(format!("{message}{held_out}"));
            }
            None if self.last_line.elapsed() >= LINE_INTERVAL => {
                let left = self.seconds_left();
                eprintln!("{}: {done}/{}, {message}{held_out}, {left:.0} s left", self.stage, self.total);
                self.last_line = Instant::now();
            }
            None => {}
        }
    }

    /// Lets `print` write its lines above the display.
    pub fn aside(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn assess(&mut self, held_out_loss: f64) {
        self.held_out = Some(held_out_loss);
    }

    fn seconds_left(&self) -> f64 {
        let done = (self.done - self.first).max(1) as f64;
        let remaining = (self.total - self.done) as f64;
        self.started.elapsed().as_secs_f64() / done * remaining
    }

    /// Ends the display.
    pub fn finish(&mut self) {
        let seconds = self.started.elapsed().as_secs_f64();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let held_out = self.held_out.map_or(String::new(), |loss| format!(", held-out loss {loss:.4}"));
        eprintln!("{}: {}/{} done in {seconds:.1} s{held_out}", self.stage, self.done, self.total);
    }
}
