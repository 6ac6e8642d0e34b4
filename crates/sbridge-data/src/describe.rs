//! What a source holds, whatever it is: samples, series in time, or matrices of complex numbers.
//!
//! A table whose first row holds a date, and JSON, are series. Missing values of a series are told apart from times that are
//! left out; statistics are those of the values there are.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::file::read_file;
use crate::format::table::first_row_has_date;
use crate::inspect::{line, number, write_list};
use crate::matrices;
use crate::reading::Reading;
use crate::shown::shown;
use crate::{
    DataError, ElementType, Inspection, Limits, Matrices, Result, Series, SeriesLayout, Step, inspect,
    load_matrices, load_series,
};

/// How many series are listed on the screen; all of them are in the data.
const LISTED: usize = 20;

/// What a source holds. Prints as an aligned screen, serialises for machines.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Description {
    /// Samples.
    Samples(Box<Inspection>),
    /// Series in time.
    Series(SeriesInspection),
    /// Square matrices of complex numbers.
    Matrices(MatricesInspection),
}

/// What a file of matrices holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MatricesInspection {
    /// The source as the user typed it.
    pub source: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Number of matrices.
    pub count: usize,
    /// Rows of a matrix, as many as columns.
    pub dim: usize,
    /// Element type in the file.
    pub dtype: ElementType,
    /// Entries of which a part is NaN or infinite.
    pub non_finite: usize,
    /// Least real part of a trace.
    pub least_trace: f64,
    /// Greatest real part of a trace.
    pub greatest_trace: f64,
    /// Largest distance of an entry from the conjugate of its mirror image: 0 of Hermitian matrices.
    pub hermitian_error: f64,
    /// What was understood while reading.
    pub notes: Vec<String>,
}

/// What a file of series holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeriesInspection {
    /// The source as the user typed it.
    pub source: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Number of times, those left out in the file included.
    pub times: usize,
    /// The first time.
    pub first: String,
    /// The time after it, if there is one.
    pub second: Option<String>,
    /// The last time.
    pub last: String,
    /// What lies between one time and the next.
    pub step: Step,
    /// Each series.
    pub series: Vec<OneSeries>,
    /// What was understood or repaired while reading.
    pub notes: Vec<String>,
}

/// One series of several. Statistics are NaN, in JSON null, where there are no values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OneSeries {
    /// Its name.
    pub name: String,
    /// Times without a value.
    pub missing: usize,
    /// Times without a value in a row, at most.
    pub longest_gap: usize,
    /// Least value.
    pub min: f64,
    /// Greatest value.
    pub max: f64,
    /// Mean of the values.
    pub mean: f64,
    /// Standard deviation of the values, with divisor n.
    pub std: f64,
}

/// Describes `source`: as series if `layout` says how they lie, or the file looks like it; else as samples.
///
/// # Errors
/// A [`DataError`] for a source that cannot be read as what it looks like.
pub fn describe(source: &str, layout: &SeriesLayout) -> Result<Description> {
    let series =
        || load_series(source, layout).map(|series| Description::Series(SeriesInspection::of(&series)));
    if *layout != SeriesLayout::default() || is_json(source) {
        return series();
    }
    match inspect(source) {
        Ok(inspection) => Ok(Description::Samples(Box::new(inspection))),
        Err(DataError::Malformed { .. }) if has_dates(source) => series(),
        Err(DataError::Unsupported { .. }) if is_complex(source) => {
            load_matrices(source).map(|matrices| Description::Matrices(MatricesInspection::of(&matrices)))
        }
        Err(refusal) => Err(refusal),
    }
}

/// Whether the source is an array of complex numbers.
fn is_complex(source: &str) -> bool {
    let limits = Limits::default();
    matrices::dtype_of(&Reading { source, limits: &limits }).is_ok_and(ElementType::is_complex)
}

impl MatricesInspection {
    /// Describes matrices.
    #[must_use]
    pub fn of(matrices: &Matrices) -> Self {
        let dim = matrices.dim();
        let is_lost = |entry: &&[f64]| entry.iter().any(|part| !part.is_finite());
        let traces = || {
            let trace = |matrix: &[f64]| (0..dim).map(|i| matrix[2 * i * (dim + 1)]).sum::<f64>();
            matrices.matrices().map(trace)
        };
        let deviation = |matrix: &[f64]| {
            let pairs = (0..dim).flat_map(|i| (0..=i).map(move |j| (2 * (i * dim + j), 2 * (j * dim + i))));
            let size = |(a, b): (usize, usize)| (matrix[a] - matrix[b]).hypot(matrix[a + 1] + matrix[b + 1]);
            pairs.map(size).fold(0.0, f64::max)
        };
        Self {
            source: matrices.source().to_owned(),
            sha256: matrices.sha256().to_owned(),
            count: matrices.len(),
            dim,
            dtype: matrices.dtype(),
            non_finite: matrices.values().chunks_exact(2).filter(is_lost).count(),
            least_trace: traces().fold(f64::INFINITY, f64::min),
            greatest_trace: traces().fold(f64::NEG_INFINITY, f64::max),
            hermitian_error: matrices.matrices().map(deviation).fold(0.0, f64::max),
            notes: matrices.notes().to_vec(),
        }
    }
}

