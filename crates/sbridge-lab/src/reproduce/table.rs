//! The checks of a study as one table, the same on the screen and on the page.

use std::fmt;

use serde::Serialize;

use super::check::{Check, Expected, Listing, Study, Verdict};
use super::statistics::Estimate;
use sbridge_report::{Block, Emphasis, Row, Section, Table, digits};

/// What stands beside each quantity.
const COLUMNS: [&str; 5] = ["measured", "expected", "n", "control", "verdict"];

/// The cells of `check`, in the order of [`COLUMNS`].
fn cells(check: &Check) -> [String; 5] {
    let count = check.found.count.map_or("exact".into(), |count| count.to_string());
    let control = format!("{} ({})", digits(check.control.measured), check.control.what);
    [check.found.to_string(), check.expected.to_string(), count, control, verdict(check)]
}

fn verdict(check: &Check) -> String {
    match (check.verdict, check.used) {
        (Verdict::Pass, None) => "pass".into(),
        (Verdict::Pass, Some(used)) => format!("bound, used to {:.0} %", 100.0 * used),
        (Verdict::Fail, None) => "FAIL".into(),
        (Verdict::Fail, Some(_)) => "BOUND BROKEN".into(),
        (Verdict::ControlPasses, _) => "CONTROL PASSES".into(),
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let measured = digits(self.measured);
        match (self.interval, self.standard_error) {
            (Some([low, high]), _) => f.pad(&format!("{measured} [{}, {}]", digits(low), digits(high))),
            (None, Some(error)) => f.pad(&format!("{measured} ({})", digits(error))),
            (None, None) => f.pad(&measured),
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

/// How checks ended, reproductions and bounds apart.
#[derive(Debug, Default, Serialize)]
pub(super) struct Tally {
    /// Numbers whose value is known, and those of them that have it.
    reproductions: usize,
    reproduced: usize,
    /// Numbers with a bound, those of them that keep it, and the largest share of a bound that is used.
    bounds: usize,
    held: usize,
    most_used: f64,
    /// Checks that their control passes too: they say nothing.
    controls_passed: usize,
}

impl Tally {
    pub(super) fn of<'a>(checks: impl Iterator<Item = &'a Check>) -> Self {
        let mut tally = Self::default();
        for check in checks {
            let passed = usize::from(check.passed());
            tally.controls_passed += usize::from(!check.control.refused);
            if let Some(used) = check.used {
                (tally.bounds, tally.held) = (tally.bounds + 1, tally.held + passed);
                tally.most_used = tally.most_used.max(used);
            } else {
                (tally.reproductions, tally.reproduced) =
                    (tally.reproductions + 1, tally.reproduced + passed);
            }
        }
        tally
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reproductions, reproduced, bounds, held, most_used, controls_passed } = self;
        if *reproductions > 0 {
            write!(f, "{reproduced} of {reproductions} reproductions passed; ")?;
        }
        if *bounds > 0 {
            write!(f, "{held} of {bounds} bounds hold, used to at most {:.0} %; ", 100.0 * most_used)?;
        }
        match controls_passed {
            0 => f.write_str("every control failed, as it must."),
            _ => write!(f, "{controls_passed} controls passed: those checks say nothing."),
        }
    }
}

/// Numbers without a verdict as a table.
fn listed(listing: &Listing) -> Table {
    let row = |(label, values): &(String, Vec<f64>)| Row {
        label: label.clone(),
        cells: values.iter().map(|value| shown(*value)).collect(),
        emphasis: Emphasis::Baseline,
    };
    Table {
        caption: listing.caption.clone(),
        columns: listing.columns.clone(),
        rows: listing.rows.iter().map(row).collect(),
        note: listing.note.clone(),
    }
}

/// The study on the page.
pub(super) fn section(study: &Study) -> Section {
    let row = |check: &Check| Row {
        label: check.quantity.clone(),
        cells: cells(check).to_vec(),
        emphasis: if check.passed() { Emphasis::Baseline } else { Emphasis::Model },
    };
    let table = Table {
        caption: format!(
            "{:.1} s; standard errors in parentheses, of what was measured more than once; 95 % intervals in brackets",
            study.seconds
        ),
        columns: COLUMNS.map(String::from).to_vec(),
        rows: study.checks.iter().map(row).collect(),
        note: study.note.clone(),
    };
    let listings = study.listings.iter().map(|listing| Block::Table(listed(listing)));
    let plots = study.plots.iter().cloned().map(Block::Plot);
    Section {
        title: study.title.clone(),
        text: study.text.clone(),
        blocks: std::iter::once(Block::Table(table)).chain(listings).chain(plots).collect(),
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n  {:24}", self.caption)?;
        self.columns.iter().try_for_each(|name| write!(f, " {name:>14}"))?;
        for (name, values) in &self.rows {
            write!(f, "\n  {name:24}")?;
            values.iter().try_for_each(|value| write!(f, " {:>14}", shown(*value)))?;
        }
        Ok(())
    }
}

/// A number, or a dash where there is none.
fn shown(value: f64) -> String {
    if value.is_nan() { "–".into() } else { digits(value) }
}

impl fmt::Display for Study {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [measured, expected, count, control, verdict] = COLUMNS;
        write!(f, "{} ({:.1} s)", self.title, self.seconds)?;
        write!(f, "\n  {:58} {measured:>25}  {expected:19} {count:>6}  {verdict:22} {control}", "")?;
        for check in &self.checks {
            let [measured, expected, count, control, verdict] = cells(check);
            write!(
                f,
                "\n  {:58} {measured:>25}  {expected:19} {count:>6}  {verdict:22} {control}",
                check.quantity
            )?;
        }
        self.listings.iter().try_for_each(|listing| write!(f, "\n{listing}"))
    }
}
