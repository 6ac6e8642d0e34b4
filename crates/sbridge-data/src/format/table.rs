//! Text to columns of numbers: encoding, separator, header, and which cells are not numbers.
//!
//! Lines and columns are counted from 1 in every message, as editors count them.

pub(crate) use super::cell::is_missing;
use super::cell::{Cell, DecimalMark, Evidence, NotANumber};
use crate::Result;
use crate::reading::Reading;
use crate::shown::shown;
use crate::values::Values;

/// The most columns of a table: what a cell costs beside its number must stay bounded.
const MAX_COLUMNS: usize = 1 << 20;

/// A rectangular table of numbers.
pub(crate) struct Table {
    /// Column names, if the first line holds names.
    pub(crate) names: Option<Vec<String>>,
    /// How many columns there are, at least one.
    pub(crate) width: usize,
    /// The numbers, row by row, at least one row; NaN where a cell is missing or text.
    pub(crate) values: Values,
    /// For each column, whether every cell is written as a whole number.
    pub(crate) is_integer: Vec<bool>,
    /// The first cell outside the labels that is neither a number nor missing.
    pub(crate) first_text: Option<TextCell>,
    /// The column of labels, if the names tell of one.
    pub(crate) labels: Option<LabelColumn>,
    /// What the fractions of its numbers begin with.
    pub(crate) mark: DecimalMark,
    /// How many numbers have their thousands apart.
    pub(crate) grouped: usize,
    evidence: Evidence,
}

/// The column that may hold labels, which need not be numbers.
pub(crate) struct LabelColumn {
    /// Which column it is, counting from 0.
    pub(crate) at: usize,
    /// The cells as written.
    pub(crate) cells: Vec<String>,
    /// Whether some cell is neither a number nor missing.
    pub(crate) has_text: bool,
}

/// A cell that is not a number, its line, and its column counting from 0.
pub(crate) struct TextCell {
    pub(crate) line: u64,
    pub(crate) column: usize,
    pub(crate) text: String,
    pub(crate) kind: NotANumber,
}

/// Parses a table; `label_column` picks, by the names, the column whose cells are kept as written.
///
/// # Errors
/// When the text is not UTF-8, a quote is not closed on its line, rows differ in length, the first
/// line mixes names and numbers, commas may be of two kinds, there are too many columns, or no rows of data.
pub(crate) fn parse(
    bytes: &[u8],
    label_column: impl Fn(&[String]) -> Option<usize>,
    reading: &Reading,
) -> Result<Table> {
    let text = utf8(bytes, reading)?;
    let table = read_rows(text, DecimalMark::Point, &label_column, reading)?;
    match table.evidence.decimal_mark() {
        Some(DecimalMark::Point) => Ok(table),
        Some(DecimalMark::Comma) => read_rows(text, DecimalMark::Comma, &label_column, reading),
        None => Err(reading.malformed(
            "numbers such as 1,000 may have thousands or a decimal comma, and no cell tells which",
            "write them without separators between thousands, and with decimal points",
        )),
    }
}

fn read_rows(
    text: &str,
    mark: DecimalMark,
    label_column: impl Fn(&[String]) -> Option<usize>,
    reading: &Reading,
) -> Result<Table> {
    let mut rows = Rows::new(text, reading);
    let first = rows
        .next_row()?
        .ok_or_else(|| reading.malformed("the table is empty", "write at least one row of numbers"))?;
    first.check_width(reading)?;
    let cells = first.cells();
    let names = is_header(&cells, first.line, mark, reading)?.then_some(cells);
    let at = names.as_deref().and_then(label_column);
    let mut table = Table::new(names, first.record.len(), mark, at);
    if table.names.is_none() {
        table.push(&first, reading)?;
    }
    while let Some(row) = rows.next_row()? {
        row.check_length(&first, reading)?;
        table.push(&row, reading)?;
    }
    if table.values.len() == 0 {
        return Err(
            reading.malformed("the table has a header and no rows", "write at least one row of numbers")
        );
    }
    Ok(table)
}

impl Table {
    fn new(names: Option<Vec<String>>, width: usize, mark: DecimalMark, label_column: Option<usize>) -> Self {
        Self {
            names,
            width,
            values: Values::new(),
            is_integer: vec![true; width],
            first_text: None,
            labels: label_column.map(|at| LabelColumn { at, cells: Vec::new(), has_text: false }),
            mark,
            grouped: 0,
            evidence: Evidence::default(),
        }
    }

