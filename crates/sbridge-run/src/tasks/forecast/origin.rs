//! Where a forecast starts: the past before it, and the calendar after.

use sbridge::forecast::{Bounds, Endings, Origin};
use sbridge::rng::Rng;
use sbridge_data::Series;

use crate::error::{Result, RunError};

/// Times between the end of a series and a forecast, at most.
const LONGEST_GAP: usize = 512;

/// Starts of the paths of one forecast.
pub(super) struct Starts {
    /// One for all paths; or one for each, where some series ended before.
    pub(super) origins: Vec<Origin>,
    /// Paths from each.
    pub(super) paths: usize,
    /// The past with ended series at their last values.
    pub(super) standing: Vec<f64>,
}

/// Starts of `samples` paths of `horizon` times from `row` of `series`, each after `context` times of a past.
///
/// A series that ended before goes on, in another way for each path, as it moved before.
///
/// # Errors
/// [`RunError::Input`] for a series that ended too long ago.
pub(super) fn starts(
    series: &Series,
    row: usize,
    [context, horizon, samples]: [usize; 3],
    bounds: Option<&Bounds>,
) -> Result<Starts> {
    let dim = series.dim();
    let values = &series.values()[..row * dim];
    let on_the_line = bounds.map_or_else(|| values.to_vec(), |bounds| bounds.unbounded(values));
    let rng = Rng::new(0).fork("gaps");
    let endings = Endings::new(&on_the_line, dim, &rng);
    if endings.gap() > LONGEST_GAP {
        return Err(ended(series, row, endings.gap()));
    }
    let calendar: Vec<Vec<f32>> =
        (row..row + horizon).map(|row| series.clock().calendar(row).to_vec()).collect();
    let origin = |past: Vec<f64>| Origin { past, calendar: calendar.clone() };
    let standing = endings.standing(context);
    if endings.gap() == 0 {
        return Ok(Starts { origins: vec![origin(standing.clone())], paths: samples, standing });
    }
    let mut rng = rng.fork(&format!("from {row}"));
    let piece = [context, series.clock().season()];
    let origins = (0..samples).map(|_| origin(endings.going_on(context, piece, &mut rng))).collect();
    Ok(Starts { origins, paths: 1, standing })
}

/// The last of the first `rows` rows in which series `j` is known.
fn last_known(series: &Series, rows: usize, j: usize) -> Option<usize> {
    (0..rows).rev().find(|row| !series.values()[row * series.dim() + j].is_nan())
}

/// Says which series ended, and when.
fn ended(series: &Series, row: usize, gap: usize) -> RunError {
    let last = |j: usize| last_known(series, row, j);
    let j = (0..series.dim()).min_by_key(|j| last(*j).unwrap_or(usize::MAX)).unwrap_or(0);
    let at = last(j).map_or(String::new(), |row| series.clock().label(row));
    RunError::Input(format!(
        "series '{}' of {} ends at {at}, {gap} times before a forecast starts, at most {LONGEST_GAP} are bridged (leave it out \
         with --drop, or give its later values)",
        series.names()[j],
        series.source(),
    ))
}

/// Says which series end before the others, if any does.
pub(super) fn endings(series: &Series) -> Vec<String> {
    let (dim, len) = (series.dim(), series.len());
    let ended = (0..dim)
        .filter_map(|j| last_known(series, len, j).filter(|last| last + 1 < len).map(|last| (j, last)));
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
    fn paths_start_where_an_ended_series_may_be() {
        let series = series(30, 26);
        let starts = starts(&series, 30, [5, 3, 7], None).unwrap();
        assert_eq!((starts.origins.len(), starts.paths), (7, 1));
        assert_eq!(starts.standing[8..], [29.0, -25.0]);
        let origin = &starts.origins[0];
        assert_eq!(
            (&origin.past[8..], origin.calendar.len()),
            (&[29.0, -29.0][..], 3),
            "it always fell by one"
        );
        let before = super::starts(&series, 20, [5, 3, 7], None).unwrap();
        assert_eq!((before.origins.len(), before.paths), (1, 7), "none had ended then");
        assert!(endings(&series)[0].contains("series 'b' ends at 2024-01-26, 4 times before the end"));
    }

    #[test]
    fn a_series_that_ended_too_long_ago_is_named() {
        let refused = starts(&series(700, 100), 700, [5, 3, 7], None).map(|_| ()).unwrap_err().to_string();
        assert!(refused.contains("series 'b' of memory ends at 2024-04-09, 600 times before"), "{refused}");
    }

    #[test]
    fn a_series_that_stands_still_is_doubted() {
        let values: Vec<f64> = (0..100).map(|k| if k < 70 { f64::from(k % 3) } else { 0.0 }).collect();
        let series =
            Series::from_values(vec!["a".into()], "2024-01-01", Step::Seconds(86_400), values).unwrap();
        assert!(stillness(&series)[0].contains("has been 0 since 2024-03-10"), "{:?}", stillness(&series));
    }
}
