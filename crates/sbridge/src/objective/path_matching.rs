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

use serde::{Deserialize, Serialize};

use crate::bridge::{Direction, PairBridge};
use crate::objective::drift_regression::{Examples, Regression, Transition, rows_of_transition};
use crate::rng::Rng;
use crate::simulate::paths;
use crate::tensor::{Tensor, map_rows, per_row, select_rows};

/// What the step back is regressed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// Step after step of all paths, and the order in which they are used.
    generation: Option<(Regression, Vec<usize>)>,
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
        Self { chain, direction, starts, target, count, generation: None }
    }

    fn generation(&self) -> &(Regression, Vec<usize>) {
        self.generation.as_ref().expect("a generation is made before its examples are asked for")
    }

    /// Step `k` of the chain, of length `h`, between `from` and `to`.
    fn step(&self, k: usize, h: f64, from: &Tensor<2>, to: &Tensor<2>) -> Regression {
        let back = (from.clone() - to.clone()) / h;
        let target = match self.target {
            StepTarget::State => back,
            StepTarget::Mean => {
                let t = self.direction.time(k as f64 * h);
                let drift = |x| self.chain.drift(self.direction, per_row(t, &x), x);
                back + map_rows(from, drift) - map_rows(to, drift)
            }
        };
        let t = per_row(self.direction.time((k + 1) as f64 * h), to);
        // The noise of the target has variance ε h / h².
        let weight = per_row(1.0 / (1.0 + self.chain.epsilon() / h), to);
        Regression { t, x: to.clone(), target, weight }
    }
}

impl Examples for PathMatching {
    fn count(&self) -> usize {
        self.count * self.chain.step_variances(self.direction).len()
    }

    fn renew(&mut self, rng: &mut Rng) {
        let starts = select_rows(&self.starts, &rng.epochs(self.count, self.starts.dims()[0]));
        let variances = self.chain.step_variances(self.direction);
        let states = paths(self.chain.as_ref(), self.direction, &starts, &variances, rng);
        let h = 1.0 / variances.len() as f64;
        let pairs = states.windows(2).enumerate();
        let steps: Vec<Regression> = pairs.map(|(k, pair)| self.step(k, h, &pair[0], &pair[1])).collect();
        self.generation = Some((Regression::joined(steps), rng.permutation(self.count())));
    }

    fn regression(&self, rows: Range<usize>, _rng: &mut Rng) -> Regression {
        let (all, order) = self.generation();
        all.select(&order[rows])
    }

    fn transition(&self, step: usize, _rng: &mut Rng) -> Option<Transition> {
        // The mean of the other target is that of the next state up to O(h²) only, and its residuals are no draws of it.
        if self.target == StepTarget::Mean {
            return None;
        }
        let (all, _) = self.generation();
        // The paths were walked the other way.
        let first = self.count() - (step + 1) * self.count;
        let rows = rows_of_transition(self.count, all.x.dims()[1]);
        let examples = all.select(&(first..first + rows).collect::<Vec<_>>());
        Some(Transition { examples, bridge_variance: 0.0 })
    }
}
