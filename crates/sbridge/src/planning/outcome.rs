//! What came of episodes, and of all of them together.

use serde::{Deserialize, Serialize};

use super::physics::GOAL_RADIUS;
use super::{Episode, Maze, Point, Reward, ScoreRange, State, distance};

/// What an episode came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// States `[x, y, vx, vy]` from the first to the last, one more than steps.
    pub states: Vec<[f64; 4]>,
    /// The target.
    pub goal: Point,
    /// The sum of all rewards.
    pub total: f64,
    /// The first step after which the disc was within 0.5 of the target.
    pub reached: Option<usize>,
    /// Steps in which a wall was touched.
    pub contacts: usize,
    /// The length of the way, in cells.
    pub length: f64,
}

impl Outcome {
    /// Before the first step.
    pub(super) fn before(episode: &Episode) -> Self {
        Self {
            states: vec![episode.state.observation()],
            goal: episode.target(),
            total: 0.0,
            reached: None,
            contacts: 0,
            length: 0.0,
        }
    }

    /// Where the disc is now.
    pub(super) fn state(&self) -> State {
        State::of(self.states[self.states.len() - 1])
    }

    /// One step on.
    pub(super) fn step(&mut self, maze: &Maze, action: Point, reward: Reward) {
        let state = self.state();
        let step = maze.step(&state, action);
        let position = step.state.position;
        self.states.push(step.state.observation());
        self.total += reward.of(position, self.goal);
        self.contacts += usize::from(step.touched);
        self.length += distance(state.position, position);
        if self.reached.is_none() && distance(position, self.goal) <= GOAL_RADIUS {
            self.reached = Some(self.states.len() - 1);
        }
    }
}

/// A mean with its standard error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// The mean.
    pub mean: f64,
    /// Its standard error; none for one value.
    pub error: Option<f64>,
}

impl Measure {
    /// Of `values`; nothing of none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let error = (values.len() > 1).then(|| (squares / (count - 1.0) / count).sqrt());
        (!values.is_empty()).then_some(Self { mean, error })
    }
}

/// What all episodes came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Number of episodes.
    pub episodes: usize,
    /// Share of those that came within 0.5 of the target.
    pub success: Measure,
    /// Steps until then, of those that did.
    pub time: Option<Measure>,
    /// Steps in which a wall was touched.
    pub contacts: Measure,
    /// Length of the way, in cells.
    pub length: Measure,
    /// The sum of rewards.
    pub total: Measure,
    /// The score, where its range is known.
    pub score: Option<Measure>,
}

impl Summary {
    /// Of `outcomes`; nothing of none.
    pub fn of(outcomes: &[Outcome], range: Option<ScoreRange>) -> Option<Self> {
        let measure =
            |value: &dyn Fn(&Outcome) -> f64| Measure::of(&outcomes.iter().map(value).collect::<Vec<_>>());
        let times: Vec<f64> = outcomes.iter().filter_map(|o| o.reached.map(|t| t as f64)).collect();
        Some(Self {
            episodes: outcomes.len(),
            success: measure(&|o| f64::from(u8::from(o.reached.is_some())))?,
            time: Measure::of(&times),
            contacts: measure(&|o| o.contacts as f64)?,
            length: measure(&|o| o.length)?,
            total: measure(&|o| o.total)?,
            score: range.and_then(|range| measure(&|o| range.score(o.total))),
        })
    }
}
