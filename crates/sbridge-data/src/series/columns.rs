//! A table of text with named columns: which hold times, which numbers, which count the lines.

use super::SeriesLayout;
use super::assemble::quoted;
use super::date::{written, zone_in_letters};
use super::epoch::numbered;
use super::times::{self, EXAMPLES, Times, Told};
use crate::Result;
use crate::format::cell::{Cell, DecimalMark, Evidence, NotANumber};
use crate::format::table::{Row, Rows, is_missing};
use crate::reading::Reading;
use crate::shown::{listed, shown};
use crate::suggest::did_you_mean;

/// Names that columns of times usually have.
const TIMES: [&str; 13] = [
    "time",
    "times",
    "timestamp",
    "date",
    "datetime",
    "date_time",
    "ds",
    "day",
    "month",
    "week",
    "period",
    "index",
    "unix",
];

/// Names that programs give to a column of row numbers, besides none.
const INDICES: [&str; 7] = ["index", "level_0", "rowid", "row", "rownames", "x", "v1"];

/// A table of text with named columns.
pub(super) struct Columns<'a> {
    pub(super) names: Vec<String>,
    pub(super) rows: Vec<Row>,
    pub(super) reading: &'a Reading<'a>,
    /// What was left out of the text.
    pub(super) notes: Vec<String>,
    layout: &'a SeriesLayout,
    mark: DecimalMark,
}

impl<'a> Columns<'a> {
    /// # Errors
    /// When the text is no table with a header, or two columns have one name.
    pub(super) fn parse(text: &str, layout: &'a SeriesLayout, reading: &'a Reading<'a>) -> Result<Self> {
        let mut lines = Rows::new(text, reading);
        let fix = "write a line of names, then a line for every time";
        let header = lines.next_row()?.ok_or_else(|| reading.malformed("the table is empty", fix))?;
        let names = header.cells();
        if names.iter().all(|name| is_missing(name) || name.parse::<f64>().is_ok()) {
            let first = names.first().map(|name| shown(name)).unwrap_or_default();
            return Err(reading.malformed(format!("line 1 ({first}, …) holds no names of columns"), fix));
        }
        let is_twice = |(k, name): &(usize, &String)| !name.is_empty() && names[..*k].contains(name);
        if let Some(twice) = names.iter().enumerate().find(is_twice) {
            return Err(reading
                .malformed(format!("two columns are named '{}'", shown(twice.1)), "rename one of them"));
        }
        let mut rows = Vec::new();
        while let Some(row) = lines.next_row()? {
            row.check_length(&header, reading)?;
            rows.push(row);
            if (rows.len() * names.len()) as u64 > reading.limits.max_values() {
                return Err(reading.too_large(
                    format!("the table has more than {} lines", rows.len()),
                    reading.limits.max_bytes,
                ));
            }
        }
        if rows.is_empty() {
            return Err(reading.malformed("the table has a header and no rows", fix));
        }
        let notes = lines.notes();
        Ok(Self { names, rows, reading, notes, layout, mark: DecimalMark::Point })
    }

    pub(super) fn cell(&self, row: usize, column: usize) -> &str {
        self.rows[row].record[column].trim()
    }

    pub(super) fn cells(&self, column: usize) -> impl Iterator<Item = &str> + Clone {
        (0..self.rows.len()).map(move |row| self.cell(row, column))
    }

    pub(super) fn column(&self, name: &str, option: &str) -> Result<usize> {
        self.names.iter().position(|known| known == name).ok_or_else(|| {
            let near = did_you_mean(name, self.names.iter().map(String::as_str));
            let fix = format!("{near}{option} is one of {}", listed(&self.names));
            self.reading.unknown(format!("there is no column '{}'", shown(name)), fix)
        })
    }

    /// The column of times: the one asked for, the first of dates, or the first that is named like one and holds seconds
    /// since 1970 or dates without dashes.
    pub(super) fn time_column(&self) -> Result<usize> {
        if let Some(name) = &self.layout.time {
            return self.column(name, "--time");
        }
        let is_dated = |j: &usize| {
            let cell = self.cell(0, *j);
            written(cell).is_some() || zone_in_letters(cell).is_some()
        };
        let is_numbered = |j: &usize| {
            let cells: Vec<&str> = self.cells(*j).collect();
            matches!(numbered(&cells), Some(Ok(found)) if found.is_calendar)
        };
        let is_named = |j: &usize| TIMES.iter().any(|name| self.names[*j].eq_ignore_ascii_case(name));
        let mut all = 0..self.names.len();
        let found =
            all.clone().find(is_dated).or_else(|| all.clone().find(|j| is_named(j) && is_numbered(j)));
        found.ok_or_else(|| {
            let looks = all.find(is_numbered).map(|j| {
                let fix = format!("if it holds the times, --time {}", quoted(&self.names[j]));
                (
                    format!(
                        "; column '{}' looks like dates without dashes or seconds since 1970",
                        shown(&self.names[j])
                    ),
                    fix,
                )
            });
            let named = || format!("name the column of times with --time: {}", listed(&self.names));
            let (looks, fix) = looks.unwrap_or_else(|| (String::new(), named()));
            self.reading.malformed(
                format!("no column holds dates such as 2024-03-01 or 2024-03-01 12:00{looks}"),
                fix,
            )
        })
    }

