//! Where rows come from: paths and built-in sets, or memory under a name.

use std::collections::BTreeMap;

use sbridge_data::{Dataset, Series, SeriesLayout};

use crate::error::{Result, RunError};
use crate::origin::Origin;
use crate::settings::DataConfig;

/// What a source in memory begins with.
const MEMORY: &str = "memory:";

/// Data in memory, by name; everything else is a path or `builtin:NAME`.
///
/// A set called `cells` is the source `memory:cells` of a run. Its digest is kept like that of a file, so that a run is
/// not continued with other values.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    sets: BTreeMap<String, Dataset>,
    series: BTreeMap<String, Series>,
    origin: Option<Origin>,
}

impl Sources {
    /// These and the samples `data`, under `name`.
    #[must_use]
    pub fn with_set(mut self, name: &str, data: Dataset) -> Self {
        let source = format!("{MEMORY}{name}");
        self.sets.insert(source.clone(), data.named(&source));
        self
    }

    /// These and the series `data`, under `name`.
    #[must_use]
    pub fn with_series(mut self, name: &str, data: Series) -> Self {
        let source = format!("{MEMORY}{name}");
        self.series.insert(source.clone(), data.named(&source));
        self
    }

    /// These, with samples counted from `origin`.
    #[must_use]
    pub fn counted_from(self, origin: Option<Origin>) -> Self {
        Self { origin, ..self }
    }

    /// Where samples are counted from, if not from zero.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// The samples at `source`.
    ///
    /// # Errors
    /// [`RunError::Data`] for data that cannot be used, [`RunError::Input`] for a name that is not in memory.
    pub fn set(&self, source: &str) -> Result<Dataset> {
        let data = match self.sets.get(source) {
            Some(data) => data.clone(),
            None if source.starts_with(MEMORY) => return Err(unknown(source, self.sets.keys())),
            None => sbridge_data::load(source)?,
        };
        Ok(match &self.origin {
            Some(origin) => origin.subtracted_from(data),
            None => data,
        })
    }

    /// The samples that `config` asks for.
    ///
    /// # Errors
    /// As [`set`](Self::set); also for labels that no sample has, or more samples than there are.
    pub fn load(&self, config: &DataConfig) -> Result<Dataset> {
        let all = self.set(&config.source)?;
        let chosen = if config.labels.is_empty() { all } else { all.with_labels_in(&config.labels)? };
        match config.limit {
            0 => Ok(chosen),
            limit if limit <= chosen.len() => Ok(chosen.take(limit)),
            limit => Err(RunError::Input(format!(
                "limit must be at most the {} samples of {}, got {limit} (lower it, or leave it out)",
                chosen.len(),
                config.source
            ))),
        }
    }

    /// The series at `source`, laid out as `layout` says; those in memory are laid out already.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn series(&self, source: &str, layout: &SeriesLayout) -> Result<Series> {
        match self.series.get(source) {
            Some(data) => Ok(data.clone()),
            None if source.starts_with(MEMORY) => Err(unknown(source, self.series.keys())),
            None => Ok(sbridge_data::load_series(source, layout)?),
        }
    }
}

fn unknown<'a>(source: &str, known: impl Iterator<Item = &'a String>) -> RunError {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let known = if known.is_empty() { "none".into() } else { known.join(", ") };
    RunError::Input(format!("no data are in memory as {source} (there is {known})"))
}
