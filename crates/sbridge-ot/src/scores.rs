//! Scores of forecasts that are given as draws.
//!
//! The quantile loss of a draw's law at level q is 2 |(ŷ_q − y)(1{y ≤ ŷ_q} − q)|. Its mean over q = 0.05, 0.10, …, 0.95,
//! summed over all values and divided by Σ|y|, is the *CRPS* of the literature on forecasts, there of single series; of the
//! sum of all series it is *CRPS-sum*. ŷ_q is one of the draws: of n sorted ones that of index (n − 1) q, rounded to the
//! nearest whole number and halves to the even one.                                              \[GPCOP\]
//!
//! Intervals are others: between the draws of rank (n + 1)(1 ± s)/2, counted from 1, a value of the same law falls with
//! probability s, whatever the law. Ranks between two draws are interpolated, which is off by O(1/n²).

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

    /// The draw at level `q` in [0, 1], as scores take it.
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

    /// What a value of the same law is below with probability `q`: between the draws at the ranks beside (n + 1) q, and one
    /// of the outermost where that is beyond them.
    pub fn level(&self, q: f64) -> f64 {
        let rank = ((self.draws.len() + 1) as f64 * q).clamp(1.0, self.draws.len() as f64);
        let (below, share) = (rank.floor() as usize, rank.fract());
        let [low, high] = [below, below + 1].map(|rank| self.draws[rank.min(self.draws.len()) - 1]);
        low + share * (high - low)
    }

    /// Whether the truth lies within the interval of this share.
    pub fn is_within(&self, share: f64) -> bool {
        let [low, high] = [0.5 - 0.5 * share, 0.5 + 0.5 * share].map(|q| self.level(q));
        (low..=high).contains(&self.truth)
    }

    /// The share of draws below the truth, those that equal it counted by half: uniform for a law that is right.
    pub fn rank(&self) -> f64 {
        let below = self.draws.partition_point(|x| *x < self.truth);
        let not_above = self.draws.partition_point(|x| *x <= self.truth);
        (below + not_above) as f64 / (2 * self.draws.len()) as f64
    }
}

/// The largest share that an interval between `draws` draws can have: that between the outermost.
pub fn widest_share(draws: usize) -> f64 {
    draws.saturating_sub(1) as f64 / (draws + 1) as f64
}

/// The mean quantile loss of all outcomes over the mean size of the truth; none where that is zero, and the quotient is no
/// score. \[GPCOP\]
///
/// # Errors
/// [`OtError::NoPoints`] if there is no outcome.
pub fn crps(outcomes: &[Outcome]) -> Result<Option<f64>> {
    if outcomes.is_empty() {
        return Err(OtError::NoPoints);
    }
    let size: f64 = outcomes.iter().map(|outcome| outcome.truth.abs()).sum();
    let loss: f64 = outcomes.iter().map(Outcome::loss).sum();
    Ok((size > 0.0).then_some(loss / size))
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
        assert!((crps(&outcomes).unwrap().unwrap() - 20.5 / 152.0).abs() < 1e-12);
    }

    #[test]
    fn halves_are_rounded_to_the_even_index() {
        let outcome = Outcome::new((0..11).map(f64::from).collect(), 0.0).unwrap();
        assert_eq!([0.05, 0.15, 0.25, 0.95].map(|q| outcome.quantile(q)), [0.0, 2.0, 2.0, 10.0]);
    }

    #[test]
    fn a_truth_of_zeros_has_no_score_beside_its_size() {
        let zeros = [Outcome::new(vec![0.0, 1.0], 0.0).unwrap()];
        assert_eq!(crps(&zeros).unwrap(), None);
        assert!(crps(&[]).is_err());
    }

    #[test]
    fn intervals_of_a_hundred_draws_hold_what_they_say() {
        let mut state = 7u64;
        // Uniform numbers from a generator written out here; every interval is checked on 40,000 laws of 100 draws.
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let shares = [0.5, 0.8, 0.95];
        let (mut within, trials) = ([0.0; 3], 40_000);
        for _ in 0..trials {
            let outcome = Outcome::new((0..100).map(|_| uniform()).collect(), uniform()).unwrap();
            within
                .iter_mut()
                .zip(shares)
                .for_each(|(count, share)| *count += f64::from(outcome.is_within(share)));
        }
        for (count, share) in within.into_iter().zip(shares) {
            // Four standard errors: √(0.25/40,000) at most.
            assert!(
                (count / f64::from(trials) - share).abs() < 4.0 * 0.0025,
                "{share}: {}",
                count / f64::from(trials)
            );
        }
        assert!((widest_share(30) - 29.0 / 31.0).abs() < 1e-15);
    }

    #[test]
    fn levels_are_ranks_of_one_more_than_there_are() {
        let outcome = Outcome::new((1..=9).map(f64::from).collect(), 0.0).unwrap();
        assert_eq!([0.1, 0.25, 0.5, 0.9, 0.99].map(|q| outcome.level(q)), [1.0, 2.5, 5.0, 9.0, 9.0]);
    }

    #[test]
    fn ranks_and_intervals_count_draws() {
        let outcome = Outcome::new(vec![3.0, 1.0, 2.0, 2.0], 2.0).unwrap();
        assert_eq!(outcome.rank(), 0.5);
        assert!(outcome.is_within(0.1) && !Outcome::new(vec![1.0, 2.0, 3.0], 4.0).unwrap().is_within(0.99));
        assert!(Outcome::new(vec![], 1.0).is_err() && Outcome::new(vec![f64::NAN], 1.0).is_err());
    }
}
