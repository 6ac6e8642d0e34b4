//! Rows of cells to columns of numbers: what each holds, and which cells are not numbers.

use super::cell::{Cell, DecimalMark, Evidence, NotANumber};
use super::header::{self, Below, FirstRow, is_whole};
use super::table::{Row, Rows, utf8};
use crate::Result;
use crate::reading::Reading;
use crate::shown::shown;
use crate::values::Values;

/// A rectangular table of numbers.
pub(crate) struct Table {
    /// Column names, if the first line holds names.
    pub(crate) names: Option<Vec<String>>,
    /// How many columns there are, at least one.
    pub(crate) width: usize,
    /// The numbers, row by row, at least one row; NaN where a cell is missing or text.
    pub(crate) values: Values,
    /// What the cells of every column are like.
    pub(crate) columns: Vec<Column>,
    /// The first cell of the first column that is neither a number nor missing.
    pub(crate) text_in_front: Option<TextCell>,
    /// The first such cell of the others, labels left aside.
    pub(crate) text: Option<TextCell>,
    /// The column of labels, if the names tell of one.
    pub(crate) labels: Option<LabelColumn>,
    /// What was understood on the way.
    pub(crate) notes: Vec<String>,
    /// What may have been misunderstood.
    pub(crate) doubts: Vec<String>,
    mark: DecimalMark,
    evidence: Evidence,
    grouped: usize,
    first: Option<First>,
    below: Below,
}

/// What all cells of a column have in common.
#[derive(Clone)]
pub(crate) struct Column {
    /// Every cell is written as a whole number.
    pub(crate) is_whole: bool,
    /// Every cell is empty or a mark of a missing value.
    pub(crate) is_empty: bool,
    /// The line of the first cell that is missing or infinite.
    pub(crate) first_gap: Option<u64>,
    /// Every cell is whole, or has a point before three digits, which may part thousands.
    is_three_digit: bool,
    /// The line of the first cell with such a point, and whether there is a whole one.
    first_point: Option<u64>,
    has_whole: bool,
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

/// A first row of whole numbers, which may turn out to be names.
struct First {
    cells: Vec<String>,
    line: u64,
}

/// Columns of a first row that can be names, at most.
const MOST_NUMBERED: usize = 1 << 16;

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
    let table = Table::read(text, DecimalMark::Point, &label_column, reading)?;
    match table.evidence.decimal_mark() {
        Some(DecimalMark::Point) => Ok(table),
        Some(DecimalMark::Comma) => Table::read(text, DecimalMark::Comma, &label_column, reading),
        None => Err(reading.malformed(
            "numbers such as 1,000 may have thousands or a decimal comma, and no cell tells which",
            "write them without separators between thousands, and with decimal points",
        )),
    }
}

/// What stands in a cell.
///
/// # Errors
/// As [`parse`].
pub(crate) fn cell_at(bytes: &[u8], line: u64, column: usize, reading: &Reading) -> Result<String> {
    let mut rows = Rows::new(utf8(bytes, reading)?, reading);
    while let Some(row) = rows.next_row()? {
        if row.line == line {
            return Ok(shown(row.record.get(column).unwrap_or_default().trim()));
        }
    }
    Ok(String::new())
}

