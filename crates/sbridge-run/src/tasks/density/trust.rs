//! Whether draws are to be trusted, in one sentence with its reasons; and what a wise user would use instead.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::judge::{DensityEvaluation, Row};
use crate::quality::RowKind;

/// A verdict with its reasons.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Trust {
    /// Whether no alarm rings.
    pub is_trusted: bool,
    /// The alarms; or what speaks for the draws, if none rings.
    pub reasons: Vec<String>,
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reasons = self.reasons.join("; ");
        match self.is_trusted {
            true => write!(f, "Nothing speaks against these draws: {reasons}."),
            false => write!(f, "Do not trust these draws: {reasons}."),
        }
    }
}

/// Effective sample size below which a few paths carry all the weight.
const LEAST_ESS: f64 = 0.01;

/// Share of paths without a weight.
const MOST_FILTERED: f64 = 0.01;

/// Standard errors by which two values of ln Z may differ.
const ERRORS: f64 = 4.0;

/// What is between exact and rounding where both errors are tiny.
const ROUNDING: f64 = 5e-3;

/// Nats between the upper and the lower bound of ln Z.
const WIDEST_GAP: f64 = 5.0;

/// k̂ above which a mean of weights is not to be believed.                                                              \[VSGYG24\]
const HEAVIEST_TAIL: f64 = 0.7;

/// The verdict on what was `found`.
pub(super) fn trust(found: &DensityEvaluation) -> Trust {
    let Some(row) = found.rows.first() else { return Trust::default() };
    let alarms = alarms(found, row);
    if alarms.is_empty() {
        return Trust { is_trusted: true, reasons: assurances(found, row) };
    }
    Trust { is_trusted: false, reasons: alarms }
}

fn alarms(found: &DensityEvaluation, row: &Row) -> Vec<String> {
    let mut alarms = Vec::new();
    let ess = row.ess.unwrap_or(0.0);
    // A share that is not a number is no assurance either.
    if ess.is_nan() || ess < LEAST_ESS {
        alarms.push(format!(
            "the effective sample size is {:.2} % of the paths, so a few carry all the weight",
            100.0 * ess
        ));
    }
    if found.filtered as f64 > MOST_FILTERED * found.paths as f64 {
        alarms.push(format!("{} of {} paths have no weight", found.filtered, found.paths));
    }
    if let Some(k) = found.tail.filter(|k| *k > HEAVIEST_TAIL) {
        alarms.push(format!(
            "the weights have a tail of shape {k:.2} (above {HEAVIEST_TAIL} their mean is not to be believed)"
        ));
    }
    if let (Some(eubo), Some(elbo)) = (row.eubo, row.elbo)
        && (eubo.is_nan() || eubo - elbo > WIDEST_GAP)
    {
        alarms.push(format!("ln Z lies anywhere between the bounds {elbo:.2} and {eubo:.2}"));
    }
    if let Some((modes, all)) = row.draws.modes.filter(|(modes, all)| modes < all) {
        alarms.push(format!("{} of {all} modes are missing", all - modes));
    }
    let smc = found.rows.iter().find(|row| row.name == "smc").and_then(|row| row.log_z);
    let others = [("it is known to be", found.reference), ("smc says", smc)];
    for (who, other) in others {
        if let (Some((here, error)), Some((there, known))) = (row.log_z, other)
            && !agree((here, error), (there, known))
        {
            let error = error.hypot(known);
            alarms.push(format!(
                "ln Z is {here:.3} by the weights, and {who} {there:.3}, more than {ERRORS} standard errors ({error:.3}) \
                 away: one of them misses modes or tails"
            ));
        }
    }
    alarms
}

/// Whether two values of ln Z with errors may be the same.
fn agree((here, error): (f64, f64), (there, known): (f64, f64)) -> bool {
    (here - there).abs() <= ERRORS * error.hypot(known) + ROUNDING
}

fn assurances(found: &DensityEvaluation, row: &Row) -> Vec<String> {
    let mut reasons =
        vec![format!("the effective sample size is {:.0} % of the paths", 100.0 * row.ess.unwrap_or(0.0))];
    let says = |name: &str| found.rows.iter().any(|row| row.name == name && row.log_z.is_some());
    if found.reference.is_some() {
        reasons.push("ln Z is as it is known".into());
    }
    match (says("smc"), found.followed_smc) {
        (true, true) => {
            reasons.push(
                "smc, whose draws were followed first, agrees on ln Z: what it missed may be missed here"
                    .into(),
            );
        }
        (true, false) => reasons.push("smc agrees on ln Z".into()),
        (false, _) => {}
    }
    match row.draws.modes {
        Some((_, all)) => reasons.push(format!("all {all} modes are there")),
        None if row.eubo.is_none() && !says("smc") => {
            reasons.push("but nothing looked for modes that no path leads to (--compare smc does)".into());
        }
        None => {}
    }
    reasons
}

