//! Matching the steps of simulated paths: the drift that walks them back.
//!
//! A chain walks x_{k+1} = x_k + h v(t_k, x_k) + √q z. With F(x) = x + h v(t_k, x) its reversal is learned from
//!
//! mean:   B(x_{k+1}) ← x_{k+1} + F(x_k) − F(x_{k+1})                                             \[DSB, Prop. 3\]
//! state:  B(x_{k+1}) ← x_k                                                                      \[SDSB\]
//!
//! and B(x) = x + h v₋. Both have the mean of the reversal up to O(h²); the first with less noise in its target, the
//! second exactly, and with half the calls. As x_{k+1} is F(x_k) and noise √q z, the first says for the drift
//!
//! v₋ ← −√q z / h − v(t_k, x_{k+1}),
//!
//! which is computed once, while the paths are walked.

use std::ops::Range;
use std::sync::Arc;

use crate::bridge::{Direction, PairBridge, StepNoise};
use crate::coupling::drawn;
use crate::objective::drift_regression::{Examples, Regression, Transition, rows_of_transition};
use crate::rng::Rng;
use crate::simulate::{Step, in_blocks, integrate, paths, side_by_side};
use crate::tensor::{Tensor, TensorData, per_row, select_rows};

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
    generation: Option<Generation>,
}

/// Paths, and what is learned from them.
struct Generation {
    /// The states of all paths, time after time.
    states: Tensor<2>,
    /// Targets of the steps by the row they start from, where they are not states.
    targets: Option<Tensor<2>>,
    /// The order in which steps are used, by the row they start from.
    order: Vec<usize>,
}

impl PathMatching {
    /// Examples of the drift against `direction`, in which `chain` is simulated from `count` of the `starts`,
    /// `[rows, dim]`, at a time.
    pub fn new(
        chain: Arc<dyn PairBridge>,
        direction: Direction,
        starts: Tensor<2>,
        target: StepTarget,
        count: usize,
    ) -> Self {
        let steps = chain.step_noise(direction).steps();
        Self { chain, direction, starts, target, count, steps, generation: None }
    }

    fn generation(&self) -> &Generation {
        self.generation.as_ref().expect("a generation is made before its examples are asked for")
    }

    /// The steps that start from `rows` of the states, with what they are regressed on in `targets`: the states they
    /// start from, if there are none.
    fn examples(&self, rows: &[usize], targets: Option<&Tensor<2>>) -> Regression {
        let states = &self.generation().states;
        let ends: Vec<usize> = rows.iter().map(|row| row + self.count).collect();
        let x = select_rows(states, &ends);
        let h = 1.0 / self.steps as f64;
        let target = match targets {
            Some(targets) => select_rows(targets, rows),
            None => (select_rows(states, rows) - x.clone()) / h,
        };
        let t = self.times(&ends, states);
        // The noise of the target has variance ε h / h².
        let weight = t.full_like(1.0 / (1.0 + self.chain.reference().epsilon() / h));
        Regression { t, x, target, weight }
    }

    /// Paths from `starts`, time after time, and the means of their steps carried over.
    fn paths_and_means(&self, starts: &Tensor<2>, noise: &StepNoise, rng: &mut Rng) -> [Tensor<2>; 2] {
        let (chain, direction) = (self.chain.as_ref(), self.direction);
        let blocks = in_blocks(starts, rng, |block, rng| {
            let (mut states, mut targets) = (vec![block.clone()], Vec::new());
            integrate(chain, direction, block, noise, rng, &mut |Step { t, noise, end, .. }| {
                let carried = chain.drift(direction, per_row(t, end), end.clone());
                targets.push(-(noise.clone() * self.steps as f64 + carried));
                states.push(end.clone());
            });
            (states, targets)
        });
        let (states, targets): (Vec<_>, Vec<_>) = blocks.into_iter().unzip();
        [states, targets].map(|blocks| Tensor::cat(side_by_side(blocks), 0))
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
        let noise = self.chain.step_noise(self.direction);
        let (states, targets) = match self.target {
            StepTarget::State => {
                (Tensor::cat(paths(self.chain.as_ref(), self.direction, &starts, &noise, rng), 0), None)
            }
            StepTarget::Mean => {
                let [states, targets] = self.paths_and_means(&starts, &noise, rng);
                (states, Some(targets))
            }
        };
        self.generation = Some(Generation { states, targets, order: rng.permutation(self.count()) });
    }

    fn regression(&self, rows: Range<usize>, _rng: &mut Rng) -> Regression {
        let Generation { order, targets, .. } = self.generation();
        self.examples(&order[rows], targets.as_ref())
    }

    /// The state before the step, whatever the target: its residuals are draws of the step back.
    fn transition(&self, step: usize, _rng: &mut Rng) -> Transition {
        // The paths were walked the other way.
        let first = (self.steps - 1 - step) * self.count;
        let rows = rows_of_transition(self.count, self.starts.dims()[1]);
        let rows: Vec<usize> = (first..first + rows).collect();
        Transition { examples: self.examples(&rows, None), bridge_variance: 0.0 }
    }
}
