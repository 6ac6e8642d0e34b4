//! Series as a forecast sees them: without gaps, in units of their own movement.

use super::gaps::{fill_gaps, step_spread};
use crate::error::{Error, Result};
use crate::rng::Rng;

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
    /// Of `values`, `[times, dim]`, NaN where missing, and `calendar`, `[times, features]`, row by row. Gaps are filled by
    /// [`fill_gaps`] with `rng`.
    ///
    /// # Errors
    /// [`Error::Setting`] for a series that does not move from one time to the next, named by its number.
    ///
    /// # Panics
    /// If the lengths do not fit, or a value is infinite.
    pub fn new(dim: usize, values: Vec<f64>, calendar: Vec<f32>, rng: &Rng) -> Result<Self> {
        assert!(!values.iter().any(|x| x.is_infinite()), "infinite values are refused before");
        let times = values.len() / dim;
        assert_eq!((times * dim, calendar.len() % times), (values.len(), 0), "rows of equal length");
        let spread = step_spread(&values, dim);
        if let Some(still) = spread.iter().position(|s| *s == 0.0) {
            let value = format!("series {} at {} at all times", still + 1, values[still]);
            return Err(Error::setting(
                "history",
                "of series that move",
                value,
                "leave out what is constant",
            ));
        }
        let values = fill_gaps(&values, dim, rng);
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

    /// Root mean square of the steps of each series between known values, `[dim]`.
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

/// How much the series moves: half from the steps in `window`, half from all, so that a jump after a quiet time stays of
/// bounded size.
pub(super) fn local_scale(window: &[f64], overall: &[f64]) -> Vec<f64> {
    let of_both = |(lately, always): (f64, &f64)| (0.5 * (lately * lately + always * always)).sqrt();
    step_spread(window, overall.len()).into_iter().zip(overall).map(of_both).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_scale_is_half_local_and_half_overall() {
        let history = History::new(1, vec![0.0, 3.0, 0.0, 3.0], vec![0.0; 4], &Rng::new(0)).unwrap();
        assert_eq!(history.spread(), [3.0]);
        let scale = local_scale(&[0.0, 1.0, 0.0], history.spread());
        assert!((scale[0] - 5f64.sqrt()).abs() < 1e-12);
        let refused =
            History::new(2, vec![1.0, 2.0, 3.0, 2.0], vec![], &Rng::new(0)).unwrap_err().to_string();
        assert!(refused.contains("series 2") && refused.contains("leave out what is constant"), "{refused}");
    }
}
