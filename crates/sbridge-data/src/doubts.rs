//! Numbers that look like something else: marks of missing values, and a column that counts the rows.

use crate::Dataset;
use crate::shown::shown;

/// Sizes of numbers that programs write for a missing value: nines, the ends of integer types, the fills of netCDF and GIS.
const MARKS: [f64; 14] = [
    99.0,
    999.0,
    9999.0,
    99_999.0,
    999_999.0,
    9_999_999.0,
    999.25,
    999.99,
    32_768.0,
    2_147_483_648.0,
    1e20,
    1e30,
    f32::MAX as f64,
    9.969_209_968_386_869e36,
];

/// A mark is farther from all other values than so many times their range.
const FAR: f64 = 2.0;
/// Rows below which neither a far value nor a column that counts is a surprise.
const ENOUGH_ROWS: usize = 10;
/// Columns that are named, at most.
const NAMED: usize = 3;

/// What may have been meant otherwise in samples that are vectors.
pub(crate) fn of(data: &Dataset) -> Vec<String> {
    if data.shape().is_image() {
        return Vec::new();
    }
    let columns = columns(data);
    let marks = columns.iter().enumerate().filter_map(|(at, column)| column.doubt_mark(data, at));
    let counts = columns.iter().enumerate().filter_map(|(at, column)| column.doubt_index(data, at));
    let mut doubts: Vec<String> = marks.take(NAMED).collect();
    doubts.extend(counts.take(NAMED));
    doubts
}

/// What is known of a column after one pass.
#[derive(Clone)]
struct Column {
    /// Least and greatest of the values that are finite and no marks.
    range: [f64; 2],
    /// The mark met first, and how often it stands there.
    mark: Option<(f64, usize)>,
    /// What row 0 holds, as long as every row holds one more than the row before.
    counts_from: Option<f64>,
}

fn columns(data: &Dataset) -> Vec<Column> {
    let size = data.shape().size();
    let new = Column { range: [f64::INFINITY, f64::NEG_INFINITY], mark: None, counts_from: None };
    let mut columns = vec![new; size];
    for (i, value) in data.iter_f64().enumerate() {
        columns[i % size].take_in(value, i / size);
    }
    columns
}

impl Column {
    fn take_in(&mut self, value: f64, row: usize) {
        match row {
            0 => self.counts_from = Some(value),
            _ => self.counts_from = self.counts_from.filter(|from| value == from + row as f64),
        }
        let is_mark = value.abs() >= MARKS[0] && MARKS.contains(&value.abs());
        match &mut self.mark {
            Some((mark, count)) if *mark == value => *count += 1,
            None if is_mark => self.mark = Some((value, 1)),
            _ if value.is_finite() => self.range = [self.range[0].min(value), self.range[1].max(value)],
            _ => {}
        }
    }

    fn doubt_mark(&self, data: &Dataset, at: usize) -> Option<String> {
        let ((mark, count), [low, high]) = (self.mark?, self.range);
        let distance = (low - mark).max(mark - high);
        (data.len() >= ENOUGH_ROWS && high > low && distance > FAR * (high - low)).then(|| {
            let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
            let mark = if mark.abs() < 1e10 { mark.to_string() } else { format!("{mark:e}") };
            format!(
                "{mark} stands {times} in column {}, whose other values lie between {low} and {high}: if it marks a missing \
                 value, take out those rows",
                name(data, at)
            )
        })
    }

    fn doubt_index(&self, data: &Dataset, at: usize) -> Option<String> {
        let counts = self.counts_from.is_some_and(|from| from == 0.0 || from == 1.0);
        (counts && data.len() >= ENOUGH_ROWS && data.shape().size() > 1).then(|| {
            format!("column {} counts the rows: if it is an index, take it out of the file", name(data, at))
        })
    }
}

/// A column by its number, from 1 as tables count, and its name.
fn name(data: &Dataset, at: usize) -> String {
    let name = data.column_names().and_then(|names| names.get(at));
    name.map_or_else(|| (at + 1).to_string(), |name| format!("{} ({})", at + 1, shown(name)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::SampleShape;

    fn doubts(values: Vec<f64>) -> Vec<String> {
        of(&Dataset::from_values_f64("x", values, SampleShape::Vector { dim: 2 }).unwrap())
    }

    #[test]
    fn a_mark_far_from_everything_is_doubted() {
        let rows = |mark: f64| {
            (0..30)
                .flat_map(move |k| [f64::from(k % 7), if k % 9 == 0 { mark } else { 0.5 * f64::from(k % 5) }])
        };
        let found = doubts(rows(-999.0).collect());
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("-999 stands 4 times in column 2, whose other values lie between 0 and 2"),
            "{found:?}"
        );
        assert!(doubts(rows(-7.0).collect()).is_empty());
    }

    #[test]
    fn nines_among_their_like_are_numbers() {
        assert!(doubts((0..60).map(|k| 90.0 + f64::from(k % 31)).collect()).is_empty());
        assert!(doubts((0..60).map(|k| 997.0 + f64::from(k % 3)).collect()).is_empty());
    }

    #[test]
    fn a_column_that_counts_the_rows_is_doubted() {
        let found = doubts((0..20).flat_map(|k| [f64::from(k), f64::from(k * k % 7)]).collect());
        assert!(found[0].starts_with("column 1 counts the rows"), "{found:?}");
    }
}
