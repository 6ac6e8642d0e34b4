//! Series in time: several quantities at regular times, from the tables and JSON lines people have.
//!
//! Three layouts are read. *Wide*: a table with a column of times and one column for every series. *Long*: a table with
//! a column of times, a column that names the series and a column of values. *JSON lines*: one object per series with
//! `start` and `target`, as GluonTS writes them.
//!
//! Whatever is repaired is noted: rows are sorted, times left out become rows of missing values, a series that repeats the
//! beginning of a longer one is left out. What has no repair is an error: two values for one time, times that are not
//! regular, a series without values, infinite values.

mod assemble;
mod clock;
mod json_lines;
mod table;

pub use clock::{CALENDAR, Clock, Step};

use std::path::Path;

use crate::dataset::digest_of_bytes;
use crate::file::read_file;
use crate::reading::Reading;
use crate::source::not_found;
use crate::{DataError, Limits, Result};

/// How a file holds series; what is not said is seen in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesLayout {
    /// Column of the times; the first that holds dates if not given.
    pub time: Option<String>,
    /// Column that names the series, for a long table.
    pub series: Option<String>,
    /// Column of the values of a long table; the only one left if not given.
    pub value: Option<String>,
    /// Series to keep, in this order; all if empty.
    pub keep: Vec<String>,
    /// The step in time; needed where the file does not say it.
    pub every: Option<Step>,
}

/// Quantities at regular times.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    source: String,
    sha256: String,
    names: Vec<String>,
    clock: Clock,
    values: Vec<f64>,
    notes: Vec<String>,
}

impl Series {
    /// Series called `names` from values already in memory, `[times, series]` row by row, NaN where missing, at times
    /// one `step` apart from `start` on, a date or a date with a time as files have them.
    ///
    /// # Errors
    /// A [`DataError`] for a start that is no date, values that are not rows of all series, infinite ones, or a series
    /// without any.
    pub fn from_values(names: Vec<String>, start: &str, step: Step, values: Vec<f64>) -> Result<Self> {
        let wrong = |what: String, fix: &str| DataError::Argument { what, fix: fix.into() };
        let stamp = clock::parse_date(start)
            .ok_or_else(|| wrong(format!("{start:?} is not a date"), "write it as 2024-01-31"))?;
        if names.is_empty() || values.is_empty() || !values.len().is_multiple_of(names.len()) {
            let found = format!("{} values are not rows of {} series", values.len(), names.len());
            return Err(wrong(found, "give times × series values, at least one row"));
        }
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let (source, sha256) = ("memory".into(), digest_of_bytes(&bytes));
        let series =
            Self { source, sha256, names, clock: Clock::new(stamp, step), values, notes: Vec::new() };
        series.checked(&Reading { source: "memory", limits: &Limits::default() })
    }

    /// The same under another name in place of its source.
    #[must_use]
    pub fn named(self, source: &str) -> Self {
        Self { source: source.to_owned(), ..self }
    }

    /// As the user typed it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Digest of the file.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Names of the series.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of series.
    pub fn dim(&self) -> usize {
        self.names.len()
    }

    /// Number of times.
    pub fn len(&self) -> usize {
        self.values.len() / self.dim()
    }

    /// Whether there is no time; never so for what was read.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The times.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Values, `[times, series]`, row by row; NaN where missing.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// What was assumed and repaired.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// Reads the series in the file `source`.
///
/// # Errors
/// A [`DataError`](crate::DataError) that says what is wrong, the value, and the fix.
pub fn load_series(source: &str, layout: &SeriesLayout) -> Result<Series> {
    let limits = Limits::default();
    let reading = Reading { source, limits: &limits };
    let path = Path::new(source);
    if !path.exists() {
        return Err(not_found(path, &reading));
    }
    let file = read_file(path, &reading)?;
    let is_json = file.bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let mut series = match is_json {
        true => json_lines::read(&file.bytes, path, layout, &reading)?,
        false => table::read(&file.bytes, layout, &reading)?,
    };
    series.sha256 = file.sha256;
    Ok(series)
}
