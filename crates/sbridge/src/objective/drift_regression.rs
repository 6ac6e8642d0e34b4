//! Regression of a drift: E w(t) ‖k(t, x) + v_θ(t, x) − y‖² over examples (t, x, y) that come in generations, k what is
//! known of it.
//!
//! Whatever is simulated to make examples is simulated once for a generation. A generation is a function of the
//! seed and its number alone, so a resumed run makes the same ones again.

use std::ops::Range;

use crate::net::{DriftNet, GaussianDrift};
use crate::objective::Objective;
use crate::rng::Rng;
use crate::tensor::{Tensor, column, to_vec_f64};

/// Examples to regress on.
#[derive(Clone, Debug)]
pub struct Regression {
    /// Times, `[batch]`.
    pub t: Tensor<1>,
    /// States, `[batch, dim]`.
    pub x: Tensor<2>,
    /// What the drift should be in the mean, `[batch, dim]`.
    pub target: Tensor<2>,
    /// Weights, `[batch]`.
    pub weight: Tensor<1>,
}

/// Examples of one step of a path, to learn how much noise belongs to the step.
#[derive(Clone, Debug)]
pub struct Transition {
    /// Examples at the step's start.
    pub examples: Regression,
    /// Variance of the step given the end that the target points to.
    pub bridge_variance: f64,
}

/// Rows of so many values that show the variances of a step, out of `count`: an estimate is off by a fiftieth, of
/// images by a sixteenth.
pub(super) fn rows_of_transition(count: usize, dim: usize) -> usize {
    (400_000 / dim).clamp(500, 5000).min(count)
}

/// Where examples come from.
pub trait Examples: Send + Sync {
    /// Examples in a generation.
    fn count(&self) -> usize;

    /// Replaces the generation.
    fn renew(&mut self, rng: &mut Rng);

    /// Whether a generation takes so long that one is used for everything.
    fn is_costly(&self) -> bool {
        false
    }

    /// The examples `rows` of this generation.
    fn regression(&self, rows: Range<usize>, rng: &mut Rng) -> Regression;

    /// Examples of step `step`, counted in the clock of the direction that is learned. The mean of their target is that
    /// of the next state.
    fn transition(&self, step: usize, rng: &mut Rng) -> Transition;
}

/// The regression of a drift on [`Examples`].
pub struct DriftRegression {
    examples: Box<dyn Examples>,
    gaussian: Option<GaussianDrift>,
    rng: Rng,
    generation: Option<usize>,
}

impl DriftRegression {
    /// On `examples` made with randomness from `rng`, of what a drift is beyond `gaussian`, which is known in closed form.
    pub fn new(examples: Box<dyn Examples>, gaussian: Option<GaussianDrift>, rng: Rng) -> Self {
        Self { examples, gaussian, rng, generation: None }
    }

    /// The same with the target less the known part of the drift: what is to be learned.
    fn residual_target(&self, examples: Regression) -> Regression {
        match &self.gaussian {
            Some(gaussian) => {
                let drift = gaussian.forward(examples.t.clone(), examples.x.clone());
                Regression { target: examples.target - drift, ..examples }
            }
            None => examples,
        }
    }

    /// The variances of every one of `steps` steps, `[steps][dim]`, along the axes of what is known or the coordinates,
    /// given that `drift` was learned: what the bridge between state and target leaves, and how the target varies about
    /// its mean, which is what the drift is.
    pub fn step_variances(&mut self, drift: &DriftNet, steps: usize) -> Vec<Vec<f64>> {
        match self.examples.is_costly() {
            true => self.prepare(0),
            false => {
                self.examples.renew(&mut self.rng.fork("transitions"));
                self.generation = None;
            }
        }
        let mut rng = self.rng.fork("residuals");
        (0..steps)
            .map(|step| {
                let Transition { examples, bridge_variance } = self.examples.transition(step, &mut rng);
                let examples = self.residual_target(examples);
                let residual = drift.forward(examples.t, examples.x) - examples.target;
                let residual = match &self.gaussian {
                    Some(gaussian) => gaussian.along_axes(residual),
                    None => residual,
                };
                let of_target = to_vec_f64(residual.powi_scalar(2).mean_dim(0));
                of_target.into_iter().map(|q| bridge_variance + q / (steps * steps) as f64).collect()
            })
            .collect()
    }
}

impl Objective for DriftRegression {
    type Model = DriftNet;

    fn prepare(&mut self, first: usize) {
        let generation = first / self.examples.count();
        if self.generation != Some(generation) {
            self.examples.renew(&mut self.rng.fork(&format!("generation {generation}")));
            self.generation = Some(generation);
        }
    }

    fn loss(&self, model: &DriftNet, rows: Range<usize>, rng: &mut Rng) -> Tensor<1> {
        let first = rows.start % self.examples.count();
        let examples = self.examples.regression(first..first + rows.len(), rng);
        let Regression { t, x, target, weight } = self.residual_target(examples);
        let error = model.forward(t.autodiff(), x.autodiff()) - target.autodiff();
        (error.clone() * error * column(weight).autodiff()).mean()
    }

    fn held_out_loss(&self, _model: &DriftNet, _rng: &mut Rng) -> Option<f64> {
        None
    }
}
