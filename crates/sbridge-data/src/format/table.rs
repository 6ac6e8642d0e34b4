//! Text to columns of numbers: encoding, separator, header, and which cells are not numbers.
//!
//! Lines and columns are counted from 1 in every message, as editors count them.

use crate::Result;
use crate::reading::Reading;

/// A rectangular table of numbers.
pub(crate) struct Table {
    /// Column names, if the first line holds names.
    pub(crate) names: Option<Vec<String>>,
    /// The columns, all of the same positive length.
    pub(crate) columns: Vec<Column>,
}

/// One column: its numbers, and its text where that may matter.
#[derive(Default)]
pub(crate) struct Column {
    /// The numbers; NaN where a cell is missing or text.
    pub(crate) values: Vec<f32>,
    /// The first cell that is neither a number nor missing.
    pub(crate) first_text: Option<TextCell>,
    /// Whether every cell is written as a whole number.
    pub(crate) is_integer: bool,
    /// The cells as written; kept only for the column asked for in [`parse`].
    pub(crate) cells: Vec<String>,
}

/// A cell that is not a number, and its line.
pub(crate) struct TextCell {
    pub(crate) line: u64,
    pub(crate) text: String,
}

/// Parses a table; `keep_text` picks, by the names, one column whose cells are kept as written.
///
/// # Errors
/// When the text is not UTF-8, rows differ in length, the first line mixes names and numbers, or
/// there are no rows of data.
pub(crate) fn parse(
    bytes: &[u8],
    keep_text: impl Fn(&[String]) -> Option<usize>,
    reading: &Reading,
) -> Result<Table> {
    let text = utf8(bytes, reading)?;
    let mut rows = Rows::new(text, reading);
    let first = rows
        .next_row()?
        .ok_or_else(|| reading.malformed("the table is empty", "write at least one row of numbers"))?;
    let names = first.is_names(reading)?.then(|| first.cells());
    let kept = names.as_deref().and_then(keep_text);
    let mut columns: Vec<Column> = first.record.iter().map(|_| Column::new()).collect();
    if names.is_none() {
        push_row(&mut columns, &first, kept);
    }
    while let Some(row) = rows.next_row()? {
        row.check_length(&first, reading)?;
        push_row(&mut columns, &row, kept);
        check_limit(&columns, reading)?;
    }
    if columns[0].values.is_empty() {
        return Err(
            reading.malformed("the table has a header and no rows", "write at least one row of numbers")
        );
    }
    Ok(Table { names, columns })
}

/// The lines of a table, cut into cells.
struct Rows<'a> {
    text: &'a str,
    reader: csv::Reader<&'a [u8]>,
    reading: &'a Reading<'a>,
}

/// One line of a table.
struct Row {
    record: csv::StringRecord,
    line: u64,
}

impl<'a> Rows<'a> {
    fn new(text: &'a str, reading: &'a Reading<'a>) -> Self {
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator(text))
            .from_reader(text.as_bytes());
        Self { text, reader, reading }
    }

    fn next_row(&mut self) -> Result<Option<Row>> {
        let mut record = csv::StringRecord::new();
        let found = self
            .reader
            .read_record(&mut record)
            .map_err(|cause| self.reading.malformed(format!("not a table: {cause}"), "repair that line"))?;
        let line = line_of(&record, self.text);
        Ok(found.then_some(Row { record, line }))
    }
}

impl Row {
    fn cells(&self) -> Vec<String> {
        self.record.iter().map(|cell| cell.trim().to_owned()).collect()
    }

    fn is_names(&self, reading: &Reading) -> Result<bool> {
        is_header(&self.cells(), self.line, reading)
    }

    fn check_length(&self, first: &Self, reading: &Reading) -> Result<()> {
        let [found, expected] = [self.record.len(), first.record.len()];
        if found == expected {
            return Ok(());
        }
        let Self { line, .. } = self;
        Err(reading.malformed(
            format!("line {line} has {found} cells, but line {} has {expected}", first.line),
            "give every line the same number of cells",
        ))
    }
}

impl Column {
    fn new() -> Self {
        Self { is_integer: true, ..Self::default() }
    }
}

/// The text after a byte order mark, if it is UTF-8.
fn utf8<'a>(bytes: &'a [u8], reading: &Reading) -> Result<&'a str> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(
            reading.unsupported("the text is UTF-16", "save it as UTF-8 (\"CSV UTF-8\" in spreadsheets)")
        );
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count();
        reading.malformed(format!("line {line} is not UTF-8 text"), "save it as UTF-8")
    })
}

/// The separator that occurs equally often in every one of the first lines.
///
/// Tab and semicolon come before the comma, which may be a decimal comma inside their cells. Where
/// no separator is consistent, the one most frequent in the first line, so that the ragged line is
/// found and named later.
fn separator(text: &str) -> u8 {
    const CANDIDATES: [u8; 3] = [b'\t', b';', b','];
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).take(20).collect();
    let count = |line: &str, wanted: u8| {
        let mut quoted = false;
        line.bytes()
            .filter(|&byte| {
                quoted ^= byte == b'"';
                byte == wanted && !quoted
            })
            .count()
    };
    let first = |wanted| lines.first().map_or(0, |line| count(line, wanted));
    let consistent =
        |wanted| first(wanted) > 0 && lines.iter().all(|line| count(line, wanted) == first(wanted));
    let most_frequent = || CANDIDATES.into_iter().max_by_key(|&wanted| first(wanted)).unwrap_or(b',');
    CANDIDATES.into_iter().find(|&wanted| consistent(wanted)).unwrap_or_else(most_frequent)
}

