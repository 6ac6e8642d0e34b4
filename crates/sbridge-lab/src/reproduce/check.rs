//! One measured number beside what is known of it.

use std::fmt;

use serde::Serialize;

use sbridge_report::Plot;
use sbridge_report::digits;

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

impl Check {
    /// `measured` should be `value`, give or take `tolerance`.
    pub fn near(quantity: impl Into<String>, measured: f64, value: f64, tolerance: f64) -> Self {
        Self::new(quantity.into(), measured, Expected::Near { value, tolerance })
    }

    /// `measured` should not exceed `bound`.
    pub fn at_most(quantity: impl Into<String>, measured: f64, bound: f64) -> Self {
        Self::new(quantity.into(), measured, Expected::AtMost(bound))
    }

    fn new(quantity: String, measured: f64, expected: Expected) -> Self {
        Self { quantity, measured, interval: None, expected, passed: expected.admits(measured) }
    }

    /// The same with a bootstrap interval.
    #[must_use]
    pub fn within(mut self, interval: [f64; 2]) -> Self {
        self.interval = Some(interval);
        self
    }

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
        assert!(Check::near("x", 1.1, 1.0, 0.11).passed);
        assert!(!Check::near("x", 0.88, 1.0, 0.11).passed);
        assert!(Check::at_most("x", -2.0, -1.0).passed);
        assert!(!Check::at_most("x", -0.5, -1.0).passed);
        for never in [f64::NAN, f64::INFINITY] {
            assert!(!Check::near("x", never, 1.0, 0.1).passed && !Check::at_most("x", never, 1.0).passed);
        }
    }
}
