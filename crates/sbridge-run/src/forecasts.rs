//! Forecasts beyond the end of series, and the files they are written to.

use std::path::Path;

use sbridge_data::write_npy_f64;
use sbridge_ot::{Outcome, widest_share};

use crate::columns::{Column, Columns};
use crate::error::{Result, RunError};
use crate::samples::require_other_file;

/// Paths of the times after the end of a series.
pub struct Predicted {
    /// The times.
    pub times: Vec<String>,
    /// Names of the series.
    pub names: Vec<String>,
    /// Number of paths.
    pub samples: usize,
    /// `[samples, times, series]`, row by row.
    pub values: Vec<f64>,
}

/// Refuses what could not be written, before anything is drawn: a file of another ending than `.csv`, `.parquet` or `.npy`,
/// one that holds what is read, or `levels` that take more than `samples` paths.
///
/// # Errors
/// [`RunError::Input`] for any of these.
pub fn check_output(out: &Path, read: &str, levels: &[f64], samples: usize) -> Result<()> {
    if !out.extension().and_then(|end| end.to_str()).is_some_and(|end| ENDINGS.contains(&end)) {
        return Err(unknown_ending(out));
    }
    require_other_file("--out", out, read)?;
    levels.iter().try_for_each(|level| check_level(*level, samples))
}

const ENDINGS: [&str; 3] = ["csv", "parquet", "npy"];

fn unknown_ending(path: &Path) -> RunError {
    RunError::Input(format!("{}: forecasts are written to .csv, .parquet or .npy", path.display()))
}

fn check_level(level: f64, samples: usize) -> Result<()> {
    if !(level > 0.0 && level < 1.0) {
        let problem = format!("--quantiles must be between 0 and 1, got {level} (0.5 is the median)");
        return Err(RunError::Input(problem));
    }
    if (1.0 - 2.0 * level).abs() <= widest_share(samples) + ROUNDING {
        return Ok(());
    }
    let needed = (1.0 / level.min(1.0 - level) - ROUNDING).ceil() - 1.0;
    Err(RunError::Input(format!(
        "the quantile {level} takes {needed} paths, and there are {samples} (raise --samples)"
    )))
}

/// What rounding makes of a level.
const ROUNDING: f64 = 1e-9;

/// Levels of the times after the end of a series.
pub struct Levels {
    times: Vec<String>,
    names: Vec<String>,
    levels: Vec<f64>,
    /// `[levels, times, series]`, row by row.
    values: Vec<f64>,
}

impl Predicted {
    /// Writes lines of time, series, path and value to a `.csv` or `.parquet` file, or the array to an `.npy` file.
    ///
    /// # Errors
    /// [`RunError::Input`] for another ending, [`RunError::Disk`] if the disk refuses.
    pub fn write(&self, path: &Path) -> Result<()> {
        let (times, names) = (self.times.len(), self.names.len());
        let columns = Columns::new(self.values.len())
            .with("time", Column::Text { words: &self.times, each: names })
            .with("series", Column::Text { words: &self.names, each: 1 })
            .with("path", Column::Count { each: times * names })
            .with("value", Column::Numbers(&self.values));
        write(path, &columns, &self.values, &[self.samples, times, names])
    }

    /// What a value is below with each of these probabilities, as the paths have it by rank.
    ///
    /// # Errors
    /// [`RunError::Input`] for a level that is none, or that takes more paths.
    pub fn at_levels(&self, levels: &[f64]) -> Result<Levels> {
        levels.iter().try_for_each(|level| check_level(*level, self.samples))?;
        let places = self.times.len() * self.names.len();
        let outcome = |place: usize| {
            let draws = self.values.iter().skip(place).step_by(places).copied().collect();
            Ok::<_, RunError>(Outcome::new(draws, 0.0)?)
        };
        let mut values = vec![0.0; levels.len() * places];
        for place in 0..places {
            let outcome = outcome(place)?;
            levels
                .iter()
                .enumerate()
                .for_each(|(k, level)| values[k * places + place] = outcome.level(*level));
        }
        Ok(Levels { times: self.times.clone(), names: self.names.clone(), levels: levels.to_vec(), values })
    }
}

