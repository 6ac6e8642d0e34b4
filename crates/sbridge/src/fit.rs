//! The training loop: draw a batch, step down the gradient, average the weights.
//!
//! Adam with decoupled weight decay and a bound on the gradient's norm [KB15; LH19], and an
//! exponential moving average of the weights whose decay warms up as (1 + k)/(10 + k). A loss or
//! gradient that is not finite ends the step before it touches a weight; training can go on from an
//! earlier state with half the step size.

mod adam;

pub use adam::{Adam, AdamState};

use std::ops::Range;

use rayon::prelude::*;
use sbridge_kernels::{AdamStep, gradient_norm};
use serde::{Deserialize, Serialize};

use crate::error::{Error, MAX_STEPS, Result, require_count, require_positive};
use crate::net::{Weights, load_weights, weights_of};
use crate::objective::Objective;
use crate::rng::Rng;
use crate::tensor::{Module, Tensor};

/// How a network is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitSettings {
    /// Gradient steps.
    pub steps: usize,
    /// Samples per step.
    pub batch_size: usize,
    /// Peak learning rate; it rises over the first 2 % of the steps and falls to zero as a cosine.
    pub learning_rate: f64,
    /// Decoupled weight decay per unit of learning rate.
    pub weight_decay: f64,
    /// Largest norm of a gradient; longer ones are scaled down.
    pub clip_norm: f64,
    /// Decay of the weight average, in [0, 1); 0 keeps the last weights.
    pub ema_decay: f64,
    /// Stop after this many assessments without a better held-out loss, and use the best weights
    /// seen; 0 never stops early. There are 40 assessments in a full run.
    pub patience: usize,
}

/// Samples in a step, at most.
pub(crate) const MAX_BATCH_SIZE: usize = 1 << 20;

/// Part batches whose gradients are computed side by side, at most, and rows that a part is worth: each reads all weights
/// and writes a gradient of all, and with 64 rows a network of two million weights takes 39 % longer on two cores, with 128
/// a tenth. Decided by the batch alone, so that results do not depend on the machine.
const MAX_PARTS: usize = 8;
const ROWS_OF_PART: usize = 256;

/// Parts of a batch of so many rows: two at least, to use two cores.
fn parts_of(batch_size: usize) -> usize {
    (batch_size / ROWS_OF_PART).clamp(2, MAX_PARTS).min(batch_size)
}

/// What a recovery multiplies the learning rate by.
const RECOVERY_FACTOR: f64 = 0.5;

/// Assessments on held-out data in a full run.
const ASSESSMENTS: usize = 40;

impl FitSettings {
    /// # Errors
    /// [`Error::Setting`] for a value outside its range.
    pub fn check(&self) -> Result<()> {
        require_count("steps", self.steps, 1..=MAX_STEPS, "1000 to 100000 is usual")?;
        require_count("batch_size", self.batch_size, 1..=MAX_BATCH_SIZE, "128 to 4096 is usual")?;
        require_count(
            "patience",
            self.patience,
            0..=1_000_000,
            "8 of 40 assessments is usual; 0 never stops",
        )?;
        require_positive("learning_rate", self.learning_rate, "1e-4 to 2e-3 is usual")?;
        require_positive("clip_norm", self.clip_norm, "1 is usual")?;
        if !(self.weight_decay.is_finite() && self.weight_decay >= 0.0) {
            let fix = "0 switches it off";
            return Err(Error::setting("weight_decay", "a finite number >= 0", self.weight_decay, fix));
        }
        if !(0.0..1.0).contains(&self.ema_decay) {
            let fix = "0.999 suits short runs, 0.9999 long ones";
            return Err(Error::setting("ema_decay", "in [0, 1)", self.ema_decay, fix));
        }
        Ok(())
    }

    /// Learning rate of step `k`, counted from 0.
    fn learning_rate_at(&self, k: usize) -> f64 {
        let done = (k as f64 + 0.5) / self.steps as f64;
        let warm_up = 0.02;
        let rise = (done / warm_up).min(1.0);
        let fall = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
        self.learning_rate * rise * fall
    }

