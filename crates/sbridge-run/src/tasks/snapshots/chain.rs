//! Bridges between neighbours in time, walked one after the other.

use sbridge::Direction;
use sbridge::rng::Rng;
use sbridge::tensor::Tensor;

use crate::error::{Result, RunError};
use crate::models::bridge::PairModel;

/// Steps of a path along a leg whose bridge knows both ends only.
const LEG_STEPS: usize = 20;

/// Bridges that join the laws at the times of the knots, in their order.
#[derive(Clone)]
pub(super) struct Chain {
    /// Rising; one more than there are bridges.
    pub(super) knots: Vec<f64>,
    /// Those between neighbours.
    pub(super) bridges: Vec<PairModel>,
}

impl Chain {
    /// The same with the probability flow in place of the bridges.
    #[must_use]
    pub(super) fn along_flow(self) -> Self {
        Self { bridges: self.bridges.into_iter().map(PairModel::along_flow).collect(), ..self }
    }

    /// Times of the first knot and the last.
    pub(super) fn ends(&self) -> [f64; 2] {
        [self.knots[0], self.knots[self.knots.len() - 1]]
    }

    /// States at `time` of paths from the rows of `x` at the knot of time `from`, either way.
    ///
    /// # Errors
    /// [`RunError::Input`] if `from` is no knot or `time` lies outside the chain.
    pub(super) fn state(&self, from: f64, time: f64, x: &Tensor<2>, rng: &mut Rng) -> Result<Tensor<2>> {
        let (mut knot, direction) = self.way(from, time)?;
        let mut x = x.clone();
        // Legs that end before the time are walked whole.
        while let Some(leg) = self.leg_from(knot, direction).filter(|leg| leg.share(time) >= 1.0) {
            x = leg.bridge.transport(direction, &x, rng);
            knot = leg.to;
        }
        match self.leg_from(knot, direction) {
            Some(leg) if time != self.knots[knot] => {
                Ok(leg.bridge.state(direction, leg.share(time), &x, rng))
            }
            _ => Ok(x),
        }
    }

    /// Means of the states at `time` of paths from the rows of `x` at the knot of time `from`, either way.
    ///
    /// # Errors
    /// [`RunError::Input`] as [`state`](Self::state), and if `time` lies beyond the next knot: from there on the mean of
    /// paths is no straight line.
    pub(super) fn mean_state(&self, from: f64, time: f64, x: &Tensor<2>) -> Result<Tensor<2>> {
        let (knot, direction) = self.way(from, time)?;
        match self.leg_from(knot, direction) {
            _ if time == from => Ok(x.clone()),
            Some(leg) if leg.share(time) <= 1.0 => Ok(leg.bridge.mean_state(direction, leg.share(time), x)),
            _ => Err(RunError::Input(format!(
                "--mean goes as far as the next snapshot, from {from} not to {time} (say where it starts with --from, or \
                 average draws)"
            ))),
        }
    }

    /// Paths from the rows of `x` at the knot of time `from` to the end of the chain that `direction` leads to: states
    /// with their times, equally spaced in each leg.
    ///
    /// # Errors
    /// [`RunError::Input`] if `from` is no knot.
    pub(super) fn paths(
        &self,
        from: f64,
        direction: Direction,
        x: &Tensor<2>,
        rng: &mut Rng,
    ) -> Result<Vec<(f64, Tensor<2>)>> {
        let (mut knot, _) = self.way(from, from)?;
        let mut path = vec![(from, x.clone())];
        while let Some(leg) = self.leg_from(knot, direction) {
            let start = path[path.len() - 1].1.clone();
            let states = leg.bridge.path(direction, &start, LEG_STEPS, rng);
            let share = |k: usize| k as f64 / (states.len() - 1) as f64;
            let (a, b) = leg.times;
            path.extend(states.iter().enumerate().skip(1).map(|(k, x)| (a + (b - a) * share(k), x.clone())));
            knot = leg.to;
        }
        Ok(path)
    }

    /// The knot of time `from`, and the direction in which `time` lies.
    fn way(&self, from: f64, time: f64) -> Result<(usize, Direction)> {
        let (knots, [first, last]) = (&self.knots, self.ends());
        if !(first..=last).contains(&time) {
            return Err(RunError::Input(format!(
                "--time {time} lies outside the snapshots, from {first} to {last}"
            )));
        }
        let Some(knot) = knots.iter().position(|knot| *knot == from) else {
            return Err(RunError::Input(format!(
                "--from {from} is not the time of a snapshot of the bridge (there are {knots:?})"
            )));
        };
        Ok((knot, if time < from { Direction::Backward } else { Direction::Forward }))
    }

    fn leg_from(&self, knot: usize, direction: Direction) -> Option<Leg<'_>> {
        let (index, to) = match direction {
            Direction::Forward => (knot, knot + 1),
            Direction::Backward => (knot.checked_sub(1)?, knot - 1),
        };
        let times = (self.knots[knot], *self.knots.get(to)?);
        Some(Leg { bridge: self.bridges.get(index)?, to, times })
    }
}

/// A leg as it is walked.
struct Leg<'a> {
    bridge: &'a PairModel,
    /// The knot it ends at.
    to: usize,
    /// Times of its start and end.
    times: (f64, f64),
}

impl Leg<'_> {
    /// Share of the way at `time`.
    fn share(&self, time: f64) -> f64 {
        (time - self.times.0) / (self.times.1 - self.times.0)
    }
}
