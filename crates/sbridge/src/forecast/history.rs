//! Series as a forecast sees them: without gaps, in units of their own movement.

use crate::error::{Error, Result};

/// Series at regular times without gaps, and what the calendar says of every time.
#[derive(Clone, Debug)]
pub struct History {
    dim: usize,
    features: usize,
    values: Vec<f64>,
    calendar: Vec<f32>,
    /// Root mean square of the steps of each series.
    spread: Vec<f64>,
}

impl History {
    /// Of `values`, `[times, dim]`, and `calendar`, `[times, features]`, row by row.
    ///
    /// # Errors
    /// [`Error::Setting`] for a series that does not move, named by its number.
    ///
    /// # Panics
    /// If the lengths do not fit, or a value is not finite.
    pub fn new(dim: usize, values: Vec<f64>, calendar: Vec<f32>) -> Result<Self> {
        assert!(values.iter().all(|x| x.is_finite()), "gaps are filled before");
        let times = values.len() / dim;
        assert_eq!((times * dim, calendar.len() % times), (values.len(), 0), "rows of equal length");
        let spread = spread(&values, dim);
        if let Some(still) = spread.iter().position(|s| *s == 0.0) {
            let value = format!("series {} at {} at all times", still + 1, values[still]);
            return Err(Error::setting(
                "history",
                "of series that move",
                value,
                "leave out what is constant",
            ));
        }
        Ok(Self { dim, features: calendar.len() / times, values, calendar, spread })
    }

    /// Number of series.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of times.
    pub fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    /// Whether there is no time; never so.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// All values, `[times, dim]`, row by row.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Numbers the calendar gives for a time.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Root mean square of the steps of each series, `[dim]`.
    pub fn spread(&self) -> &[f64] {
        &self.spread
    }

    /// The `count` rows before `end`.
    pub(super) fn before(&self, end: usize, count: usize) -> &[f64] {
        &self.values[(end - count) * self.dim..end * self.dim]
    }

    /// Values at `row`.
    pub(super) fn at(&self, row: usize) -> &[f64] {
        &self.values[row * self.dim..][..self.dim]
    }

    /// What the calendar says of `row`.
    pub(super) fn calendar_at(&self, row: usize) -> &[f32] {
        &self.calendar[row * self.features..][..self.features]
    }
}

/// Root mean square of the steps of each series.
fn spread(values: &[f64], dim: usize) -> Vec<f64> {
    let steps = (values.len() / dim).saturating_sub(1).max(1) as f64;
    let mut squares = vec![0.0; dim];
    for (next, last) in values[dim.min(values.len())..].chunks_exact(dim).zip(values.chunks_exact(dim)) {
        squares.iter_mut().zip(next).zip(last).for_each(|((total, a), b)| *total += (a - b) * (a - b));
    }
    squares.into_iter().map(|total| (total / steps).sqrt()).collect()
}

/// How much the series moves: half from the steps in `window`, half from all, so that a jump after a quiet time stays of
/// bounded size.
pub(super) fn local_scale(window: &[f64], overall: &[f64]) -> Vec<f64> {
    let of_both = |(lately, always): (f64, &f64)| (0.5 * (lately * lately + always * always)).sqrt();
    spread(window, overall.len()).into_iter().zip(overall).map(of_both).collect()
}

/// Values, `[times, dim]` row by row, with gaps (NaN) filled on a straight line between neighbours in time, and by the
/// nearest value at the ends. A series without any value stays a gap.
pub fn interpolate_gaps(values: &[f64], dim: usize) -> Vec<f64> {
    let mut whole = values.to_vec();
    let times = values.len() / dim;
    for j in 0..dim {
        let known: Vec<usize> = (0..times).filter(|k| !values[k * dim + j].is_nan()).collect();
        let (Some(&first), Some(&last)) = (known.first(), known.last()) else { continue };
        (0..first).for_each(|k| whole[k * dim + j] = values[first * dim + j]);
        (last + 1..times).for_each(|k| whole[k * dim + j] = values[last * dim + j]);
        for pair in known.windows(2) {
            let [a, b] = [values[pair[0] * dim + j], values[pair[1] * dim + j]];
            let gap = (pair[1] - pair[0]) as f64;
            (pair[0] + 1..pair[1])
                .for_each(|k| whole[k * dim + j] = a + (b - a) * (k - pair[0]) as f64 / gap);
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn gaps_are_filled_from_their_neighbours() {
        let gap = f64::NAN;
        let values = [gap, 1.0, 2.0, gap, gap, gap, 8.0, 4.0, gap, gap];
        assert_eq!(interpolate_gaps(&values, 2), [2.0, 1.0, 2.0, 2.0, 5.0, 3.0, 8.0, 4.0, 8.0, 4.0]);
        assert!(interpolate_gaps(&[gap, 1.0], 2)[0].is_nan());
    }

    #[test]
    fn a_scale_is_half_local_and_half_overall() {
        let history = History::new(1, vec![0.0, 3.0, 0.0, 3.0], vec![0.0; 4]).unwrap();
        assert_eq!(history.spread(), [3.0]);
        let scale = local_scale(&[0.0, 1.0, 0.0], history.spread());
        assert!((scale[0] - 5f64.sqrt()).abs() < 1e-12);
        let refused = History::new(2, vec![1.0, 2.0, 3.0, 2.0], vec![]).unwrap_err().to_string();
        assert!(refused.contains("series 2") && refused.contains("leave out what is constant"), "{refused}");
    }
}
