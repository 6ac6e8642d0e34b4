//! A comparison as people read it.

use std::fmt;

use sbridge_report::digits;

use super::exact::QUICK_PAIRS;
use super::{Entropic, OtReport};
use crate::epsilon::AUTO_SHARE;

impl OtReport {
    /// On which points the exact distances are.
    fn exact_points(&self) -> String {
        let [n, m] = self.exact.exact_points;
        let method = self.exact.exact_method;
        let used = if n == m { format!("{n} points of each") } else { format!("{n} and {m} points") };
        let [all_n, all_m] = [0, 1].map(|side| self.sets[side].1);
        let share = match [n, m] == [all_n, all_m] {
            true => String::new(),
            false if n == m && all_n == all_m => format!(" of {all_n}"),
            false => format!(" of {all_n} and {all_m}"),
        };
        let more = match n * m {
            pairs if [n, m] == [all_n, all_m] || pairs > QUICK_PAIRS => "",
            _ => "; --exact, with --limit, takes more",
        };
        format!("{used}{share}, {method}{more}")
    }
}

impl fmt::Display for OtReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, (source, count, used)) in ["source", "target"].into_iter().zip(&self.sets) {
            let part = match used < count {
                true => {
                    format!(", a random {used} of them ({:.0} %) used", 100.0 * *used as f64 / *count as f64)
                }
                false => String::new(),
            };
            writeln!(f, "{name:22} {source}: {count} samples of {} values{part}", self.dim)?;
        }
        line(f, "exact W1", self.exact.exact_w1, "the least mean distance")?;
        line(f, "exact W2", self.exact.exact_w2, &self.exact_points())?;
        if let Some(entropic) = &self.entropic {
            write_entropic(f, entropic, self.cost_spread)?;
        }
        let is_converged = self.entropic.as_ref().is_some_and(|entropic| entropic.converged);
        let last = is_converged.then(|| "converged".to_owned());
        let notes: Vec<String> = self.notes.iter().cloned().chain(last).collect();
        write!(f, "{}", notes.join("\n"))
    }
}

fn write_entropic(f: &mut fmt::Formatter<'_>, found: &Entropic, cost_spread: f64) -> fmt::Result {
    let chosen = match found.epsilon_is_auto {
        true => format!("chosen: {AUTO_SHARE} of the cost's standard deviation {}", digits(cost_spread)),
        false => format!("given; the cost's standard deviation is {}", digits(cost_spread)),
    };
    line(f, "epsilon", found.epsilon, &chosen)?;
    let meaning = match found.divergence_is_rounding {
        true => {
            format!("rounding: not told from 0, for it may be off by {:.1e}", found.divergence_resolution)
        }
        false => "½ W2² as ε → 0, zero for equal sets".into(),
    };
    line(f, "Sinkhorn divergence", found.sinkhorn_divergence, &meaning)?;
    line(f, "entropic value", found.entropic_value, "⟨c, π⟩ + ε KL(π ‖ a⊗b), c = ½‖x − y‖²")?;
    line(f, "transport cost", found.transport_cost, "⟨c, π⟩ of the entropic plan")?;
    writeln!(f, "{:22} {:<12.1e} after {} sweeps", "marginal error", found.marginal_error, found.sweeps)
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, value: f64, note: &str) -> fmt::Result {
    // A difference of equal numbers may be a negative zero.
    let (value, size) = (value + 0.0, value.abs());
    let is_plain = size == 0.0 || (1e-3..1e7).contains(&size);
    let shown = if is_plain { format!("{value:.6}") } else { format!("{value:.6e}") };
    writeln!(f, "{name:22} {shown:<12} {note}")
}
