//! Slopes of rates, and how sure they are.

use sbridge::rng::Rng;

/// Resamples of a bootstrap.
const RESAMPLES: usize = 1000;

/// A slope with the interval a bootstrap puts it in, 95 times in 100.
pub(super) struct Slope {
    pub(super) value: f64,
    pub(super) interval: [f64; 2],
}

/// The slope of ln y against ln x through the means over repeats; repeats are resampled.
///
/// # Shapes
/// One row of `repeats` for each `x`.
pub(super) fn log_slope(x: &[f64], repeats: &[Vec<f64>], rng: &mut Rng) -> Slope {
    let ln_x: Vec<f64> = x.iter().map(|x| x.ln()).collect();
    let of = |y: Vec<f64>| slope(&ln_x, &y.iter().map(|y| y.ln()).collect::<Vec<_>>());
    let mut slopes: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let resampled = repeats.iter().map(|row| {
                let picked = rng.indices(row.len(), row.len());
                picked.into_iter().map(|i| row[i]).sum::<f64>() / row.len() as f64
            });
            of(resampled.collect())
        })
        .collect();
    slopes.sort_by(f64::total_cmp);
    let quantile = |q: f64| slopes[(q * (RESAMPLES - 1) as f64).round() as usize];
    Slope {
        value: of(repeats.iter().map(|row| mean(row)).collect()),
        interval: [quantile(0.025), quantile(0.975)],
    }
}

/// The mean of some numbers.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The slope of the least-squares line.
pub(super) fn slope(x: &[f64], y: &[f64]) -> f64 {
    let (mx, my) = (mean(x), mean(y));
    let covariance: f64 = x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum();
    covariance / x.iter().map(|x| (x - mx).powi(2)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_law_has_its_exponent_and_no_doubt() {
        let x = [10.0, 100.0, 1000.0];
        let repeats: Vec<Vec<f64>> = x.iter().map(|x: &f64| vec![3.0 * x.powf(-0.4); 3]).collect();
        let slope = log_slope(&x, &repeats, &mut Rng::new(1));
        assert!((slope.value + 0.4).abs() < 1e-12);
        assert!(slope.interval[1] - slope.interval[0] < 1e-12);
    }

    #[test]
    fn interval_covers_the_slope_of_noisy_repeats() {
        let x = [1.0, 10.0];
        let repeats = [vec![1.0, 1.2, 0.8], vec![0.1, 0.12, 0.08]];
        let slope = log_slope(&x, &repeats, &mut Rng::new(1));
        assert!(slope.interval[0] < -1.0 && slope.interval[1] > -1.0);
        // The extreme resamples are ln(0.8/1.2)/ln 10 away.
        assert!(slope.interval[1] - slope.interval[0] < 2.0 * 0.18);
    }
}
