//! The two hooks of a run: who watches it, and who may stop it.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Whoever watches: a terminal, a notebook, a test. By default nothing is done.
pub trait Watch: Send + Sync {
    /// Work called `stage` begins, with `done` of `total` behind it.
    fn begin(&self, _stage: &str, _done: usize, _total: usize) {}

    /// It went on.
    fn step(&self, _step: &Step<'_>) {}

    /// It ended, for whatever reason.
    fn end(&self, _stage: &str) {}

    /// Something a user should know.
    fn say(&self, _level: Level, _text: &str) {}
}

/// How far a stage is.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Its name.
    pub stage: &'a str,
    /// Steps behind it.
    pub done: usize,
    /// Steps there are.
    pub total: usize,
    /// What it is at, in words; may be empty.
    pub at: &'a str,
    /// The last loss on held-out data.
    pub held_out: Option<f64>,
}

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// What goes on.
    Info,
    /// What to keep in mind about the result.
    Note,
    /// What may be wrong.
    Warning,
}

/// Watches nothing.
pub struct Silent;

impl Watch for Silent {}

/// A request to stop, shared by who asks and who heeds it.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<Flags>);

#[derive(Debug, Default)]
struct Flags {
    is_requested: AtomicBool,
    heeding: AtomicUsize,
}

impl Cancel {
    /// Asks for a stop. Returns false if nothing will heed it: nothing does now, or it was asked for before.
    pub fn request(&self) -> bool {
        !self.0.is_requested.swap(true, Ordering::Relaxed) && self.0.heeding.load(Ordering::Relaxed) > 0
    }

    /// Whether a stop was asked for.
    pub fn is_requested(&self) -> bool {
        self.0.is_requested.load(Ordering::Relaxed)
    }

    /// What a loop that can be stopped does next.
    pub fn flow(&self) -> ControlFlow<()> {
        if self.is_requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Says that requests are heeded, for as long as the answer lives.
    pub fn heed(&self) -> Heeding {
        self.0.heeding.fetch_add(1, Ordering::Relaxed);
        Heeding(self.clone())
    }
}

/// Work that looks for requests to stop.
pub struct Heeding(Cancel);

impl Drop for Heeding {
    fn drop(&mut self) {
        self.0.0.heeding.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One stage as it is watched. Its end is told when it is dropped.
pub struct Progress<'a> {
    watch: &'a dyn Watch,
    stage: String,
    total: usize,
    held_out: Option<f64>,
}

impl<'a> Progress<'a> {
    /// Begins `stage` with `done` of `total` behind it.
    pub fn new(watch: &'a dyn Watch, stage: &str, done: usize, total: usize) -> Self {
        watch.begin(stage, done, total);
        Self { watch, stage: stage.into(), total, held_out: None }
    }

    /// Moves to `done`, with what it is at.
    pub fn at(&self, done: usize, at: &str) {
        let Self { stage, total, held_out, .. } = self;
        self.watch.step(&Step { stage, done, total: *total, at, held_out: *held_out });
    }

    /// Moves to `done`, with the loss there.
    pub fn loss(&self, done: usize, loss: f64) {
        self.at(done, &format!("loss {loss:.4}"));
    }

    /// Keeps the loss on held-out data.
    pub fn assess(&mut self, held_out: f64) {
        self.held_out = Some(held_out);
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.watch.end(&self.stage);
    }
}
