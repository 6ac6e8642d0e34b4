//! Wide and long tables of series.

use std::collections::{BTreeMap, HashMap};

use super::assemble::{Found, TimedRow};
use super::clock::parse_date;
use super::{Series, SeriesLayout};
use crate::Result;
use crate::format::table::{Row, Rows, is_missing, utf8};
use crate::reading::Reading;
use crate::shown::{listed, shown};
use crate::suggest::did_you_mean;

/// A table of text with named columns.
struct Table<'a> {
    names: Vec<String>,
    rows: Vec<Row>,
    reading: &'a Reading<'a>,
}

/// Reads a table with a header.
///
/// # Errors
/// When it is no table, a column is not there, or a cell is not what its column should hold.
pub(super) fn read(bytes: &[u8], layout: &SeriesLayout, reading: &Reading) -> Result<Series> {
    let table = Table::parse(utf8(bytes, reading)?, reading)?;
    let time = match &layout.time {
        Some(name) => table.column(name, "--time")?,
        None => table.first_of_dates()?,
    };
    let stamps = table.stamps(time)?;
    let found = match &layout.series {
        None => table.wide(time, stamps)?,
        Some(name) => {
            let series = table.column(name, "--series")?;
            let value = table.value_column(layout.value.as_deref(), [time, series])?;
            table.long([time, series, value], stamps)?
        }
    };
    found.assemble(layout, reading)
}

/// Counts of times, at most: their differences are computed.
const MOST_COUNTED: u64 = 1 << 60;

/// Times, and whether they are dates.
struct Stamps {
    stamps: Vec<i64>,
    is_calendar: bool,
}

