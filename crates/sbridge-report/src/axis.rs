//! One axis of a plot: which values it can show, its range, its ticks and their labels.
//!
//! Positions are linear in `u(v) = v` or `u(v) = log₁₀ v`; the range is that of the data with a
//! margin. Linear ticks are multiples of 1, 2 or 5 times a power of ten; logarithmic ticks are
//! powers of ten, or finer when the data span too few of them.
//!
//! Tests: ticks lie in the range, ascend and have distinct labels, whatever the data.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::Scale;

/// Values beyond this are not drawn (nor, on a logarithmic axis, values below its inverse):
/// differences of larger numbers overflow, and no figure is read at that size.
const LARGEST: f64 = 1e300;
/// Space beyond the data at either end, as a fraction of the data's span.
const MARGIN: f64 = 0.03;
/// Data that vary by less than this fraction of their size are shown as constant.
const FLAT: f64 = 1e-6;
/// Fewer ticks than this do not let a reader judge distances.
const FEWEST_TICKS: usize = 3;

impl Scale {
    /// Whether an axis of this scale can show `value`.
    pub(super) fn admits(self, value: f64) -> bool {
        match self {
            Self::Linear => value.abs() <= LARGEST,
            Self::Log => (LARGEST.recip()..=LARGEST).contains(&value),
        }
    }

    fn position(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log => value.log10(),
        }
    }

    fn value(self, position: f64) -> f64 {
        match self {
            Self::Linear => position,
            Self::Log => 10f64.powf(position),
        }
    }
}

/// An axis with its range and ticks chosen.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// The axis that shows all `values`, with about `num_ticks` ticks; none if there are no values.
    ///
    /// All values must be such that the scale admits them.
    pub(super) fn covering(
        scale: Scale,
        values: impl Iterator<Item = f64>,
        num_ticks: usize,
    ) -> Option<Self> {
        let (low, high) = values
            .map(|value| scale.position(value))
            .fold(None, |range: Option<(f64, f64)>, at| {
                Some(range.map_or((at, at), |(low, high)| (low.min(at), high.max(at))))
            })
            .map(|(low, high)| with_margin(low, high))?;
        let ticks = match scale {
            Scale::Linear => linear_ticks(low, high, num_ticks),
            Scale::Log => log_ticks(low, high, num_ticks),
        };
        Some(Self { scale, low, high, ticks })
    }

    /// The length of the longest tick label, in characters.
    pub(super) fn label_length(&self) -> usize {
        let lengths = self.ticks.iter().map(|(_, label)| label.chars().count());
        lengths.max().unwrap_or(0)
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (start, end): (i32, i32)) -> i32 {
        let fraction = (self.scale.position(*value) - self.low) / (self.high - self.low);
        start + (f64::from(end - start) * fraction).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.ticks.iter().map(|(value, _)| *value).collect()
    }

    fn range(&self) -> Range<f64> {
        self.scale.value(self.low)..self.scale.value(self.high)
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let tick = self.ticks.iter().find(|(tick, _)| tick == value);
        tick.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

/// The range a little wider than `low..high`, or around a constant.
fn with_margin(low: f64, high: f64) -> (f64, f64) {
    let span = high - low;
    let size = low.abs().max(high.abs());
    let margin = match span > FLAT * size {
        true => MARGIN * span,
        false if size > 0.0 => size / 2.0,
        false => 1.0,
    };
    (low - margin, high + margin)
}

fn linear_ticks(low: f64, high: f64, num_ticks: usize) -> Vec<(f64, String)> {
    let step = round_step((high - low) / num_ticks as f64);
    let indices = (low / step).ceil() as i64..=(high / step).floor() as i64;
    let values: Vec<f64> = indices.map(|index| index as f64 * step).collect();
    let largest = values.iter().fold(step, |largest, value| largest.max(value.abs()));
    let label = |value| linear_label(value, step, largest);
    values.into_iter().map(|value| (value, label(value))).collect()
}

/// The smallest of 1, 2 and 5 times a power of ten that is at least `step`.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let multiples = [1.0, 2.0, 5.0].into_iter().map(|multiple| multiple * power);
    multiples.into_iter().find(|&rounded| rounded >= step).unwrap_or(10.0 * power)
}

/// `value` with just the digits that tell multiples of `step` apart; very large or small axes in
/// powers of ten.
fn linear_label(value: f64, step: f64, largest: f64) -> String {
    let exponent = exponent_of(largest);
    if value == 0.0 {
        return "0".to_owned();
    }
    if (-4..6).contains(&exponent) {
        return fixed(value, -exponent_of(step));
    }
    let mantissa = fixed(value / 10f64.powi(exponent), exponent - exponent_of(step));
    format!("{mantissa}×{}", power_of_ten(exponent))
}

