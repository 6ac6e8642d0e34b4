//! Standard deviations along the axes.                                                                    \[LV, Section 4\]

/// How far standard deviations along the axes are from the exact ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpreadError {
    /// |mean sd_j − mean sd*_j|: errors of two axes may cancel.
    pub of_mean: f64,
    /// mean |sd_j − sd*_j|.
    pub mean: f64,
}

impl SpreadError {
    /// Of the standard deviations `found` beside the `exact` ones, `[dim]` both; nothing if there are none, or not as many.
    pub fn of(found: &[f64], exact: &[f64]) -> Option<Self> {
        if found.is_empty() || found.len() != exact.len() {
            return None;
        }
        let errors = || found.iter().zip(exact).map(|(found, exact)| found - exact);
        let dim = found.len() as f64;
        let mean = errors().map(f64::abs).sum::<f64>() / dim;
        Some(Self { of_mean: (errors().sum::<f64>() / dim).abs(), mean })
    }
}

/// Standard deviation of `draws` along every axis, `[dim]`, divisor n − 1: not a number for fewer than two.
///
/// # Shapes
/// `draws: [count, dim]`, row by row.
pub fn spreads(draws: &[f64], dim: usize) -> Vec<f64> {
    let count = (draws.len() / dim.max(1)) as f64;
    let of_axis = |axis: usize| {
        let along = || draws.iter().skip(axis).step_by(dim);
        let mean = along().sum::<f64>() / count;
        (along().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt()
    };
    (0..dim).map(of_axis).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_spread_of_four_corners_is_known() {
        let found = spreads(&[0.0, 0.0, 2.0, 0.0, 0.0, 4.0, 2.0, 4.0], 2);
        // Squares of deviations sum to 4 and 16, and n − 1 is 3.
        let exact = [(4.0f64 / 3.0).sqrt(), (16.0f64 / 3.0).sqrt()];
        assert!(found.iter().zip(exact).all(|(a, b)| (a - b).abs() < 1e-15), "{found:?}"); // roundings
    }

    #[test]
    fn errors_of_two_axes_cancel_in_one_form_alone() {
        let error = SpreadError::of(&[3.0, 1.0], &[2.0, 1.5]).unwrap();
        assert_eq!((error.of_mean, error.mean), (0.25, 0.75));
        assert!(SpreadError::of(&[1.0], &[1.0, 2.0]).is_none() && SpreadError::of(&[], &[]).is_none());
    }
}
