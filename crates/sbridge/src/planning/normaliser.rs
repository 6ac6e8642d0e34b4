//! Plans within ±1, and what is known of a plan beforehand.

use serde::{Deserialize, Serialize};

use super::{COLUMNS, Row, Trajectory};
use crate::error::{Error, Result};

/// Names of a row's values.
const NAMES: [&str; COLUMNS] = ["ax", "ay", "x", "y", "vx", "vy"];
/// The first column of the state.
const STATE: usize = 2;
/// What values may be beyond ±1 before they are clipped \[Diffuser\].
const SLACK: f64 = 1e-4;

/// Extremes of each column of some data, which are mapped to ±1 \[Diffuser\].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normaliser {
    low: Row,
    high: Row,
}

impl Normaliser {
    /// With these extremes.
    ///
    /// # Errors
    /// [`Error::Setting`] where one is not finite or nothing lies between them.
    pub fn new(low: Row, high: Row) -> Result<Self> {
        for (name, (low, high)) in NAMES.into_iter().zip(low.into_iter().zip(high)) {
            if !(low.is_finite() && high.is_finite() && low < high) {
                let got = format!("{low} to {high} in {name}");
                let fix = "take data in which everything moves both ways";
                return Err(Error::setting("data", "of finite values that vary in each column", got, fix));
            }
        }
        Ok(Self { low, high })
    }

    /// Of all rows of `data`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// # Panics
    /// If actions are fewer than observations.
    pub fn of(data: &Trajectory) -> Result<Self> {
        let mut extremes = [[f64::INFINITY; COLUMNS], [f64::NEG_INFINITY; COLUMNS]];
        for row in (0..data.len()).map(|k| data.row(k)) {
            for (c, value) in row.into_iter().enumerate() {
                extremes[0][c] = extremes[0][c].min(value);
                extremes[1][c] = extremes[1][c].max(value);
            }
        }
        Self::new(extremes[0], extremes[1])
    }

    /// Smallest values, which become −1.
    pub fn low(&self) -> &Row {
        &self.low
    }

    /// Largest values, which become 1.
    pub fn high(&self) -> &Row {
        &self.high
    }

    /// Raw rows, normalised. Nothing is clipped.
    pub fn normalise(&self, plan: &[Row]) -> Vec<Row> {
        self.mapped(plan, Self::normal)
    }

    /// Normalised rows, raw. Values more than 10⁻⁴ beyond ±1 are clipped to ±1 first.
    pub fn raw(&self, plan: &[Row]) -> Vec<Row> {
        self.mapped(plan, Self::raw_value)
    }

    /// Normalised rows, raw, without clipping.
    pub fn unclipped(&self, plan: &[Row]) -> Vec<Row> {
        self.mapped(plan, |units, c, value| {
            units.low[c] + 0.5 * (value + 1.0) * (units.high[c] - units.low[c])
        })
    }

    fn mapped(&self, plan: &[Row], map: fn(&Self, usize, f64) -> f64) -> Vec<Row> {
        plan.iter().map(|row| std::array::from_fn(|c| map(self, c, row[c]))).collect()
    }

    fn normal(&self, column: usize, value: f64) -> f64 {
        2.0 * (value - self.low[column]) / (self.high[column] - self.low[column]) - 1.0
    }

    fn raw_value(&self, column: usize, value: f64) -> f64 {
        let value = if value.abs() > 1.0 + SLACK { value.clamp(-1.0, 1.0) } else { value };
        self.low[column] + 0.5 * (value + 1.0) * (self.high[column] - self.low[column])
    }

    /// A raw state `[x, y, vx, vy]`, normalised.
    pub fn normalise_state(&self, state: [f64; 4]) -> [f64; 4] {
        std::array::from_fn(|k| self.normal(STATE + k, state[k]))
    }

    /// A normalised state, raw, without clipping.
    pub fn raw_state(&self, state: [f64; 4]) -> [f64; 4] {
        let width = |c: usize| self.high[c] - self.low[c];
        std::array::from_fn(|k| self.low[STATE + k] + 0.5 * (state[k] + 1.0) * width(STATE + k))
    }

    /// The conditions of a plan between two raw states.
    pub fn conditions(&self, start: [f64; 4], goal: [f64; 4]) -> Conditions {
        Conditions { start: self.normalise_state(start), goal: self.normalise_state(goal) }
    }
}

/// Normalised states that a plan has in its first and its last row. Actions there are free.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// Of row 0.
    pub start: [f64; 4],
    /// Of row H − 1.
    pub goal: [f64; 4],
}

impl Conditions {
    /// Overwrites what is known. With a single row the goal is.
    pub fn impose(&self, plan: &mut [Row]) {
        if let Some(first) = plan.first_mut() {
            first[STATE..].copy_from_slice(&self.start);
        }
        if let Some(last) = plan.last_mut() {
            last[STATE..].copy_from_slice(&self.goal);
        }
    }

    /// Whether each value of a plan of `horizon` rows is known, row by row. What is not is learned.
    pub fn known(horizon: usize) -> Vec<bool> {
        let end = |row: usize| row == 0 || row + 1 == horizon;
        (0..horizon * COLUMNS).map(|k| end(k / COLUMNS) && k % COLUMNS >= STATE).collect()
    }
}