    /// The times in `column`, of which those with the same cell in `key` are of one series.
    pub(super) fn times(&self, column: usize, key: Option<usize>, told: Told) -> Result<Times> {
        let cells: Vec<&str> = self.cells(column).collect();
        let keys: Option<Vec<&str>> = key.map(|key| self.cells(key).collect());
        let mut times = times::read(&cells, keys.as_deref(), told).map_err(|refused| {
            let place = match refused.at {
                Some(row) => self.place(row, column),
                None => format!("column {} ({})", column + 1, shown(&self.names[column])),
            };
            let fix = match refused.fix.as_str() {
                EXAMPLES if self.layout.time.is_none() => format!("{EXAMPLES}; --time names another column"),
                fix => fix.into(),
            };
            self.reading.malformed(format!("{place}: {}", refused.what), fix)
        })?;
        times
            .notes
            .insert(0, format!("times read from column {} ({})", column + 1, shown(&self.names[column])));
        Ok(times)
    }

    fn place(&self, row: usize, column: usize) -> String {
        format!("line {}, column {} ({})", self.rows[row].line, column + 1, shown(&self.names[column]))
    }

    /// Sees in the cells of `columns` whether fractions begin with a point or a comma.
    pub(super) fn learn_decimal_mark(&mut self, columns: &[usize], notes: &mut Vec<String>) -> Result<()> {
        let mut evidence = Evidence::default();
        columns.iter().for_each(|j| self.cells(*j).for_each(|cell| evidence.add(cell)));
        self.mark = evidence.decided(self.reading)?;
        if self.mark == DecimalMark::Comma {
            notes.push("numbers have decimal commas".into());
        }
        let is_grouped = |cell: &&str| matches!(Cell::read(cell, self.mark), Cell::Grouped(_));
        let grouped: usize = columns.iter().map(|j| self.cells(*j).filter(is_grouped).count()).sum();
        if grouped > 0 {
            notes.push(format!("{grouped} numbers have separators between thousands: read without them"));
        }
        Ok(())
    }

    /// The number at a place; NaN where it is missing.
    pub(super) fn number(&self, row: usize, column: usize) -> Result<f64> {
        let text = self.cell(row, column);
        let cell = Cell::read(text, self.mark);
        let is_mark =
            |mark: &String| mark == text || mark.parse().is_ok_and(|mark: f64| cell.value() == Some(mark));
        if self.layout.missing.iter().any(is_mark) {
            return Ok(f64::NAN);
        }
        cell.value().ok_or_else(|| {
            let Cell::Other(kind) = cell else { unreachable!("all else has a value") };
            let what = format!("{}: '{}' {}", self.place(row, column), shown(text), kind.what());
            self.reading.malformed(what, self.fix(kind, text, column))
        })
    }

    /// What to do about a cell that is no number: words in a column of numbers may be missing values, columns of words are
    /// left out.
    fn fix(&self, kind: NotANumber, text: &str, column: usize) -> String {
        let is_number = |cell: &&str| Cell::read(cell, self.mark).value().is_some();
        let is_mostly_numbers = 2 * self.cells(column).filter(is_number).count() > self.rows.len();
        let has_series = self.layout.series.is_some();
        match kind {
            _ if is_mostly_numbers
                && matches!(kind, NotANumber::Text | NotANumber::Date | NotANumber::Truth) =>
            {
                format!("if it stands for a missing value: --missing {}", quoted(text))
            }
            NotANumber::Text | NotANumber::Date if has_series => {
                format!("name the column of values with --value: {}", listed(&self.names))
            }
            NotANumber::Text | NotANumber::Date => {
                let name = quoted(&self.names[column]);
                format!("leave the column out with --drop {name}; if it tells series apart, --series {name}")
            }
            _ => {
                format!("{}, or leave the column out with --drop {}", kind.fix(), quoted(&self.names[column]))
            }
        }
    }

    /// Whether a column without a name of its own counts the lines.
    pub(super) fn is_index(&self, column: usize) -> bool {
        let name = self.names[column].to_ascii_lowercase();
        let is_unnamed = name.is_empty() || name.starts_with("unnamed:") || name.starts_with("...");
        if !is_unnamed && !INDICES.contains(&name.as_str()) {
            return false;
        }
        let counts: Option<Vec<i64>> =
            self.cells(column).map(|cell| cell.trim_end_matches(".0").parse().ok()).collect();
        counts.is_some_and(|counts| counts[0] <= 1 && counts.windows(2).all(|pair| pair[1] - pair[0] == 1))
    }

    /// Whether a column has neither a name nor cells, as where lines end with a separator.
    pub(super) fn is_empty(&self, column: usize) -> bool {
        let name = self.names[column].to_ascii_lowercase();
        (name.is_empty() || name.starts_with("unnamed:")) && self.cells(column).all(is_missing)
    }
}
