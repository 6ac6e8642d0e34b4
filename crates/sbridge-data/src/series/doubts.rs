//! Values that may stand for what is not known, as -999 among values of ±20.

use std::collections::HashMap;

use super::Series;
use crate::shown::shown;

/// Times the range of the others that a value is from them, at least, to be doubted.
const FAR: f64 = 3.0;

/// A doubt about every series whose lowest or highest value comes again and again, far from all others.
pub(super) fn sentinels(series: &Series) -> Vec<String> {
    let doubt = |j: usize| {
        let known: Vec<f64> =
            series.values().iter().skip(j).step_by(series.dim()).copied().filter(|x| !x.is_nan()).collect();
        let (value, times, [low, high]) = sentinel(&known)?;
        Some(format!(
            "'{}' is {value} at {times} times, and {low} to {high} at all others: if it stands for missing values, say so \
             with --missing {value}",
            shown(&series.names()[j])
        ))
    };
    (0..series.dim()).filter_map(doubt).collect()
}

/// A value that comes more than once and lies far from all others, how often it comes, and the range of these.
fn sentinel(values: &[f64]) -> Option<(f64, usize, [f64; 2])> {
    let mut counts: HashMap<u64, usize> = HashMap::new();
    values.iter().for_each(|value| *counts.entry(value.to_bits()).or_default() += 1);
    let extremes = [f64::min, f64::max].map(|of: fn(f64, f64) -> f64| values.iter().copied().reduce(of));
    extremes.into_iter().flatten().find_map(|value| {
        let times = *counts.get(&value.to_bits())?;
        let others = values.iter().copied().filter(|other| *other != value);
        let [low, high] = [others.clone().reduce(f64::min)?, others.reduce(f64::max)?];
        let distance = (low - value).max(value - high);
        let is_far = distance > FAR * (high - low) || (is_code(value) && distance > 0.1 * (high - low));
        (times > 1 && times < values.len() - 1 && is_far).then_some((value, times, [low, high]))
    })
}

/// Whether a value is a number that programs write for a missing one: nines or eights only, or the end of a range.
fn is_code(value: f64) -> bool {
    let digits = format!("{}", value.abs());
    let same = |digit: char| digits.len() > 1 && digits.chars().all(|c| c == digit);
    same('9') || same('8') || [32_767.0, 32_768.0, 65_535.0].contains(&value.abs()) || value.abs() > 1e19
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_far_from_all_others_that_comes_again_is_doubted() {
        let mut values: Vec<f64> = (0..100).map(|k| f64::from(k % 40) - 20.0).collect();
        assert_eq!(sentinel(&values), None);
        values[3] = -999.0;
        assert_eq!(sentinel(&values), None, "once is an outlier");
        values[50] = -999.0;
        assert_eq!(sentinel(&values), Some((-999.0, 2, [-20.0, 19.0])));
    }

    #[test]
    fn nines_are_doubted_sooner_than_other_values() {
        let with = |value: f64| {
            let values: Vec<f64> = (0..100).map(f64::from).chain([value, value]).collect();
            sentinel(&values).map(|found| found.0)
        };
        assert_eq!((with(-99.0), with(-50.0), with(9999.0)), (Some(-99.0), None, Some(9999.0)));
        let sales: Vec<f64> = (0..100).map(|k| f64::from(k % 3)).collect();
        assert_eq!(sentinel(&sales), None, "zeros of counts are none");
    }
}
