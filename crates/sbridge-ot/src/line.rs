//! Optimal transport on the line: match quantiles.
//!
//! ∫₀¹ h(F⁻¹(q) − G⁻¹(q)) dq for a convex cost h; both inverses are constant between the levels i/n and j/m.
//!
//! Tests: repeating every point changes nothing; unequal sizes agree with their common multiple.

/// Least mean cost h(x − y) between two samples of uniform weight; sizes may differ.
pub(crate) fn line_cost(x: &[f64], y: &[f64], h: impl Fn(f64) -> f64) -> f64 {
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    sorted_line_cost(&sorted(x), &sorted(y), h)
}

/// The same for samples already in ascending order.
pub(crate) fn sorted_line_cost(x: &[f64], y: &[f64], h: impl Fn(f64) -> f64) -> f64 {
    if x.len() == y.len() {
        return x.iter().zip(y).map(|(a, b)| h(a - b)).sum::<f64>() / x.len() as f64;
    }
    let (n, m) = (x.len(), y.len());
    let (mut i, mut j, mut level, mut total) = (0, 0, 0, 0.0);
    // Levels are counted in units of 1/(nm), so that coinciding ones compare equal.
    while i < n && j < m {
        let next = ((i + 1) * m).min((j + 1) * n);
        total += (next - level) as f64 * h(x[i] - y[j]);
        level = next;
        i += usize::from(next == (i + 1) * m);
        j += usize::from(next == (j + 1) * n);
    }
    total / (n * m) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unequal_sizes_agree_with_their_common_multiple() {
        let (x, y) = ([3.0, -1.0, 0.5, 2.0], [0.0, 1.0, 4.0, -2.0, 0.3, 7.0]);
        let repeat =
            |values: &[f64], times| values.iter().flat_map(|v| vec![*v; times]).collect::<Vec<f64>>();
        let square = |d: f64| d * d;
        let expected = line_cost(&repeat(&x, 3), &repeat(&y, 2), square);
        // A dozen terms of order 10, summed in two orders.
        assert!((line_cost(&x, &y, square) - expected).abs() < 1e-14);
    }

    #[test]
    fn two_points_against_one_cost_the_mean() {
        assert_eq!(line_cost(&[0.0, 4.0], &[1.0], f64::abs), 2.0);
    }
}
