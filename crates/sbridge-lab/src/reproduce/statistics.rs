//! Means over repeats, slopes of rates, and how sure they are.

use sbridge::rng::Rng;
use sbridge_run::Result;
use serde::Serialize;

/// Resamples of a bootstrap.
const RESAMPLES: usize = 1000;

/// A measured number, and how sure it is.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Estimate {
    /// Its value.
    pub measured: f64,
    /// Independent samples or runs that it was measured on; none where it is exact.
    pub count: Option<usize>,
    /// Its standard error over them; none where it is exact, or where they are too few to say.
    pub standard_error: Option<f64>,
    /// Where a bootstrap puts it, 95 times in 100.
    pub interval: Option<[f64; 2]>,
}

impl Estimate {
    /// A number that no chance is in.
    pub(super) fn exact(measured: f64) -> Self {
        Self { measured, count: None, standard_error: None, interval: None }
    }

    /// A number measured on `count` samples once: how sure it is stays open.
    pub(super) fn once(measured: f64, count: usize) -> Self {
        Self { count: Some(count), ..Self::exact(measured) }
    }

    /// A number measured on `count` samples, with its standard error.
    pub(super) fn with_error(measured: f64, count: usize, standard_error: f64) -> Self {
        Self { standard_error: Some(standard_error), ..Self::once(measured, count) }
    }

    /// The mean of independent numbers.
    pub(super) fn mean(values: &[f64]) -> Self {
        let (count, centre) = (values.len(), mean(values.iter().copied()));
        let squares: f64 = values.iter().map(|x| (x - centre).powi(2)).sum();
        let error = (squares / (count.max(2) - 1) as f64 / count as f64).sqrt();
        if count > 1 { Self::with_error(centre, count, error) } else { Self::once(centre, count) }
    }

    /// The same through a `map` with this slope at the measured value.
    pub(super) fn mapped(self, map: impl Fn(f64) -> f64, slope: f64) -> Self {
        let standard_error = self.standard_error.map(|error| error * slope.abs());
        Self { measured: map(self.measured), standard_error, ..self }
    }
}

impl From<f64> for Estimate {
    fn from(measured: f64) -> Self {
        Self::exact(measured)
    }
}

/// What was measured at growing sizes, several times at each.
pub(super) struct Sweep<T> {
    sizes: Vec<f64>,
    /// Repeats at each size.
    found: Vec<Vec<T>>,
}

impl<T> Sweep<T> {
    /// Calls `measure(size, repeat)` for every size and repeat.
    pub(super) fn over(
        sizes: &[usize],
        repeats: usize,
        measure: impl Fn(usize, usize) -> Result<T>,
    ) -> Result<Self> {
        let repeated = |size: &usize| (0..repeats).map(|repeat| measure(*size, repeat)).collect();
        let found = sizes.iter().map(repeated).collect::<Result<_>>()?;
        Ok(Self { sizes: sizes.iter().map(|size| *size as f64).collect(), found })
    }

    /// Means over repeats beside their sizes.
    pub(super) fn means(&self, of: impl Fn(&T) -> f64) -> Vec<(f64, f64)> {
        let means = self.found.iter().map(|repeats| mean(repeats.iter().map(&of)));
        self.sizes.iter().copied().zip(means).collect()
    }

    /// The slope of ln y against ln x through the means over repeats; repeats are resampled.
    pub(super) fn log_slope(&self, of: impl Fn(&T) -> f64, rng: &mut Rng) -> Estimate {
        let ln_x: Vec<f64> = self.sizes.iter().map(|x| x.ln()).collect();
        let through = |means: Vec<f64>| slope(&ln_x, &means.iter().map(|y| y.ln()).collect::<Vec<_>>());
        let resampled = |repeats: &Vec<T>, rng: &mut Rng| {
            mean(rng.indices(repeats.len(), repeats.len()).into_iter().map(|i| of(&repeats[i])))
        };
        let mut slopes: Vec<f64> = (0..RESAMPLES)
            .map(|_| through(self.found.iter().map(|repeats| resampled(repeats, rng)).collect()))
            .collect();
        slopes.sort_by(f64::total_cmp);
        let quantile = |q: f64| slopes[(q * (RESAMPLES - 1) as f64).round() as usize];
        let value = through(self.means(&of).into_iter().map(|(_, mean)| mean).collect());
        let interval = Some([quantile(0.025), quantile(0.975)]);
        let count = self.found.iter().map(Vec::len).sum();
        Estimate { interval, ..Estimate::with_error(value, count, deviation(slopes.iter().copied())) }
    }
}

/// The mean of some numbers.
pub(super) fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.into_iter().collect();
    values.iter().sum::<f64>() / values.len() as f64
}

/// Their standard deviation.
pub(super) fn deviation(values: impl IntoIterator<Item = f64> + Clone) -> f64 {
    let centre = mean(values.clone());
    mean(values.into_iter().map(|x| (x - centre).powi(2))).sqrt()
}

/// The slope of the least-squares line.
fn slope(x: &[f64], y: &[f64]) -> f64 {
    let (mx, my) = (mean(x.iter().copied()), mean(y.iter().copied()));
    let covariance: f64 = x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum();
    covariance / x.iter().map(|x| (x - mx).powi(2)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_slope(sizes: &[f64], found: Vec<Vec<f64>>) -> Estimate {
        Sweep { sizes: sizes.to_vec(), found }.log_slope(|y| *y, &mut Rng::new(1))
    }

    #[test]
    fn power_law_has_its_exponent_and_no_doubt() {
        let x = [10.0, 100.0, 1000.0];
        let slope = log_slope(&x, x.iter().map(|x: &f64| vec![3.0 * x.powf(-0.4); 3]).collect());
        assert!((slope.measured + 0.4).abs() < 1e-12);
        assert!(slope.interval.is_some_and(|[low, high]| high - low < 1e-12));
    }

    #[test]
    fn interval_covers_the_slope_of_noisy_repeats() {
        let slope = log_slope(&[1.0, 10.0], vec![vec![1.0, 1.2, 0.8], vec![0.1, 0.12, 0.08]]);
        let [low, high] = slope.interval.expect("a bootstrap");
        assert!(low < -1.0 && high > -1.0);
        // The extreme resamples are ln(0.8/1.2)/ln 10 away.
        assert!(high - low < 2.0 * 0.18);
    }

    #[test]
    fn the_mean_of_two_has_half_their_distance_for_an_error() {
        let found = Estimate::mean(&[1.0, 2.0]);
        assert_eq!((found.measured, found.count, found.standard_error), (1.5, Some(2), Some(0.5)));
        assert_eq!(Estimate::mean(&[1.0]).standard_error, None);
    }
}