    /// Decay of the weight average after step `k`.
    fn ema_decay_at(&self, k: usize) -> f64 {
        self.ema_decay.min((1.0 + k as f64) / (10.0 + k as f64))
    }
}

/// Whether training can go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// The step was taken.
    Running,
    /// The numbers went bad; no weight was touched.
    Diverged {
        /// Which quantity, at which step.
        reason: String,
    },
}

/// What one step did.
#[derive(Clone, Debug)]
pub struct StepInfo {
    /// The step, counted from 1.
    pub step: usize,
    /// Loss of the batch.
    pub loss: f64,
    /// Norm of the gradient before it was bounded.
    pub grad_norm: f64,
    /// Whether the step was taken.
    pub status: Status,
}

/// The best averaged weights so far, by held-out loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    /// Held-out loss.
    pub loss: f64,
    /// Step after which it was measured.
    pub step: usize,
    /// The averaged weights.
    pub weights: Weights,
}

/// A model in training: weights, their average, the optimiser's moments, and its random stream.
pub struct Trainer<M> {
    settings: FitSettings,
    /// Absent only while a step moves it, so that its weights are updated in place.
    model: Option<M>,
    adam: Adam,
    rng: Rng,
    step: usize,
    best: Option<Best>,
    rate_factor: f64,
}

/// Everything a [`Trainer`] needs to continue exactly where it stopped.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainerState {
    /// Current weights.
    pub weights: Weights,
    /// Moments of the gradient and the averaged weights, in the order of the parameters.
    pub adam: AdamState,
    /// Steps taken.
    pub step: usize,
    /// Position of the random stream.
    pub rng_position: u128,
    /// The best averaged weights so far, where early stopping wants them.
    pub best: Option<Best>,
    /// What the learning rate is multiplied by: 1, or less after a recovery.
    pub rate_factor: f64,
}

impl<M: Module> Trainer<M> {
    /// Prepares to train `model` with randomness from `rng`.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings outside their range.
    pub fn new(model: M, settings: FitSettings, rng: Rng) -> Result<Self> {
        settings.check()?;
        let model = model.train();
        let adam = Adam::new(&model);
        Ok(Self { settings, model: Some(model), adam, rng, step: 0, best: None, rate_factor: 1.0 })
    }

    fn model(&self) -> &M {
        self.model.as_ref().expect("a model between steps")
    }

    /// Steps taken so far.
    pub fn step_count(&self) -> usize {
        self.step
    }

    /// Steps in a full run.
    pub fn step_budget(&self) -> usize {
        self.settings.steps
    }

    /// Whether all steps have been taken, or patience has run out.
    pub fn is_done(&self) -> bool {
        self.step >= self.settings.steps || self.is_out_of_patience()
    }

    fn assessment_interval(&self) -> usize {
        (self.settings.steps / ASSESSMENTS).max(1)
    }

    fn is_out_of_patience(&self) -> bool {
        let waited = self.best.as_ref().map_or(0, |best| self.step - best.step);
        let patience = self.settings.patience * self.assessment_interval();
        patience > 0 && waited >= patience
    }

    /// Every so many steps, the held-out loss of the averaged weights, on the same noise each time.
    pub fn assess<O: Objective<Model = M>>(&mut self, objective: &O) -> Option<f64> {
        if !self.step.is_multiple_of(self.assessment_interval()) {
            return None;
        }
        let averaged = self.adam.averaged(self.model().valid());
        let loss = objective.held_out_loss(&averaged, &mut self.rng.fork("assessment"))?;
        let improves = loss.is_finite() && self.best.as_ref().is_none_or(|best| loss < best.loss);
        if self.settings.patience > 0 && improves {
            self.best = Some(Best { loss, step: self.step, weights: weights_of(&averaged) });
        }
        Some(loss)
    }

    /// As often, what else the objective measures of the averaged weights, on the same noise each time.
    pub fn measure<O: Objective<Model = M>>(&self, objective: &O) -> Vec<(&'static str, f64)> {
        if !self.step.is_multiple_of(self.assessment_interval()) {
            return Vec::new();
        }
        let averaged = self.adam.averaged(self.model().valid());
        objective.measures(&averaged, &mut self.rng.fork("measures"))
    }