impl Table {
    fn read(
        text: &str,
        mark: DecimalMark,
        label_column: impl Fn(&[String]) -> Option<usize>,
        reading: &Reading,
    ) -> Result<Self> {
        let mut rows = Rows::new(text, reading);
        let first = rows
            .next_row()?
            .ok_or_else(|| reading.malformed("the table is empty", "write at least one row of numbers"))?;
        first.check_width(reading)?;
        let cells = first.cells();
        let has_names = header::holds_names(&cells, first.line, mark, reading)?;
        let names = has_names.then(|| cells.clone());
        let at = names.as_deref().and_then(label_column);
        let mut table = Self::new(names, first.record.len(), mark, at);
        if has_names {
            let names = table.names.as_deref().unwrap_or_default();
            table.notes.push(format!(
                "line {} read as column names: {}",
                first.line,
                crate::shown::listed(names)
            ));
        } else {
            let is_candidate = cells.len() <= MOST_NUMBERED && cells.iter().all(|cell| is_whole(cell));
            table.push(&first, reading)?;
            table.first = is_candidate.then_some(First { cells, line: first.line });
            table.below = Below { has_whole: false, has_years: false, rows: 0 };
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
        table.notes.extend(rows.notes());
        table.finish();
        Ok(table)
    }

    fn new(names: Option<Vec<String>>, width: usize, mark: DecimalMark, label_column: Option<usize>) -> Self {
        Self {
            names,
            width,
            values: Values::new(),
            columns: vec![Column::default(); width],
            text_in_front: None,
            text: None,
            labels: label_column.map(|at| LabelColumn { at, cells: Vec::new(), has_text: false }),
            notes: Vec::new(),
            doubts: Vec::new(),
            mark,
            evidence: Evidence::default(),
            grouped: 0,
            first: None,
            below: Below { has_whole: false, has_years: false, rows: 0 },
        }
    }

    fn push(&mut self, row: &Row, reading: &Reading) -> Result<()> {
        let before = self.below;
        for (column, text) in row.record.iter().enumerate() {
            let text = text.trim();
            let cell = Cell::read(text, self.mark);
            self.values.push(cell.value().unwrap_or(f64::NAN));
            match &mut self.labels {
                Some(labels) if labels.at == column => labels.push(text, cell),
                _ => self.take_in(text, cell, row.line, column),
            }
            self.columns[column].take_in(text, cell, row.line);
        }
        self.below.rows = before.rows + 1;
        reading.admit_values(&self.values)
    }

    /// Learns from a cell that is no label.
    fn take_in(&mut self, text: &str, cell: Cell, line: u64, column: usize) {
        self.evidence.add(text);
        match cell {
            Cell::Number(value) => {
                self.below.has_whole |= is_whole(text);
                self.below.has_years |= header::may_be_year(value);
            }
            Cell::Grouped(_) => {
                self.below.has_whole = true;
                self.grouped += 1;
            }
            Cell::Other(kind) => {
                let first = if column == 0 { &mut self.text_in_front } else { &mut self.text };
                first.get_or_insert_with(|| TextCell { line, column, text: shown(text), kind });
            }
            Cell::Missing | Cell::Infinite(_) => {}
        }
    }

    /// Decides about the first row, and says how numbers are written.
    fn finish(&mut self) {
        if let Some(First { cells, line }) = self.first.take() {
            let values: Vec<f64> = (0..self.width).map(|k| self.values.get(k)).collect();
            match header::of_whole_numbers(&values, self.below) {
                FirstRow::Row => {}
                FirstRow::Names => {
                    self.values.drop_front(self.width);
                    self.notes.push(format!("line {line} read as column names: {}", crate::shown::listed(&cells)));
                    self.names = Some(cells);
                }
                FirstRow::Doubtful => self.doubts.push(format!(
                    "line {line} reads {} and is taken as numbers: if these are names, remove the line or put a word among them",
                    crate::shown::listed(&cells)
                )),
            }
        }
        let doubted = self.columns.iter().enumerate().find_map(|(at, column)| {
            let line = column.first_point.filter(|_| column.may_have_thousands())?;
            Some((at, line))
        });
        let comma = self.mark == DecimalMark::Comma;
        if let Some((column, line)) = doubted.filter(|_| !comma) {
            self.doubts.push(format!(
                "column {} has numbers without a point and numbers with three digits behind one, the first on line {line}: if \
                 that point stands between thousands, take it out",
                column + 1
            ));
        }
        if comma {
            self.notes.push("numbers have decimal commas".to_owned());
        }
        if self.grouped > 0 {
            let sign = if comma { "a point" } else { "a comma, a blank or the like" };
            self.notes
                .push(format!("{} numbers have {sign} between thousands: read without it", self.grouped));
        }
    }
}

impl Default for Column {
    fn default() -> Self {
        Self {
            is_whole: true,
            is_empty: true,
            first_gap: None,
            is_three_digit: true,
            first_point: None,
            has_whole: false,
        }
    }
}

impl Column {
    /// Whether its points may part thousands: some cells have one before three digits, all others are whole.
    fn may_have_thousands(&self) -> bool {
        self.is_three_digit && self.has_whole && self.first_point.is_some()
    }

    fn take_in(&mut self, text: &str, cell: Cell, line: u64) {
        let is_whole = is_whole(text);
        if self.is_three_digit && !is_whole {
            self.is_three_digit =
                matches!(Cell::read(text, DecimalMark::Comma), Cell::Grouped(_) | Cell::Missing);
            self.first_point.get_or_insert(line);
        }
        self.has_whole |= is_whole;
        self.is_whole &= is_whole;
        self.is_empty &= cell == Cell::Missing;
        if matches!(cell, Cell::Missing | Cell::Infinite(_)) {
            self.first_gap.get_or_insert(line);
        }
    }
}

impl LabelColumn {
    fn push(&mut self, text: &str, cell: Cell) {
        self.cells.push(text.to_owned());
        self.has_text |= cell.value().is_none();
    }
}
