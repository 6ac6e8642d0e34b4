//! What a run is given from outside: who watches, who may stop it, data in memory, another device.

use std::sync::Arc;

use sbridge::tensor::{Device, open_device};

use crate::error::Result;
use crate::origin::Origin;
use crate::sources::Sources;
use crate::watch::{Cancel, Level, Progress, Silent, Watch};

/// The surroundings of a run.
#[derive(Clone)]
pub struct Context {
    /// Who watches.
    pub watch: Arc<dyn Watch>,
    /// Who may stop it.
    pub cancel: Cancel,
    /// Data in memory.
    pub sources: Sources,
    /// Where to compute, if not where the settings say.
    pub device: Option<String>,
}

impl Default for Context {
    /// Nobody watches, nothing is in memory.
    fn default() -> Self {
        Self { watch: Arc::new(Silent), cancel: Cancel::default(), sources: Sources::default(), device: None }
    }
}

impl Context {
    /// These surroundings, watched by `watch`.
    #[must_use]
    pub fn watched_by(self, watch: impl Watch + 'static) -> Self {
        Self { watch: Arc::new(watch), ..self }
    }

    /// These surroundings, with data in memory.
    #[must_use]
    pub fn with_sources(self, sources: Sources) -> Self {
        Self { sources, ..self }
    }

    /// These surroundings, with samples counted from `origin`.
    #[must_use]
    pub fn counted_from(&self, origin: Option<Origin>) -> Self {
        Self { sources: self.sources.clone().counted_from(origin), ..self.clone() }
    }

    /// Begins `stage` with `done` of `total` behind it.
    pub fn progress(&self, stage: &str, done: usize, total: usize) -> Progress<'_> {
        Progress::new(self.watch.as_ref(), stage, done, total)
    }

    /// Says what goes on.
    pub fn info(&self, text: &str) {
        self.watch.say(Level::Info, text);
    }

    /// Says what to keep in mind.
    pub fn note(&self, text: &str) {
        self.watch.say(Level::Note, text);
    }

    /// Says what may be wrong.
    pub fn warn(&self, text: &str) {
        self.watch.say(Level::Warning, text);
    }

    /// The device called `named`, unless another was asked for.
    ///
    /// # Errors
    /// [`RunError::Library`](crate::RunError::Library) if there is none.
    pub fn open_device(&self, named: &str) -> Result<Device> {
        Ok(open_device(self.device.as_deref().unwrap_or(named))?)
    }
}
