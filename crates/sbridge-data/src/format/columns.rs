//! Rows of cells to columns of numbers: what each holds, and which cells are not numbers.

use super::cell::{Cell, DecimalMark, Evidence, NotANumber};
use super::header::{self, Below, FirstRow, is_whole};
use super::part::{self, Part};
use super::table::{Row, Rows, utf8};
use crate::Result;
use crate::reading::Reading;
use crate::shown::{listed, shown};
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
    /// The column that says which rows are meant, if not all are.
    pub(crate) chosen_by: Option<usize>,
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

/// Parses a table, or the rows of a part of it; `label_column` picks, by the names, the column whose cells are kept as written.
///
/// # Errors
/// When the text is not UTF-8, a quote is not closed on its line, rows differ in length, the first
/// line mixes names and numbers, commas may be of two kinds, there are too many columns, or no rows of data.
pub(crate) fn parse(
    bytes: &[u8],
    label_column: impl Fn(&[String]) -> Option<usize>,
    part: Option<Part<'_>>,
    reading: &Reading,
) -> Result<Table> {
    let text = utf8(bytes, reading)?;
    let read = |mark| Table::read(text, mark, &label_column, part, reading);
    let table = read(DecimalMark::Point)?;
    match table.evidence.decided(reading)? {
        DecimalMark::Point => Ok(table),
        DecimalMark::Comma => read(DecimalMark::Comma),
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
        part: Option<Part<'_>>,
        reading: &Reading,
    ) -> Result<Self> {
        let mut rows = Rows::new(text, reading);
        let first = rows
            .next_row()?
            .ok_or_else(|| reading.malformed("the table is empty", "write at least one row of numbers"))?;
        first.check_width(reading)?;
        let mut table = Self::begin(&first, mark, label_column, part, reading)?;
        while let Some(row) = rows.next_row()? {
            row.check_length(&first, reading)?;
            if part.zip(table.chosen_by).is_none_or(|(part, at)| part.holds(&row.record[at])) {
                table.push(&row, reading)?;
            }
        }
        if table.values.len() == 0 {
            let no_rows = || {
                reading.malformed("the table has a header and no rows", "write at least one row of numbers")
            };
            return Err(part.map_or_else(no_rows, |part| part.missing(reading)));
        }
        table.notes.extend(rows.notes());
        table.decide_about_first_row();
        table.say_how_numbers_are_written();
        Ok(table)
    }

    /// A table that begins with this row: names, or numbers that may turn out to be names.
    fn begin(
        first: &Row,
        mark: DecimalMark,
        label_column: impl Fn(&[String]) -> Option<usize>,
        part: Option<Part<'_>>,
        reading: &Reading,
    ) -> Result<Self> {
        let (cells, line) = (first.cells(), first.line);
        if !header::holds_names(&cells, line, mark, reading)? {
            part.map_or(Ok(0), |part| part::find(part.column, &[], reading))?;
            let is_candidate = cells.len() <= MOST_NUMBERED && cells.iter().all(|cell| is_whole(cell));
            let mut table = Self::new(None, cells.len(), mark, None);
            table.push(first, reading)?;
            table.first = is_candidate.then_some(First { cells, line });
            table.below = Below::default();
            return Ok(table);
        }
        let chosen_by = part.map(|part| part::find(part.column, &cells, reading)).transpose()?;
        let labels = label_column(&cells).filter(|at| Some(*at) != chosen_by);
        let note = format!("line {line} read as column names: {}", listed(&cells));
        let width = cells.len();
        Ok(Self { chosen_by, notes: vec![note], ..Self::new(Some(cells), width, mark, labels) })
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
            chosen_by: None,
            mark,
            evidence: Evidence::default(),
            grouped: 0,
            first: None,
            below: Below::default(),
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

    /// Takes the first row for names if that is what its numbers are.
    fn decide_about_first_row(&mut self) {
        let Some(First { cells, line }) = self.first.take() else {
            return;
        };
        let values: Vec<f64> = (0..self.width).map(|k| self.values.get(k)).collect();
        match header::of_whole_numbers(&values, self.below) {
            FirstRow::Row => {}
            FirstRow::Names => {
                self.values.drop_front(self.width);
                self.notes.push(format!("line {line} read as column names: {}", listed(&cells)));
                self.names = Some(cells);
            }
            FirstRow::Doubtful => self.doubts.push(format!(
                "line {line} reads {} and is taken as numbers: if these are names, remove the line or put a word among them",
                listed(&cells)
            )),
        }
    }

    fn say_how_numbers_are_written(&mut self) {
        let comma = self.mark == DecimalMark::Comma;
        if comma {
            self.notes.push("numbers have decimal commas".to_owned());
        }
        if self.grouped > 0 {
            let sign = if comma { "a point, a blank or the like" } else { "a comma, a blank or the like" };
            self.notes
                .push(format!("{} numbers have {sign} between thousands: read without it", self.grouped));
        }
        let first_point = |(at, column): (usize, &Column)| Some((at + 1, column.may_have_thousands()?));
        if let Some((column, line)) = self.columns.iter().enumerate().find_map(first_point).filter(|_| !comma)
        {
            self.doubts.push(format!(
                "column {column} has numbers without a point and numbers with three digits behind one, the first on line {line}: \
                 if that point stands between thousands, take it out"
            ));
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
    /// The line of the first point that may part thousands: some cells have one before three digits, all others are whole.
    fn may_have_thousands(&self) -> Option<u64> {
        self.first_point.filter(|_| self.is_three_digit && self.has_whole)
    }

    fn take_in(&mut self, text: &str, cell: Cell, line: u64) {
        let is_whole = is_whole(text);
        if self.is_three_digit && !is_whole {
            match Cell::read(text, DecimalMark::Comma) {
                Cell::Grouped(_) => drop(self.first_point.get_or_insert(line)),
                Cell::Missing => {}
                _ => self.is_three_digit = false,
            }
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