fn log_ticks(low: f64, high: f64, num_ticks: usize) -> Vec<(f64, String)> {
    let stride = ((high - low) / num_ticks as f64).ceil() as usize;
    let decades = multiples_of_decades(low, high, stride, &[1.0]);
    if decades.len() >= FEWEST_TICKS {
        return decades;
    }
    let finer = multiples_of_decades(low, high, 1, &[1.0, 2.0, 5.0]);
    if finer.len() >= FEWEST_TICKS {
        return finer;
    }
    linear_ticks(10f64.powf(low), 10f64.powf(high), num_ticks)
}

/// Each multiple of every `stride`-th power of ten within `10^low..10^high`.
fn multiples_of_decades(low: f64, high: f64, stride: usize, multiples: &[f64]) -> Vec<(f64, String)> {
    let stride = stride as i32;
    let first = (low.floor() as i32).div_euclid(stride) * stride;
    (first..=high.floor() as i32)
        .step_by(stride as usize)
        .flat_map(|exponent| multiples.iter().map(move |&multiple| (multiple, exponent)))
        .filter(|(multiple, exponent)| (low..=high).contains(&(f64::from(*exponent) + multiple.log10())))
        .map(|(multiple, exponent)| (multiple * 10f64.powi(exponent), log_label(multiple, exponent)))
        .collect()
}

fn log_label(multiple: f64, exponent: i32) -> String {
    match (multiple, exponent) {
        (_, -3..=4) => fixed(multiple * 10f64.powi(exponent), -exponent),
        (1.0, _) => power_of_ten(exponent),
        _ => format!("{multiple}×{}", power_of_ten(exponent)),
    }
}

/// The exponent of the leading digit. The nudge keeps 0.001, whose logarithm may round below −3, at
/// −3.
fn exponent_of(value: f64) -> i32 {
    (value.log10() + 1e-9).floor() as i32
}

fn fixed(value: f64, decimals: i32) -> String {
    format!("{value:.*}", decimals.max(0) as usize).replace('-', "−")
}

fn power_of_ten(exponent: i32) -> String {
    let superscript = |digit| match digit {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => char::from_u32('⁰' as u32 + digit as u32 - '0' as u32).unwrap_or(digit),
    };
    let digits: String = exponent.to_string().chars().map(superscript).collect();
    format!("10{digits}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn labels(scale: Scale, low: f64, high: f64) -> Vec<String> {
        let axis = Axis::covering(scale, [low, high].into_iter(), 6).unwrap();
        axis.ticks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn linear_ticks_are_round_numbers() {
        assert_eq!(labels(Scale::Linear, 0.0, 1.0), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(Scale::Linear, -2.0, 2.0), ["−2", "−1", "0", "1", "2"]);
        assert_eq!(labels(Scale::Linear, 0.0, 2e7), ["0", "0.5×10⁷", "1.0×10⁷", "1.5×10⁷", "2.0×10⁷"]);
    }

    #[test]
    fn log_ticks_are_decades_or_finer() {
        assert_eq!(labels(Scale::Log, 1e-3, 10.0), ["0.001", "0.01", "0.1", "1", "10"]);
        assert_eq!(labels(Scale::Log, 0.1, 2.0), ["0.1", "0.2", "0.5", "1", "2"]);
        assert_eq!(labels(Scale::Log, 1e-9, 1e3), ["10⁻⁹", "10⁻⁶", "0.001", "1", "1000"]);
    }

    #[test]
    fn a_constant_gets_a_range_around_it() {
        let axis = Axis::covering(Scale::Linear, [3.0].into_iter(), 5).unwrap();
        assert!(axis.low < 3.0 && axis.high > 3.0 && axis.ticks.len() >= FEWEST_TICKS);
    }

    #[test]
    fn no_values_make_no_axis() {
        assert!(Axis::covering(Scale::Linear, std::iter::empty(), 5).is_none());
    }

    #[test]
    fn scales_admit_what_they_can_show() {
        for never in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(!Scale::Linear.admits(never) && !Scale::Log.admits(never));
        }
        assert!(Scale::Linear.admits(0.0) && !Scale::Log.admits(0.0));
        assert!(Scale::Linear.admits(-1.0) && !Scale::Log.admits(-1.0));
    }

    proptest! {
        #[test]
        fn ticks_ascend_within_the_range_under_distinct_labels(
            mantissa in 1.0f64..10.0, exponent in -290i32..290, ratio in 1.0f64..1e4, log: bool,
        ) {
            let scale = if log { Scale::Log } else { Scale::Linear };
            let low = mantissa * 10f64.powi(exponent);
            let axis = Axis::covering(scale, [low, low * ratio].into_iter(), 6).unwrap();
            prop_assert!((2..=16).contains(&axis.ticks.len()), "{:?}", axis.ticks);
            for pair in axis.ticks.windows(2) {
                prop_assert!(pair[0].0 < pair[1].0 && pair[0].1 != pair[1].1, "{pair:?}");
            }
            // Half a unit of a 10000-unit axis: ticks may round out of the range by no more.
            for (tick, _) in &axis.ticks {
                prop_assert!((0..=10_000).contains(&axis.map(tick, (0, 10_000))));
            }
        }
    }
}
