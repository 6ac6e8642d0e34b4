//! What the weights of paths say.                                                                             \[LV, Section 2\]

use crate::density::weights::Weights;

/// Estimates from A of many paths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// E\[−A\]: at most ln Z, whatever the control.
    pub elbo: f64,
    /// ln of the mean of e^−A.
    pub log_z: f64,
    /// Standard error of it.
    pub log_z_error: f64,
    /// Effective sample size, as a share of the paths.
    pub ess: f64,
    /// Var A, 0 for the right control.
    pub variance: f64,
    /// Paths of finite A, which alone are counted.
    pub finite: usize,
}

impl Estimate {
    /// Of the paths whose A is finite; nothing if there are fewer than two.
    pub fn of(action: &[f64]) -> Option<Self> {
        let logs: Vec<f64> = action.iter().map(|a| -a).filter(|log| log.is_finite()).collect();
        if logs.len() < 2 {
            return None;
        }
        let (weights, count) = (Weights::of_logs(&logs), logs.len() as f64);
        let elbo = logs.iter().sum::<f64>() / count;
        Some(Self {
            elbo,
            log_z: weights.log_mean,
            log_z_error: weights.variance_of_log_mean().sqrt(),
            ess: weights.ess,
            variance: logs.iter().map(|log| (log - elbo).powi(2)).sum::<f64>() / (count - 1.0),
            finite: logs.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_weights_are_counted_by_hand() {
        let found = Estimate::of(&[0.0, -(2f64.ln()), -(3f64.ln()), f64::INFINITY]);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        if let Some(found) = found {
            close(found.log_z, 2f64.ln());
            close(found.ess, 36.0 / 42.0);
            close(found.elbo, 6f64.ln() / 3.0);
        }
        assert_eq!(found.map(|found| found.finite), Some(3));
        assert!(Estimate::of(&[f64::NAN, 1.0]).is_none());
    }
}