/// What a wise user would use instead, and what else is worth a word.
pub(super) fn remarks(found: &DensityEvaluation) -> Vec<String> {
    let Some(row) = found.rows.first() else { return Vec::new() };
    let (Some((here, error)), Some(seconds)) = (row.log_z, row.seconds) else { return Vec::new() };
    let off = |(value, error): (f64, f64)| match found.reference {
        Some((known, of_known)) if of_known <= 0.1 => (value - known).abs().max(of_known),
        _ => error,
    };
    let is_better = |other: &&Row| {
        let modes = |row: &Row| row.draws.modes.map_or(0, |(found, _)| found);
        let sooner = other.seconds.is_some_and(|other| other < seconds);
        let known = other.log_z.is_some_and(|log_z| off(log_z) <= off((here, error)));
        other.kind == RowKind::Baseline
            && sooner
            && known
            && modes(other) >= modes(row)
            && other.remarks.is_empty()
    };
    let best = found
        .rows
        .iter()
        .filter(is_better)
        .min_by(|a, b| a.seconds.partial_cmp(&b.seconds).unwrap_or(std::cmp::Ordering::Equal));
    best.map_or(Vec::new(), |best| {
        let (Some((value, error)), Some(took)) = (best.log_z, best.seconds) else { return Vec::new() };
        vec![format!(
            "{} says ln Z = {value:.3} ± {error:.3} in {took:.1} s, where training took {seconds:.0} s: use it, unless many \
             independent draws are wanted",
            best.name
        )]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::density::judge::DrawsQuality;

    fn row(name: &str, kind: RowKind, log_z: (f64, f64), modes: (usize, usize)) -> Row {
        Row {
            name: name.into(),
            kind,
            log_z: Some(log_z),
            elbo: Some(log_z.0 - 0.1),
            eubo: Some(log_z.0 + 0.1),
            ess: Some(0.8),
            forward_ess: None,
            draws: DrawsQuality { modes: Some(modes), ..DrawsQuality::default() },
            gradients: None,
            seconds: Some(60.0),
            remarks: Vec::new(),
        }
    }

    fn found() -> DensityEvaluation {
        DensityEvaluation {
            target: "nine Gaussians".into(),
            dim: 2,
            reference: Some((0.0, 0.0)),
            followed_smc: false,
            paths: 1000,
            filtered: 0,
            rows: vec![
                row("dds", RowKind::Model, (0.01, 0.01), (9, 9)),
                Row { seconds: Some(2.0), ..row("smc", RowKind::Baseline, (0.02, 0.03), (9, 9)) },
            ],
            tail: Some(0.1),
            trust: Trust::default(),
            remarks: Vec::new(),
        }
    }

    #[test]
    fn draws_that_nothing_speaks_against_are_trusted() {
        let trust = trust(&found());
        assert!(trust.is_trusted, "{trust}");
        assert!(trust.to_string().contains("smc agrees on ln Z; all 9 modes are there"), "{trust}");
    }

    #[test]
    fn every_alarm_rings_alone() {
        type Spoil = fn(&mut DensityEvaluation);
        let spoils: [(Spoil, &str); 7] = [
            (|found| found.rows[0].ess = Some(0.002), "0.20 % of the paths"),
            (|found| found.rows[0].ess = Some(f64::NAN), "effective sample size is NaN"),
            (|found| found.filtered = 20, "20 of 1000 paths have no weight"),
            (|found| found.tail = Some(0.9), "tail of shape 0.90"),
            (|found| found.rows[0].eubo = Some(7.0), "between the bounds -0.09 and 7.00"),
            (|found| found.rows[0].draws.modes = Some((1, 9)), "8 of 9 modes are missing"),
            (|found| found.rows[1].log_z = Some((0.5, 0.03)), "smc says 0.500"),
        ];
        for (spoil, expected) in spoils {
            let mut found = found();
            spoil(&mut found);
            let trust = trust(&found);
            assert!(!trust.is_trusted && trust.reasons.len() == 1, "{trust}");
            assert!(trust.to_string().contains(expected), "{trust}");
        }
    }

    #[test]
    fn a_baseline_that_is_sooner_and_no_worse_is_what_to_use() {
        let mut found = found();
        assert!(remarks(&found).is_empty()); // 0.02 is further off than 0.01.
        found.rows[1].log_z = Some((0.005, 0.03));
        assert!(remarks(&found)[0].starts_with("smc says ln Z = 0.005 ± 0.030 in 2.0 s"));
        found.rows[1].draws.modes = Some((8, 9));
        assert!(remarks(&found).is_empty());
    }
}
