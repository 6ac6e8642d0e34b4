//! One measured number beside what is known of it.

use std::fmt;

use serde::Serialize;

use super::statistics::Slope;
use sbridge_report::{Plot, Scale, Series, SeriesStyle, digits};

/// An answer to one question.
#[derive(Debug, Default, Serialize)]
pub struct Study {
    /// What is asked.
    pub title: String,
    /// How it was measured, and how to read it.
    pub text: String,
    /// The numbers.
    pub checks: Vec<Check>,
    /// Where tolerances come from.
    pub note: String,
    /// The drawings.
    #[serde(skip)]
    pub plots: Vec<Plot>,
    /// Time it took.
    pub seconds: f64,
}

/// A measured number, what is known of it, and whether they agree.
#[derive(Debug, Serialize)]
pub struct Check {
    /// What was measured.
    pub quantity: String,
    /// Its value.
    pub measured: f64,
    /// Where a bootstrap puts it, 95 times in 100.
    pub interval: Option<[f64; 2]>,
    /// What is known of it.
    pub expected: Expected,
    /// Whether the two agree.
    pub passed: bool,
}

/// What is known of a number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// Its value.
    Near {
        /// The value.
        value: f64,
        /// How far off chance or rounding may put it.
        tolerance: f64,
    },
    /// A bound from above.
    AtMost(f64),
}

impl Expected {
    fn admits(self, measured: f64) -> bool {
        match self {
            Self::Near { value, tolerance } => (measured - value).abs() <= tolerance,
            Self::AtMost(bound) => measured <= bound,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Near { value, tolerance } => write!(f, "{} ± {}", digits(*value), digits(*tolerance)),
            Self::AtMost(bound) => write!(f, "≤ {}", digits(*bound)),
        }
    }
}

impl Study {
    /// A question, how it is answered, and where tolerances come from: nothing measured yet.
    pub(super) fn new(title: impl Into<String>, text: impl Into<String>, note: impl Into<String>) -> Self {
        Self { title: title.into(), text: text.into(), note: note.into(), ..Self::default() }
    }

    /// `measured` should be `value`, give or take `tolerance`.
    pub(super) fn near(&mut self, quantity: impl Into<String>, measured: f64, value: f64, tolerance: f64) {
        self.check(quantity.into(), measured, None, Expected::Near { value, tolerance });
    }

    /// `measured` should not exceed `bound`.
    pub(super) fn at_most(&mut self, quantity: impl Into<String>, measured: f64, bound: f64) {
        self.check(quantity.into(), measured, None, Expected::AtMost(bound));
    }

    /// A slope should be as `expected`.
    pub(super) fn slope(&mut self, quantity: impl Into<String>, slope: &Slope, expected: Expected) {
        self.check(quantity.into(), slope.value, Some(slope.interval), expected);
    }

    fn check(&mut self, quantity: String, measured: f64, interval: Option<[f64; 2]>, expected: Expected) {
        let passed = expected.admits(measured);
        self.checks.push(Check { quantity, measured, interval, expected, passed });
    }

    /// Draws `series` on axes of these names.
    pub(super) fn plot(&mut self, caption: impl Into<String>, axes: [&str; 2], series: Vec<Series>) {
        let ([x_label, y_label], caption) = (axes.map(String::from), caption.into());
        self.plots.push(Plot { caption, x_label, y_label, series, ..Plot::default() });
    }

    /// The same on logarithmic axes.
    pub(super) fn log_plot(&mut self, caption: impl Into<String>, axes: [&str; 2], series: Vec<Series>) {
        let ([x_label, y_label], caption) = (axes.map(String::from), caption.into());
        let (x_scale, y_scale) = (Scale::Log, Scale::Log);
        self.plots.push(Plot { caption, x_label, y_label, x_scale, y_scale, series });
    }
}

/// Points joined by a line.
pub(super) fn line(name: impl Into<String>, points: Vec<(f64, f64)>) -> Series {
    Series { name: name.into(), style: SeriesStyle::Line, points }
}

/// Points joined by a dashed line: what others are compared with.
pub(super) fn dashed(name: impl Into<String>, points: Vec<(f64, f64)>) -> Series {
    Series { name: name.into(), style: SeriesStyle::Dashed, points }
}

/// Points alone.
pub(super) fn dots(name: impl Into<String>, points: Vec<(f64, f64)>) -> Series {
    Series { name: name.into(), style: SeriesStyle::Points, points }
}

impl Check {
    pub(super) fn verdict(&self) -> &'static str {
        if self.passed { "pass" } else { "FAIL" }
    }

    pub(super) fn shown_measured(&self) -> String {
        digits(self.measured)
    }

    pub(super) fn shown_interval(&self) -> String {
        self.interval.map_or("–".into(), |[low, high]| format!("{} … {}", digits(low), digits(high)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_passes_only_within_its_tolerance_or_bound() {
        let near = Expected::Near { value: 1.0, tolerance: 0.11 };
        assert!(near.admits(1.1) && !near.admits(0.88));
        let at_most = Expected::AtMost(-1.0);
        assert!(at_most.admits(-2.0) && !at_most.admits(-0.5));
        for never in [f64::NAN, f64::INFINITY] {
            assert!(!near.admits(never) && !at_most.admits(never));
        }
    }
}
