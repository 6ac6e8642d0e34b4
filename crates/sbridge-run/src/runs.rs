//! The runs below a folder, in one table.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use sbridge_report::{digits, human_time};
use serde::Serialize;

use crate::error::{Result, RunError};
use crate::folder::RunFolder;
use crate::folder::manifest::RunStatus;
use crate::quality::Headline;
use crate::registry::Registry;

/// One run.
#[derive(Clone, Debug, Serialize)]
pub struct RunRow {
    /// Where it lies.
    pub folder: PathBuf,
    /// Its task.
    pub task: &'static str,
    /// Its method.
    pub method: String,
    /// What it was made from.
    pub data: Vec<String>,
    /// How far it got.
    pub status: RunStatus,
    /// Seconds spent on it.
    pub seconds: f64,
    /// The number it was last judged by, with its name.
    pub headline: Option<Headline>,
}

/// The runs below a folder.
#[derive(Clone, Debug, Serialize)]
pub struct RunTable(pub Vec<RunRow>);

/// The runs in `folder` and below it, in the order of their names. Parts of a run are not listed.
///
/// # Errors
/// [`RunError::Disk`] if the folder cannot be read. A run that cannot be read is left out of the table, and its problem
/// is among the second answer.
pub fn runs(folder: &Path, registry: &Registry) -> Result<(RunTable, Vec<RunError>)> {
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    collect(folder, registry, &mut rows, &mut problems).map_err(|e| RunError::disk("read", folder, e))?;
    Ok((RunTable(rows), problems))
}

fn collect(
    folder: &Path,
    registry: &Registry,
    rows: &mut Vec<RunRow>,
    problems: &mut Vec<RunError>,
) -> std::io::Result<()> {
    if folder.join("manifest.json").exists() {
        match row(folder, registry) {
            Ok(row) => rows.push(row),
            Err(problem) => problems.push(problem),
        }
        return Ok(());
    }
    let mut inside: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // A link may lead back up.
        if entry.file_type()?.is_dir() {
            inside.push(entry.path());
        }
    }
    inside.sort();
    for path in inside {
        if let Err(e) = collect(&path, registry, rows, problems) {
            problems.push(RunError::disk("read", path, e));
        }
    }
    Ok(())
}

fn row(path: &Path, registry: &Registry) -> Result<RunRow> {
    let folder = RunFolder::open(path)?;
    let manifest = folder.manifest()?;
    let (task, headline) = registry.describe(&folder)?;
    let data = manifest.records().named().map(|(_, record)| record.source.clone()).collect();
    let seconds = manifest.seconds.iter().map(|(_, seconds)| seconds).sum();
    Ok(RunRow {
        folder: path.into(),
        task,
        method: manifest.method,
        data,
        status: manifest.status,
        seconds,
        headline,
    })
}

impl RunRow {
    fn cells(&self) -> [String; 7] {
        let status = match &self.status {
            RunStatus::Running => "running, or killed",
            RunStatus::Finished => "finished",
            RunStatus::Interrupted => "interrupted",
            RunStatus::Failed { .. } => "failed",
            RunStatus::Diverged { .. } => "diverged",
        };
        let headline =
            self.headline.map_or("–".into(), |(name, value)| format!("{name} {}", digits(value)));
        [
            self.folder.display().to_string(),
            self.task.into(),
            self.method.clone(),
            self.data.join(" → "),
            status.into(),
            human_time(self.seconds),
            headline,
        ]
    }
}

impl fmt::Display for RunTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["run", "task", "method", "data", "status", "time", "judged by"].map(String::from);
        let lines: Vec<[String; 7]> = std::iter::once(head).chain(self.0.iter().map(RunRow::cells)).collect();
        let width = |j: usize| lines.iter().map(|line| line[j].chars().count()).max().unwrap_or(0);
        let widths: [usize; 7] = std::array::from_fn(width);
        for (k, line) in lines.iter().enumerate() {
            let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            let text = cells.collect::<Vec<_>>().join("  ");
            write!(f, "{}{}", if k > 0 { "\n" } else { "" }, text.trim_end())?;
        }
        Ok(())
    }
}