impl fmt::Display for MatricesInspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "source", &self.source)?;
        line(f, "kind", "matrices of complex numbers")?;
        line(f, "matrices", self.count)?;
        line(f, "shape", format_args!("{0}×{0}", self.dim))?;
        line(f, "dtype", self.dtype)?;
        let traces = format!("{} to {}", number(self.least_trace), number(self.greatest_trace));
        line(f, "traces", traces)?;
        match self.hermitian_error {
            0.0 => line(f, "Hermitian", "all, to the last bit")?,
            error => line(f, "Hermitian", format_args!("to {error:.3e}"))?,
        }
        match self.non_finite {
            0 => line(f, "non-finite", "none")?,
            count => line(f, "non-finite", format_args!("{count} entries"))?,
        }
        line(f, "sha256", &self.sha256)?;
        write_list(f, "notes", &self.notes)
    }
}

/// Whether the file is called JSON, which is read for series only.
fn is_json(source: &str) -> bool {
    let name = source.to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    [".json", ".jsonl", ".ndjson"].iter().any(|ending| name.ends_with(ending)) && Path::new(source).is_file()
}

/// Whether the source is a table whose first row holds a date.
fn has_dates(source: &str) -> bool {
    let limits = Limits::default();
    let reading = Reading { source, limits: &limits };
    read_file(Path::new(source), &reading).is_ok_and(|file| first_row_has_date(&file.bytes, &reading))
}

impl SeriesInspection {
    /// Describes series.
    #[must_use]
    pub fn of(series: &Series) -> Self {
        let (clock, times) = (series.clock(), series.len());
        let one = |(j, name): (usize, &String)| {
            let values: Vec<f64> = series.values().iter().skip(j).step_by(series.dim()).copied().collect();
            OneSeries::of(name, &values)
        };
        Self {
            source: series.source().to_owned(),
            sha256: series.sha256().to_owned(),
            times,
            first: clock.label(0),
            second: (times > 1).then(|| clock.label(1)),
            last: clock.label(times.saturating_sub(1)),
            step: clock.step().clone(),
            series: series.names().iter().enumerate().map(one).collect(),
            notes: series.notes().to_vec(),
        }
    }
}

impl OneSeries {
    fn of(name: &str, values: &[f64]) -> Self {
        let there: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        let count = there.len() as f64;
        let mean = there.iter().sum::<f64>() / count;
        let variance = there.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        let gaps = values.split(|value| !value.is_nan()).map(<[f64]>::len);
        Self {
            name: name.to_owned(),
            missing: values.len() - there.len(),
            longest_gap: gaps.max().unwrap_or(0),
            min: there.iter().copied().fold(f64::NAN, f64::min),
            max: there.iter().copied().fold(f64::NAN, f64::max),
            mean,
            std: variance.sqrt(),
        }
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Samples(inspection) => inspection.fmt(f),
            Self::Series(inspection) => inspection.fmt(f),
            Self::Matrices(inspection) => inspection.fmt(f),
        }
    }
}

impl fmt::Display for SeriesInspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "source", &self.source)?;
        line(f, "kind", "series in time")?;
        let second = self.second.as_deref().map(|second| format!(", {second}, …")).unwrap_or_default();
        line(f, "times", format_args!("{}, from {}{second} to {}", self.times, self.first, self.last))?;
        line(f, "step", &self.step)?;
        line(f, "series", self.series.len())?;
        for one in self.series.iter().take(LISTED) {
            let OneSeries { name, missing, longest_gap, min, max, mean, std } = one;
            let [min, max, mean, std] = [min, max, mean, std].map(|value| number(*value));
            let gaps = if *missing > 0 {
                format!("   missing {missing}, {longest_gap} in a row")
            } else {
                String::new()
            };
            line(
                f,
                "",
                format_args!("{}   min {min}   max {max}   mean {mean}   std {std}{gaps}", shown(name)),
            )?;
        }
        if self.series.len() > LISTED {
            line(f, "", format_args!("… and {} more", self.series.len() - LISTED))?;
        }
        line(f, "sha256", &self.sha256)?;
        write_list(f, "notes", &self.notes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn described(name: &str, text: &str) -> Result<Description> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        describe(&path.to_string_lossy(), &SeriesLayout::default())
    }

    #[test]
    fn a_table_with_dates_is_series_with_their_gaps() {
        let text = "date,a,b\n2024-01-01,1,5\n2024-01-02,,5\n2024-01-04,3,5\n";
        let Description::Series(found) = described("x.csv", text).unwrap() else { panic!("samples") };
        assert_eq!((found.times, found.first.as_str(), found.last.as_str()), (4, "2024-01-01", "2024-01-04"));
        let a = &found.series[0];
        assert_eq!((a.missing, a.longest_gap, a.min, a.max, a.mean, a.std), (2, 2, 1.0, 3.0, 2.0, 1.0));
        assert!(found.to_string().contains("from 2024-01-01, 2024-01-02, … to 2024-01-04"), "{found}");
    }

    #[test]
    fn numbers_are_samples_and_a_bad_series_is_refused_as_one() {
        assert!(matches!(described("x.csv", "a,b\n1,2\n3,4\n").unwrap(), Description::Samples(_)));
        let refused = described("x.csv", "date,a\n2024-01-01,1\n2024-01-01,2\n").unwrap_err().to_string();
        assert!(refused.contains("have the same time"), "{refused}");
        let refused = described("x.csv", "a,b\n1,cat\n").unwrap_err().to_string();
        assert!(refused.contains("'cat' is not a number"), "{refused}");
    }

    #[test]
    fn json_is_series() {
        let line = "{\"start\": \"2024-01-01\", \"target\": [1.0, 2.0, 4.0], \"freq\": \"D\"}\n";
        assert!(matches!(described("x.json", line).unwrap(), Description::Series(_)));
    }
}
