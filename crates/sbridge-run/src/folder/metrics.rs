//! Lines of `metrics.jsonl`: one number of one step each.

use serde_json::{Value, json};

/// Steps between two lines.
pub const INTERVAL: usize = 20;

/// The line that says that `name` was `value` after `step` of `stage`.
pub fn line(stage: &str, step: usize, name: &str, value: f64) -> String {
    format!("{}\n", json!({"stage": stage, "step": step, name: value}))
}

/// Values against the step.
pub type Curve = Vec<(f64, f64)>;

/// Curves of `name` by stage, in the order in which stages began.
pub fn curves(text: &str, name: &str) -> Vec<(String, Curve)> {
    let mut curves: Vec<(String, Curve)> = Vec::new();
    for line in text.lines() {
        let Ok(value) = serde_json::from_str::<Value>(line) else { continue };
        let number = |key: &str| value[key].as_f64();
        let (Some(stage), Some(step), Some(y)) = (value["stage"].as_str(), number("step"), number(name))
        else {
            continue;
        };
        match curves.iter_mut().find(|(known, _)| known == stage) {
            Some((_, curve)) => curve.push((step, y)),
            None => curves.push((stage.into(), vec![(step, y)])),
        }
    }
    curves
}

/// The curve of `name` in one `stage`; empty if there is none.
pub fn curve(text: &str, name: &str, stage: &str) -> Curve {
    curves(text, name).into_iter().find(|(known, _)| known == stage).map_or_else(Vec::new, |(_, curve)| curve)
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
        let expected = [("a".into(), vec![(1.0, 2.0), (2.0, 1.5)]), ("b".into(), vec![(1.0, 3.0)])];
        assert_eq!(curves, expected);
    }
}
