//! Lines of `metrics.jsonl`: one number of one step each.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Steps between two lines.
pub(crate) const INTERVAL: usize = 20;

/// The line that says that `name` was `value` after `step` of `stage`.
pub(crate) fn line(stage: &str, step: usize, name: &str, value: f64) -> String {
    format!("{}\n", json!({"stage": stage, "step": step, name: value}))
}

/// Curves of `name` against the step, by stage.
pub(crate) fn curves(text: &str, name: &str) -> BTreeMap<String, Vec<(f64, f64)>> {
    let mut curves: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for line in text.lines() {
        let Ok(value) = serde_json::from_str::<Value>(line) else { continue };
        if let (Some(stage), Some(step), Some(y)) =
            (value["stage"].as_str(), value["step"].as_f64(), value[name].as_f64())
        {
            curves.entry(stage.into()).or_default().push((step, y));
        }
    }
    curves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_curves_by_stage() {
        let text = [
            line("a", 1, "loss", 2.0),
            "broken\n".into(),
            line("b", 1, "loss", 3.0),
            line("a", 2, "loss", 1.5),
        ];
        let curves = curves(&text.concat(), "loss");
        assert_eq!(curves["a"], [(1.0, 2.0), (2.0, 1.5)]);
        assert_eq!(curves["b"], [(1.0, 3.0)]);
    }
}
