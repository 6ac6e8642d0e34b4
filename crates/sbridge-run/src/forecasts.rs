//! Forecasts beyond the end of series, and the files they are written to.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use sbridge_data::write_npy;

use crate::error::{Result, RunError};
use crate::folder::atomic;

/// Columns of a parquet file.
const SCHEMA: &str = "message forecast {
    REQUIRED BYTE_ARRAY time (UTF8);
    REQUIRED BYTE_ARRAY series (UTF8);
    REQUIRED INT32 path;
    REQUIRED DOUBLE value;
}";

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

impl Predicted {
    /// Writes lines of time, series, path and value to a `.csv` or `.parquet` file, or the array to an `.npy` file.
    ///
    /// # Errors
    /// [`RunError::Input`] for another ending, [`RunError::Disk`] if the disk refuses.
    pub fn write(&self, path: &Path) -> Result<()> {
        match path.extension().and_then(|end| end.to_str()) {
            Some("csv") => atomic::write(path, self.csv().as_bytes()),
            Some("parquet") => {
                let bytes =
                    self.parquet().map_err(|e| RunError::Input(format!("{}: {e}", path.display())))?;
                atomic::write(path, &bytes)
            }
            Some("npy") => {
                let values: Vec<f32> = self.values.iter().map(|x| *x as f32).collect();
                Ok(write_npy(path, &values, &[self.samples, self.times.len(), self.names.len()])?)
            }
            _ => {
                let problem = "forecasts are written to .csv, .parquet or .npy";
                Err(RunError::Input(format!("{}: {problem}", path.display())))
            }
        }
    }

    /// Path, time and series of every value, in their order.
    fn places(&self) -> impl Iterator<Item = (usize, &str, &str)> {
        let of_time = move |path, time| self.names.iter().map(move |name| (path, time, name.as_str()));
        let of_path = move |path| self.times.iter().flat_map(move |time| of_time(path, time.as_str()));
        (0..self.samples).flat_map(of_path)
    }

    fn csv(&self) -> String {
        let mut text = String::from("time,series,path,value\n");
        for ((path, time, name), value) in self.places().zip(&self.values) {
            let name = match name.contains([',', '"', '\n']) {
                true => format!("\"{}\"", name.replace('"', "\"\"")),
                false => name.to_owned(),
            };
            writeln!(text, "{time},{name},{path},{value}").expect("a string takes what is written");
        }
        text
    }

    fn parquet(&self) -> std::result::Result<Vec<u8>, ParquetError> {
        let texts =
            |of: fn((usize, &str, &str)) -> ByteArray| self.places().map(of).collect::<Vec<ByteArray>>();
        let paths: Vec<i32> = self.places().map(|(path, ..)| path as i32).collect();
        let mut bytes = Vec::new();
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        let mut writer =
            SerializedFileWriter::new(&mut bytes, schema, Arc::new(WriterProperties::builder().build()))?;
        let mut group = writer.next_row_group()?;
        let mut at = 0;
        while let Some(mut column) = group.next_column()? {
            match at {
                0 => drop(column.typed::<ByteArrayType>().write_batch(
                    &texts(|(_, time, _)| time.into()),
                    None,
                    None,
                )?),
                1 => drop(column.typed::<ByteArrayType>().write_batch(
                    &texts(|(.., name)| name.into()),
                    None,
                    None,
                )?),
                2 => drop(column.typed::<Int32Type>().write_batch(&paths, None, None)?),
                _ => drop(column.typed::<DoubleType>().write_batch(&self.values, None, None)?),
            }
            column.close()?;
            at += 1;
        }
        group.close()?;
        writer.close()?;
        Ok(bytes)
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

    #[test]
    fn lines_name_time_series_and_path() {
        let text = predicted().csv();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "time,series,path,value");
        assert_eq!(lines[2], "2024-01-01,\"b, \"\"c\"\"\",0,1");
        assert_eq!(lines[7], "2024-01-02,a,1,6");
    }

    #[test]
    fn parquet_holds_the_same_values() {
        use parquet::file::reader::{FileReader as _, SerializedFileReader};
        use parquet::record::RowAccessor as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        predicted().write(&path).unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap()).collect();
        assert_eq!(rows.len(), 8);
        let row = &rows[7];
        assert_eq!((row.get_string(0).unwrap().as_str(), row.get_int(2).unwrap()), ("2024-01-02", 1));
        assert_eq!((row.get_string(1).unwrap().as_str(), row.get_double(3).unwrap()), ("b, \"c\"", 7.0));
        assert!(predicted().write(Path::new("x.xlsx")).unwrap_err().to_string().contains(".parquet"));
    }
}
