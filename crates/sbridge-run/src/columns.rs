//! A table by its columns, as text and as parquet.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{ConvertedType, Repetition, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use crate::error::{Result, RunError};
use crate::folder::atomic;

/// The cells of a column.
pub(crate) enum Column<'a> {
    /// Words, each so many times one after the other, and all of them again.
    Text { words: &'a [String], each: usize },
    /// Whole numbers from 0, each so many times.
    Count { each: usize },
    /// Numbers.
    Numbers(&'a [f64]),
}

/// Columns of equal length, by name.
pub(crate) struct Columns<'a> {
    rows: usize,
    columns: Vec<(String, Column<'a>)>,
}

impl Column<'_> {
    fn word(&self, row: usize) -> &str {
        match self {
            Self::Text { words, each } => &words[row / each % words.len()],
            Self::Count { .. } | Self::Numbers(_) => "",
        }
    }

    fn push_cell(&self, text: &mut String, row: usize) {
        let written = match self {
            Self::Text { .. } => write!(text, "{}", quoted(self.word(row))),
            Self::Count { each } => write!(text, "{}", row / each),
            Self::Numbers(values) => write!(text, "{}", values[row]),
        };
        written.expect("a string takes what is written");
    }
}

/// A word as a cell of a table.
fn quoted(word: &str) -> String {
    match word.contains([',', '"', '\n']) {
        true => format!("\"{}\"", word.replace('"', "\"\"")),
        false => word.to_owned(),
    }
}

impl<'a> Columns<'a> {
    pub(crate) fn new(rows: usize) -> Self {
        Self { rows, columns: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &str, column: Column<'a>) -> Self {
        self.columns.push((name.into(), column));
        self
    }

    pub(crate) fn write_csv(&self, path: &Path) -> Result<()> {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        let mut text = names.join(",") + "\n";
        for row in 0..self.rows {
            for (k, (_, column)) in self.columns.iter().enumerate() {
                if k > 0 {
                    text.push(',');
                }
                column.push_cell(&mut text, row);
            }
            text.push('\n');
        }
        atomic::write(path, text.as_bytes())
    }

    pub(crate) fn write_parquet(&self, path: &Path) -> Result<()> {
        let bytes = self.parquet().map_err(|e| RunError::Input(format!("{}: {e}", path.display())))?;
        atomic::write(path, &bytes)
    }

    fn schema(&self) -> std::result::Result<Type, ParquetError> {
        let field = |(name, column): &(String, Column<'_>)| {
            let (kind, converted) = match column {
                Column::Text { .. } => (PhysicalType::BYTE_ARRAY, ConvertedType::UTF8),
                Column::Count { .. } => (PhysicalType::INT32, ConvertedType::NONE),
                Column::Numbers(_) => (PhysicalType::DOUBLE, ConvertedType::NONE),
            };
            let field = Type::primitive_type_builder(name, kind).with_repetition(Repetition::REQUIRED);
            field.with_converted_type(converted).build().map(Arc::new)
        };
        let fields = self.columns.iter().map(field).collect::<std::result::Result<Vec<_>, _>>()?;
        Type::group_type_builder("table").with_fields(fields).build()
    }

    fn parquet(&self) -> std::result::Result<Vec<u8>, ParquetError> {
        let mut bytes = Vec::new();
        let properties = Arc::new(WriterProperties::builder().build());
        let mut writer = SerializedFileWriter::new(&mut bytes, Arc::new(self.schema()?), properties)?;
        let mut group = writer.next_row_group()?;
        for (_, column) in &self.columns {
            let Some(mut out) = group.next_column()? else { break };
            match column {
                Column::Text { .. } => {
                    let words: Vec<ByteArray> = (0..self.rows).map(|row| column.word(row).into()).collect();
                    out.typed::<ByteArrayType>().write_batch(&words, None, None)?;
                }
                Column::Count { each } => {
                    let counts: Vec<i32> = (0..self.rows).map(|row| (row / each) as i32).collect();
                    out.typed::<Int32Type>().write_batch(&counts, None, None)?;
                }
                Column::Numbers(values) => {
                    out.typed::<DoubleType>().write_batch(values, None, None)?;
                }
            }
            out.close()?;
        }
        group.close()?;
        writer.close()?;
        Ok(bytes)
    }
}