impl Levels {
    /// Writes lines of time, series and a column for every level to a `.csv` or `.parquet` file, or the array of levels ×
    /// times × series to an `.npy` file.
    ///
    /// # Errors
    /// As [`Predicted::write`].
    pub fn write(&self, path: &Path) -> Result<()> {
        let (times, names) = (self.times.len(), self.names.len());
        let mut columns = Columns::new(times * names)
            .with("time", Column::Text { words: &self.times, each: names })
            .with("series", Column::Text { words: &self.names, each: 1 });
        for (level, values) in self.levels.iter().zip(self.values.chunks(times * names)) {
            columns = columns.with(&level.to_string(), Column::Numbers(values));
        }
        write(path, &columns, &self.values, &[self.levels.len(), times, names])
    }
}

fn write(path: &Path, columns: &Columns<'_>, values: &[f64], shape: &[usize]) -> Result<()> {
    match path.extension().and_then(|end| end.to_str()) {
        Some("csv") => columns.write_csv(path),
        Some("parquet") => columns.write_parquet(path),
        Some("npy") => Ok(write_npy_f64(path, values, shape)?),
        _ => Err(unknown_ending(path)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn predicted() -> Predicted {
        Predicted {
            times: vec!["2024-01-01".into(), "2024-01-02".into()],
            names: vec!["a".into(), "b, \"c\"".into()],
            samples: 2,
            values: (0..8).map(f64::from).collect(),
        }
    }

    fn text(write: impl Fn(&Path) -> Result<()>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        write(&path).unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn lines_name_time_series_and_path() {
        let text = text(|path| predicted().write(path));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "time,series,path,value");
        assert_eq!(lines[2], "2024-01-01,\"b, \"\"c\"\"\",0,1");
        assert_eq!(lines[7], "2024-01-02,a,1,6");
    }

    #[test]
    fn levels_are_columns() {
        let levels = predicted().at_levels(&[0.5]).unwrap();
        let text = text(|path| levels.write(path));
        let lines: Vec<&str> = text.lines().collect();
        // Two paths, and the middle between them.
        assert_eq!(
            (lines[0], lines[1], lines[4]),
            ("time,series,0.5", "2024-01-01,a,2", "2024-01-02,\"b, \"\"c\"\"\",5")
        );
        let refused = |level: f64| predicted().at_levels(&[level]).map(|_| ()).unwrap_err().to_string();
        assert!(refused(1.5).contains("between 0 and 1"));
        assert!(refused(0.1).contains("the quantile 0.1 takes 9 paths, and there are 2 (raise --samples)"));
    }

    #[test]
    fn parquet_holds_the_same_values() {
        use parquet::file::reader::{FileReader as _, SerializedFileReader};
        use parquet::record::RowAccessor as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        let rows = |path: &Path| -> Vec<_> {
            let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
            reader.get_row_iter(None).unwrap().map(|row| row.unwrap()).collect()
        };
        predicted().write(&path).unwrap();
        let found = rows(&path);
        assert_eq!(found.len(), 8);
        let row = &found[7];
        assert_eq!((row.get_string(0).unwrap().as_str(), row.get_int(2).unwrap()), ("2024-01-02", 1));
        assert_eq!((row.get_string(1).unwrap().as_str(), row.get_double(3).unwrap()), ("b, \"c\"", 7.0));
        predicted().at_levels(&[0.5]).unwrap().write(&path).unwrap();
        assert_eq!(rows(&path)[3].get_double(2).unwrap(), 5.0);
        assert!(predicted().write(Path::new("x.xlsx")).unwrap_err().to_string().contains(".parquet"));
    }

    #[test]
    fn arrays_keep_every_digit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let (names, times) = (vec!["a".into()], vec!["1".into()]);
        Predicted { times, names, samples: 1, values: vec![1e9 + 0.125] }.write(&path).unwrap();
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(bytes[bytes.len() - 8..], (1e9 + 0.125f64).to_le_bytes());
    }
}
