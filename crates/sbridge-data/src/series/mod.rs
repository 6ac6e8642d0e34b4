//! Series in time: several quantities at regular times, from the tables and JSON lines people have.
//!
//! Three layouts are read. *Wide*: a table with a column of times and one column for every series. *Long*: a table with
//! a column of times, a column that names the series and a column of values. *JSON lines*: one object per series with
//! `start` and `target`, as GluonTS writes them.
//!
//! Times are read as people of many countries and programs write them, and what can be read in two ways is asked for. A
//! pattern of the week that repeats is a clock: a series of Monday to Saturday has no Sundays. Clocks keep their offset
//! from UTC, across daylight saving time too.
//!
//! Whatever is repaired is noted: rows are sorted, times left out become rows of missing values, a series that repeats the
//! beginning of a longer one is left out. What has no repair is an error: two values for one time, times that are not
//! regular, a series without values, infinite values.

mod assemble;
mod clock;
mod columns;
mod date;
mod daylight;
mod doubts;
mod epoch;
mod fitting;
mod frequency;
mod json_lines;
mod month;
mod scale;
mod step;
mod table;
mod times;
mod week;
mod zone;

pub use clock::{CALENDAR, Clock};
pub use date::DateOrder;
pub use step::Step;
pub use week::Week;

use std::path::Path;

use chrono_tz::{TZ_VARIANTS, Tz};

use crate::dataset::digest_of_bytes;
use crate::file::read_file;
use crate::reading::Reading;
use crate::shown::shown;
use crate::source::not_found;
use crate::suggest::did_you_mean;
use crate::{DataError, Limits, Result};
use scale::Scale;
use times::Told;

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
    /// Series, or columns of words, to leave out; not looked at beside `keep`.
    pub drop: Vec<String>,
    /// The step in time; needed where the file does not say it.
    pub every: Option<Step>,
    /// Words or numbers that stand for a missing value, besides the usual.
    pub missing: Vec<String>,
    /// The order of day, month and year, where the dates do not tell.
    pub dates: Option<DateOrder>,
    /// Where the clock of the times stands, as `Europe/Berlin`; as the offsets say, if there are any, if not given.
    pub zone: Option<String>,
}

impl SeriesLayout {
    /// What is said of times.
    fn told(&self, reading: &Reading) -> Result<Told> {
        let place = |name: &String| {
            name.parse::<Tz>().map_err(|_| {
                let near = did_you_mean(name, TZ_VARIANTS.iter().map(|place| place.name()));
                reading.unknown(
                    format!("there is no time zone '{}'", shown(name)),
                    format!("{near}name one as Europe/Berlin, America/New_York or UTC"),
                )
            })
        };
        Ok(Told { order: self.dates, place: self.zone.as_ref().map(place).transpose()? })
    }
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
        let times =
            times::read(&[start], None, Told::default()).ok().filter(|times| times.scale != Scale::Counts);
        let times =
            times.ok_or_else(|| wrong(format!("{start:?} is not a date"), "write it as 2024-01-31"))?;
        if !step.leads_on() {
            return Err(wrong(format!("a step of {step} leads nowhere"), "give one of at least 1"));
        }
        if names.is_empty() || values.is_empty() || !values.len().is_multiple_of(names.len()) {
            let found = format!("{} values are not rows of {} series", values.len(), names.len());
            return Err(wrong(found, "give times × series values, at least one row"));
        }
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let (source, sha256) = ("memory".into(), digest_of_bytes(&bytes));
        let clock = match step {
            Step::Counts(_) => Clock::new(times.stamps[0], step),
            step => Clock::on(times.scale, times.stamps[0], step),
        };
        let series = Self { source, sha256, names, clock, values, notes: Vec::new() };
        series.checked(&Reading { source: "memory", limits: &Limits::default() })
    }

    /// The same under another name in place of its source.
    #[must_use]
    pub fn named(self, source: &str) -> Self {
        Self { source: source.to_owned(), ..self }
    }

    /// Those at `columns` only, with more to note.
    ///
    /// # Panics
    /// If there is no such column.
    #[must_use]
    pub fn only(self, columns: &[usize], notes: Vec<String>) -> Self {
        let names = columns.iter().map(|j| self.names[*j].clone()).collect();
        let rows = self.values.chunks(self.dim());
        let values = rows.flat_map(|row| columns.iter().map(move |j| row[*j])).collect();
        Self { names, values, notes: [self.notes, notes].concat(), ..self }
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
    let told = layout.told(&reading)?;
    let file = read_file(path, &reading)?;
    let first = file.bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let mut series = match first {
        Some(b'{' | b'[') => json_lines::read(&file.bytes, path, layout, told, &reading)?,
        _ => table::read(&file.bytes, layout, told, &reading)?,
    };
    series.sha256 = file.sha256;
    Ok(series)
}
