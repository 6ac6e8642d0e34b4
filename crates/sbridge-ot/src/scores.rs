//! Scores of forecasts that are given as draws.
//!
//! The quantile loss of a draw's law at level q is 2 |(ŷ_q − y)(1{y ≤ ŷ_q} − q)|. Its mean over q = 0.05, 0.10, …, 0.95,
//! summed over all values and divided by Σ|y|, is the *CRPS* of the literature on forecasts, there of single series; of the
//! sum of all series it is *CRPS-sum*. ŷ_q is one of the draws: of n sorted ones that of index (n − 1) q, rounded to the
//! nearest whole number and halves to the even one.                                              \[GPCOP\]

use crate::error::{OtError, Result};
use crate::points::Points;

/// Levels of the quantiles, in twentieths.
const LEVELS: std::ops::RangeInclusive<usize> = 1..=19;

/// Draws of a value and what it turned out to be.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Sorted.
    draws: Vec<f64>,
    truth: f64,
}

impl Outcome {
    /// # Errors
    /// [`OtError`] if there is no draw, or a number is not finite.
    pub fn new(mut draws: Vec<f64>, truth: f64) -> Result<Self> {
        // What is not finite is found, and said, as for any cloud.
        Points::new(draws.iter().copied().chain([truth]).collect(), 1)?;
        if draws.is_empty() {
            return Err(OtError::NoPoints);
        }
        draws.sort_unstable_by(f64::total_cmp);
        Ok(Self { draws, truth })
    }

    /// The draw at level `q` in [0, 1].
    pub fn quantile(&self, q: f64) -> f64 {
        self.draws[((self.draws.len() - 1) as f64 * q).round_ties_even() as usize]
    }

    /// The quantile loss, averaged over levels.
    fn loss(&self) -> f64 {
        let at = |level: usize| {
            let q = level as f64 / 20.0;
            let quantile = self.quantile(q);
            let is_below = if self.truth <= quantile { 1.0 } else { 0.0 };
            2.0 * ((quantile - self.truth) * (is_below - q)).abs()
        };
        LEVELS.map(at).sum::<f64>() / LEVELS.count() as f64
    }

    /// Whether the truth lies between the draws at (1 − share)/2 and (1 + share)/2.
    pub fn is_within(&self, share: f64) -> bool {
        let [low, high] = [0.5 - 0.5 * share, 0.5 + 0.5 * share].map(|q| self.quantile(q));
        (low..=high).contains(&self.truth)
    }

    /// The share of draws below the truth, those that equal it counted by half: uniform for a law that is right.
    pub fn rank(&self) -> f64 {
        let below = self.draws.partition_point(|x| *x < self.truth);
        let not_above = self.draws.partition_point(|x| *x <= self.truth);
        (below + not_above) as f64 / (2 * self.draws.len()) as f64
    }
}

/// The mean quantile loss of all outcomes over the mean size of the truth. \[GPCOP\]
///
/// # Errors
/// [`OtError::NoPoints`] if there is none.
pub fn crps(outcomes: &[Outcome]) -> Result<f64> {
    if outcomes.is_empty() {
        return Err(OtError::NoPoints);
    }
    let size: f64 = outcomes.iter().map(|outcome| outcome.truth.abs()).sum();
    Ok(outcomes.iter().map(Outcome::loss).sum::<f64>() / size)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn crps_is_what_is_found_by_hand() {
        let cases = [
            ([2.0, 2.0, 3.0, 4.0, 4.0], 3.0),
            ([-3.0, -1.0, 0.0, 0.0, 2.0], -1.0),
            ([2.0, 3.0, 4.0, 5.0, 5.0], 4.0),
        ];
        let outcomes: Vec<Outcome> =
            cases.iter().map(|(draws, y)| Outcome::new(draws.to_vec(), *y).unwrap()).collect();
        // Levels are exact twentieths; 20.5/152 by adding the losses up by hand.
        assert!((crps(&outcomes).unwrap() - 20.5 / 152.0).abs() < 1e-12, "{}", crps(&outcomes).unwrap());
    }

    #[test]
    fn halves_are_rounded_to_the_even_index() {
        let outcome = Outcome::new((0..11).map(f64::from).collect(), 0.0).unwrap();
        assert_eq!([0.05, 0.15, 0.25, 0.95].map(|q| outcome.quantile(q)), [0.0, 2.0, 2.0, 10.0]);
    }

    #[test]
    fn ranks_and_intervals_count_draws() {
        let outcome = Outcome::new(vec![3.0, 1.0, 2.0, 2.0], 2.0).unwrap();
        assert_eq!(outcome.rank(), 0.5);
        assert!(outcome.is_within(0.1) && !Outcome::new(vec![1.0, 2.0, 3.0], 4.0).unwrap().is_within(0.99));
        assert!(Outcome::new(vec![], 1.0).is_err() && Outcome::new(vec![f64::NAN], 1.0).is_err());
    }
}
