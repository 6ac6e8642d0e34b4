//! Whether the first row of a table holds the names of its columns.

use super::cell::{Cell, DecimalMark};
use crate::Result;
use crate::reading::Reading;
use crate::shown::shown;

/// Numbers that are likely years.
const YEARS: std::ops::RangeInclusive<f64> = 1800.0..=2200.0;

/// Whether a first row that holds some text is names.
///
/// Numbers among the names must be whole and consecutive, as in `label,0,1,2`, or years that rise. A line `,0,1,2`, with an empty name
/// above an index column, is names as well. Anything else that mixes text and numbers is more likely a damaged row than a
/// header.
///
/// # Errors
/// When it is such a mixture.
pub(super) fn holds_names(cells: &[String], line: u64, mark: DecimalMark, reading: &Reading) -> Result<bool> {
    let number = |cell: &str| Cell::read(cell, mark).value();
    let text = cells.iter().position(|cell| number(cell).is_none());
    let numbers: Vec<f64> =
        cells.iter().filter(|cell| !cell.is_empty()).filter_map(|cell| number(cell)).collect();
    let consecutive = numbers.windows(2).all(|pair| pair[1] == pair[0] + 1.0);
    let Some(column) = text else {
        let above_index = cells[0].is_empty() && cells.len() > 1;
        return Ok(above_index && consecutive && numbers.len() == cells.len() - 1 && numbers[0] == 0.0);
    };
    let written_whole = |cell: &String| cell.is_empty() || number(cell).is_none() || is_whole(cell);
    if cells.iter().all(written_whole) && (consecutive || (are_years(&numbers) && rise(&numbers))) {
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

/// What a first row of numbers is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FirstRow {
    /// A row like the others.
    Row,
    /// Names that are numbers: years, or columns counted.
    Names,
    /// A row that may be names.
    Doubtful,
}

/// What the rows below a first row of numbers are like.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Below {
    /// Some number is written without a point and an exponent.
    pub(super) has_whole: bool,
    /// Some number lies among the years.
    pub(super) has_years: bool,
    /// Rows that hold a number.
    pub(super) rows: usize,
}

/// Whether a first row of whole numbers, of several columns, is names.
///
/// It is where it rises and everything below is written as fractions: pandas writes `0,1,2` above `0.5,1.0,2.5`. So are years
/// that rise, above numbers none of which could be a year. What only might be names is a row, with a doubt.
pub(super) fn of_whole_numbers(first: &[f64], below: Below) -> FirstRow {
    if below.rows == 0 {
        return FirstRow::Row;
    }
    let even_steps = first.windows(2).all(|pair| pair[1] - pair[0] == first[1] - first[0]);
    let consecutive = rise(first) && even_steps && first.len() > 1 && first[1] - first[0] == 1.0;
    let all_years = are_years(first);
    let rises_far = rise(first) && (first.len() > 2 || consecutive || all_years);
    match first.len() {
        0 => FirstRow::Row,
        1 if !below.has_whole && (first[0] == 0.0 || all_years) && below.rows > 1 => FirstRow::Doubtful,
        1 => FirstRow::Row,
        _ if rises_far && !below.has_whole => FirstRow::Names,
        _ if all_years && rise(first) && even_steps && !below.has_years => FirstRow::Names,
        _ if !below.has_whole && below.rows > 2 => FirstRow::Doubtful,
        _ if all_years && rise(first) => FirstRow::Doubtful,
        _ if consecutive && first.len() > 2 && (first[0] == 0.0 || first[0] == 1.0) => FirstRow::Doubtful,
        _ => FirstRow::Row,
    }
}

/// Whether a cell is written in digits alone, perhaps with a sign.
pub(super) fn is_whole(cell: &str) -> bool {
    let digits = cell.strip_prefix(['-', '+']).unwrap_or(cell);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn are_years(numbers: &[f64]) -> bool {
    !numbers.is_empty() && numbers.iter().all(|number| YEARS.contains(number) && number.fract() == 0.0)
}

fn rise(numbers: &[f64]) -> bool {
    numbers.windows(2).all(|pair| pair[1] > pair[0])
}

/// Whether this may be a year.
pub(super) fn may_be_year(value: f64) -> bool {
    YEARS.contains(&value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_told_from_numbers() {
        let limits = crate::Limits::default();
        let header = |line: &str| {
            let cells: Vec<String> = line.split(',').map(str::to_owned).collect();
            holds_names(&cells, 1, DecimalMark::Point, &Reading { source: "x.csv", limits: &limits })
        };
        assert!(header("x,y").unwrap());
        assert!(header(",0,1,2").unwrap());
        assert!(header("label,0,1").unwrap());
        assert!(header("region,1990,2000,2010").unwrap());
        assert!(!header("1,2,3").unwrap());
        assert!(!header("0.5,,nan").unwrap());
        assert!(header("1.5,abc,3").is_err());
        assert!(header("1.0,2.0,abc").is_err());
    }

    #[test]
    fn years_and_counted_columns_are_names_where_nothing_speaks_against_it() {
        let fractions = Below { has_whole: false, has_years: false, rows: 3 };
        let counts = Below { has_whole: true, ..fractions };
        let years = Below { has_whole: true, has_years: true, rows: 3 };
        assert_eq!(of_whole_numbers(&[2019.0, 2020.0, 2021.0], fractions), FirstRow::Names);
        assert_eq!(of_whole_numbers(&[2019.0, 2020.0, 2021.0], counts), FirstRow::Names);
        assert_eq!(of_whole_numbers(&[2019.0, 2020.0, 2021.0], years), FirstRow::Doubtful);
        assert_eq!(of_whole_numbers(&[0.0, 1.0, 2.0], fractions), FirstRow::Names);
        assert_eq!(of_whole_numbers(&[0.0, 1.0, 2.0], counts), FirstRow::Doubtful);
        assert_eq!(of_whole_numbers(&[400.0, 410.0, 420.0], fractions), FirstRow::Names);
        assert_eq!(of_whole_numbers(&[7.0, 3.0], fractions), FirstRow::Doubtful);
        assert_eq!(of_whole_numbers(&[7.0, 3.0], counts), FirstRow::Row);
        assert_eq!(of_whole_numbers(&[1.0, 2.0], Below { rows: 0, ..counts }), FirstRow::Row);
    }
}