impl<'a> Table<'a> {
    fn parse(text: &str, reading: &'a Reading<'a>) -> Result<Self> {
        let mut lines = Rows::new(text, reading);
        let fix = "write a line of names, then a line for every time";
        let header = lines.next_row()?.ok_or_else(|| reading.malformed("the table is empty", fix))?;
        let names = header.cells();
        if names.iter().all(|name| is_missing(name) || name.parse::<f64>().is_ok()) {
            let first = names.first().map(|name| shown(name)).unwrap_or_default();
            return Err(reading.malformed(format!("line 1 ({first}, …) holds no names of columns"), fix));
        }
        if let Some(twice) = names.iter().enumerate().find(|(k, name)| names[..*k].contains(name)) {
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
        Ok(Self { names, rows, reading })
    }

    fn cell(&self, row: usize, column: usize) -> &str {
        self.rows[row].record[column].trim()
    }

    fn column(&self, name: &str, option: &str) -> Result<usize> {
        self.names.iter().position(|known| known == name).ok_or_else(|| {
            let near = did_you_mean(name, self.names.iter().map(String::as_str));
            let fix = format!("{near}{option} is one of {}", listed(&self.names));
            self.reading.unknown(format!("there is no column '{}'", shown(name)), fix)
        })
    }

    fn first_of_dates(&self) -> Result<usize> {
        let found = (0..self.names.len()).find(|j| parse_date(self.cell(0, *j)).is_some());
        found.ok_or_else(|| {
            let fix = format!("name the column of times with --time: {}", listed(&self.names));
            self.reading.malformed("no column holds dates such as 2024-03-01 or 2024-03-01 12:00", fix)
        })
    }

    fn stamps(&self, column: usize) -> Result<Stamps> {
        let cells = || (0..self.rows.len()).map(|row| self.cell(row, column));
        let count =
            |cell: &str| cell.parse::<i64>().ok().filter(|count| count.unsigned_abs() <= MOST_COUNTED);
        let counts: Option<Vec<i64>> = cells().map(count).collect();
        if let Some(stamps) = counts {
            return Ok(Stamps { stamps, is_calendar: false });
        }
        let date = |(row, cell): (usize, &str)| {
            parse_date(cell).ok_or_else(|| {
                let at = format!(
                    "line {}, column {} ({})",
                    self.rows[row].line,
                    column + 1,
                    shown(&self.names[column])
                );
                self.reading.malformed(
                    format!("{at}: '{}' is no time", shown(cell)),
                    "write 2024-03-01 or 2024-03-01 12:00:00, or count with whole numbers",
                )
            })
        };
        let stamps = cells().enumerate().map(date).collect::<Result<Vec<i64>>>()?;
        Ok(Stamps { stamps, is_calendar: true })
    }

    fn number(&self, row: usize, column: usize) -> Result<f64> {
        let cell = self.cell(row, column);
        if is_missing(cell) {
            return Ok(f64::NAN);
        }
        cell.parse().map_err(|_| {
            let at = format!(
                "line {}, column {} ({})",
                self.rows[row].line,
                column + 1,
                shown(&self.names[column])
            );
            let fix = match cell.replacen(',', ".", 1).parse::<f64>() {
                Ok(_) => "write decimal points, not commas",
                Err(_) => {
                    "leave the column out, or name the columns of a long table with --series and --value"
                }
            };
            self.reading.malformed(format!("{at}: '{}' is not a number", shown(cell)), fix)
        })
    }

    /// One column for every series.
    fn wide(&self, time: usize, times: Stamps) -> Result<Found> {
        // A column without a name that counts the lines is an index.
        let is_index =
            |j: usize| self.names[j].is_empty() || self.names[j].eq_ignore_ascii_case("unnamed: 0");
        let used: Vec<usize> = (0..self.names.len()).filter(|j| *j != time && !is_index(*j)).collect();
        if used.is_empty() {
            return Err(self
                .reading
                .malformed("the table has no columns besides the times", "add the series"));
        }
        let row = |(k, stamp): (usize, i64)| {
            let values = used.iter().map(|j| self.number(k, *j)).collect::<Result<Vec<f64>>>()?;
            Ok(TimedRow { stamp, line: self.rows[k].line, values })
        };
        let rows = times.stamps.into_iter().enumerate().map(row).collect::<Result<Vec<TimedRow>>>()?;
        let names = used.iter().map(|j| self.names[*j].clone()).collect();
        Ok(Found { names, rows, is_calendar: times.is_calendar, notes: self.notes(time, times.is_calendar) })
    }

    /// The column of the values: the one asked for, or the only one that is neither.
    fn value_column(&self, name: Option<&str>, taken: [usize; 2]) -> Result<usize> {
        if let Some(name) = name {
            return self.column(name, "--value");
        }
        let left: Vec<usize> = (0..self.names.len()).filter(|j| !taken.contains(j)).collect();
        match left[..] {
            [only] => Ok(only),
            _ => {
                let names: Vec<String> = left.iter().map(|j| self.names[*j].clone()).collect();
                Err(self.reading.malformed(
                    format!("{} columns may hold the values", left.len()),
                    format!("name it with --value: {}", listed(&names)),
                ))
            }
        }
    }

    /// A row for every time and series.
    fn long(&self, [time, series, value]: [usize; 3], times: Stamps) -> Result<Found> {
        let mut names: Vec<String> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut cells: BTreeMap<i64, Vec<(usize, u64, f64)>> = BTreeMap::new();
        for (k, stamp) in times.stamps.iter().enumerate() {
            let name = self.cell(k, series);
            let place = *places.entry(name).or_insert_with(|| {
                names.push(name.to_owned());
                names.len() - 1
            });
            let (at, line) = (cells.entry(*stamp).or_default(), self.rows[k].line);
            if let Some((_, earlier, _)) = at.iter().find(|(known, ..)| *known == place) {
                return Err(self.reading.malformed(
                    format!("lines {earlier} and {line} both give '{}' at one time", shown(name)),
                    "remove one of them",
                ));
            }
            at.push((place, line, self.number(k, value)?));
        }
        if (cells.len() * names.len()) as u64 > self.reading.limits.max_values() {
            let what = format!("{} series at {} times", names.len(), cells.len());
            return Err(self.reading.too_large(what, self.reading.limits.max_bytes));
        }
        let row = |(stamp, cells): (i64, Vec<(usize, u64, f64)>)| {
            let mut values = vec![f64::NAN; names.len()];
            cells.iter().for_each(|(place, _, value)| values[*place] = *value);
            TimedRow { stamp, line: cells[0].1, values }
        };
        let rows = cells.into_iter().map(row).collect();
        let notes = self.notes(time, times.is_calendar);
        Ok(Found { names, rows, is_calendar: times.is_calendar, notes })
    }

    fn notes(&self, time: usize, is_calendar: bool) -> Vec<String> {
        let mut notes = vec![format!("times read from column {} ({})", time + 1, shown(&self.names[time]))];
        if !is_calendar {
            notes.push("times are whole numbers: counted, without a calendar".into());
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Limits, Step};

    fn read_text(text: &str, layout: &SeriesLayout) -> Result<Series> {
        let limits = Limits { max_bytes: 1 << 20 };
        read(text.as_bytes(), layout, &Reading { source: "x.csv", limits: &limits })
    }

    fn refusal(text: &str) -> String {
        read_text(text, &SeriesLayout::default()).unwrap_err().to_string()
    }

    fn long() -> SeriesLayout {
        SeriesLayout { series: Some("id".into()), ..SeriesLayout::default() }
    }

    #[test]
    fn a_wide_and_a_long_table_of_the_same_values_are_the_same_series() {
        let wide = read_text(
            "date,a,b\n2024-01-01,1,10\n2024-01-02,2,20\n2024-01-03,3,\n",
            &SeriesLayout::default(),
        )
        .unwrap();
        let text =
            "id,date,v\nb,2024-01-01,10\na,2024-01-01,1\na,2024-01-03,3\nb,2024-01-02,20\na,2024-01-02,2\n";
        let keep = vec!["a".to_owned(), "b".to_owned()];
        let long = read_text(text, &SeriesLayout { keep, ..long() }).unwrap();
        assert_eq!((wide.names(), wide.clock()), (long.names(), long.clock()));
        assert_eq!(wide.values()[..5], long.values()[..5]);
        assert!(wide.values()[5].is_nan() && long.values()[5].is_nan());
        assert!(
            wide.notes()
                .iter()
                .any(|note| note.contains("1 of 6 values are missing, the first of 'b' at 2024-01-03"))
        );
    }

    #[test]
    fn what_can_be_repaired_is_repaired_and_said() {
        let text = "t,a\n2024-01-03,3\n2024-01-01,1\n2024-01-06,6\n2024-01-02,2\n2024-01-04,NaN\n";
        let series = read_text(text, &SeriesLayout::default()).unwrap();
        assert_eq!(series.clock().step(), Step::Seconds(86_400));
        assert_eq!((series.values()[2], series.values()[5], series.len()), (3.0, 6.0, 6));
        let notes = series.notes().join("; ");
        assert!(
            notes.contains("sorted") && notes.contains("1 times are left out, the first 2024-01-05"),
            "{notes}"
        );
        assert!(notes.contains("2 of 6 values are missing"), "{notes}");
    }

    #[test]
    fn what_cannot_be_repaired_is_refused_with_the_place_and_the_fix() {
        let twice = refusal("t,a\n2024-01-01,1\n2024-01-02,2\n2024-01-01,3\n");
        assert!(twice.contains("lines 2 and 4 have the same time 2024-01-01"), "{twice}");
        let irregular =
            refusal("t,a\n2024-01-01 00:00,1\n2024-01-01 01:00,2\n2024-01-01 01:17,3\n2024-01-01 03:00,3\n");
        assert!(
            irregular.contains("times are not regular") && irregular.contains("1020 seconds"),
            "{irregular}"
        );
        assert!(refusal("t,a\nyesterday,1\n").contains("no column holds dates"));
        assert!(
            refusal("t,a\n2024-01-01,1\nyesterday,2\n")
                .contains("line 3, column 1 (t): 'yesterday' is no time")
        );
        assert!(
            refusal("t,a\n2024-01-01,x\n2024-01-02,2\n")
                .contains("line 2, column 2 (a): 'x' is not a number")
        );
        assert!(refusal("t;a\n2024-01-01;1,5\n2024-01-02;2\n").contains("decimal points"));
        assert!(
            refusal("t,a\n2024-01-01,inf\n2024-01-02,2\n").contains("series 'a' is infinite at 2024-01-01")
        );
        assert!(refusal("t,a,b\n2024-01-01,,1\n2024-01-02,,2\n").contains("series 'a' has no values"));
        assert!(refusal("t,a,a\n2024-01-01,1,1\n").contains("two columns are named 'a'"));
        assert!(refusal("t,a\n2024-01-01,1\n2024-01-02,1\n3000-01-01,1\n").contains("only 3 are there"));
        assert!(refusal("1,2\n3,4\n").contains("no names of columns"));
        let text = "id,t,v\na,2024-01-01,1\na,2024-01-01,2\n";
        assert!(read_text(text, &long()).unwrap_err().to_string().contains("lines 2 and 3 both give 'a'"));
        let layout = SeriesLayout { time: Some("dat".into()), ..SeriesLayout::default() };
        let slip = read_text("date,a\n2024-01-01,1\n", &layout).unwrap_err().to_string();
        assert!(slip.contains("did you mean date?"), "{slip}");
    }

    proptest::proptest! {
        #[test]
        fn whatever_stands_in_a_table_is_read_or_refused(
            cells in proptest::collection::vec("[-0-9.,:T nNae+]{0,12}|2024-0[1-3]-[0-3][0-9]|-?[0-9]{1,19}", 1..40),
        ) {
            let text: String = cells.chunks(2).map(|row| row.join(";") + "\n").collect();
            for layout in [SeriesLayout::default(), SeriesLayout { time: Some("t".into()), ..long() }] {
                let _ = read_text(&format!("t;id\n{text}"), &layout);
                let _ = read_text(&format!("id;t;v\n{text}"), &layout);
            }
        }
    }

    #[test]
    fn whole_numbers_count_without_a_calendar() {
        let layout = SeriesLayout { time: Some("k".into()), ..SeriesLayout::default() };
        let series = read_text("k,a\n10,1\n15,2\n25,4\n", &layout).unwrap();
        assert_eq!((series.len(), series.clock().label(1)), (4, "15".to_owned()));
    }
}
