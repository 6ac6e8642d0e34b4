//! State cost and base drift in the units of a frame: Y = (X − c(t))/s pays what X pays, and is moved by (f − c′)/s.

use std::sync::Arc;

use crate::crowd::{BaseDrift, Costs, Crowd, Mixture, Problem, StateCost};
use crate::rng::Rng;
use crate::solver::frame::Frame;

/// `problem`, which is in data units, for states in units of `frame`.
pub(super) fn framed(problem: &Problem, frame: &Frame) -> Problem {
    let inside = |base: &Arc<dyn BaseDrift>| -> Arc<dyn BaseDrift> {
        Arc::new(FramedDrift { base: base.clone(), frame: frame.clone() })
    };
    Problem {
        cost: Arc::new(FramedCost { cost: problem.cost.clone(), frame: frame.clone() }),
        base: problem.base.as_ref().map(inside),
    }
}

struct FramedCost {
    cost: Arc<dyn StateCost>,
    frame: Frame,
}

impl StateCost for FramedCost {
    fn evaluate(&self, crowd: &Crowd<'_>, rng: &mut Rng, costs: &mut Costs<'_>) {
        let (t, scale) = (crowd.t, self.frame.scale);
        let (x, means) = (self.frame.undo(t, crowd.x), self.frame.undo(t, crowd.law.means));
        let deviations: Vec<f64> = crowd.law.deviations.iter().map(|s| s * scale).collect();
        let law = Mixture { means: &means, deviations: &deviations };
        let mut slopes = vec![0.0; x.len()];
        let mut in_data = Costs { values: costs.values, slopes: &mut slopes };
        self.cost.evaluate(&Crowd { t, x: &x, dim: crowd.dim, law }, rng, &mut in_data);
        costs.slopes.iter_mut().zip(slopes).for_each(|(slope, s)| *slope += s * scale);
    }
}

struct FramedDrift {
    base: Arc<dyn BaseDrift>,
    frame: Frame,
}

impl BaseDrift for FramedDrift {
    fn drift(&self, t: f64, x: &[f64], out: &mut [f64]) {
        self.base.drift(t, &self.frame.undo(t, x), out);
        let [from, to] = &self.frame.means;
        for ((out, from), to) in out.iter_mut().zip(from).zip(to) {
            *out = (*out - (to - from)) / self.frame.scale;
        }
    }

    fn pull(&self, t: f64, x: &[f64], weight: &[f64], slope: &mut [f64]) {
        // The scale of f and that of x cancel.
        self.base.pull(t, &self.frame.undo(t, x), weight, slope);
    }

    fn given(&self, states: &[Vec<f64>]) -> Option<Arc<dyn BaseDrift>> {
        let last = (states.len() - 1).max(1) as f64;
        let in_data: Vec<Vec<f64>> =
            states.iter().enumerate().map(|(k, rows)| self.frame.undo(k as f64 / last, rows)).collect();
        let base = self.base.given(&in_data)?;
        Some(Arc::new(Self { base, frame: self.frame.clone() }))
    }
}
