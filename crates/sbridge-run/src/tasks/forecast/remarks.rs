//! What a reader of a backtest should know, in words.

use sbridge_ot::widest_share;
use sbridge_report::digits;

use super::naive::Paths;
use super::scoring::{Judge, Row, SHARES};

/// Draws beyond what a series ever was are worth a word from this share on.
const BEYOND: f64 = 0.005;

/// What does as well as the model or better, intervals that are too narrow or too wide, scores that are none, and draws
/// below zero of what never is.
pub(super) fn remarks(rows: &[Row], judge: &Judge<'_>, drawn: &[Paths]) -> Vec<String> {
    let mut remarks = beaten(rows);
    remarks.extend(missing_scores(&rows[0], judge));
    remarks.extend(intervals(&rows[0], judge.config.samples));
    remarks.extend(below_zero(judge, drawn));
    remarks
}

fn beaten(rows: &[Row]) -> Vec<String> {
    let (name, score) = rows[0].headline();
    let Some(model) = score(&rows[0]) else { return Vec::new() };
    let others = rows[1..].iter().filter_map(|row| Some((&row.name, score(row)?)));
    let no_worse = others.filter(|(_, theirs)| *theirs <= model);
    let said = |(other, theirs): (&String, f64)| {
        format!("{other} does as well or better, by {name} ({} beside {})", digits(theirs), digits(model))
    };
    no_worse.map(said).collect()
}

/// Scores that are divided by nothing, or of series that nothing is known of.
fn missing_scores(model: &Row, judge: &Judge<'_>) -> Vec<String> {
    let names = judge.data.series.names();
    let mut remarks = Vec::new();
    if judge.summed.is_empty() {
        remarks.push(
            "nothing is known of the windows to judge by: there are no scores (--windows takes more)".into(),
        );
        return remarks;
    }
    if judge.summed.len() < names.len() {
        let summed: Vec<&str> = judge.summed.iter().map(|j| names[*j].as_str()).collect();
        remarks.push(format!(
            "CRPS-sum is of {} only: at no time of the windows are all series known",
            summed.join(", ")
        ));
    }
    if model.crps_sum.is_none() {
        remarks
            .push("CRPS-sum is not defined: the sum of the series is 0 at all times judged; see CRPS".into());
    }
    let undefined: Vec<&str> = model
        .series
        .iter()
        .zip(names)
        .filter(|(score, _)| score.is_none())
        .map(|(_, name)| name.as_str())
        .collect();
    if !undefined.is_empty() {
        remarks.push(format!(
            "CRPS is of {} of {} series: {} is 0, or not known, at all times judged",
            names.len() - undefined.len(),
            names.len(),
            undefined.join(", ")
        ));
    }
    remarks
}

fn intervals(model: &Row, samples: usize) -> Vec<String> {
    let mut remarks = Vec::new();
    let widest = widest_share(samples);
    if widest < SHARES[2] {
        remarks.push(format!(
            "of {samples} paths the widest interval holds {:.1} % of a law, and stands for that of 95 % (39 have one: --set \
             samples=39)",
            100.0 * widest
        ));
    }
    if let Some([_, coverage, _]) = model.coverage
        && (coverage - 0.8).abs() > 0.15
    {
        let how = if coverage < 0.8 { "narrow" } else { "wide" };
        remarks.push(format!("intervals are too {how}: those of 80 % hold {:.0} %", 100.0 * coverage));
    }
    remarks
}

/// Series that are never below zero, and are drawn there.
fn below_zero(judge: &Judge<'_>, drawn: &[Paths]) -> Option<String> {
    let (series, dim) = (&judge.data.series, judge.data.series.dim());
    let is_never = |j: &usize| series.values().iter().skip(*j).step_by(dim).all(|x| x.is_nan() || *x >= 0.0);
    let share = |j: usize| {
        let draws = || drawn.iter().flatten().flat_map(|path| path.iter().skip(j).step_by(dim));
        draws().filter(|x| **x < 0.0).count() as f64 / draws().count().max(1) as f64
    };
    let found = (0..dim).filter(is_never).map(|j| (j, share(j))).find(|(_, share)| *share > BEYOND);
    found.map(|(j, share)| {
        format!(
            "{:.0} % of the draws of '{}' are below 0, which it never is: --at-least 0 keeps them above",
            (100.0 * share).max(1.0),
            series.names()[j]
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::quality::RowKind;

    fn row(name: &str, crps_sum: Option<f64>, coverage: f64) -> Row {
        Row {
            name: name.into(),
            kind: RowKind::Baseline,
            crps_sum,
            windows: vec![],
            series: vec![],
            crps: Some(0.3),
            energy: None,
            coverage: Some([0.5, coverage, 0.95]),
        }
    }

    #[test]
    fn what_does_as_well_is_named_and_so_are_wrong_intervals() {
        let found =
            beaten(&[row("model", Some(0.2), 0.5), row("a", Some(0.1), 0.8), row("b", Some(0.3), 0.8)]);
        assert!(found[0].starts_with("a does as well or better, by CRPS-sum") && found.len() == 1);
        let without_a_sum = beaten(&[row("model", None, 0.8), row("a", None, 0.8)]);
        assert!(without_a_sum[0].contains("by CRPS (0.3"), "{without_a_sum:?}");
        let narrow = intervals(&row("model", Some(0.2), 0.5), 100);
        assert!(narrow.len() == 1 && narrow[0].contains("too narrow: those of 80 % hold 50 %"));
        assert!(intervals(&row("model", None, 0.8), 100).is_empty());
        assert!(intervals(&row("model", None, 0.8), 30)[0].contains("holds 93.5 %"));
    }
}
