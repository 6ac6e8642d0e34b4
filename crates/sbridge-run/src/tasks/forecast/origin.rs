//! Where a forecast starts: the past before the first series ends, what is known since, the calendar after.

use sbridge::forecast::{Bounds, Origin, end_of_known, fill_gaps};
use sbridge::rng::Rng;
use sbridge_data::Series;

use crate::error::{Result, RunError};

/// Times between the end of a series and the forecast that are drawn, at most.
const LONGEST_GAP: usize = 512;

/// Forecasts of `horizon` times start at these `rows` of `series`, each from `context` times of a past.
///
/// A series that ended before the others is drawn from its end on. All origins have the longest gap of them.
///
/// # Errors
/// [`RunError::Input`] for a series that ended too long ago, or before there is a past.
pub(super) fn origins(
    series: &Series,
    rows: &[usize],
    [context, horizon]: [usize; 2],
    bounds: Option<&Bounds>,
) -> Result<Vec<Origin>> {
    let dim = series.dim();
    let on_the_line =
        |values: &[f64]| bounds.map_or_else(|| values.to_vec(), |bounds| bounds.unbounded(values));
    let gap_of = |row: &usize| row - end_of_known(&series.values()[..row * dim], dim);
    let gap = rows.iter().map(gap_of).max().unwrap_or(0);
    let first = rows.iter().copied().min().unwrap_or(0);
    if gap > LONGEST_GAP || first < gap + context {
        return Err(ended(series, rows, gap, context));
    }
    let origin = |row: &usize| {
        let values = on_the_line(&series.values()[..row * dim]);
        let end = (row - gap) * dim;
        // What came later fills no gap before, but a value on both sides of it does.
        let whole = fill_gaps(&values, dim, &Rng::new(0).fork("gaps"));
        let since = values[end..].iter().zip(&whole[end..]).enumerate();
        let is_over = |at: usize| values[end + at..].iter().step_by(dim).all(|x| x.is_nan());
        Origin {
            past: whole[end - context * dim..end].to_vec(),
            since: since
                .map(|(at, (known, filled))| if known.is_nan() && is_over(at) { f64::NAN } else { *filled })
                .collect(),
            calendar: (row - gap..row + horizon).map(|row| series.clock().calendar(row).to_vec()).collect(),
        }
    };
    Ok(rows.iter().map(origin).collect())
}

/// Says which series ended, and when.
fn ended(series: &Series, rows: &[usize], gap: usize, context: usize) -> RunError {
    let dim = series.dim();
    let row = rows
        .iter()
        .copied()
        .max_by_key(|row| row - end_of_known(&series.values()[..row * dim], dim))
        .unwrap_or(0);
    let last = |j: usize| (0..row).rev().find(|k| !series.values()[k * dim + j].is_nan());
    let j = (0..dim).min_by_key(|j| last(*j).unwrap_or(usize::MAX)).unwrap_or(0);
    let at = last(j).map_or(String::new(), |row| series.clock().label(row));
    RunError::Input(format!(
        "series '{}' of {} ends at {at}, {gap} times before a forecast starts; at most {} are drawn in between (leave it out \
         with --drop, or give its later values)",
        series.names()[j],
        series.source(),
        LONGEST_GAP.min(rows.iter().min().unwrap_or(&0).saturating_sub(context))
    ))
}

/// Says which series end before the others, if any does.
pub(super) fn endings(series: &Series) -> Vec<String> {
    let (dim, len) = (series.dim(), series.len());
    let last = |j: usize| (0..len).rev().find(|k| !series.values()[k * dim + j].is_nan());
    let ended = (0..dim).filter_map(|j| last(j).filter(|last| last + 1 < len).map(|last| (j, last)));
    let said = |(j, last): (usize, usize)| {
        format!(
            "series '{}' ends at {}, {} times before the end: forecasts go on from there, and are as wide as that makes \
             them (--drop leaves it out)",
            series.names()[j],
            series.clock().label(last),
            len - 1 - last
        )
    };
    ended.map(said).collect()
}

/// Says which series have stood still for at least a quarter of the times until the end, and moved before.
pub(super) fn stillness(series: &Series) -> Vec<String> {
    let (dim, len) = (series.dim(), series.len());
    let since = |j: usize| {
        let column: Vec<f64> = series.values().iter().skip(j).step_by(dim).copied().collect();
        let last = column[len - 1];
        let moved = (0..len).rev().find(|k| column[*k] != last)?;
        (4 * (len - 1 - moved) >= len).then_some((j, last, moved + 1))
    };
    let said = |(j, value, row): (usize, f64, usize)| {
        format!(
            "series '{}' has been {value} since {}: if it has ended, leave it out with --drop",
            series.names()[j],
            series.clock().label(row)
        )
    };
    (0..dim).filter_map(since).map(said).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use sbridge_data::Step;

    /// Two series of `times` days, the second known until row `end`.
    fn series(times: usize, end: usize) -> Series {
        let value = |k: usize| [k as f64, if k < end { -(k as f64) } else { f64::NAN }];
        let values = (0..times).flat_map(value).collect();
        Series::from_values(vec!["a".into(), "b".into()], "2024-01-01", Step::Seconds(86_400), values)
            .unwrap()
    }

    #[test]
    fn a_forecast_starts_where_the_first_series_ends() {
        let series = series(30, 26);
        let origin = origins(&series, &[30], [5, 3], None).unwrap().remove(0);
        assert_eq!(origin.past[8..], [25.0, -25.0]);
        assert_eq!((origin.since.len(), origin.calendar.len()), (8, 4 + 3));
        assert!(origin.since.chunks(2).zip(26..).all(|(row, k)| row[0] == f64::from(k) && row[1].is_nan()));
        let earlier = origins(&series, &[20, 30], [5, 3], None).unwrap();
        assert_eq!(earlier[0].past[8..], [15.0, -15.0], "gaps of equal length");
        assert_eq!(earlier[0].since, [16.0, -16.0, 17.0, -17.0, 18.0, -18.0, 19.0, -19.0]);
        assert_eq!(endings(&series).len(), 1);
        assert!(endings(&series)[0].contains("series 'b' ends at 2024-01-26, 4 times before the end"));
    }

    #[test]
    fn a_series_that_ended_too_long_ago_is_named() {
        let refused =
            |times, end, row| origins(&series(times, end), &[row], [5, 3], None).unwrap_err().to_string();
        let long_ago = refused(700, 100, 700);
        assert!(long_ago.contains("series 'b' of memory ends at 2024-04-09, 600 times before"), "{long_ago}");
        assert!(refused(30, 3, 30).contains("--drop"), "before there is a past");
    }

    #[test]
    fn a_series_that_stands_still_is_doubted() {
        let values: Vec<f64> = (0..100).map(|k| if k < 70 { f64::from(k % 3) } else { 0.0 }).collect();
        let series =
            Series::from_values(vec!["a".into()], "2024-01-01", Step::Seconds(86_400), values).unwrap();
        assert!(stillness(&series)[0].contains("has been 0 since 2024-03-10"), "{:?}", stillness(&series));
    }
}
