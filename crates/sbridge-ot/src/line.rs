//! Optimal transport on the line: match quantiles.
//!
//! ∫₀¹ h(F⁻¹(q) − G⁻¹(q)) dq for a convex cost h; both inverses are constant between the levels at which weights add up
//! to a point's.                                                                                        [San15, Prop. 2.17]
//!
//! Tests: repeating every point changes nothing; unequal sizes agree with their common multiple; weights with repetition.

/// Least mean cost h(x − y) between two samples of uniform weight; sizes may differ.
pub(crate) fn line_cost(x: &[f64], y: &[f64], h: impl Fn(f64) -> f64) -> f64 {
    if x.len() == y.len() {
        let [x, y] = [x, y].map(|values| {
            let mut values = values.to_vec();
            values.sort_unstable_by(f64::total_cmp);
            values
        });
        return x.iter().zip(&y).map(|(a, b)| h(a - b)).sum::<f64>() / x.len() as f64;
    }
    // Weights in units of 1/(nm), so that coinciding levels compare equal.
    let (n, m) = (x.len() as i128, y.len() as i128);
    weighted_line_cost((x, &vec![m; x.len()]), (y, &vec![n; y.len()]), h)
}

/// The same between samples whose masses sum to one total on both sides.
pub(crate) fn weighted_line_cost(x: (&[f64], &[i128]), y: (&[f64], &[i128]), h: impl Fn(f64) -> f64) -> f64 {
    let (x, y) = (sorted(x), sorted(y));
    let (mut i, mut j, mut sum, mut total) = (0, 0, 0.0, 0);
    let [mut left_x, mut left_y] = [&x, &y].map(|side| side.first().map_or(0, |(_, mass)| *mass));
    while i < x.len() && j < y.len() {
        let mass = left_x.min(left_y);
        sum += mass as f64 * h(x[i].0 - y[j].0);
        total += mass;
        (left_x, left_y) = (left_x - mass, left_y - mass);
        if left_x == 0 {
            i += 1;
            left_x = x.get(i).map_or(0, |(_, mass)| *mass);
        }
        if left_y == 0 {
            j += 1;
            left_y = y.get(j).map_or(0, |(_, mass)| *mass);
        }
    }
    sum / total as f64
}

/// Points with mass, in ascending order.
fn sorted((values, masses): (&[f64], &[i128])) -> Vec<(f64, i128)> {
    let pairs = values.iter().copied().zip(masses.iter().copied());
    let mut pairs: Vec<(f64, i128)> = pairs.filter(|(_, mass)| *mass > 0).collect();
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    pairs
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
    fn a_weight_is_a_number_of_repetitions() {
        let (x, y) = ([3.0, -1.0, 0.5], [0.0, 4.0]);
        let repeated = line_cost(&[3.0, -1.0, -1.0, -1.0, 0.5, 0.5], &[0.0, 4.0, 4.0], f64::abs);
        let weighted = weighted_line_cost((&x, &[1, 3, 2]), (&y, &[2, 4]), f64::abs);
        assert!((weighted - repeated).abs() < 1e-15); // six terms below five
    }

    #[test]
    fn two_points_against_one_cost_the_mean() {
        assert_eq!(line_cost(&[0.0, 4.0], &[1.0], f64::abs), 2.0);
    }
}