/// Whether the first line holds names.
///
/// It does when it holds text; numbers among the names must then be consecutive, as in
/// `label,0,1,2`. A line `,0,1,2`, with an empty name above an index column, is names as well.
/// Anything else that mixes text and numbers is more likely a damaged row than a header.
fn is_header(cells: &[String], line: u64, reading: &Reading) -> Result<bool> {
    let text = cells.iter().position(|cell| number(cell).is_none());
    let numbers: Vec<f32> =
        cells.iter().filter(|cell| !cell.is_empty()).filter_map(|cell| number(cell)).collect();
    let consecutive = numbers.windows(2).all(|pair| pair[1] == pair[0] + 1.0);
    let Some(column) = text else {
        let above_index = cells[0].is_empty() && cells.len() > 1;
        return Ok(above_index && consecutive && numbers.len() == cells.len() - 1 && numbers[0] == 0.0);
    };
    if consecutive {
        return Ok(true);
    }
    Err(reading.malformed(
        format!(
            "line {line}, column {}: '{}' is not a number, but other cells of the line are",
            column + 1,
            shown(&cells[column])
        ),
        "correct the cell, or give every column a name",
    ))
}

/// A number as written; NaN for the usual marks of a missing value; `None` for other text.
fn number(cell: &str) -> Option<f32> {
    let cell = cell.trim();
    let missing = ["", "na", "n/a", "null", "none"].iter().any(|mark| cell.eq_ignore_ascii_case(mark));
    if missing { Some(f32::NAN) } else { cell.parse().ok() }
}

fn is_whole(cell: &str) -> bool {
    let digits = cell.strip_prefix(['-', '+']).unwrap_or(cell);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn push_row(columns: &mut [Column], row: &Row, kept: Option<usize>) {
    for (index, (column, cell)) in columns.iter_mut().zip(&row.record).enumerate() {
        let cell = cell.trim();
        let value = number(cell);
        column.values.push(value.unwrap_or(f32::NAN));
        column.is_integer &= is_whole(cell);
        if value.is_none() && column.first_text.is_none() {
            column.first_text = Some(TextCell { line: row.line, text: shown(cell) });
        }
        if kept == Some(index) {
            column.cells.push(cell.to_owned());
        }
    }
}

fn check_limit(columns: &[Column], reading: &Reading) -> Result<()> {
    let count = columns.len() as u64 * columns[0].values.len() as u64;
    if count > reading.limits.max_values() {
        return Err(reading.too_large(
            format!("the table has at least {count} numbers of 4 bytes"),
            reading.limits.max_bytes,
        ));
    }
    Ok(())
}

/// The line a record begins on.
///
/// The position of a record is where the reader stood before it, which is ahead of any blank lines.
fn line_of(record: &csv::StringRecord, text: &str) -> u64 {
    let Some(position) = record.position() else {
        return 0;
    };
    let ahead = text
        .as_bytes()
        .iter()
        .skip(position.byte() as usize)
        .take_while(|byte| matches!(byte, b'\n' | b'\r'));
    position.line() + ahead.filter(|&&byte| byte == b'\n').count() as u64
}

/// A cell short enough for a message.
fn shown(cell: &str) -> String {
    cell.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_consistent_separator_is_found() {
        assert_eq!(separator("a,b\n1,2\n"), b',');
        assert_eq!(separator("a;b\n1;2\n"), b';');
        assert_eq!(separator("a\tb\n1\t2\n"), b'\t');
        assert_eq!(separator("1,5;2,5\n3,5;4,5\n"), b';');
        assert_eq!(separator("\"a;b\",c\n1,2\n"), b',');
        assert_eq!(separator("1\n2\n"), b',');
    }

    #[test]
    fn names_are_told_from_numbers() {
        let limits = crate::Limits::default();
        let header = |line: &str| {
            let cells: Vec<String> = line.split(',').map(str::to_owned).collect();
            is_header(&cells, 1, &Reading { source: "x.csv", limits: &limits })
        };
        assert!(header("x,y").unwrap());
        assert!(header(",0,1,2").unwrap());
        assert!(header("label,0,1").unwrap());
        assert!(!header("1,2,3").unwrap());
        assert!(!header("0.5,,nan").unwrap());
        assert!(header("1.5,abc,3").is_err());
    }

    #[test]
    fn missing_marks_are_numbers_and_words_are_not() {
        assert!(number("N/A").unwrap().is_nan() && number(" ").unwrap().is_nan());
        assert_eq!(number(" -1.5e3 "), Some(-1500.0));
        assert_eq!(number("1.5 kg"), None);
    }
}
