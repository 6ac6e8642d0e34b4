//! Weights known by their logarithms.

use crate::rng::Rng;

/// Weights in units of the largest, and what they say together.
pub(crate) struct Weights {
    /// `[count]`, the largest 1; 0 where the logarithm is no finite number.
    pub(crate) relative: Vec<f64>,
    /// ln of the mean weight.
    pub(crate) log_mean: f64,
    /// Effective sample size, (Σw)²/Σw², as a share of the count.
    pub(crate) ess: f64,
}

impl Weights {
    /// Of these logarithms.
    pub(crate) fn of_logs(logs: &[f64]) -> Self {
        let largest = logs.iter().copied().filter(|log| log.is_finite()).fold(f64::NEG_INFINITY, f64::max);
        let weight = |log: &f64| if log.is_finite() { (log - largest).exp() } else { 0.0 };
        let relative: Vec<f64> = logs.iter().map(weight).collect();
        let (sum, squares) = (relative.iter().sum::<f64>(), relative.iter().map(|w| w * w).sum::<f64>());
        let count = logs.len() as f64;
        Self { relative, log_mean: largest + (sum / count).ln(), ess: sum * sum / (count * squares) }
    }

    /// Variance of the mean weight as a share of its square: that of ln of it.
    pub(crate) fn variance_of_log_mean(&self) -> f64 {
        (1.0 / self.ess - 1.0).max(0.0) / self.relative.len() as f64
    }
}

/// ln of the mean of weights known by their logarithms; those that are not finite count as none.
pub fn log_mean_weight(logs: &[f64]) -> f64 {
    Weights::of_logs(logs).log_mean
}

/// As many of `rows`, `[count, dim]`, drawn by weights known by their logarithms, `[count]`: none more than once more often than
/// its share.
///
/// # Panics
/// If there is not a weight for every row, or no row.
pub fn resampled(rows: &[f64], dim: usize, logs: &[f64], rng: &mut Rng) -> Vec<f64> {
    assert_eq!(rows.len(), dim * logs.len(), "a weight for every row");
    let chosen = systematic(&Weights::of_logs(logs).relative, logs.len(), rng);
    chosen.into_iter().flat_map(|i| rows[i * dim..(i + 1) * dim].iter().copied()).collect()
}

/// `count` indices with chances that go with `weights`, by one uniform number: none is drawn more than once more often than
/// its share.                                                                                       \[DCM05, Section 2.4\]
pub(crate) fn systematic(weights: &[f64], count: usize, rng: &mut Rng) -> Vec<usize> {
    let total: f64 = weights.iter().sum();
    let first = rng.uniform(1, 0.0, 1.0)[0];
    let (mut at, mut reached, mut chosen) = (0, weights[0] / total, Vec::with_capacity(count));
    for i in 0..count {
        while reached < (first + i as f64) / count as f64 && at + 1 < weights.len() {
            at += 1;
            reached += weights[at] / total;
        }
        chosen.push(at);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_drawn_more_than_once_more_often_than_the_share() {
        let weights = [0.5, 0.0, 2.0, 1.5];
        let chosen = systematic(&weights, 1000, &mut Rng::new(1));
        for (k, weight) in weights.iter().enumerate() {
            let times = chosen.iter().filter(|i| **i == k).count() as f64;
            assert!((times - 250.0 * weight).abs() <= 1.0, "{k}: {times}");
        }
    }
}
