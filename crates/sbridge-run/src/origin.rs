//! Where coordinates are counted from, so that samples far from zero keep their digits in f32.
//!
//! f32 has 24 bits: about a million, its steps are sixteenths. Where the samples of a run lie farther from zero than a thousand
//! times their spread, one point common to all its sets is subtracted in f64 before anything is put on a device, and added in
//! f64 to what is written. Bridges of Brownian motion, distances and moments about the mean do not depend on it. Where nothing is
//! far, nothing is subtracted, and every bit is as it was.

use sbridge_data::Dataset;
use serde::{Deserialize, Serialize};

/// A coordinate is far from zero where its mean is so many times its standard deviation.
const FAR: f64 = 1000.0;

/// A point that coordinates are counted from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Origin(Vec<f64>);

impl Origin {
    /// The common origin of sets of vectors of one size, if one of their coordinates lies far from zero.
    ///
    /// The coordinates that do not are counted from zero.
    pub fn of(sets: &[&Dataset]) -> Option<Self> {
        let first = sets.first()?;
        let size = first.shape().size();
        if sets.iter().any(|set| set.shape().is_image() || set.shape().size() != size) {
            return None;
        }
        let origin: Vec<f64> =
            moments(sets, size).into_iter().map(|moments| moments.far_mean().unwrap_or(0.0)).collect();
        origin.iter().any(|x| *x != 0.0).then_some(Self(origin))
    }

    /// A set counted from here; one of another shape as it is.
    #[must_use]
    pub fn subtracted_from(&self, set: Dataset) -> Dataset {
        match set.shape().size() == self.0.len() && !set.shape().is_image() {
            true => set.counted_from(&self.0),
            false => set,
        }
    }

    /// Rows counted from here as they are counted from zero.
    pub fn added_to(&self, rows: &[f32]) -> Vec<f64> {
        rows.iter().zip(self.0.iter().cycle()).map(|(value, origin)| f64::from(*value) + origin).collect()
    }
}

/// Sums over one coordinate of all sets, about the value it has in the first row, so that nothing cancels.
#[derive(Clone, Default)]
struct Moments {
    about: f64,
    count: f64,
    sum: f64,
    squares: f64,
}

fn moments(sets: &[&Dataset], size: usize) -> Vec<Moments> {
    let mut moments: Vec<Moments> =
        sets[0].iter_f64().take(size).map(|about| Moments { about, ..Moments::default() }).collect();
    for set in sets {
        set.iter_f64().enumerate().for_each(|(i, value)| moments[i % size].add(value));
    }
    moments
}

impl Moments {
    fn add(&mut self, value: f64) {
        let from = value - self.about;
        self.count += 1.0;
        self.sum += from;
        self.squares += from * from;
    }

    /// The mean, rounded to the size of the spread so that little is lost in subtracting it, if it is far from zero.
    fn far_mean(&self) -> Option<f64> {
        let from = self.sum / self.count;
        let (mean, std) = (self.about + from, (self.squares / self.count - from * from).max(0.0).sqrt());
        // A constant has no spread to lose.
        let is_far = std > 0.0 && mean.is_finite() && mean.abs() > FAR * std;
        is_far.then(|| {
            let grid = 2f64.powi(std.log2().floor() as i32);
            (mean / grid).round() * grid
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use sbridge_data::SampleShape;

    use super::*;

    fn set(values: Vec<f64>) -> Dataset {
        Dataset::from_values_f64("x", values, SampleShape::Vector { dim: 2 }).unwrap()
    }

    #[test]
    fn only_what_is_far_from_zero_is_counted_from_elsewhere() {
        let near: Vec<f64> = (0..40).map(|k| f64::from(k % 7) + 100.0).collect();
        assert_eq!(Origin::of(&[&set(near.clone())]), None);
        let far: Vec<f64> =
            near.iter().enumerate().map(|(i, x)| if i % 2 == 0 { x + 1e6 } else { *x }).collect();
        let Origin(origin) = Origin::of(&[&set(far)]).unwrap();
        // Within a spread of the mean, and on the grid of the spread, which is just below 2.
        assert!((origin[0] - 1_000_103.0).abs() <= 2.0 && origin[0].fract() == 0.0, "{origin:?}");
        assert_eq!(origin[1], 0.0);
    }

    #[test]
    fn digits_survive_the_way_through_f32() {
        let values: Vec<f64> = (0..40).map(|k| 1e6 + 1e-3 * f64::from(k)).collect();
        let data = set(values.clone());
        let origin = Origin::of(&[&data]).unwrap();
        let back = origin.added_to(origin.subtracted_from(data).values());
        // f32 keeps 24 bits of at most 0.04, so that the error is below 0.04 · 2⁻²⁴ = 2.4e-9.
        assert!(values.iter().zip(back).all(|(value, back)| (value - back).abs() < 3e-9));
    }
}
