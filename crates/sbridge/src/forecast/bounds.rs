//! Bounds that series do not leave, as sales are never below zero.
//!
//! A model draws steps on the whole line, so it is given x with y = a + max(0, c ln(1 + e^{x/c}) − δc): far above the bound a
//! step of x is one of y, near it steps grow smaller, and what falls below x(a) is the bound itself, a point that counts
//! have much of. c is the series' own step; between two bounds the softplus is a logistic curve of slope one in the middle.
//! Scores are taken of y, after the transform.
//!
//! Tests: both ways are each other's inverse, draws stay within, far from the bounds nothing changes.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Steps below the bound that are left for the point at the bound.
const MARGIN: f64 = 0.5;

/// Bounds of all series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    at_least: Option<f64>,
    at_most: Option<f64>,
    /// Root mean square of the steps of each series.
    spread: Vec<f64>,
}

impl Bounds {
    /// Of series whose steps have this `spread`; none if neither bound is given.
    ///
    /// # Errors
    /// [`Error::Setting`] for bounds that are not finite or leave nothing between them.
    pub fn new(at_least: Option<f64>, at_most: Option<f64>, spread: Vec<f64>) -> Result<Option<Self>> {
        for (name, bound) in [("at_least", at_least), ("at_most", at_most)] {
            if let Some(bound) = bound.filter(|bound| !bound.is_finite()) {
                return Err(Error::setting(name, "a finite number", bound, "leave it out for no bound"));
            }
        }
        if let (Some(low), Some(high)) = (at_least, at_most)
            && low >= high
        {
            return Err(Error::setting("at_most", format!("more than at_least, {low}"), high, "raise it"));
        }
        Ok((at_least.is_some() || at_most.is_some()).then_some(Self { at_least, at_most, spread }))
    }

    /// Number of series.
    pub fn dim(&self) -> usize {
        self.spread.len()
    }

    /// Whether `value` lies within them.
    pub fn hold(&self, value: f64) -> bool {
        self.at_least.is_none_or(|low| value >= low) && self.at_most.is_none_or(|high| value <= high)
    }

    /// `values`, rows of all series, on the whole line.
    ///
    /// # Panics
    /// If a row has not a value of every series.
    pub fn unbounded(&self, values: &[f64]) -> Vec<f64> {
        self.mapped(values, Self::to_line)
    }

    /// What [`unbounded`](Self::unbounded) came from, within the bounds whatever the values.
    ///
    /// # Panics
    /// If a row has not a value of every series.
    pub fn bounded(&self, values: &[f64]) -> Vec<f64> {
        self.mapped(values, Self::from_line)
    }

    fn mapped(&self, values: &[f64], map: fn(&Self, f64, f64) -> f64) -> Vec<f64> {
        let rows = values.chunks(self.spread.len());
        rows.flat_map(|row| row.iter().zip(&self.spread).map(|(value, step)| map(self, *value, *step)))
            .collect()
    }

    fn to_line(&self, y: f64, step: f64) -> f64 {
        match (self.at_least, self.at_most) {
            (Some(low), None) => inverse_softplus((y - low) / step + MARGIN) * step,
            (None, Some(high)) => -inverse_softplus((high - y) / step + MARGIN) * step,
            (Some(low), Some(high)) => {
                let width = high - low + 2.0 * MARGIN * step;
                let share = (y - low + MARGIN * step) / width;
                0.25 * width * (share / (1.0 - share)).ln()
            }
            (None, None) => y,
        }
    }

    fn from_line(&self, x: f64, step: f64) -> f64 {
        match (self.at_least, self.at_most) {
            (Some(low), None) => low + step * (softplus(x / step) - MARGIN).max(0.0),
            (None, Some(high)) => high - step * (softplus(-x / step) - MARGIN).max(0.0),
            (Some(low), Some(high)) => {
                let width = high - low + 2.0 * MARGIN * step;
                (low - MARGIN * step + width / (1.0 + (-4.0 * x / width).exp())).clamp(low, high)
            }
            (None, None) => x,
        }
    }
}

/// ln(1 + eˣ)
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// x with ln(1 + eˣ) = y, for y > 0.
fn inverse_softplus(y: f64) -> f64 {
    y + (-(-y).exp_m1()).ln()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn bounds(low: Option<f64>, high: Option<f64>) -> Bounds {
        Bounds::new(low, high, vec![1.0, 20.0]).unwrap().unwrap()
    }

    #[test]
    fn values_come_back_and_stay_within() {
        for bounds in [bounds(Some(0.0), None), bounds(None, Some(100.0)), bounds(Some(0.0), Some(100.0))] {
            let values = [0.0, 100.0, 0.3, 7.0, 50.0, 0.0, 99.5, 3.0];
            let back = bounds.bounded(&bounds.unbounded(&values));
            // Rounding, which the logistic curve makes 200 times larger at its ends.
            assert!(values.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-11), "{back:?}");
            let wild: Vec<f64> = (-300..300).map(|k| f64::from(k) * 7.3).collect();
            assert!(bounds.bounded(&wild).iter().all(|y| bounds.hold(*y)));
        }
        assert_eq!(
            bounds(Some(0.0), None).bounded(&[-1e9, -1e9]),
            [0.0, 0.0],
            "the bound itself, and not only near"
        );
    }

    #[test]
    fn far_from_a_bound_a_step_is_a_step() {
        let bounds = bounds(Some(0.0), None);
        let moved = bounds.bounded(&[1e9 + 3.0, 1e9])[0] - bounds.bounded(&[1e9, 1e9])[0];
        assert!((moved - 3.0).abs() < 1e-6, "{moved}");
    }

    #[test]
    fn bounds_that_are_none_are_refused() {
        let refused = |low, high| Bounds::new(low, high, vec![1.0]).unwrap_err().to_string();
        assert!(refused(Some(2.0), Some(1.0)).contains("at_most must be more than at_least, 2, got 1"));
        assert!(refused(Some(f64::NAN), None).contains("at_least must be a finite number"));
        assert!(Bounds::new(None, None, vec![1.0]).unwrap().is_none());
    }
}
