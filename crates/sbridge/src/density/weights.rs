//! Weights known by their logarithms.

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