    fn push(&mut self, row: &Row, reading: &Reading) -> Result<()> {
        for (column, text) in row.record.iter().enumerate() {
            let text = text.trim();
            let cell = Cell::read(text, self.mark);
            self.values.push(cell.value().unwrap_or(f64::NAN));
            self.is_integer[column] &= is_whole(text);
            self.grouped += usize::from(matches!(cell, Cell::Grouped(_)));
            match &mut self.labels {
                Some(labels) if labels.at == column => labels.push(text, cell.value().is_none()),
                _ => self.take_in(text, cell, row.line, column),
            }
        }
        reading.admit_values(&self.values)
    }

    /// Learns from a cell that is no label.
    fn take_in(&mut self, text: &str, cell: Cell, line: u64, column: usize) {
        self.evidence.add(text);
        if let Cell::Other(kind) = cell
            && self.first_text.is_none()
        {
            self.first_text = Some(TextCell { line, column, text: shown(text), kind });
        }
    }
}

impl LabelColumn {
    fn push(&mut self, cell: &str, is_text: bool) {
        self.cells.push(cell.to_owned());
        self.has_text |= is_text;
    }
}

/// The lines of a table, cut into cells.
pub(crate) struct Rows<'a> {
    text: &'a str,
    reader: csv::Reader<&'a [u8]>,
    reading: &'a Reading<'a>,
}

/// One line of a table.
pub(crate) struct Row {
    pub(crate) record: csv::StringRecord,
    pub(crate) line: u64,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(text: &'a str, reading: &'a Reading<'a>) -> Self {
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator(text))
            .from_reader(text.as_bytes());
        Self { text, reader, reading }
    }

    pub(crate) fn next_row(&mut self) -> Result<Option<Row>> {
        let mut record = csv::StringRecord::new();
        let found = self
            .reader
            .read_record(&mut record)
            .map_err(|cause| self.reading.malformed(format!("not a table: {cause}"), "repair that line"))?;
        let row = Row { line: line_of(&record, self.text), record };
        row.check_quotes(self.reading)?;
        Ok(found.then_some(row))
    }
}

impl Row {
    pub(crate) fn cells(&self) -> Vec<String> {
        self.record.iter().map(|cell| cell.trim().to_owned()).collect()
    }

    /// A quote that is never closed swallows the lines below it, which must not go unnoticed.
    fn check_quotes(&self, reading: &Reading) -> Result<()> {
        let Some(column) = self.record.iter().position(|cell| cell.contains(['\n', '\r'])) else {
            return Ok(());
        };
        Err(reading.malformed(
            format!("line {}, column {}: a quoted cell does not end on its line", self.line, column + 1),
            "close the quote, or take the line break out of the cell",
        ))
    }

    fn check_width(&self, reading: &Reading) -> Result<()> {
        let width = self.record.len();
        if width <= MAX_COLUMNS {
            return Ok(());
        }
        Err(reading.unsupported(
            format!(
                "line {} has {width} cells, and at most {MAX_COLUMNS} columns are read from text",
                self.line
            ),
            "save the values as .npy",
        ))
    }

    pub(crate) fn check_length(&self, first: &Self, reading: &Reading) -> Result<()> {
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

/// The text after a byte order mark, if it is UTF-8.
pub(crate) fn utf8<'a>(bytes: &'a [u8], reading: &Reading) -> Result<&'a str> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(
            reading.unsupported("the text is UTF-16", "save it as UTF-8 (\"CSV UTF-8\" in spreadsheets)")
        );
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let line_at = |at: usize| 1 + bytes[..at].iter().filter(|&&byte| byte == b'\n').count();
    if let Some(at) = bytes.iter().position(|&byte| byte == 0) {
        return Err(reading.unsupported(
            format!("line {} holds a zero byte, as UTF-16 and binary files do", line_at(at)),
            "save it as UTF-8 text (\"CSV UTF-8\" in spreadsheets)",
        ));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        reading
            .malformed(format!("line {} is not UTF-8 text", line_at(error.valid_up_to())), "save it as UTF-8")
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
fn is_header(cells: &[String], line: u64, mark: DecimalMark, reading: &Reading) -> Result<bool> {
    let number = |cell: &str| Cell::read(cell, mark).value();
    let text = cells.iter().position(|cell| number(cell).is_none());
    let numbers: Vec<f64> =
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

fn is_whole(cell: &str) -> bool {
    let digits = cell.strip_prefix(['-', '+']).unwrap_or(cell);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
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
            is_header(&cells, 1, DecimalMark::Point, &Reading { source: "x.csv", limits: &limits })
        };
        assert!(header("x,y").unwrap());
        assert!(header(",0,1,2").unwrap());
        assert!(header("label,0,1").unwrap());
        assert!(!header("1,2,3").unwrap());
        assert!(!header("0.5,,nan").unwrap());
        assert!(header("1.5,abc,3").is_err());
    }
}
