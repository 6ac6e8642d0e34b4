//! One measured number beside what is known of it, and beside a wrong answer that has to be refused.
//!
//! No number is judged without a [`Control`]: an untrained network, or the right answer spoiled by a stated amount, measured
//! in the same way. What admits both says nothing, so a check passes only if its control fails.

use serde::Serialize;

use super::statistics::Estimate;
use sbridge_report::{Plot, Scale, Series, SeriesStyle};

/// An answer to one question.
#[derive(Debug, Default, Serialize)]
pub struct Study {
    /// What is asked.
    pub title: String,
    /// How it was measured, and how to read it.
    pub text: String,
    /// The numbers.
    pub checks: Vec<Check>,
    /// Numbers beside which nothing is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listings: Vec<Listing>,
    /// Where tolerances come from.
    pub note: String,
    /// The drawings.
    #[serde(skip)]
    pub plots: Vec<Plot>,
    /// Time it took.
    pub seconds: f64,
}

/// Numbers to look at, which no check is made of.
#[derive(Debug, Serialize)]
pub struct Listing {
    /// What is shown.
    pub caption: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// A name and a number for every column.
    pub rows: Vec<(String, Vec<f64>)>,
    /// How to read it.
    pub note: String,
}

/// A measured number, what is known of it, and whether they agree.
#[derive(Debug, Serialize)]
pub struct Check {
    /// What was measured.
    pub quantity: String,
    /// Its value, and how sure it is.
    #[serde(flatten)]
    pub found: Estimate,
    /// What is known of it.
    pub expected: Expected,
    /// How much of a bound the number uses; nothing where its value is known, and the check is a reproduction.
    pub used: Option<f64>,
    /// What the same measurement finds where the answer is wrong.
    pub control: Control,
    /// How it ended.
    pub verdict: Verdict,
}

/// A wrong answer, measured as the right one is.
#[derive(Clone, Debug, Serialize)]
pub struct Control {
    /// What is wrong with it.
    pub what: String,
    /// What was measured of it.
    pub measured: f64,
    /// Whether the check refuses it, as it must.
    pub refused: bool,
}

/// A number, and that of its control.
pub(super) struct Beside {
    found: Estimate,
    control: Control,
}

impl Estimate {
    /// Beside `measured`, which is of something wrong: `what` says how.
    pub(super) fn beside(self, what: impl Into<String>, measured: impl Into<Self>) -> Beside {
        let control = Control { what: what.into(), measured: measured.into().measured, refused: false };
        Beside { found: self, control }
    }
}

/// What is known of a number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// Its value: the check is a reproduction.
    Near {
        /// The value.
        value: f64,
        /// How far off chance or rounding may put it.
        tolerance: f64,
    },
    /// A bound from above, with room to spare: no reproduction.
    AtMost(f64),
}

impl Expected {
    fn admits(self, measured: f64) -> bool {
        match self {
            Self::Near { value, tolerance } => (measured - value).abs() <= tolerance,
            Self::AtMost(bound) => measured <= bound,
        }
    }

    /// How much of a bound is used: of a negative one, which asks for a fall, the share asked for of the fall that is there.
    fn used(self, measured: f64) -> Option<f64> {
        match self {
            Self::AtMost(bound) if bound < 0.0 => Some(bound / measured),
            Self::AtMost(bound) => Some(measured.max(0.0) / bound),
            Self::Near { .. } => None,
        }
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The number is as expected, and that of the control is not.
    Pass,
    /// The number is not as expected.
    Fail,
    /// The number is as expected, and so is that of the control, or it is none: the check cannot fail.
    ControlPasses,
}

impl Check {
    fn new(quantity: String, beside: Beside, expected: Expected) -> Self {
        let Beside { found, mut control } = beside;
        // What is no number was not measured, and refuses nothing.
        control.refused = control.measured.is_finite() && !expected.admits(control.measured);
        let verdict = match (expected.admits(found.measured), control.refused) {
            (false, _) => Verdict::Fail,
            (true, true) => Verdict::Pass,
            (true, false) => Verdict::ControlPasses,
        };
        Self { quantity, found, expected, used: expected.used(found.measured), control, verdict }
    }

    /// Whether the number is as expected and its control is not.
    pub fn passed(&self) -> bool {
        self.verdict == Verdict::Pass
    }
}

impl Study {
    /// A question, how it is answered, and where tolerances come from: nothing measured yet.
    pub(super) fn new(title: impl Into<String>, text: impl Into<String>, note: impl Into<String>) -> Self {
        Self { title: title.into(), text: text.into(), note: note.into(), ..Self::default() }
    }

    /// The number should be `value`, give or take `tolerance`.
    pub(super) fn near(&mut self, quantity: impl Into<String>, beside: Beside, value: f64, tolerance: f64) {
        self.checks.push(Check::new(quantity.into(), beside, Expected::Near { value, tolerance }));
    }

    /// The number should not exceed `bound`.
    pub(super) fn at_most(&mut self, quantity: impl Into<String>, beside: Beside, bound: f64) {
        self.checks.push(Check::new(quantity.into(), beside, Expected::AtMost(bound)));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn study(measured: f64, control: f64) -> Study {
        let mut study = Study::new("", "", "");
        let beside = || Estimate::exact(measured).beside("spoiled", control);
        study.near("value", beside(), 1.0, 0.11);
        study.at_most("bound", beside(), 1.2);
        study
    }

    fn verdicts(measured: f64, control: f64) -> Vec<Verdict> {
        study(measured, control).checks.iter().map(|check| check.verdict).collect()
    }

    #[test]
    fn a_check_passes_only_within_its_tolerance_or_bound() {
        assert_eq!(verdicts(1.1, 3.0), [Verdict::Pass; 2]);
        assert_eq!(verdicts(0.88, 3.0), [Verdict::Fail, Verdict::Pass]);
        for never in [f64::NAN, f64::INFINITY] {
            assert_eq!(verdicts(never, 3.0), [Verdict::Fail; 2]);
        }
    }

    #[test]
    fn a_control_is_refused_whatever_was_measured() {
        let refused = |measured| study(measured, 3.0).checks.iter().all(|check| check.control.refused);
        assert!(refused(1.0) && refused(9.0));
    }

    #[test]
    fn a_check_whose_control_passes_does_not_pass() {
        assert_eq!(verdicts(1.1, 1.1), [Verdict::ControlPasses; 2]);
        assert_eq!(verdicts(1.1, f64::NAN), [Verdict::ControlPasses; 2]);
    }

    #[test]
    fn a_bound_says_how_much_of_it_is_used() {
        let used = |measured: f64, bound: f64| {
            let beside = Estimate::exact(measured).beside("spoiled", 9.0);
            Check::new(String::new(), beside, Expected::AtMost(bound)).used
        };
        assert_eq!([used(0.3, 1.2), used(-0.4, -0.1), used(-1.0, 2.0)], [Some(0.25), Some(0.25), Some(0.0)]);
        assert_eq!(study(1.0, 2.0).checks[0].used, None);
    }
}
