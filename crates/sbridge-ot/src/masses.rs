//! Weights of two clouds as whole numbers of one unit, so that flows are added and compared without rounding.
//!
//! Whole and decimal weights (counts, shares such as 0.25, equal weights) are represented exactly: those of one side
//! times the sum of the other. All others are rounded to 2⁻¹⁰⁰ of the total; what that leaves goes to the heaviest point.
//!
//! Tests: both sides sum to the total; equal, whole and decimal weights are exact; what is no weight is refused.

use crate::error::{OtError, Result};
use crate::simd::sum;

/// The total where weights have to be rounded.
const ROUNDED_TOTAL: i128 = 1 << 100;

/// Sums of whole weights of either side, at most: their product stays below 2¹⁰⁰.
const MAX_WHOLE: f64 = (1_u64 << 49) as f64;

/// Decimal places that are looked for.
const MAX_PLACES: i32 = 9;

/// Relative distance from a whole number that is taken for rounding.
const WHOLE: f64 = 2e-15;

/// Weights of both sides in one unit.
#[derive(Debug, PartialEq)]
pub(crate) struct Masses {
    /// Of the first side.
    pub(crate) a: Vec<i128>,
    /// Of the second side.
    pub(crate) b: Vec<i128>,
    /// What each side sums to.
    pub(crate) total: i128,
}

impl Masses {
    /// Of weights that may have any positive sum: only their proportions matter.
    pub(crate) fn new(a: &[f64], b: &[f64]) -> Result<Self> {
        check("a", a)?;
        check("b", b)?;
        if let (Some(a), Some(b)) = (whole(a), whole(b)) {
            let [in_a, in_b] = [&a, &b].map(|side| side.iter().sum::<i128>());
            let times = |side: Vec<i128>, factor| side.into_iter().map(|w| w * factor).collect();
            return Ok(Self { a: times(a, in_b), b: times(b, in_a), total: in_a * in_b });
        }
        Ok(Self { a: rounded(a), b: rounded(b), total: ROUNDED_TOTAL })
    }
}

/// Refuses what is no weight.
fn check(what: &'static str, weights: &[f64]) -> Result<()> {
    if let Some(i) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
        return Err(OtError::Weights { what, problem: format!("but weight {i} is {}", weights[i]) });
    }
    match sum(weights) {
        total if total > 0.0 && total.is_finite() => Ok(()),
        total => Err(OtError::Weights { what, problem: format!("but sum to {total}") }),
    }
}

/// Weights as whole numbers in the same proportions, if there are small ones.
fn whole(weights: &[f64]) -> Option<Vec<i128>> {
    let least = weights.iter().copied().filter(|w| *w > 0.0).fold(f64::INFINITY, f64::min);
    let scales = |unit: f64| (0..=MAX_PLACES).map(move |places| 10_f64.powi(places) / unit);
    let scale = scales(1.0).chain(scales(least)).find(|scale| {
        let is_whole = |w: &f64| (w * scale - (w * scale).round()).abs() <= WHOLE * w * scale;
        weights.iter().all(is_whole) && sum(weights) * scale <= MAX_WHOLE
    })?;
    Some(weights.iter().map(|w| (w * scale).round() as i128).collect())
}

/// Weights in units of 2⁻¹⁰⁰ of their sum.
fn rounded(weights: &[f64]) -> Vec<i128> {
    let total = sum(weights);
    let mut units: Vec<i128> = weights.iter().map(|w| (w / total * ROUNDED_TOTAL as f64) as i128).collect();
    let left = ROUNDED_TOTAL - units.iter().sum::<i128>();
    if let Some(heaviest) = units.iter_mut().max() {
        *heaviest += left;
    }
    units
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn equal_whole_and_decimal_weights_are_exact() {
        let equal = Masses::new(&[1.0 / 7.0; 7], &[2.0; 2]).unwrap();
        assert_eq!(equal, Masses { a: vec![4; 7], b: vec![14; 2], total: 28 });
        let decimal = Masses::new(&[0.1, 0.2, 0.3], &[3.0, 3.0]).unwrap();
        assert_eq!(decimal.a[0] + decimal.a[1], decimal.b[0]); // 0.1 + 0.2 is not 0.3 in floating point
    }

    #[test]
    fn both_sides_sum_to_the_total() {
        let weights = |n: usize| (1..=n).map(|i| (i as f64).sqrt()).collect::<Vec<f64>>();
        let masses = Masses::new(&weights(9), &weights(31)).unwrap();
        assert_eq!(masses.a.iter().sum::<i128>(), masses.total);
        assert_eq!(masses.b.iter().sum::<i128>(), masses.total);
        let share = masses.b[30] as f64 / masses.total as f64;
        assert!((share - 31_f64.sqrt() / sum(&weights(31))).abs() < 1e-15);
    }

    #[test]
    fn what_is_no_weight_is_refused() {
        let problem = |a: &[f64]| Masses::new(a, &[1.0]).unwrap_err().to_string();
        assert!(problem(&[1.0, -0.5]).contains("weight 1 is -0.5"));
        assert!(problem(&[f64::NAN]).contains("weight 0 is NaN"));
        assert!(problem(&[0.0, 0.0]).contains("sum to 0"));
        assert!(problem(&[f64::MAX, f64::MAX]).contains("sum to inf"));
    }
}
