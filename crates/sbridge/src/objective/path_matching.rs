//! Matching the steps of simulated paths: the drift that walks them back.
//!
//! A chain walks x_{k+1} = x_k + h v(t_k, x_k) + √q z. With F(x) = x + h v(t_k, x) its reversal is learned from
//!
//! mean:   B(x_{k+1}) ← x_{k+1} + F(x_k) − F(x_{k+1})                                             \[DSB, Prop. 3\]
//! state:  B(x_{k+1}) ← x_k                                                                      \[SDSB\]
//!
//! and B(x) = x + h v₋. Both have the mean of the reversal up to O(h²); the first with less noise in its target, the
//! second exactly, and with half the calls.

use std::ops::Range;
use std::sync::Arc;

use crate::bridge::{Direction, PairBridge};
use crate::coupling::drawn;
use crate::objective::drift_regression::{Examples, Regression, Transition, rows_of_transition};
use crate::rng::Rng;
use crate::simulate::paths;
use crate::tensor::{Tensor, TensorData, select_rows};

/// What the step back is regressed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepTarget {
    /// The mean of the step forward, carried over to where it ended.
    Mean,
    /// The state before the step.
    State,
}

/// Steps of paths along a chain, seen from their ends.
pub struct PathMatching {
    chain: Arc<dyn PairBridge>,
    direction: Direction,
    starts: Tensor<2>,
    target: StepTarget,
    count: usize,
    steps: usize,
    /// The states of all paths, time after time; and the order in which steps are used, by the row they start from.
    generation: Option<(Tensor<2>, Vec<usize>)>,
}

impl PathMatching {
    /// Examples of the drift against `direction`, in which `chain` is walked from `count` of the `starts` at a time.
    pub fn new(
        chain: Arc<dyn PairBridge>,
        direction: Direction,
        starts: Tensor<2>,
        target: StepTarget,
        count: usize,
    ) -> Self {
        let steps = chain.step_variances(direction).len();
        Self { chain, direction, starts, target, count, steps, generation: None }
    }

    fn generation(&self) -> &(Tensor<2>, Vec<usize>) {
        self.generation.as_ref().expect("a generation is made before its examples are asked for")
    }

    /// The steps that start from `rows` of the states.
    fn examples(&self, rows: &[usize], target: StepTarget) -> Regression {
        let (states, _) = self.generation();
        let ends: Vec<usize> = rows.iter().map(|row| row + self.count).collect();
        let (from, to) = (select_rows(states, rows), select_rows(states, &ends));
        let times = |of: &[usize]| self.times(of, states);
        let h = 1.0 / self.steps as f64;
        let back = (from.clone() - to.clone()) / h;
        let target = match target {
            StepTarget::State => back,
            StepTarget::Mean => {
                let at = |x: &Tensor<2>| self.chain.drift(self.direction, times(rows), x.clone());
                back + at(&from) - at(&to)
            }
        };
        let t = times(&ends);
        // The noise of the target has variance ε h / h².
        let weight = t.full_like(1.0 / (1.0 + self.chain.epsilon() / h));
        Regression { t, x: to, target, weight }
    }

    /// Times of `rows` of the states.
    fn times(&self, rows: &[usize], like: &Tensor<2>) -> Tensor<1> {
        let elapsed = |row: &usize| (row / self.count) as f64 / self.steps as f64;
        let times: Vec<f64> = rows.iter().map(|row| self.direction.time(elapsed(row))).collect();
        Tensor::from_data(TensorData::new(times, [rows.len()]), (&like.device(), like.dtype()))
    }
}

impl Examples for PathMatching {
    fn count(&self) -> usize {
        self.count * self.steps
    }

    fn renew(&mut self, rng: &mut Rng) {
        let starts = drawn(&self.starts, self.count, rng);
        let variances = self.chain.step_variances(self.direction);
        let states = paths(self.chain.as_ref(), self.direction, &starts, &variances, rng);
        self.generation = Some((Tensor::cat(states, 0), rng.permutation(self.count())));
    }

    fn regression(&self, rows: Range<usize>, _rng: &mut Rng) -> Regression {
        let (_, order) = self.generation();
        self.examples(&order[rows], self.target)
    }

    /// The state before the step, whatever the target: its residuals are draws of the step back.
    fn transition(&self, step: usize, _rng: &mut Rng) -> Transition {
        // The paths were walked the other way.
        let first = (self.steps - 1 - step) * self.count;
        let rows = rows_of_transition(self.count, self.starts.dims()[1]);
        let rows: Vec<usize> = (first..first + rows).collect();
        Transition { examples: self.examples(&rows, StepTarget::State), bridge_variance: 0.0 }
    }
}
