//! Bridge matching: the drift towards the end of a Brownian bridge, seen from a point on it.
//!
//! v₊ ← (x₁ − xₜ)/(1 − t),   v₋ ← (x₀ − xₜ)/t,   xₜ = (1−t) x₀ + t x₁ + σ √(t(1−t)) z        \[DSBM; IDBM\]
//!
//! The mean of the target given xₜ is the drift of the Markov projection. Its noise has variance ε t/(1−t) forward;
//! examples are weighted by one over one plus that, so that those near the end, which the noise drowns, do not drown
//! the rest. The papers weigh evenly or by 1 − t; the minimum is the same where the drift can be anything. Among drifts
//! of one family the nearest in KL is that of even weights.

use std::ops::Range;

use crate::bridge::Direction;
use crate::coupling::{Coupling, Pairs};
use crate::objective::drift_regression::{Examples, Regression, Transition, rows_of_transition};
use crate::reference::{Brownian, GaussianReference as _, Moments};
use crate::rng::Rng;
use crate::tensor::{Tensor, TensorData, column, head, per_row};

/// Points on Brownian bridges between coupled ends.
pub struct BridgeMatching {
    coupling: Box<dyn Coupling>,
    reference: Brownian,
    direction: Direction,
    steps: usize,
    count: usize,
    uses: usize,
    is_even: bool,
    pairs: Option<Pairs>,
}

impl BridgeMatching {
    /// Examples of the drift of `direction`, which will be walked in `steps` steps, between `count` pairs of `coupling`
    /// at a time, each used `uses` times with other times and noise.
    pub fn new(
        coupling: Box<dyn Coupling>,
        reference: Brownian,
        direction: Direction,
        steps: usize,
        (count, uses): (usize, usize),
    ) -> Self {
        Self { coupling, reference, direction, steps, count, uses, is_even: false, pairs: None }
    }

    /// The same with even weights.
    #[must_use]
    pub fn weighted_evenly(self) -> Self {
        Self { is_even: true, ..self }
    }

    fn pairs(&self) -> &Pairs {
        self.pairs.as_ref().expect("a generation is made before its examples are asked for")
    }

    /// Points of the bridges between `x0` and `x1` at times `t`, and where they go.
    fn examples(&self, t: Tensor<1>, x0: Tensor<2>, x1: Tensor<2>, rng: &mut Rng) -> Regression {
        let Moments { mean, var } = self.reference.bridge(t.clone(), x0.clone(), x1.clone());
        let noise = rng.normal_like(&x0);
        let x = mean + noise * column(var.sqrt());
        let (end, left) = match self.direction {
            Direction::Forward => (x1, -t.clone() + 1.0),
            Direction::Backward => (x0, t.clone()),
        };
        let target = (end - x.clone()) / column(left.clone());
        // 1/(1 + ε (1 − left)/left)
        let weight = match self.is_even {
            true => left.ones_like(),
            false => left.clone() / (left.clone() + (-left + 1.0) * self.reference.epsilon()),
        };
        Regression { t, x, target, weight }
    }
}

impl Examples for BridgeMatching {
    fn count(&self) -> usize {
        self.count * self.uses
    }

    fn renew(&mut self, rng: &mut Rng) {
        self.pairs = Some(self.coupling.pairs(self.count, rng));
    }

    fn regression(&self, rows: Range<usize>, rng: &mut Rng) -> Regression {
        let (first, count) = (rows.start % self.count, rows.len());
        let part = |rows: &Tensor<2>| rows.clone().narrow(0, first, count);
        let (x0, x1) = (part(&self.pairs().x0), part(&self.pairs().x1));
        // No path asks for the drift later than one step before its end.
        let elapsed = rng.uniform(count, 0.0, 1.0 - 0.5 / self.steps as f64);
        let times: Vec<f64> = elapsed.into_iter().map(|s| self.direction.time(s)).collect();
        let t = Tensor::from_data(TensorData::new(times, [count]), (&x0.device(), x0.dtype()));
        self.examples(t, x0, x1, rng)
    }

    fn transition(&self, step: usize, rng: &mut Rng) -> Transition {
        let [count, dim] = self.pairs().x0.dims();
        let [x0, x1] = [&self.pairs().x0, &self.pairs().x1].map(|x| head(x, rows_of_transition(count, dim)));
        let h = 1.0 / self.steps as f64;
        let elapsed = step as f64 * h;
        let examples = self.examples(per_row(self.direction.time(elapsed), &x0), x0, x1, rng);
        let bridge_variance = self.reference.epsilon() * h * (1.0 - elapsed - h).max(0.0) / (1.0 - elapsed);
        Transition { examples, bridge_variance }
    }
}
