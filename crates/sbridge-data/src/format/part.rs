//! The rows of a table that have one value in a column, `table.csv#day=2`, and what values a column has.

use std::collections::BTreeMap;

use super::cell::{Cell, DecimalMark};
use super::table::{Row, Rows, utf8};
use crate::Result;
use crate::reading::Reading;
use crate::shown::{listed, shown};
use crate::suggest::did_you_mean;

/// Different values of a column of times, at most: each is read on its own.
const MOST_TIMES: usize = 1000;

/// The rows whose cell in `column` says `value`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) column: &'a str,
    value: &'a str,
}

impl<'a> Part<'a> {
    /// The part that stands behind the `#` of a source.
    ///
    /// # Errors
    /// When it names no value.
    pub(crate) fn of(text: &'a str, reading: &Reading) -> Result<Self> {
        let (column, value) = text.rsplit_once('=').ok_or_else(|| {
            reading.unknown(
                format!("the rows with which value of '{}' are meant is not said", shown(text)),
                format!("write #{}=VALUE, or give the table to --snapshots", shown(text)),
            )
        })?;
        Ok(Self { column: column.trim(), value: value.trim() })
    }

    /// Whether a cell says the value: as the same number, or the same text.
    pub(super) fn holds(&self, cell: &str) -> bool {
        let cell = cell.trim();
        match [cell, self.value].map(number) {
            [Some(a), Some(b)] => a == b,
            _ => cell == self.value,
        }
    }

    /// What no row says, in words.
    pub(super) fn missing(&self, reading: &Reading) -> crate::DataError {
        reading.unknown(
            format!("no row has {} in column '{}'", shown(self.value), shown(self.column)),
            "`sbridge inspect` describes the table without the part behind #",
        )
    }
}

/// A finite number as tables with decimal points write it.
fn number(cell: &str) -> Option<f64> {
    match Cell::read(cell, DecimalMark::Point) {
        Cell::Number(value) => Some(value),
        _ => None,
    }
}

/// The place of a column among names.
///
/// # Errors
/// When there is none of this name.
pub(super) fn find(column: &str, names: &[String], reading: &Reading) -> Result<usize> {
    names.iter().position(|name| name == column).ok_or_else(|| {
        let near = did_you_mean(column, names.iter().map(String::as_str));
        reading.unknown(
            format!("the table has no column '{}'", shown(column)),
            format!("{near}There is {}", listed(names)),
        )
    })
}

/// The different times in a column of a table, rising, each with the number of its rows.
///
/// # Errors
/// When there is no such column, a cell is no number, or there are too many.
pub(crate) fn times(bytes: &[u8], column: &str, reading: &Reading) -> Result<Vec<(f64, usize)>> {
    let mut rows = Rows::new(utf8(bytes, reading)?, reading);
    let first = rows.next_row()?;
    let names = first.as_ref().map(Row::cells).unwrap_or_default();
    let at = find(column, &names, reading)?;
    let mut counts: BTreeMap<u64, (f64, usize)> = BTreeMap::new();
    while let Some(row) = rows.next_row()? {
        let cell = row.record.get(at).unwrap_or_default();
        let time = number(cell).ok_or_else(|| not_a_time(cell, row.line, column, reading))?;
        // -0.0 and 0.0 are one time.
        counts.entry((time + 0.0).to_bits()).or_insert((time, 0)).1 += 1;
        if counts.len() > MOST_TIMES {
            return Err(reading.unsupported(
                format!("column '{}' has more than {MOST_TIMES} different values", shown(column)),
                "name the column that says when a row was taken, or round its times",
            ));
        }
    }
    let mut times: Vec<(f64, usize)> = counts.into_values().collect();
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(times)
}

fn not_a_time(cell: &str, line: u64, column: &str, reading: &Reading) -> crate::DataError {
    reading.malformed(
        format!("line {line}, column '{}': '{}' is not a number", shown(column), shown(cell.trim())),
        "times of snapshots are numbers: write 8.5 for E8.5, and days for dates",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Limits;

    #[test]
    fn times_of_a_column_are_counted_in_their_order() {
        let limits = Limits::default();
        let reading = Reading { source: "x.csv", limits: &limits };
        let text = b"a,day\n1,2\n1,0\n2,2.0\n3,0.5\n";
        assert_eq!(times(text, "day", &reading).unwrap(), [(0.0, 1), (0.5, 1), (2.0, 2)]);
        let message = |text: &[u8], column| times(text, column, &reading).unwrap_err().to_string();
        assert!(message(text, "dya").contains("no column 'dya'"));
        assert!(message(b"a,day\n1,E8.5\n", "day").contains("line 2, column 'day': 'E8.5' is not a number"));
    }
}