    /// Takes one step.
    pub fn step<O: Objective<Model = M>>(&mut self, objective: &mut O) -> StepInfo {
        objective.prepare(self.step * self.settings.batch_size);
        let (loss, gradients) = self.gradient(objective);
        let grad_norm = gradient_norm(&gradients);
        let step = self.step + 1;
        let quantities = [("loss", loss), ("gradient norm", grad_norm)];
        if let Some((name, value)) = quantities.iter().find(|(_, value)| !value.is_finite()) {
            let reason = format!("step {step}: the {name} is {value}");
            return StepInfo { step, loss, grad_norm, status: Status::Diverged { reason } };
        }
        let rule = AdamStep {
            learning_rate: self.rate_factor * self.settings.learning_rate_at(self.step),
            weight_decay: self.settings.weight_decay,
            gradient_scale: (self.settings.clip_norm / grad_norm).min(1.0),
            average_decay: self.settings.ema_decay_at(self.step),
            step,
        };
        let model = self.model.take().expect("a model between steps");
        self.model = Some(self.adam.step(model, &gradients, rule));
        self.step = step;
        StepInfo { step, loss, grad_norm, status: Status::Running }
    }

    /// Loss of a batch, and its gradient in parts that are computed side by side.
    fn gradient<O: Objective<Model = M>>(&mut self, objective: &O) -> (f64, Vec<Vec<Tensor<1>>>) {
        let batch_size = self.settings.batch_size;
        let parts = parts_of(batch_size);
        let first = self.step * batch_size;
        let parts: Vec<(M, Rng, Range<usize>)> = (0..parts)
            .map(|i| {
                // Fresh leaves, so that no two graphs share a node and both can be walked at once.
                let model = self.model().valid().train();
                let rng = Rng::new(self.rng.seed());
                let bound = |i: usize| first + i * batch_size / parts;
                (model, rng, bound(i)..bound(i + 1))
            })
            .collect();
        let of_part = |(model, mut rng, rows): (M, Rng, Range<usize>)| {
            let weight = rows.len() as f64 / batch_size as f64;
            let loss = objective.loss(&model, rows, &mut rng) * weight;
            let gradients = loss.backward();
            (f64::from(loss.into_scalar::<f32>()), adam::gradients_of(&model, &gradients))
        };
        let (losses, gradients): (Vec<f64>, Vec<_>) = parts.into_par_iter().map(of_part).unzip();
        (losses.into_iter().sum(), gradients)
    }

    /// The model for use: the best averaged weights where early stopping kept them, else the last.
    pub fn finished(&self) -> M {
        let averaged = self.adam.averaged(self.model().valid());
        match &self.best {
            Some(best) => load_weights(averaged, best.weights.clone())
                .expect("the best weights come from this very model"),
            None => averaged,
        }
    }

    /// Everything needed to continue.
    pub fn state(&self) -> TrainerState {
        TrainerState {
            weights: weights_of(self.model()),
            adam: self.adam.state(),
            step: self.step,
            rng_position: self.rng.position(),
            best: self.best.clone(),
            rate_factor: self.rate_factor,
        }
    }

    /// Continues from `state`.
    ///
    /// # Errors
    /// [`Error::Weights`] if the state belongs to another model.
    pub fn restore(&mut self, state: TrainerState) -> Result<()> {
        self.adam.restore(state.adam)?;
        self.model = Some(load_weights(self.model().clone(), state.weights)?);
        self.step = state.step;
        self.rng.seek(state.rng_position);
        self.best = state.best;
        self.rate_factor = state.rate_factor;
        Ok(())
    }

    /// Goes back to `state` with half the step size. The random stream goes on from where it is, so
    /// that the draws which led here do not come again.
    ///
    /// # Errors
    /// [`Error::Weights`] if the state belongs to another model.
    pub fn recover(&mut self, state: TrainerState) -> Result<()> {
        let position = self.rng.position();
        self.restore(state)?;
        self.rng.seek(position);
        self.rate_factor *= RECOVERY_FACTOR;
        Ok(())
    }

    /// Whether training has gone back to an earlier state before.
    pub fn has_recovered(&self) -> bool {
        self.rate_factor < 1.0
    }
}
